"""
Tests for L{wsmsg.message.journal.sqlite.journal}.
"""

from __future__ import annotations

import os
import sqlite3
from contextlib import closing

from twisted.trial.unittest import SynchronousTestCase

from tests.contracts import make_journal_tests
from tests.doubles import up
from tests.message.journal.journal_contract import messages, read_all, sent
from tests.message.journal.sqlite.manual_journal import JournalOnHand
from tests.message.sqlite_paths import (
    path_for,
    sqlite_journal,
    sqlite_journal_at,
)
from wsmsg.dependency.state import State
from wsmsg.errors import BadRequest, Unavailable
from wsmsg.message.journal.interface import (
    CONFLICT_REASON,
    REFUSED_REASON,
    JournalEntry,
    LetterKind,
)
from wsmsg.message.journal.letters import BOUNDS, LetterBound
from wsmsg.message.journal.sqlite.file import JournalFile, rows_of


class SqliteJournalTests(make_journal_tests(sqlite_journal)):  # type: ignore[misc]
    """
    The embedded journal.
    """

    async def test_settled_is_removed(self) -> None:
        """
        Settled records take no space in the file.
        """
        for i in range(3):
            await self.journal.append([sent(i), sent(i + 10)])
        entries = await read_all(self.journal, 6)
        self.journal.commit({0: entries[2].offset + 1})
        await self.journal.stop()
        with closing(sqlite3.connect(self.place.path)) as db:
            (rows,) = db.execute("SELECT count(*) FROM batches").fetchone()
        self.assertEqual(rows, 2)

    async def test_file_is_private(self) -> None:
        """
        Other users of the machine may not read the messages.
        """
        await self.journal.append([sent(1)])
        for more in ("", "-wal", "-shm", ".lock"):
            mode = os.stat(self.place.path + more).st_mode & 0o777
            self.assertEqual(mode, 0o600, more)

    async def test_lagging_reader(self) -> None:
        """
        A reader that lags behind the tail in memory misses nothing.
        """
        journal = sqlite_journal_at(path_for(self), tail_records=10)
        self.addCleanup(journal.stop)
        await up(journal)
        read: list[JournalEntry] = []
        for i in range(30):
            await journal.append([sent(i * 2), sent(i * 2 + 1)])
            if i % 10 == 0:
                read += await journal.read(3)
        read += await read_all(journal, 60 - len(read), 7)
        self.assertEqual(messages(read), [sent(i) for i in range(60)])


class LetterBoundTests(SynchronousTestCase):
    """
    Dead letters in the file.
    """

    def setUp(self) -> None:
        bounds = {
            **BOUNDS,
            LetterKind.CONFLICT: LetterBound(3, 1000),
            LetterKind.UNREADABLE: LetterBound(100, 50),
        }
        self.file = JournalFile(path_for(self), bounds)
        self.file.open()
        self.addCleanup(self.file.close)
        self.offset = 0

    def add(self, reason: str, *sizes: int) -> dict[LetterKind, int]:
        letters = []
        for size in sizes:
            self.offset += 1
            letters.append((JournalEntry(0, self.offset, None, b"x" * size), reason))
        return self.file.dead_letter(letters)

    def offsets(self) -> list[int]:
        return [letter.offset for letter in self.file.dead_letters(0, 100)]

    def test_newest_of_each_kind(self) -> None:
        """
        The newest dead letters of each kind are kept, by number and by bytes, the very
        newest always; those that are removed are counted, also after a restart and a
        replay.
        """
        self.assertEqual(self.add("not a protobuf", 10, 10), {})
        self.assertEqual(
            self.add(CONFLICT_REASON, 1, 1, 1, 1, 1), {LetterKind.CONFLICT: 2}
        )
        self.assertEqual(self.offsets(), [1, 2, 5, 6, 7])
        self.file.close()
        self.file.open()
        self.assertEqual(self.add("no version", 40), {LetterKind.UNREADABLE: 1})
        self.assertEqual(self.add(REFUSED_REASON, 100, 100), {})
        self.assertEqual(self.offsets(), [2, 5, 6, 7, 8, 9, 10])
        self.assertEqual(self.add("no version", 60), {LetterKind.UNREADABLE: 2})
        self.assertEqual(self.offsets(), [5, 6, 7, 9, 10, 11])
        first = self.file.dead_letters(0, 1)[0].number
        self.file.replay([first], 0)
        self.assertEqual(self.add(CONFLICT_REASON, 1), {})
        self.assertEqual(self.add(CONFLICT_REASON, 999), {LetterKind.CONFLICT: 2})
        self.assertEqual(self.offsets(), [9, 10, 11, 12, 13])


class RowsTests(SynchronousTestCase):
    """
    Rows of the file.
    """

    def test_rows(self) -> None:
        """
        Long records that are appended together go into several rows, as one row with
        all of them would be refused with every message in it.
        """
        values = [b"a" * 60, b"b" * 60, b"c" * 10, b"d" * 300, b"e", b"f"]
        rows = list(rows_of(values, most=2, most_bytes=100))
        self.assertEqual([len(row) for row in rows], [1, 2, 1, 2])
        self.assertEqual([value for row in rows for value in row], values)
        self.assertEqual(list(rows_of([])), [])


class ReadTests(JournalOnHand):
    """
    Reads from the file.
    """

    def test_a_bug(self) -> None:
        """
        A read that fails for another reason than the file fails for the reader, who
        reads again; it does not wait for the next append.
        """
        self.start()
        self.journal.append([sent(0)])
        self.worker.work()
        self.journal._tail.clear()

        def broken(*_: object) -> None:
            raise RuntimeError("a bug")

        with_bug = self.patch(self.journal._file, "read", broken)
        reading = self.journal.read(1)
        self.worker.work()
        self.failureResultOf(reading, RuntimeError)
        with_bug.restore()
        self.assertEqual(self.journal.counts()["unread"], 1)
        reading = self.journal.read(1)
        self.worker.work()
        self.assertEqual(messages(self.successResultOf(reading)), [sent(0)])
        self.assertEqual(self.journal.counts()["unread"], 0)


