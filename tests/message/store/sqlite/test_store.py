"""
Tests for L{wsmsg.message.store.sqlite.store}.
"""

from __future__ import annotations

from itertools import count

import attrs
import msgspec
from hypothesis import given, settings
from hypothesis import strategies as st
from twisted.internet.task import Clock
from twisted.trial.unittest import SynchronousTestCase

from tests.contracts import make_store_tests
from tests.doubles import MemoryWorker
from tests.message.sqlite_paths import path_for, sqlite_names, sqlite_store
from tests.message.store.cursor_contract import said
from tests.message.store.group_contract import made
from tests.message.store.inserts import insert_into
from tests.message.store.name_contract import make_name_tests
from wsmsg.dependency.state import Dependency, State
from wsmsg.errors import Unavailable
from wsmsg.message.store.interface import Outcome
from wsmsg.message.store.sqlite import unread
from wsmsg.message.store.sqlite.file import STORE
from wsmsg.message.store.sqlite.store import SqliteStore
from wsmsg.model import Mark, Message
from wsmsg.sqlite.file import SqliteFile


class SqliteStoreTests(make_store_tests(sqlite_store)):  # type: ignore[misc]
    """
    The embedded store.
    """


class SqliteNamesTests(make_name_tests(sqlite_names)):  # type: ignore[misc]
    """
    The names in the embedded store.
    """


class Worked(SynchronousTestCase):
    """
    A store whose threads and time belong to the test.
    """

    def setUp(self) -> None:
        self.clock = Clock()
        self.writing, self.reading = MemoryWorker(), MemoryWorker()
        self.path = path_for(self)
        self.store = SqliteStore(
            self.path,
            self.clock,  # type: ignore[arg-type]
            retry=lambda failures: 1.0,
            dependency=Dependency("store", self.clock),
            workers=(self.writing, self.reading),
        )
        self.addCleanup(self.stop)

    def work(self) -> None:
        """
        Let both threads work off their calls.
        """
        while self.writing.waiting or self.reading.waiting:
            self.writing.work()
            self.reading.work()

    def stop(self) -> None:
        """
        Stop the store, with nothing left.
        """
        stopping = self.store.stop()
        self.work()
        self.successResultOf(stopping)
        self.assertEqual(self.clock.getDelayedCalls(), [])

    def insert(self, messages: list[Message]) -> list[Outcome]:
        """
        Store messages.
        """
        inserting = insert_into(self.store, messages, 5)
        self.work()
        outcomes: list[Outcome] = self.successResultOf(inserting)
        return outcomes


class LifeTests(Worked):
    """
    Opening, losing, stopping.
    """

    def test_reads_do_not_wait_for_commits(self) -> None:
        """
        A page is read while a batch is being written.
        """
        self.store.start()
        self.work()
        inserting = insert_into(self.store, [said(1)], 5)
        page = self.store.page("u:1:2", 0, 10)
        self.reading.work()
        self.assertEqual(self.successResultOf(page), ([], 0))
        self.assertNoResult(inserting)

    def test_lost_and_back(self) -> None:
        """
        While the file cannot be used, the reason is reported and all calls fail as
        unavailable at once; the store returns by the retry policy.
        """
        self.store.start()
        self.work()
        db = self.store._writer._file._db
        assert db is not None
        db.execute("PRAGMA max_page_count = 1")
        inserting = insert_into(
            self.store, [said(i, content="x" * 60000) for i in range(1, 30)], 5
        )
        self.work()
        reason = self.failureResultOf(inserting, Unavailable).value.reason
        self.assertIn("full", reason)
        self.assertIs(self.store.dependency.state, State.CONNECTING)
        self.failureResultOf(self.store.heads(["u:1:2"]), Unavailable)
        self.clock.advance(1)
        self.work()
        self.assertEqual(self.insert([said(1)]), [Outcome.INSERTED])

    def test_in_use(self) -> None:
        """
        A second process is refused, with the name of the file and the pid of the first.
        """
        other = SqliteFile(self.path, STORE)
        other.open()
        self.addCleanup(other.close)
        self.store.start()
        self.work()
        self.assertIn(
            "is in use by process", self.store.dependency.snapshot().last_error
        )

    def test_stopped_while_opening(self) -> None:
        """
        A store that is stopped while it opens leaves nothing open.
        """
        self.store.start()
        self.stop()
        self.assertIsNone(self.store._reader._file._db)
        self.assertIsNone(self.store._writer._file._db)


