"""
The gate of ingress, and the watches that close it.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

from twisted.internet.task import Clock
from twisted.trial.unittest import SynchronousTestCase

from tests.doubles import MemoryWorker
from tests.message.doubles import ManualJournal, MemoryStore, rules_by
from wsmsg.errors import Unavailable, WsmsgError
from wsmsg.message.cluster.message_ids import EPOCH_MS, MessageIds
from wsmsg.message.ingress.backlog_watch import BacklogBounds, BacklogWatch
from wsmsg.message.ingress.disk_watch import LOOK_S, LOOK_SOON_S, DiskWatch
from wsmsg.message.ingress.gate import RETRY_AFTER_MS, IntakeGate
from wsmsg.message.ingress.ingress import Ingress
from wsmsg.message.ingress.interface import Answer, SendRequest
from wsmsg.message.log.appends import Appends
from wsmsg.settings.values import MessageSettings
from wsmsg.sqlite.space import DiskSpace

MIB = 2**20
FILE = Path("/data/journal.db")


class GateTests(SynchronousTestCase):
    """
    L{IntakeGate}, in front of ingress.
    """

    def setUp(self) -> None:
        self.journal = ManualJournal()
        store = MemoryStore()
        store.start()
        self.gate = IntakeGate()
        self.answers: list[int | WsmsgError] = []
        now_ms = iter(range(EPOCH_MS, EPOCH_MS + 1000)).__next__
        self.now_s = 0.0
        self.ingress = Ingress(
            Appends(self.journal, store, Clock()),
            store,
            MessageIds(now_ms),
            now_ms,
            rules=rules_by(store, now_ms),
            limit=100,
            content_bytes=100,
            gate=self.gate,
            seconds=lambda: self.now_s,
        )

    def send(self, client_id: str) -> None:
        def reply(answers: Sequence[Answer]) -> None:
            self.answers += [answer for _, answer in answers]

        request = SendRequest(1, 1, client_id, "u:1:2", "hi", 1)
        self.ingress.accept([request], reply)
        for _, done in self.journal.appends:
            if not done.called:
                done.callback(None)

    def test_closed(self) -> None:
        """
        While the gate is closed a new message is refused with the reason and a time to
        wait, and a message that was accepted before is still accepted; an alarm says
        so, and the refusals are counted.
        """
        self.send("a")
        self.gate.set("disk", "the disk is almost full")
        self.send("b")
        self.now_s += RETRY_AFTER_MS / 1000  # the end of the fence
        self.send("a")
        accepted, refused, repeated = self.answers
        self.assertEqual(accepted, repeated)
        assert isinstance(refused, Unavailable)
        self.assertEqual(refused.reason, "the disk is almost full")
        self.assertEqual(refused.retry_after_ms, RETRY_AFTER_MS)
        [alarm] = self.gate.alarms.current
        self.assertEqual(
            (alarm.name, alarm.reason),
            ("disk", "the disk is almost full: messages are refused"),
        )
        self.assertEqual(self.gate.refused, {"disk": 1})

    def test_refused_out_of_order(self) -> None:
        """
        A message that is refused for the gate, while the journal has not answered for
        one before it and then refuses that one, comes after it when both are repeated.
        """
        answers: list[tuple[str, bool]] = []

        def send(*client_ids: str) -> None:
            requests = [SendRequest(1, 1, c, "u:1:2", "hi", 1) for c in client_ids]
            self.ingress.accept(requests, reply)

        def reply(of: Sequence[Answer]) -> None:
            answers.extend((r.client_id, isinstance(a, int)) for r, a in of)

        send("a")
        self.gate.set("disk", "the disk is almost full")
        send("b")
        self.journal.appends.pop()[1].errback(Unavailable("no broker took it"))
        self.gate.set("disk", "")
        self.assertEqual(answers, [("b", False), ("a", False)])
        answers.clear()
        send("b")
        self.assertEqual(answers, [("b", False)])
        send("a", "b")
        self.journal.appends.pop()[1].callback(None)
        self.assertEqual(answers[1:], [("a", True), ("b", True)])

    def test_two_causes(self) -> None:
        """
        The gate opens when the last of its causes has passed.
        """
        self.gate.set("disk", "the disk is almost full")
        self.gate.set("backlog", "too much waits")
        self.gate.set("disk", "")
        self.assertTrue(self.gate.closed)
        self.gate.set("backlog", "")
        self.assertFalse(self.gate.closed)
        self.assertEqual(self.gate.alarms.current, ())
        self.send("a")
        self.assertIsInstance(self.answers[0], int)


class DiskWatchTests(SynchronousTestCase):
    """
    L{DiskWatch}.
    """

    def setUp(self) -> None:
        self.clock = Clock()
        self.worker = MemoryWorker()
        self.gate = IntakeGate()
        self.space = DiskSpace(1000 * MIB, 10_000 * MIB)
        self.kind = "ext4"
        self.watch = DiskWatch(
            [FILE],
            self.gate,
            self.clock,
            self.worker,
            reserve_bytes=64 * MIB,
            space=lambda file: self.space,
            file_system=lambda file: self.kind,
        )

    def free(self, mib: int, total: int = 10_000) -> bool:
        """
        Let so much be free at the next look, and return whether the gate is closed.
        """
        self.space = DiskSpace(mib * MIB, total * MIB)
        self.clock.advance(LOOK_S)
        self.worker.work()
        return self.gate.closed

    def test_reserve(self) -> None:
        """
        The gate closes when less than the reserve is free, and opens when there is
        room again, with some to spare.
        """
        self.watch.start()
        self.worker.work()
        self.assertFalse(self.gate.closed)
        self.assertFalse(self.free(64))
        self.assertTrue(self.free(63))
        self.assertIn("63 MiB are free", self.gate.alarms.current[0].reason)
        self.assertEqual(self.watch.free_bytes, 63 * MIB)
        self.assertTrue(self.free(66))
        self.assertFalse(self.free(71))
        self.watch.stop()
        self.assertEqual(self.clock.getDelayedCalls(), [])

    def test_small_disk(self) -> None:
        """
        On a small disk the reserve is a tenth of it.
        """
        self.watch.start()
        self.worker.work()
        self.assertFalse(self.free(10, total=100))
        self.assertTrue(self.free(9, total=100))
        self.watch.stop()

    def test_hangs(self) -> None:
        """
        A disk that hangs holds up one look, and nothing else.
        """
        self.watch.start()
        self.clock.advance(LOOK_S)
        self.clock.advance(LOOK_S)
        self.assertEqual(len(self.worker.waiting), 2)  # the kind, and one look
        self.watch.stop()

    def test_almost(self) -> None:
        """
        A disk that is almost at its reserve is looked at more often.
        """
        self.watch.start()
        self.worker.work()
        self.free(255)
        self.space = DiskSpace(10 * MIB, 10_000 * MIB)
        self.clock.advance(LOOK_SOON_S)
        self.worker.work()
        self.assertTrue(self.gate.closed)
        self.watch.stop()

    def test_unknown(self) -> None:
        """
        Space that cannot be known changes nothing.
        """
        self.watch.start()
        self.worker.work()
        self.free(1)
        self.watch._space = broken
        self.clock.advance(LOOK_S)
        self.worker.work()
        self.assertTrue(self.gate.closed)
        self.watch.stop()

    def test_network(self) -> None:
        """
        A file on a network file system is an alarm.
        """
        self.kind = "nfs4"
        self.watch.start()
        self.worker.work()
        [alarm] = self.gate.alarms.current
        self.assertEqual(alarm.name, "file_system")
        self.assertIn("(nfs4)", alarm.reason)
        self.watch.stop()


def broken(file: Path) -> DiskSpace:
    raise OSError("no such device")


class BacklogLog:
    """
    A log with a backlog.
    """

    def __init__(self) -> None:
        self.retention_s = 0.0
        self.lag = self.lag_bytes = 0
        self.oldest_s = 0.0

    def counts(self) -> Mapping[str, int]:
        return {"lag": self.lag, "lag_bytes": self.lag_bytes}

    def oldest_unstored_s(self) -> float:
        return self.oldest_s


class BacklogWatchTests(SynchronousTestCase):
    """
    L{BacklogWatch}.
    """

    def setUp(self) -> None:
        self.clock = Clock()
        self.gate = IntakeGate()
        self.log = BacklogLog()
        self.kept: list[int] = []
        self.watch = BacklogWatch(
            self.log,
            self.gate,
            self.clock,
            bounds=BacklogBounds(1000, 50_000, 600.0),
            keep=self.kept.append,
        )
        self.watch.start()
        self.addCleanup(self.watch.stop)

    def closed(self, *, lag: int = 0, lag_bytes: int = 0, oldest_s: float = 0) -> bool:
        """
        Return whether the gate is closed with such a backlog.
        """
        self.log.lag, self.log.lag_bytes = lag, lag_bytes
        self.log.oldest_s = oldest_s
        self.clock.advance(1)
        return self.gate.closed

    def test_records(self) -> None:
        """
        Messages are refused while too many wait to be stored, and remembered while they
        wait.
        """
        self.assertFalse(self.closed(lag=999))
        self.assertTrue(self.closed(lag=1000))
        self.assertIn("backlog_records", self.gate.alarms.current[0].reason)
        self.assertTrue(self.closed(lag=900))
        self.assertFalse(self.closed(lag=899))
        self.assertEqual(self.kept, [0, 999, 1000, 900, 899])

    def test_bytes(self) -> None:
        """
        Messages are refused while they are too long in total.
        """
        self.assertFalse(self.closed(lag=9, lag_bytes=49_999))
        self.assertTrue(self.closed(lag=9, lag_bytes=50_000))
        self.assertIn("backlog_bytes", self.gate.alarms.current[0].reason)
        self.assertFalse(self.closed(lag=9, lag_bytes=44_999))

    def test_age(self) -> None:
        """
        Messages are refused while the oldest has waited for too long.
        """
        self.assertFalse(self.closed(lag=1, oldest_s=599))
        self.assertTrue(self.closed(lag=1, oldest_s=600))
        self.assertIn("backlog_s", self.gate.alarms.current[0].reason)

    def test_retention(self) -> None:
        """
        Messages are refused long before the brokers remove what nobody has read.
        """
        self.log.retention_s = 1000.0
        self.assertFalse(self.closed(lag=1, oldest_s=249))
        self.assertTrue(self.closed(lag=1, oldest_s=250))

    def test_reload(self) -> None:
        """
        Changed bounds apply from the next look on.
        """
        self.watch.apply_settings(MessageSettings(backlog_records=10))
        self.assertTrue(self.closed(lag=10))
