"""
Tests of Message with a legacy Connect that sends anything at all, in memory.
"""

from __future__ import annotations

from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st
from twisted.internet.defer import Deferred, succeed
from twisted.internet.task import Clock
from twisted.logger import LogLevel, capturedLogs
from twisted.trial.unittest import SynchronousTestCase

from tests.message.doubles import ManualJournal, MemoryStore, rules_by
from wsmsg.errors import Unavailable
from wsmsg.message.cluster.message_ids import MessageIds
from wsmsg.message.ingress.ingress import Ingress
from wsmsg.message.legacy.peer import InvalidPeer, LegacyConnect
from wsmsg.message.legacy.peers import LegacyConnects
from wsmsg.message.log.appends import Appends
from wsmsg.model import INT64_MAX, Message
from wsmsg.rpc import rest_pb2
from wsmsg.settings.legacy import MessageLegacySettings
from wsmsg.stream.contract import SIGNAL_TYPES

int64s = st.one_of(
    st.sampled_from([0, 1, 2, 3, -1, INT64_MAX, -(2**63)]), st.integers(-5, 9)
)
int32s = st.sampled_from([0, 1, 1, 1, 2, 3, 4, 10, 5, -1, 1001, 2**31 - 1, -(2**31)])
texts = st.one_of(
    st.sampled_from(["", "a\0b", "é" * 900, "x" * 2000]),
    st.text(st.characters(exclude_categories=["Cs"]), max_size=8),
)
messages = st.builds(
    lambda sender, **fields: rest_pb2.WSMessage(**{"from": sender}, **fields),
    int64s,
    message_id=int64s,
    to=int64s,
    group_id=int64s,
    content=texts,
    timestamp=int64s,
    message_type=int32s,
    ack_id=texts,
)
Request = rest_pb2.MessageStreamRequest
requests = st.one_of(
    st.builds(
        Request,
        send_message=st.builds(rest_pb2.SendWSMessageRequest, msg=st.none() | messages),
    ),
    st.builds(
        Request,
        ack=st.builds(
            rest_pb2.MessageAckRequest,
            ack_id=texts,
            message_id=int64s,
            user_id=int64s,
            timestamp=int64s,
        ),
    ),
    st.builds(
        Request,
        push_result=st.builds(
            rest_pb2.PushResultRequest,
            success=st.booleans(),
            error_message=texts,
            target_user_id=int64s,
        ),
    ),
    st.builds(
        Request,
        subscribe=st.builds(
            rest_pb2.SubscribeRequest,
            connect_service_id=texts,
            link_version=st.sampled_from([0, 0, 0, 1, 2**32 - 1]),
            everything=st.booleans(),
        ),
    ),
    st.just(Request()),
    st.just(Request(batch=rest_pb2.ConnectBatch())),
)


class Given:
    """
    A Message with an honest legacy Connect and a hostile one.
    """

    def __init__(self) -> None:
        self.clock = Clock()
        self.journal = ManualJournal()
        store = MemoryStore()
        ingress = Ingress(
            Appends(self.journal, store, Clock()),
            store,
            MessageIds(lambda: 5),
            lambda: int(self.clock.seconds() * 1000),
            rules=rules_by(store, lambda: 1000, shared=False),
            limit=50,
            content_bytes=1000,
        )
        self.peers = LegacyConnects(
            ingress,
            lambda user, marks: succeed([m.message_id == 1 for m in marks]),
            self.clock,
            MessageLegacySettings(),
            incarnation="life",
            backoff=lambda failures: 0.5,
        )
        self.honest, self.hostile = self.peer(), self.peer()
        hello = rest_pb2.SubscribeRequest(connect_service_id="connect-1")
        self.honest.received(Request(subscribe=hello))

    def peer(self) -> LegacyConnect:
        """
        Make a stream that a test reads by hand.
        """
        return self.peers.opened(lambda: None, lambda reason, *, overrun: None)

    def durable(self, how: Any) -> None:
        """
        Make all appends durable.
        """
        for _, done in self.journal.appends:
            if not done.called:
                how(done)


def away(done: Deferred[None]) -> None:
    """
    Fail an append, as the journal does while it is down.
    """
    done.errback(Unavailable("away"))


class AnyEventTests(SynchronousTestCase):
    """
    Events with any content that protobuf allows.
    """

    @settings(max_examples=200, deadline=None)
    @given(st.lists(requests, min_size=1, max_size=8), st.booleans())
    def test_events(self, said: list[Any], lost: bool) -> None:
        """
        No event causes a bug. Each send is accepted, ignored or reported as failed,
        also when the journal was down for a moment; each acknowledgement is answered;
        and the honest Connect receives pushes as before, and nothing else.
        """
        with capturedLogs() as logs:
            it = Given()
            sends = acks = 0
            for request in said:
                try:
                    it.hostile.received(request)
                except InvalidPeer as e:
                    self.assertTrue(str(e))
                    break
                if request.HasField("send_message"):
                    kind = request.send_message.msg.message_type
                    sends += kind not in SIGNAL_TYPES
                acks += request.HasField("ack")
            if lost:
                it.durable(away)
                for _ in range(100):
                    it.clock.advance(0.1)
            it.durable(lambda done: done.callback(None))
            answers = []
            while (event := it.hostile.outbox.next_event()) is not None:
                event.SerializeToString()
                answers.append(event.WhichOneof("response_type"))
            failed = answers.count("failure")
            accepted = it.hostile.sends.accepted
            self.assertEqual(accepted + failed, sends)
            self.assertEqual(answers.count("ack_confirm"), acks)
            settled: list[None] = []
            message = Message("u:1:2", 1, "c", 7, "hi", 1, 5, 1)
            it.peers.push([message], None, lambda: settled.append(None))
            pushed = it.honest.outbox.next_event()
            assert pushed is not None
            self.assertEqual(pushed.push_event.target_user_id, 2)
            self.assertIsNone(it.honest.outbox.next_event())
            it.peers.lost(it.hostile, "gone")
            self.assertEqual(settled, [None])
            it.peers.hang_up_all("stopping")
            self.assertEqual(it.clock.getDelayedCalls(), [])
        bad = [e for e in logs if e["log_level"] >= LogLevel.error]
        self.assertEqual(bad, [])
