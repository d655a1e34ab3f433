"""
An embedded journal that works only when the test says so.
"""

from __future__ import annotations

from twisted.internet.defer import Deferred
from twisted.internet.task import Clock
from twisted.trial.unittest import SynchronousTestCase

from tests.doubles import MemoryWorker
from tests.message.journal.journal_contract import sent
from tests.message.sqlite_paths import path_for
from wsmsg.dependency.state import Dependency
from wsmsg.message.journal.sqlite.journal import SqliteJournal


class JournalOnHand(SynchronousTestCase):
    """
    A journal whose thread and time belong to the test.
    """

    def setUp(self) -> None:
        self.clock = Clock()
        self.worker = MemoryWorker()
        self.path = path_for(self)
        self.journal = self.made()
        self.addCleanup(self.stop)

    def made(self) -> SqliteJournal:
        """
        Return a journal that is not started.
        """
        return SqliteJournal(
            self.path,
            self.clock,  # type: ignore[arg-type]
            retry=lambda failures: 1.0 if failures < 3 else None,
            dependency=Dependency("journal", self.clock),
            worker=self.worker,
        )

    def start(self) -> None:
        """
        Start the journal and let it come up.
        """
        self.journal.start()
        self.worker.work()
        self.assertTrue(self.journal.dependency.up)

    def stop(self) -> None:
        """
        Stop the journal, with nothing left.
        """
        stopping = self.journal.stop()
        self.worker.work()
        self.successResultOf(stopping)
        self.assertEqual(self.clock.getDelayedCalls(), [])

    def break_file(self) -> None:
        """
        Make every commit fail, as a full disk would.
        """
        db = self.journal._file._file._db
        assert db is not None
        db.execute("PRAGMA max_page_count = 1")

    def fill_disk(self, journal: SqliteJournal) -> Deferred[None]:
        """
        Append more than fits.
        """
        self.break_file()
        return journal.append([sent(i, "x" * 60_000) for i in range(20)])
