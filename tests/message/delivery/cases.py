"""
The case that tests of the reader share.
"""

from __future__ import annotations

from twisted.internet.defer import Deferred
from twisted.internet.task import Clock
from twisted.trial.unittest import SynchronousTestCase

from tests.message.doubles import ManualJournal, MemoryStore
from tests.message.presence.doubles import RecordingPresence
from wsmsg.message.delivery.numbering import Numbering
from wsmsg.message.delivery.reader import JournalReader
from wsmsg.message.links.link import Link
from wsmsg.message.links.links import Links
from wsmsg.model import Message
from wsmsg.rpc import rest_pb2


def message(n: int, content: str = "hi") -> Message:
    """
    The n-th message from 1 to 2, without a number.
    """
    return Message("u:1:2", 1, f"c{n}", n, content, 1, 5)


class ReaderTestCase(SynchronousTestCase):
    """
    A reader over parts in memory.
    """

    def setUp(self) -> None:
        self.clock = Clock()
        self.unix_s = 0.0
        self.journal = ManualJournal()
        self.store = MemoryStore()
        self.links = Links(
            RecordingPresence(),
            self.clock,
            grace_s=2,
            limit_records=100,
            limit_bytes=10**6,
        )
        self.reader = JournalReader(
            self.journal,
            Numbering(self.store, lambda: 5, heads_cached=100),
            self.links,
            self.clock,
            store=self.store.dependency,
            backoff=float,
            batch=10,
            limit_unsettled=3,
            unix_s=lambda: self.unix_s,
        )
        self.reader.start()
        self.addCleanup(self.stop)

    def stop(self) -> None:
        stopped = Deferred.fromCoroutine(self.reader.stop())
        self.journal.stop()
        self.successResultOf(stopped)
        self.links.give_up_all()
        self.assertEqual(self.clock.getDelayedCalls(), [])

    def connect(self) -> Link:
        link, _ = self.links.subscribe(
            rest_pb2.SubscribeRequest(connect_service_id="n", incarnation="i"), "own"
        )
        link.opened(lambda: None, lambda reason: None)
        self.links.users.apply_presence(
            link,
            rest_pb2.PresenceDelta(
                number=1, online=[2], snapshot=rest_pb2.PresenceDelta.WHOLE
            ),
        )
        link.next_frame()
        return link

    def acknowledge(self, link: Link) -> None:
        frame = link.next_frame()
        assert frame is not None
        link.acknowledged(frame.batch.number)
