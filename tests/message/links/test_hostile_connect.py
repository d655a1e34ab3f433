"""
Tests of Message with a Connect that sends anything at all, in memory.
"""

from __future__ import annotations

from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st
from twisted.internet.defer import Deferred
from twisted.internet.task import Clock
from twisted.logger import LogLevel, capturedLogs
from twisted.trial.unittest import SynchronousTestCase

from tests.message.core import MemoryCore
from wsmsg.errors import ERRORS
from wsmsg.message.links import users as users_module
from wsmsg.message.links.link import Link
from wsmsg.message.links.stream import LinkStream
from wsmsg.model import INT64_MAX, Message
from wsmsg.rpc import rest_pb2

SNAPSHOT = rest_pb2.PresenceDelta.Snapshot

int64s = st.one_of(
    st.sampled_from([0, 1, 2, 3, -1, INT64_MAX, -(2**63)]), st.integers(-5, 9)
)
uint64s = st.one_of(st.integers(0, 3), st.just(2**64 - 1))
int32s = st.sampled_from([0, 1, -1, 2**31 - 1, -(2**31)])
names = st.one_of(
    st.sampled_from(["u:1:2", "u:1:1", "u:2:1", "u:0:0", "g:5", "", "u:-1:2", "x\0y"]),
    st.text(st.characters(exclude_categories=["Cs"]), max_size=8),
    st.just("u:" * 3000),
)
texts = st.one_of(st.just("a\0b"), st.just("é" * 900), names)
users = st.lists(int64s, max_size=5)

batches = st.builds(
    rest_pb2.ConnectBatch,
    sends=st.lists(
        st.builds(
            rest_pb2.SendRequest,
            id=uint64s,
            sender=int64s,
            client_id=texts,
            conversation=names,
            content=texts,
            kind=int32s,
        ),
        max_size=4,
    ),
    presence=st.none()
    | st.builds(
        rest_pb2.PresenceDelta,
        number=uint64s,
        online=users,
        offline=users,
        snapshot=st.integers(0, 6),
    ),
    pushed=uint64s,
    typing=st.lists(
        st.builds(rest_pb2.Typing, conversation=names, user=int64s), max_size=3
    ),
    cursors=st.lists(
        st.builds(
            rest_pb2.Cursor,
            conversation=names,
            user=int64s,
            delivered=int64s,
            read=int64s,
        ),
        max_size=3,
    ),
    watch=st.none() | st.builds(rest_pb2.WatchDelta, add=users, remove=users),
)
requests = st.one_of(
    st.builds(rest_pb2.MessageStreamRequest, batch=batches),
    st.builds(
        rest_pb2.MessageStreamRequest, subscribe=st.just(rest_pb2.SubscribeRequest())
    ),
    st.just(rest_pb2.MessageStreamRequest()),
)

queries = st.builds(
    rest_pb2.QueryItem,
    page=st.none()
    | st.builds(
        rest_pb2.PageQuery,
        user=int64s,
        conversation=names,
        after=int64s,
        limit=st.sampled_from([0, 1, 2**32 - 1]),
    ),
    heads=st.none()
    | st.builds(
        rest_pb2.HeadsQuery,
        user=int64s,
        position=texts,
        limit=st.sampled_from([0, 1, 2**32 - 1]),
    ),
    presence=st.none() | st.builds(rest_pb2.PresenceQuery, users=users),
)


class Given:
    """
    A Message with an honest Connect, which has user 2, and a hostile one.
    """

    def __init__(self) -> None:
        core = MemoryCore(Clock(), grace_s=2, limit_records=100)
        self.journal, self.links = core.journal, core.links
        self.streams, self.adapter = core.streams, core.queries
        self.hung_up: list[str] = []
        self.honest, _ = self.stream("honest")
        self.hostile, self.hostile_stream = self.stream("hostile")
        self.links.users.apply_presence(
            self.honest, rest_pb2.PresenceDelta(online=[2], snapshot=SNAPSHOT.WHOLE)
        )
        self.honest.next_frame()

    def stream(self, node: str) -> tuple[Link, LinkStream]:
        hello = rest_pb2.SubscribeRequest(connect_service_id=node, incarnation="i")
        link, resumed = self.links.subscribe(hello, "life")
        stream: Any = LinkStream(self.streams, None, link, resumed)
        stream.number = link.opened(lambda: None, self.hung_up.append)
        return link, stream

    def say(self, request: rest_pb2.MessageStreamRequest) -> None:
        """
        Send a batch from the hostile Connect.
        """
        self.hostile_stream._received(request)

    def answers(self) -> list[rest_pb2.SendResult]:
        """
        Return the answers to the sends of the hostile Connect.
        """
        found: list[rest_pb2.SendResult] = []
        while (frame := self.hostile.next_frame()) is not None:
            frame.SerializeToString()
            found += frame.batch.results
        return found


