"""
Tests of a hostile Message: clients and other Messages stay well, whatever it writes.
"""

from __future__ import annotations

from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st
from twisted.logger import LogLevel, capturedLogs
from twisted.trial.unittest import SynchronousTestCase

from tests.connect.upstream.doubles import World
from wsmsg.connect.upstream.interface import HeadsView, PageView
from wsmsg.errors import ERRORS
from wsmsg.model import INT64_MAX
from wsmsg.protocol import json as codec_json
from wsmsg.protocol import protobuf as codec_protobuf
from wsmsg.protocol.frames import Accepted, Rejected
from wsmsg.rpc import rest_pb2

int64s = st.sampled_from([0, 1, 2, -1, INT64_MAX, -(2**63)])
uint64s = st.one_of(st.integers(0, 4), st.just(2**64 - 1))
uint32s = st.sampled_from([0, 1, 1500, 2**31, 2**32 - 1])
int32s = st.sampled_from([0, 1, -1, 2**31 - 1, -(2**31)])
texts = st.one_of(
    st.sampled_from(["u:1:2", "", "overloaded", "nonsense", "x" * 9000]),
    st.text(st.characters(exclude_categories=["Cs"]), max_size=8),
)
users = st.lists(int64s, max_size=3)
presences = st.builds(
    rest_pb2.Presence, user=int64s, online=st.booleans(), last_seen_ms=int64s
)
cursors = st.builds(
    rest_pb2.Cursor, conversation=texts, user=int64s, delivered=int64s, read=int64s
)
messages = st.builds(
    rest_pb2.ChatMessage,
    conversation=texts,
    seq=int64s,
    message_id=int64s,
    sender=int64s,
    client_id=texts,
    content=texts,
    kind=int32s,
    time_ms=int64s,
)
batches = st.builds(
    rest_pb2.PushBatch,
    number=uint64s,
    pushes=st.lists(
        st.builds(rest_pb2.Push, message=messages, targets=users), max_size=3
    ),
    results=st.lists(
        st.builds(
            rest_pb2.SendResult,
            id=uint64s,
            time_ms=int64s,
            code=texts,
            reason=texts,
            retry_after_ms=uint32s,
        ),
        max_size=3,
    ),
    typing=st.lists(
        st.builds(
            rest_pb2.TypingPush,
            typing=st.builds(rest_pb2.Typing, conversation=texts, user=int64s),
            targets=users,
        ),
        max_size=2,
    ),
    receipts=st.lists(
        st.builds(rest_pb2.ReceiptPush, cursor=cursors, targets=users), max_size=2
    ),
    presence=st.lists(presences, max_size=2),
    presence_applied=uint64s,
)
welcomes = st.builds(
    rest_pb2.LinkWelcome,
    message_service_id=texts,
    incarnation=texts,
    resumed=st.booleans(),
    heartbeat_ms=uint32s,
)
response = rest_pb2.MessageStreamResponse
responses = st.one_of(
    st.builds(response, batch=batches),
    st.builds(response, batch=batches),
    st.builds(response, welcome=welcomes),
    st.builds(response, push_event=st.just(rest_pb2.MessagePushEvent())),
    st.builds(response, failure=st.just(rest_pb2.MessageFailureEvent())),
    st.just(response()),
    st.none(),
)
answers = st.one_of(
    st.builds(
        rest_pb2.QueryAnswer,
        page=st.builds(
            rest_pb2.PageAnswer,
            messages=st.lists(messages, max_size=2),
            head=int64s,
            more=st.booleans(),
        ),
    ),
    st.builds(
        rest_pb2.QueryAnswer,
        error=st.builds(
            rest_pb2.QueryError, code=texts, reason=texts, retry_after_ms=uint32s
        ),
    ),
    st.just(rest_pb2.QueryAnswer()),
)


class AnyFrameTests(SynchronousTestCase):
    """
    Any frame that protobuf allows.
    """

    @settings(max_examples=150, deadline=None)
    @given(st.lists(responses, min_size=1, max_size=6))
    def test_frames(self, said: list[Any]) -> None:
        """
        No frame leads to an unhandled error.  Each send is answered with something
        that a client understands, at the latest by the next, honest Message.
        """
        with capturedLogs() as logs:
            world = World()
            world.edge.there = [1]
            world.edge.asked_for = [5]
            world.start("a:1")
            world.send("one")
            world.send("two")
            world.message().stream.take()
            stream = world.message().stream
            for frame in said:
                if stream.protocol is not None:
                    stream.protocol.messageReceived(frame)
                    stream.take()
            if stream.dropped:
                self.assertIn("protocol error", stream.dropped)
            world.message().incarnation = "honest"
            world.clock.advance(0)
            stream.lose()
            world.run(2)
            stream = world.message().stream
            for send in stream.apply().sends:
                stream.accept(send.id)
            self.assertEqual(set(world.answers), {"one", "two"})
            for client_id, answer in world.answers.items():
                self.assert_sayable(client_id, answer)
            world.upstream.stopService()
            world.run(6)
        bad = [e for e in logs if e["log_level"] >= LogLevel.critical]
        self.assertEqual(bad, [])

    def assert_sayable(self, client_id: str, answer: Any) -> None:
        """
        Assert that both codecs can encode an answer and that its code is known.
        """
        frame: Accepted | Rejected = Accepted(client_id, answer.time_ms)
        if not answer.time_ms:
            self.assertIn(answer.code, ERRORS)
            frame = Rejected(
                client_id, answer.code, answer.reason, answer.retry_after_ms
            )
        for codec in (codec_json.CODEC, codec_protobuf.CODEC):
            self.assertEqual(codec.decode_server(codec.encode(frame)), frame)

    @settings(max_examples=100, deadline=None)
    @given(st.lists(answers, max_size=3))
    def test_answers(self, said: list[rest_pb2.QueryAnswer]) -> None:
        """
        A read is answered or fails with a L{WsmsgError}, whatever Message answers.
        """
        world = World()
        world.start("a:1")
        results: list[Any] = []
        world.upstream.reads.page(1, "u:1:2", 0, 9).addBoth(results.append)
        ((_, asked),) = world.message().stream.queries
        asked.callback(rest_pb2.QueryResponse(answers=said))
        (result,) = results
        if not isinstance(result, PageView | HeadsView | list | tuple):
            self.assertIn(result.value.code, ERRORS)


class WelcomeTests(SynchronousTestCase):
    """
    Invalid beginnings of a stream.
    """

    def dropped(self, **welcome: Any) -> str:
        """
        Return the reason for which a stream that begins like this is dropped.
        """
        world = World()
        world.message().refuses = ""
        world.message().incarnation = welcome.get("incarnation", "m1")
        world.message().resumes = welcome.get("resumed", False)
        world.upstream.startService()
        world.clock.advance(0)
        reason = world.message().streams[0].dropped
        world.clock.advance(0)
        self.assertEqual(world.upstream.up, not reason)
        return reason

    def test_incarnation(self) -> None:
        """
        A welcome with an empty or endless incarnation is refused.
        """
        self.assertEqual(self.dropped(), "")
        self.assertIn("incarnation", self.dropped(incarnation=""))
        self.assertIn("incarnation", self.dropped(incarnation="x" * 129))

    def test_resumes_nothing(self) -> None:
        """
        A Message cannot resume a stream that never was.
        """
        self.assertIn("resumes", self.dropped(resumed=True))
