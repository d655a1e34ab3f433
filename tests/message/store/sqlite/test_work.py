"""
The work of each read that a client can ask for, in instructions of SQLite: it goes with
the answer, not with what the user or the conversation has besides.
"""

from __future__ import annotations

from collections.abc import Callable
from itertools import count
from typing import Any

import attrs
from twisted.internet.defer import Deferred

from tests.message.store.cursor_contract import said
from tests.message.store.group_contract import CREW, changed, made
from tests.message.store.sqlite.test_store import Worked
from wsmsg.message.store.position import NOW
from wsmsg.message.store.sqlite.file import STORE
from wsmsg.message.store.sqlite.groups import SIZES
from wsmsg.model import Cursor
from wsmsg.sqlite.file import SqliteFile

#: Hundreds of instructions that a read may take more where there is ten times as much.
_MORE = 8

Read = Callable[[], Deferred[Any]]


class ReadWorkTests(Worked):
    """
    Each read where there is little, and then where there is ten times as much.
    """

    def setUp(self) -> None:
        super().setUp()
        self.store.start()
        self.work()

    def steps(self, read: Read) -> int:
        """
        Return the hundreds of instructions that a read takes.
        """
        db = self.store._reader._file._db
        assert db is not None
        done = count()
        db.set_progress_handler(lambda: 0 * next(done), 100)
        reading = read()
        self.work()
        db.set_progress_handler(None, 0)
        self.successResultOf(reading)
        return next(done)

    def result(self, read: Deferred[Any]) -> Any:
        """
        Return the result of a read.
        """
        self.work()
        return self.successResultOf(read)

    def assert_same(self, reads: dict[str, Read], grow: Callable[[], None]) -> None:
        """
        Check that each read takes as many steps after there is more.
        """
        before = {name: self.steps(read) for name, read in reads.items()}
        grow()
        for name, read in reads.items():
            after = self.steps(read)
            self.assertLessEqual(after, before[name] + _MORE, (name, before[name]))

    def conversations(self, first: int, last: int) -> None:
        """
        Store a message in each of some conversations of user 1.
        """
        for n in range(first, last, 500):
            names = [f"u:1:{other}" for other in range(n, min(n + 500, last))]
            self.insert([said(1, conversation=c, sender=int(c[4:])) for c in names])

    def test_conversations(self) -> None:
        """
        A page of conversations, at the beginning, in the middle and behind a position;
        their unread counts, heads and cursors; a page of unread messages.
        """
        self.conversations(2, 502)
        names = [f"u:1:{n}" for n in range(2, 52)]
        keys = [(name, 1) for name in names]
        first = self.result(self.store.conversations_of(1, "", 50))
        reads: dict[str, Read] = {
            "first": lambda: self.store.conversations_of(1, "", 50),
            "second": lambda: self.store.conversations_of(1, first.position, 50),
            "counts": lambda: self.store.unread_counts(1, names),
            "heads": lambda: self.store.heads(names),
            "cursors": lambda: self.store.cursors(keys),
            "unread": lambda: self.store.unread(1, [(c, 0) for c in names], 20),
            "empty": lambda: self.store.conversations_of(9, "", 50),
        }
        self.assert_same(reads, lambda: self.conversations(502, 5002))
        # The position lies in steps of 4096 messages, some of which are looked at.
        now = self.result(self.store.conversations_of(1, NOW, 50)).position
        behind = self.steps(lambda: self.store.conversations_of(1, now, 50))
        self.assertLess(behind, 1500)

    def test_messages(self) -> None:
        """
        A page of messages, forwards and backwards, of a pair and of a group; a page of
        unread ones.
        """
        self.insert([made(2)])
        self.result(self.store.apply([made(2)]))

        def say(first: int, last: int) -> None:
            for name in ("u:1:2", CREW):
                more = 1 if name == CREW else 0
                for n in range(first, last, 500):
                    numbers = range(n, min(n + 500, last))
                    self.insert([said(i + more, conversation=name) for i in numbers])

        say(1, 501)
        reads: dict[str, Read] = {
            "page": lambda: self.store.page("u:1:2", 0, 50),
            "middle": lambda: self.store.page("u:1:2", 250, 50),
            "before": lambda: self.store.page("u:1:2", 0, 50, before=400),
            "group": lambda: self.store.page(CREW, 100, 50, reader=2),
            "unread": lambda: self.store.unread(2, [("u:1:2", 0)], 50),
            "read": lambda: self.store.unread_counts(1, ["u:1:2"]),
            "find": lambda: self.store.find([said(7).identity]),
        }
        self.result(self.store.move_cursors([Cursor("u:1:2", 1, 500, 500)]))
        reads.pop("read")
        self.assert_same(reads, lambda: say(501, 5001))
        self.result(self.store.move_cursors([Cursor("u:1:2", 2, 4990, 4990)]))
        counted = self.steps(lambda: self.store.unread_counts(2, ["u:1:2"]))
        self.assertLess(counted, 10)

    def test_members(self) -> None:
        """
        A page of the members of a group, and the right of one of them.
        """

        def join(first: int, last: int) -> None:
            for n in range(first, last, 500):
                event = changed(2 + n // 500, add=list(range(n, min(n + 500, last))))
                self.insert([event])
                self.result(self.store.apply([event]))

        self.insert([made(2)])
        self.result(self.store.apply([made(2)]))
        join(500, 1000)
        reads: dict[str, Read] = {
            "members": lambda: self.store.group(CREW, 600, 50),
            "right": lambda: self.store.readable_from([(CREW, 700)]),
        }
        self.assert_same(reads, lambda: join(1000, 5500))
        leaving = changed(50, remove=[600, 600, 1, 9999], sender=1)
        self.insert([leaving])
        for _ in range(2):
            self.result(self.store.apply([leaving]))
            page = self.result(self.store.group(CREW, 0, 1))
            self.assertEqual(page.count, 1 + 1 + 5000 - 2)


class OlderGroupTests(Worked):
    """
    A file of the version that did not keep the number of members.
    """

    def test_counted(self) -> None:
        """
        Its groups have their numbers of members, without those who left.
        """
        before = STORE.scripts[: STORE.scripts.index(SIZES)]
        older = SqliteFile(self.path, attrs.evolve(STORE, scripts=before))
        older.open()
        older.run("INSERT INTO conversations (name) VALUES (?)", (CREW,))
        older.run("INSERT INTO groups VALUES (1, 'crew', 1, 0, 1)")
        for user, joined in ((1, 1), (2, 1), (3, 0)):
            older.run("INSERT INTO group_members VALUES (1, ?, ?, 1)", (user, joined))
        older.close()
        self.store.start()
        self.work()
        reading = self.store.group(CREW, 0, 9)
        self.work()
        page = self.successResultOf(reading)
        assert page is not None
        self.assertEqual((page.count, len(page.members)), (2, 2))
