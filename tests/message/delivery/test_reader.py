"""
The loop from the journal to the recipients.
"""

from __future__ import annotations

from twisted.internet.defer import Deferred
from twisted.internet.task import Clock
from twisted.trial.unittest import SynchronousTestCase

from tests.message.doubles import ManualJournal, MemoryStore
from tests.message.links.test_links import RecordingPresence
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


class ReadingTests(SynchronousTestCase):
    """
    Read, store, push, settle, commit.
    """

    def setUp(self) -> None:
        self.clock = Clock()
        self.journal = ManualJournal()
        self.store = MemoryStore()
        self.links = Links(
            RecordingPresence(),
            self.clock,
            grace_s=2,
            limit_records=100,
            limit_bytes=10**6,
        )
        self.reading = JournalReader(
            self.journal,
            Numbering(self.store, lambda: 5, heads_cached=100),
            self.links,
            self.clock,
            float,
            batch=10,
            limit_unsettled=3,
        )
        self.reading.start()
        self.addCleanup(self.stop)

    def stop(self) -> None:
        stopped = Deferred.fromCoroutine(self.reading.stop())
        self.journal.stop()
        self.successResultOf(stopped)
        self.links.give_up_all()
        self.assertEqual(self.clock.getDelayedCalls(), [])

    def connect(self) -> Link:
        link, _ = self.links.subscribe(
            rest_pb2.SubscribeRequest(connect_service_id="n", incarnation="i"), "own"
        )
        link.opened(lambda: None, lambda reason: None)
        self.links.presence(
            link,
            rest_pb2.PresenceDelta(
                number=1, online=[2], snapshot=rest_pb2.PresenceDelta.WHOLE
            ),
        )
        link.take()
        return link

    def acknowledge(self, link: Link) -> None:
        frame = link.take()
        assert frame is not None
        link.acknowledged(frame.batch.number)

    def test_nobody_connected(self) -> None:
        """
        What is stored and has nobody to go to is committed.
        """
        self.journal.give(message(1), message(2))
        self.assertEqual(self.journal.commits, [{0: 2}])
        self.assertEqual(len(self.store.messages), 2)

    def test_settled_before_commit(self) -> None:
        """
        The journal forgets a record only when its push is acknowledged.
        """
        link = self.connect()
        self.journal.give(message(1))
        self.assertEqual(self.journal.commits, [])
        self.acknowledge(link)
        self.assertEqual(self.journal.commits, [{0: 1}])

    def test_reads_on(self) -> None:
        """
        The next batch is read while the pushes of the last are on their way.
        """
        self.connect()
        self.journal.give(message(1))
        self.assertEqual(len(self.journal.reads), 1)

    def test_room(self) -> None:
        """
        With too many records unsettled reading waits until some are settled.
        """
        link = self.connect()
        self.journal.give(message(1), message(2), message(3))
        self.assertEqual(self.journal.reads, [])
        self.acknowledge(link)
        self.assertEqual(len(self.journal.reads), 1)

    def test_store_down(self) -> None:
        """
        While the store is down records wait, longer each time, and none is lost.
        """
        self.store.down = True
        self.journal.give(message(1))
        self.clock.advance(1)
        self.assertEqual(self.journal.reads, [])
        self.store.down = False
        self.clock.advance(1.9)
        self.assertEqual(len(self.store.messages), 0)
        self.clock.advance(0.2)
        self.assertEqual(len(self.store.messages), 1)
        self.assertEqual(self.journal.commits, [{0: 1}])

    def test_undecodable(self) -> None:
        """
        A record that nobody can read goes to the dead letters and blocks nothing.
        """
        self.journal.give(message(1), None, message(2))
        self.assertEqual([r for _, r in self.journal.letters], ["cannot be decoded"])
        self.assertEqual(len(self.store.messages), 2)
        self.assertEqual(self.journal.commits, [{0: 3}])

    def test_a_bug(self) -> None:
        """
        A failure that nobody foresaw is logged and tried again; the loop lives.
        """
        insert = self.store.insert

        def broken(messages: object, stored_ms: int) -> object:
            self.store.insert = insert  # type: ignore[method-assign]
            raise RuntimeError("a bug")

        self.store.insert = broken  # type: ignore[method-assign,assignment]
        self.journal.give(message(1))
        self.assertEqual(len(self.flushLoggedErrors(RuntimeError)), 1)
        self.clock.advance(1)
        self.assertEqual(len(self.store.messages), 1)

    def test_caught_up(self) -> None:
        """
        Whoever stops can wait until all that was read is settled.
        """
        link = self.connect()
        self.successResultOf(self.reading.caught_up())
        self.journal.give(message(1))
        caught_up = self.reading.caught_up()
        self.assertNoResult(caught_up)
        self.acknowledge(link)
        self.successResultOf(caught_up)

    def test_stop_while_waiting(self) -> None:
        """
        A stop does not wait for the store to come back.
        """
        self.store.down = True
        self.journal.give(message(1))