class AppendTests(JournalOnHand):
    """
    Group commit.
    """

    def test_group_commit(self) -> None:
        """
        Appends that arrive during a commit share the next one.
        """
        self.start()
        first = self.journal.append([sent(0)])
        others = [self.journal.append([sent(i)]) for i in range(1, 50)]
        self.worker.step()
        self.successResultOf(first)
        self.assertNoResult(others[0])
        self.assertEqual(len(self.worker.waiting), 1)
        self.worker.step()
        for other in others:
            self.successResultOf(other)
        self.assertEqual(len(self.successResultOf(self.journal.read(100))), 50)
        self.assertEqual(len(self.worker.waiting), 0)

    def test_not_up(self) -> None:
        """
        While the file is not open appends fail at once, and reads wait.
        """
        self.failureResultOf(self.journal.append([sent(0)]), Unavailable)
        reading = self.journal.read(1)
        self.start()
        self.assertNoResult(reading)
        self.journal.append([sent(0)])
        self.worker.work()
        self.assertEqual(messages(self.successResultOf(reading)), [sent(0)])

    def test_not_unicode(self) -> None:
        """
        A text that is not valid Unicode fails its own append and no other.
        """
        self.start()
        good = self.journal.append([sent(0)])
        self.failureResultOf(self.journal.append([sent(1, "\ud800")]), BadRequest)
        self.failureResultOf(self.journal.append([sent(2**64)]), BadRequest)
        self.worker.work()
        self.successResultOf(good)

    def test_full_disk(self) -> None:
        """
        On a full disk, the appends in flight and those that wait fail as unavailable
        with the reason; the journal is reopened and goes on with what was
        durable before.
        """
        self.start()
        self.journal.append([sent(0)])
        self.worker.work()
        failing = self.fill_disk(self.journal)
        behind = self.journal.append([sent(1)])
        self.worker.step()
        reason = self.failureResultOf(failing, Unavailable).value.reason
        self.failureResultOf(behind, Unavailable)
        self.assertIn("full", reason)
        self.assertIn(self.path, reason)
        snapshot = self.journal.dependency.snapshot()
        self.assertIs(snapshot.state, State.CONNECTING)
        self.assertEqual(snapshot.last_error, reason)
        self.failureResultOf(self.journal.append([sent(2)]), Unavailable)
        self.clock.advance(1)
        self.worker.work()
        self.assertTrue(self.journal.dependency.up)
        again = self.journal.append([sent(3)])
        self.worker.work()
        self.successResultOf(again)
        reading = self.journal.read(10)
        self.worker.work()
        self.assertEqual(messages(self.successResultOf(reading)), [sent(0), sent(3)])


class CommitTests(JournalOnHand):
    """
    The times at which positions are written.
    """

    def setUp(self) -> None:
        super().setUp()
        self.start()
        self.journal.append([sent(i) for i in range(3)])
        self.worker.work()
        self.entries = self.successResultOf(self.journal.read(10))

    def killed(self) -> list[int]:
        """
        Return the offsets that a process reads after a kill.
        """
        self.journal._file.close()
        self.journal = self.made()
        self.start()
        reading = self.journal.read(10)
        self.worker.work()
        return [e.offset for e in self.successResultOf(reading)]

    def test_soon_by_itself(self) -> None:
        """
        A commit is written after a fifth of a second, together with others.
        """
        for entry in self.entries[:2]:
            self.journal.commit({0: entry.offset + 1})
        self.assertEqual(len(self.clock.getDelayedCalls()), 1)
        self.clock.advance(0.19)
        self.assertEqual(len(self.worker.waiting), 0)
        self.clock.advance(0.02)
        self.assertEqual(len(self.worker.waiting), 1)
        self.worker.work()
        self.assertEqual(self.clock.getDelayedCalls(), [])
        self.assertEqual(self.killed(), [2])

    def test_with_the_next_append(self) -> None:
        """
        A commit is written with the append that comes after it.
        """
        self.journal.commit({0: 2})
        self.journal.append([sent(9)])
        self.worker.work()
        for call in self.clock.getDelayedCalls():
            call.cancel()
        self.assertEqual(self.killed(), [2, 3])

    def test_not_written(self) -> None:
        """
        A kill before the commit is written repeats entries, and loses none.
        """
        self.journal.commit({0: 2})
        for call in self.clock.getDelayedCalls():
            call.cancel()
        self.assertEqual(self.killed(), [0, 1, 2])

    def test_written_after_a_loss(self) -> None:
        """
        A commit that could not be written is written once the file is open again.
        """
        self.journal.commit({0: 2})
        self.fill_disk(self.journal).addErrback(lambda _: None)
        self.worker.work()
        self.clock.advance(0.5)
        self.clock.advance(0.5)
        self.worker.work()
        self.assertTrue(self.journal.dependency.up)
        self.clock.advance(0.2)
        self.worker.work()
        self.assertEqual(self.killed(), [2])

    def test_rewind_while_the_file_is_read(self) -> None:
        """
        Entries that were being read during a rewind are dropped, not returned out of
        order.
        """
        self.killed()
        self.journal.rewind()
        reading = self.journal.read(1)
        self.worker.work()
        self.assertEqual(self.successResultOf(reading)[0].offset, 0)
        reading = self.journal.read(1)
        self.journal.rewind()
        self.worker.work()
        self.assertEqual(self.successResultOf(reading)[0].offset, 0)