class OlderTests(Worked):
    """
    Files of older versions.
    """

    def test_without_groups(self) -> None:
        """
        A file of the first version is opened with its content, and accepts groups.
        """
        older = SqliteFile(self.path, attrs.evolve(STORE, scripts=STORE.scripts[:1]))
        older.open()
        older.run("INSERT INTO conversations (name) VALUES ('u:1:2')")
        older.run("INSERT INTO members VALUES (1, 1), (2, 1)")
        older.run(
            "INSERT INTO messages VALUES (1, 1, 1, 'c1', 101, 'hello', 1, 1001, 5, 1)"
        )
        older.close()
        self.store.start()
        self.work()
        self.assertTrue(self.store.dependency.up)
        self.assertEqual(self.insert([said(2), made(2)]), [Outcome.INSERTED] * 2)
        applying = self.store.apply([made(2)])
        page = self.store.page("u:1:2", 0, 9)
        self.work()
        self.successResultOf(applying)
        self.assertEqual(self.successResultOf(page), ([said(1), said(2)], 2))
        of_two = self.store.conversations_of(2, "", 9)
        self.work()
        names = [row.conversation for row in self.successResultOf(of_two).rows]
        self.assertEqual(names, ["g:77", "u:1:2"])

    def test_without_marks(self) -> None:
        """
        A file of the version before marks is opened with its cursors, and accepts
        marks.
        """
        older = SqliteFile(self.path, attrs.evolve(STORE, scripts=STORE.scripts[:2]))
        older.open()
        older.run("INSERT INTO conversations (name) VALUES ('u:1:2')")
        older.run("INSERT INTO members VALUES (1, 1), (2, 1)")
        older.run("INSERT INTO cursors VALUES (1, 2, 1, 1)")
        older.close()
        self.store.start()
        self.work()
        self.insert([said(i) for i in range(1, 5)])
        marking = self.store.mark([Mark(2, 0, "u:1:2", 3)])
        self.work()
        self.assertEqual(self.successResultOf(marking).known, [True])
        unread = self.store.unread_counts(2, ["u:1:2"])
        self.work()
        self.assertEqual(self.successResultOf(unread), {"u:1:2": 2})

    def test_counted_in_pieces(self) -> None:
        """
        Many unread messages are counted in pieces, between which others use the file.
        """
        self.patch(unread, "PIECE", 3)
        self.store.start()
        self.work()
        self.insert([said(i) for i in range(1, 9)])
        self.insert([said(i, conversation="u:2:3", sender=3) for i in range(1, 5)])
        marking = self.store.mark([Mark(2, 0, "u:1:2", n) for n in (1, 4)])
        self.work()
        self.assertEqual(self.successResultOf(marking).known, [True, True])
        counting = self.store.unread_counts(2, ["u:1:2", "u:2:3", "u:2:4"])
        heads = self.store.heads(["u:1:2"])
        self.work()
        counts = {"u:1:2": 6, "u:2:3": 4, "u:2:4": 0}
        self.assertEqual(self.successResultOf(counting), counts)
        self.assertEqual(self.successResultOf(heads), {"u:1:2": 8})

    def test_sought_in_pieces(self) -> None:
        """
        Many unread messages, and many conversations, are looked at in pieces when
        messages are sought by their ids, between which others use the file.
        """
        self.patch(unread, "PIECE", 3)
        self.patch(unread, "CONVERSATIONS", 2)
        self.store.start()
        self.work()
        self.insert([said(i) for i in range(1, 9)])
        for n in (104, 3, 110, 7, 2**60):
            other = said(1, conversation=f"u:2:{n}", sender=n)
            self.insert([msgspec.structs.replace(other, message_id=n)])
        search = self.store.located(2, [3, 103, 10**15])
        between = 0
        while not search.called:
            between += 1
            heads = self.store.heads(["u:1:2"])
            for _ in range(2 - search.called):
                self.reading.step()
            self.assertEqual(self.successResultOf(heads), {"u:1:2": 8})
        self.assertGreater(between, 3)
        places = {3: ("u:2:3", 1), 103: ("u:1:2", 3)}
        self.assertEqual(self.successResultOf(search), places)


