"""
The check of what was pushed: a session that lacks a message is told to sync.
"""

from __future__ import annotations

from collections.abc import Sequence

from twisted.internet.defer import Deferred
from twisted.logger import LogLevel, capturedLogs
from twisted.trial.unittest import SynchronousTestCase

from tests.connect.session.doubles import Client, FakeNode, FakeUpstream, message
from tests.message.doubles import MemoryStore
from tests.message.presence.doubles import RecordingPresence
from wsmsg import model
from wsmsg.connect.session.head_check import OF_SESSION, QUICK, ROUND, SETTLE, HeadCheck
from wsmsg.connect.upstream.interface import (
    MOST_COMPARED,
    ComparedHeads,
    HeadsView,
)
from wsmsg.dependency.alarms import Alarms
from wsmsg.message.links.routes import Routes
from wsmsg.message.queries.history import HistoryWatch
from wsmsg.message.queries.interface import PushedNumber
from wsmsg.message.queries.queries import Queries
from wsmsg.model import ConversationHead, Message
from wsmsg.protocol import frames


class WithholdingMessage(FakeUpstream):
    """
    A Message with real reads, which stores all messages and pushes those it likes.

    @ivar epoch: of the numbers that Connect was pushed.
    @ivar silent: whether comparisons have no answer yet.
    """

    def __init__(self) -> None:
        super().__init__()
        self.store = MemoryStore()
        self.silent = False
        self.watch_ = HistoryWatch(self.store, lambda: 0.0, shared=False)
        self.queries = Queries(
            self.store, RecordingPresence(), Routes(), page=100, history=self.watch_
        )
        self.epoch = self.store.epoch

    def keep(self, *messages: Message) -> None:
        """
        Store messages, and push none of them.
        """
        for m in messages:
            self.store.messages[m.identity] = m

    def compare(
        self, pushed: Sequence[tuple[int, str, int]]
    ) -> Deferred[ComparedHeads]:
        asked = super().compare(pushed)
        numbers = [PushedNumber(*one) for one in pushed]

        async def answer() -> None:
            found = await self.queries.compare(self.epoch, numbers)
            asked.callback(ComparedHeads(found.heads, found.epoch, found.witness))

        if not self.silent:
            Deferred.fromCoroutine(answer())
        return asked


