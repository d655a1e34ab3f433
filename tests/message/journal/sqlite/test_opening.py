"""
Opening the embedded journal: files that cannot be opened, or decoded.
"""

from __future__ import annotations

import os
from typing import Any

from tests.message.journal.sqlite.manual_journal import JournalOnHand
from wsmsg.dependency.state import State
from wsmsg.message.journal.interface import JournalEntry
from wsmsg.message.journal.sqlite.file import JOURNAL
from wsmsg.rpc.record_pb2 import Record
from wsmsg.sqlite.file import SqliteFile

#: A record as it is written.
_RECORD: dict[str, Any] = {
    "version": 1,
    "sender": 1,
    "client_id": "a",
    "conversation": "u:1:2",
    "message_id": 7,
}


class OpenTests(JournalOnHand):
    """
    Opening, and what may prevent it.
    """

    def test_retries(self) -> None:
        """
        A directory that cannot be created is retried by the policy, with the reason in
        the log, up to the limit of attempts.
        """
        blocker = self.mktemp()
        with open(blocker, "w"):
            pass
        self.path = os.path.join(blocker, "journal.db")
        self.journal = self.made()
        self.journal.start()
        for attempt in (1, 2, 3):
            self.assertEqual(self.journal.dependency.snapshot().attempts, attempt)
            self.worker.work()
            self.clock.advance(1)
        snapshot = self.journal.dependency.snapshot()
        self.assertIs(snapshot.state, State.DOWN)
        self.assertIn(self.path, snapshot.last_error)
        self.assertIn("is not a directory", snapshot.last_error)

    def test_comes_up_later(self) -> None:
        """
        The journal comes up once another process has released the file.
        """
        other = SqliteFile(self.path, JOURNAL)
        other.open()
        self.journal.start()
        self.worker.work()
        snapshot = self.journal.dependency.snapshot()
        self.assertIs(snapshot.state, State.CONNECTING)
        self.assertEqual(
            snapshot.last_error,
            f"journal {self.path} is in use by process {os.getpid()}",
        )
        other.close()
        self.clock.advance(1)
        self.worker.work()
        self.assertTrue(self.journal.dependency.up)

    def test_broken_is_not_retried(self) -> None:
        """
        A file that no retry can repair is given up at once.
        """
        with open(self.path, "wb") as f:
            f.write(b"no database" * 100)
        self.journal.start()
        self.worker.work()
        snapshot = self.journal.dependency.snapshot()
        self.assertIs(snapshot.state, State.DOWN)
        self.assertIn("damaged", snapshot.last_error)
        self.assertEqual(self.clock.getDelayedCalls(), [])

    def test_stopped_while_opening(self) -> None:
        """
        A journal that is stopped while it opens does not come up, and leaves nothing.
        """
        self.journal.start()
        self.stop()
        self.assertIs(self.journal.dependency.state, State.STOPPED)
        other = SqliteFile(self.path, JOURNAL)
        other.open()
        other.close()

    def test_stopped_while_waiting(self) -> None:
        """
        A journal that is stopped between two attempts makes no further one.
        """
        other = SqliteFile(self.path, JOURNAL)
        other.open()
        self.addCleanup(other.close)
        self.journal.start()
        self.worker.work()
        self.stop()


class DamageTests(JournalOnHand):
    """
    Records that cannot be decoded.
    """

    def put(self, *values: bytes) -> None:
        """
        Write these records into the file.
        """
        self.start()
        self.journal._file.append(values, 0)
        self.journal._file.close()
        self.journal = self.made()
        self.start()

    def read(self, limit: int = 10) -> list[JournalEntry]:
        """
        Return the next entries.
        """
        reading = self.journal.read(limit)
        self.worker.work()
        found: list[JournalEntry] = self.successResultOf(reading)
        return found

    def test_problems(self) -> None:
        """
        A record that is not a protobuf, has a newer version, or has no identity is
        returned with its bytes and the problem; the records around it are returned as
        usual.
        """
        record = Record(**_RECORD)
        good = record.SerializeToString()
        record.version = 9
        newer = record.SerializeToString()
        values = (good, b"\xff\xff", newer, b"", Record(version=1).SerializeToString())
        self.put(*values, good)
        entries = self.read()
        self.assertEqual([e.value for e in entries], [*values, good])
        self.assertEqual(
            [e.message is None for e in entries], [False, True, True, True, True, False]
        )
        self.assertIn("not a protobuf", entries[1].problem)
        self.assertIn("version 9", entries[2].problem)
        self.assertIn("no version", entries[3].problem)
        self.assertIn("no conversation", entries[4].problem)

    def test_batch_cut_short(self) -> None:
        """
        Each record of a batch that is truncated in the file is an entry with a problem.
        """
        record = Record(**_RECORD)
        self.put(*[record.SerializeToString()] * 3)
        self.journal._file._file.run(
            "UPDATE batches SET records = substr(records, 1, 30)"
        )
        entries = self.read()
        self.assertEqual([e.offset for e in entries], [0, 1, 2])
        self.assertEqual([bool(e.problem) for e in entries], [False, True, True])