class UnreadWorkTests(Worked):
    """
    The work of a page of unread messages, in instructions of SQLite.
    """

    def setUp(self) -> None:
        super().setUp()
        self.store.start()
        self.work()

    def steps(self, places: list[tuple[str, int]], limit: int) -> int:
        """
        Return the hundreds of instructions of a page for user 2.
        """
        db = self.store._reader._file._db
        assert db is not None
        done = count()
        db.set_progress_handler(lambda: 0 * next(done), 100)
        unread = self.store.unread(2, places, limit)
        self.work()
        found = self.successResultOf(unread)
        self.assertEqual(len(found.messages), limit)
        db.set_progress_handler(None, 0)
        return next(done)

    def test_one_conversation(self) -> None:
        """
        A page of a conversation with twenty times as many unread messages costs no
        more, at its beginning and in its middle.
        """
        self.insert([said(i) for i in range(1, 101)])
        few = self.steps([("u:1:2", 0)], 10)
        self.insert([said(i) for i in range(101, 2001)])
        for after in (0, 1000):
            self.assertLessEqual(self.steps([("u:1:2", after)], 10), few + 2)

    def test_many_conversations(self) -> None:
        """
        A page of conversations with unread messages costs no more where others have
        some as well.
        """
        places = [(f"u:2:{n}", 0) for n in range(3, 23)]
        self.insert([said(1, conversation=name, sender=3) for name, _ in places])
        few = self.steps(places, 10)
        others = [f"u:2:{n}" for n in range(30, 1000)]
        self.insert([said(1, conversation=name, sender=3) for name in others])
        self.assertLessEqual(self.steps(places, 10), few + 2)


class Numbers:
    """
    A model of the store in a few lines: a prefix of each conversation.
    """

    def __init__(self) -> None:
        self.stored: list[Message] = []

    def insert(self, messages: list[Message]) -> list[Outcome]:
        """
        Store messages.
        """
        ended: set[str] = set()
        outcomes = []
        for message in messages:
            outcome = self._outcome(message, ended)
            if outcome is Outcome.INSERTED:
                self.stored.append(message)
            else:
                ended.add(message.conversation)
            outcomes.append(outcome)
        return outcomes

    def _outcome(self, message: Message, ended: set[str]) -> Outcome:
        if message.conversation in ended:
            return Outcome.SKIPPED
        if any(m.identity == message.identity for m in self.stored):
            return Outcome.REPEATED
        if any(
            (m.conversation, m.seq) == (message.conversation, message.seq)
            for m in self.stored
        ):
            return Outcome.TAKEN
        return Outcome.INSERTED

    def page(self, conversation: str) -> list[Message]:
        """
        Return a conversation in order.
        """
        found = [m for m in self.stored if m.conversation == conversation]
        return sorted(found, key=lambda m: m.seq)


#: Batches of (conversation, client id, number).
_batches = st.lists(
    st.lists(
        st.tuples(st.integers(1, 3), st.integers(1, 8), st.integers(1, 6)), max_size=8
    ),
    max_size=6,
)


class NumberingTests(Worked):
    """
    The outcomes are those of the model, for any batches.
    """

    def setUp(self) -> None:
        super().setUp()
        self.store.start()
        self.work()
        self.bases = count(10, 10)

    @settings(max_examples=60, deadline=None)
    @given(_batches)
    def test_as_the_model(self, batches: list[list[tuple[int, int, int]]]) -> None:
        """
        Whatever repeats and collides, a prefix of each conversation is stored, and
        pages and heads agree with the outcomes.
        """
        # Conversations that no other example has.
        base = next(self.bases)
        model = Numbers()
        for batch in batches:
            rising = sorted(batch, key=lambda x: x[2])
            messages = [
                said(seq, f"c{client}", conversation=f"u:{base}:{base + conversation}")
                for conversation, client, seq in rising
            ]
            self.assertEqual(self.insert(messages), model.insert(messages))
        for i in (1, 2, 3):
            name = f"u:{base}:{base + i}"
            expected = model.page(name)
            page = self.store.page(name, 0, 100)
            self.work()
            self.assertEqual(
                self.successResultOf(page),
                (expected, max((m.seq for m in expected), default=0)),
            )