class AnyBatchTests(SynchronousTestCase):
    """
    Batches and queries with any content that protobuf allows.
    """

    @settings(max_examples=150, deadline=None)
    @given(st.lists(requests, min_size=1, max_size=6))
    def test_batches(self, said: list[rest_pb2.MessageStreamRequest]) -> None:
        """
        No batch causes a bug: each send in it is answered once, with a known code, and
        users at the other Connect receive pushes as before.
        """
        with capturedLogs() as logs:
            it = Given()
            for request in said:
                it.say(request)
            for _, durable in it.journal.appends:
                durable.callback(None)
            answers = it.answers()
            sends = [s for r in said for s in r.batch.sends]
            self.assertEqual(sorted(a.id for a in answers), sorted(s.id for s in sends))
            for answer in answers:
                self.assertTrue(answer.time_ms == 1000 or answer.code in ERRORS)
            settled: list[bool] = []
            message = Message("u:1:2", 1, "c", 7, "hi", 1, 5, 1)
            it.links.push([message], lambda: settled.append(True))
            frame = it.honest.next_frame()
            assert frame is not None
            (push,) = frame.batch.pushes
            self.assertIn(2, push.targets)
            it.honest.acknowledged(frame.batch.number)
            it.links.give_up_all()
            self.assertEqual(settled, [True])
            self.assertEqual(len(it.links.routes), 0)
        bad = [e for e in logs if e["log_level"] >= LogLevel.error]
        self.assertEqual(bad, [])

    @settings(max_examples=200, deadline=None)
    @given(st.lists(queries, max_size=5))
    def test_queries(self, items: list[rest_pb2.QueryItem]) -> None:
        """
        Each query is answered, or fails with a known code.
        """
        with capturedLogs() as logs:
            it = Given()
            response = self.successResultOf(
                Deferred.fromCoroutine(
                    it.adapter.answer(rest_pb2.QueryRequest(items=items))
                )
            )
        self.assertEqual(len(response.answers), len(items))
        for answer in response.answers:
            if answer.HasField("error"):
                self.assertIn(answer.error.code, ERRORS)
                self.assertNotEqual(answer.error.code, "internal")
        self.assertEqual([e for e in logs if e["log_level"] >= LogLevel.error], [])


class BoundsTests(SynchronousTestCase):
    """
    The users of one Connect are bounded.
    """

    def setUp(self) -> None:
        self.patch(users_module, "MOST_USERS", 10)
        self.patch(users_module, "MOST_WATCHED", 10)
        self.it = Given()

    def presence(self, *kinds: Any, online: int = 4) -> None:
        """
        Send deltas, each with further users.
        """
        first = 100
        for kind in kinds:
            delta = rest_pb2.PresenceDelta(
                online=range(first, first + online), snapshot=kind
            )
            first += online
            batch = rest_pb2.ConnectBatch(presence=delta)
            self.it.say(rest_pb2.MessageStreamRequest(batch=batch))

    def test_endless_snapshot(self) -> None:
        """
        A snapshot that exceeds the limit ends the stream, and is not applied.
        """
        self.presence(SNAPSHOT.BEGIN, SNAPSHOT.MORE)
        self.assertEqual(self.it.hung_up, [])
        self.presence(SNAPSHOT.BEGIN, SNAPSHOT.MORE, SNAPSHOT.MORE)
        self.assertIn("over 10 users", self.it.hung_up[0])
        self.assertEqual(len(self.it.links.routes), 1)

    def test_endless_deltas(self) -> None:
        """
        Deltas that exceed the limit end the stream.
        """
        self.presence(SNAPSHOT.NONE, SNAPSHOT.NONE)
        self.assertEqual(self.it.hung_up, [])
        self.presence(SNAPSHOT.NONE, SNAPSHOT.NONE, SNAPSHOT.NONE)
        self.assertIn("over 10 users", self.it.hung_up[0])
        self.assertLessEqual(len(self.it.links.routes), 11)

    def test_part_of_no_snapshot(self) -> None:
        """
        A part of a snapshot without a beginning ends the stream.
        """
        self.presence(SNAPSHOT.END)
        self.assertIn("has no beginning", self.it.hung_up[0])

    def test_endless_watching(self) -> None:
        """
        Watching more users than the limit ends the stream; the link forgets them when
        it ends.
        """
        for first in (100, 110):
            watch = rest_pb2.WatchDelta(add=range(first, first + 10))
            batch = rest_pb2.ConnectBatch(watch=watch)
            self.it.say(rest_pb2.MessageStreamRequest(batch=batch))
        self.assertIn("watches over 10", self.it.hung_up[0])
        self.assertEqual(self.it.links.users._watchers.count("hostile"), 10)

    def test_watching_others(self) -> None:
        """
        A Connect that watches as many users as it may can watch others in their place.
        """
        for watch in (
            rest_pb2.WatchDelta(add=range(100, 110)),
            rest_pb2.WatchDelta(add=range(110, 120), remove=range(100, 110)),
        ):
            batch = rest_pb2.ConnectBatch(watch=watch)
            self.it.say(rest_pb2.MessageStreamRequest(batch=batch))
        self.assertEqual(self.it.hung_up, [])
        self.assertEqual(self.it.links.users._watchers.count("hostile"), 10)