class HeadCheckTests(SynchronousTestCase):
    """
    The check, with sessions and a Message that withholds pushes.
    """

    def setUp(self) -> None:
        self.peer = WithholdingMessage()
        self.node = FakeNode(upstream=self.peer)
        self.alarms = Alarms(self.node.clock.seconds)
        self.check = HeadCheck(
            self.node.registry, self.peer, self.node.clock, self.alarms
        )
        self.check.start()
        self.addCleanup(self.check.stop)
        self.run_(2 * ROUND)

    def run_(self, seconds: float) -> None:
        """
        Let time pass in ticks.
        """
        for _ in range(round(seconds)):
            self.node.pass_time(1)

    def pushed(self, *messages: Message, withheld: Sequence[int] = ()) -> None:
        """
        Store messages, and push all but some to both users.
        """
        self.peer.keep(*messages)
        for m in messages:
            if m.seq not in withheld:
                self.node.registry.push(m, model.members_of(m.conversation))

    def resyncs(self, *clients: Client) -> list[int]:
        """
        Return how often each client was told to sync since the last call.
        """
        return [
            sum(isinstance(frame, frames.Resync) for frame in client.heard())
            for client in clients
        ]

    @property
    def missed(self) -> int:
        return self.node.registry.counters.pushes_missed

    def test_withheld(self) -> None:
        """
        A push that a Message withholds silently is found within a round: the clients
        are told to sync, the count rises, and an alarm is raised for a while.
        """
        one, two = self.node.log_in(1), self.node.log_in(2)
        other = self.node.log_in(3)
        self.pushed(message(1, 3, 1))
        first, second = message(1, 2, 1), message(1, 2, 2, client_id="c2")
        self.pushed(first, second, withheld=[2])
        with capturedLogs() as logs:
            self.run_(ROUND + SETTLE + 1)
        self.assertEqual(self.resyncs(one, two, other), [1, 1, 0])
        self.assertEqual(self.missed, 2)
        (line, _) = [e for e in logs if e.get("log_level") is LogLevel.warn]
        self.assertEqual((line["seq"], line["conversation"]), (2, "u:1:2"))
        (alarm,) = self.alarms.current
        self.assertEqual(alarm.name, "pushes_missed")
        # The clients know now, whether they sync or not.
        self.run_(5 * ROUND)
        self.assertEqual((self.missed, self.resyncs(one, two)), (2, [0, 0]))
        self.run_(6 * ROUND)
        self.assertEqual(self.alarms.current, ())

    def test_never_pushed(self) -> None:
        """
        A session that is pushed nothing at all is found by the heads of its welcome.
        """
        self.peer.keep(message(1, 2, 1))
        self.peer.heads_d = Deferred()
        client = self.node.client()
        client.say(frames.Hello("token-1", "phone"))
        head = ConversationHead("u:1:2", 1, 5)
        self.peer.heads_d.callback(HeadsView((head,), False, "p", "e1"))
        self.run_(2 * ROUND)
        self.assertEqual(self.missed, 0)
        self.peer.keep(message(2, 1, 2, client_id="c2"))
        self.run_(ROUND + SETTLE + 1)
        self.assertEqual((self.missed, self.resyncs(client)), (1, [1]))

    def test_nothing_missing(self) -> None:
        """
        Sessions that were pushed everything are left alone, and so are those that
        learn of a message in another way, or while it is on its way.
        """
        one, two = self.node.log_in(1), self.node.log_in(2)
        self.pushed(message(1, 2, 1))
        self.run_(2 * ROUND)
        late = message(1, 2, 2, client_id="c2")
        self.peer.keep(late)
        before = len(self.peer.named("compare"))
        while len(self.peer.named("compare")) < before + 2:
            self.run_(1)
        self.run_(SETTLE - 2)
        self.node.registry.push(late, [1])
        # The other user asks for the list meanwhile.
        self.peer.heads_d = Deferred()
        two.say(frames.Conversations("q"))
        head = ConversationHead("u:1:2", 2, 5)
        self.peer.heads_d.callback(HeadsView((head,), False, "p", "e1"))
        self.run_(3 * ROUND)
        self.assertEqual((self.missed, self.resyncs(one, two)), (0, [0, 0]))
        self.assertGreater(self.node.registry.counters.compared, 4)

    def test_left_group(self) -> None:
        """
        A user who was removed from a group does not miss what follows.
        """
        client = self.node.log_in(5)
        first = Message("g:7", 1, "c1", 11, "hi", 1, 7, 1)
        self.peer.keep(first, Message("g:7", 1, "c2", 12, "hi", 1, 7, 2))
        self.node.registry.push(first, [5])
        self.run_(3 * ROUND)
        self.assertEqual((self.missed, self.resyncs(client)), (0, [0]))

    def test_told_already(self) -> None:
        """
        A session that waits to tell its client to sync, or has told it, is not
        compared with what it was pushed before; it still drops repeats.
        """
        client = self.node.log_in(1)
        first = message(2, 1, 1)
        self.pushed(first, message(2, 1, 2, client_id="c2"), withheld=[2])
        self.node.registry.resync("a stream was lost", 0)
        self.run_(3 * ROUND)
        self.assertEqual((self.missed, self.resyncs(client)), (0, [1]))
        self.node.registry.push(first, [1])
        self.assertEqual(client.heard(), [])
        self.pushed(message(2, 1, 3, client_id="c3"))
        self.assertEqual(len(client.heard()), 1)

    def test_stream_lost(self) -> None:
        """
        A difference that a lost stream explains leads to a sync, and does not count.
        """
        client = self.node.log_in(1)
        self.pushed(message(2, 1, 1), message(2, 1, 2, client_id="c2"), withheld=[2])
        self.peer.changed_s = self.node.clock.seconds()
        self.run_(QUICK + SETTLE + 2)
        self.assertEqual((self.missed, self.resyncs(client)), (0, [1]))

    def test_slow_client(self) -> None:
        """
        A client that does not read what it is sent is not compared, as it is told to
        sync later.
        """
        client = self.node.log_in(1)
        self.pushed(message(2, 1, 1))
        client.session.outbox.pauseProducing()
        content = "x" * self.node.settings.limits.outbox_hard_bytes
        big = message(2, 1, 2, client_id="c2", content=content)
        self.pushed(big)
        self.assertTrue(client.session.outbox.is_demoted)
        self.run_(2 * ROUND)
        self.assertEqual(self.missed, 0)

    def test_checked(self) -> None:
        """
        A pong tells when the session was last compared; at first it was not.
        """
        client = self.node.log_in(1)
        self.pushed(message(2, 1, 1))
        client.heard()

        def age() -> int:
            client.say(frames.Ping("n"))
            (pong,) = client.heard()
            assert isinstance(pong, frames.Pong)
            return pong.checked_ms

        self.assertEqual(age(), 0)
        self.run_(ROUND)
        self.assertTrue(1 <= age() <= ROUND * 1000)
        before = age()
        self.peer.silent = True
        self.run_(3 * ROUND)
        self.assertGreater(age(), before + 2 * ROUND * 1000)

    def test_witness(self) -> None:
        """
        A pong has the witness that a comparison brought, once for each connection, and
        a client shows the one that it kept when it logs in.
        """
        one, two = self.node.log_in(1), self.node.log_in(2)
        self.pushed(message(2, 1, 1))

        def witness(client: Client) -> str:
            client.heard()
            client.say(frames.Ping("n"))
            (pong,) = client.heard()
            assert isinstance(pong, frames.Pong)
            return pong.witness

        self.assertEqual(witness(one), "")
        self.peer.store.at = "w1"
        self.run_(ROUND)
        self.assertEqual([witness(c) for c in (one, one, two)], ["w1", "", "w1"])
        self.peer.store.at = "w2"
        self.run_(ROUND)
        self.assertEqual([witness(c) for c in (one, one)], ["w2", ""])
        self.assertEqual(witness(self.node.log_in(3)), "w2")
        self.peer.calls.clear()
        hello = frames.Hello("token-4", "d", position="p1", witness="w2")
        self.node.client().say(hello)
        (asked,) = self.peer.named("heads")
        self.assertEqual((asked[1], asked[-1]), ("p1", "w2"))

    def test_bounded(self) -> None:
        """
        A query has a bounded number of conversations, however many the sessions have,
        and there is one at a time; the other users follow.
        """
        for user in range(1, 31):
            self.node.log_in(user)
            for n in range(OF_SESSION + 20):
                self.node.registry.push(message(1000 + n, user, 1), [user])
        self.peer.changed_s = self.node.clock.seconds()
        self.run_(QUICK + 1)
        asked = [len(pushed) for (pushed,) in self.peer.named("compare") if pushed]
        self.assertLessEqual(max(asked), MOST_COMPARED)
        self.assertEqual(sum(asked[:QUICK]), 30 * OF_SESSION)
        self.peer.silent = True
        before = len(self.peer.named("compare"))
        self.run_(3 * ROUND)
        self.assertEqual(len(self.peer.named("compare")), before + 1)

    def test_older_copy(self) -> None:
        """
        A store that lacks what a session was pushed begins a new epoch, once.
        """
        self.node.log_in(1)
        for seq in range(1, 4):
            self.node.registry.push(message(2, 1, seq, client_id=f"c{seq}"), [1])
        self.peer.keep(message(2, 1, 1))
        with capturedLogs() as logs:
            self.peer.changed_s = self.node.clock.seconds()
            self.run_(QUICK + 1)
        self.assertNotEqual(self.peer.store.epoch, self.peer.epoch)
        errors = [e for e in logs if e.get("log_level") is LogLevel.error]
        self.assertEqual(len(errors), 1)
        self.assertIn("message 3 of u:1:2", errors[0]["where"])
        renewed = self.peer.store.epoch
        self.run_(2 * ROUND)
        self.assertEqual(self.peer.store.epoch, renewed)

    def test_no_message(self) -> None:
        """
        Without a Message, and with one that keeps no numbers, nothing is compared.
        """
        self.node.log_in(1)
        before = len(self.peer.calls)
        self.peer.up = False
        self.run_(2 * ROUND)
        self.peer.up, self.peer.unnumbered = True, True
        self.run_(2 * ROUND)
        self.assertEqual(self.peer.calls[before:], [])
