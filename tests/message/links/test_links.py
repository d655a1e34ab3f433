"""
Tests for L{wsmsg.message.links.links}: routes, grace time, watchers, pushes.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial

from twisted.internet.task import Clock
from twisted.trial.unittest import SynchronousTestCase
from zope.interface.verify import verifyObject

from tests.memory import traced_bytes
from tests.message.presence.doubles import RecordingPresence
from wsmsg.message.links.interface import Settled
from wsmsg.message.links.link import Link
from wsmsg.message.links.links import Links
from wsmsg.message.links.users import PresenceWatchers
from wsmsg.message.presence.interface import IPresence
from wsmsg.model import Cursor, Message
from wsmsg.rpc import rest_pb2

SNAPSHOT = rest_pb2.PresenceDelta.Snapshot


def message(seq: int, conversation: str = "u:1:2") -> Message:
    """
    Return a message with this seq.
    """
    return Message(conversation, 1, f"c{seq}", seq, "hi", 1, 5, seq)


class LinksTests(SynchronousTestCase):
    """
    Connects that join, leave and resume.
    """

    def setUp(self) -> None:
        self.clock = Clock()
        self.presence = RecordingPresence()
        self.ahead_s = 0.0
        self.links = Links(
            self.presence,
            self.clock,
            grace_s=2,
            limit_records=10,
            limit_bytes=10**6,
            unix_s=lambda: self.clock.seconds() + self.ahead_s,
        )
        self.hung_up: list[str] = []
        self.addCleanup(lambda: self.assertEqual(self.clock.getDelayedCalls(), []))

    def subscribe(
        self,
        node: str = "n",
        incarnation: str = "i",
        resume: int | None = None,
        primary: bool = True,
    ) -> tuple[Link, bool]:
        link, resumed = self.links.subscribe(
            rest_pb2.SubscribeRequest(
                connect_service_id=node,
                incarnation=incarnation,
                resume_incarnation="" if resume is None else "own",
                resume_from=resume or 0,
            ),
            "own",
        )
        link.opened(lambda: None, self.hung_up.append)
        self.links.users.set_primary(link, primary)
        return link, resumed

    def users(self, link: Link, *users: int, number: int = 1) -> None:
        self.links.users.apply_presence(
            link,
            rest_pb2.PresenceDelta(
                number=number, online=users, snapshot=SNAPSHOT.WHOLE
            ),
        )

    def batch(self, link: Link) -> rest_pb2.PushBatch:
        frame = link.next_frame()
        assert frame is not None
        return frame.batch

    def test_interface(self) -> None:
        """
        The double provides the interface.
        """
        verifyObject(IPresence, self.presence)

    def test_nobody_connected(self) -> None:
        """
        A message whose recipients are not connected is settled at once.
        """
        settled: list[int] = []
        self.links.push([message(1)], lambda: settled.append(1))
        self.assertEqual(settled, [1])

    def test_listener_fails(self) -> None:
        """
        A bug in a listener of pushes is logged and disturbs neither the Connects, which
        keep their links, nor the other listeners; what it was given counts as settled.
        """
        heard: list[int] = []

        def fail(messages: Sequence[Message], groups: object, settled: Settled) -> None:
            if messages[0].seq == 2:
                settled()
            raise RuntimeError("a bug")

        def hear(messages: Sequence[Message], groups: object, settled: Settled) -> None:
            heard.append(messages[0].seq)
            settled()

        self.links.push_listeners += [fail, hear]
        link, _ = self.subscribe()
        self.users(link, 2)
        settled: list[int] = []
        for seq in (1, 2):
            self.links.push([message(seq)], partial(settled.append, seq))
            self.assertEqual(len(self.flushLoggedErrors(RuntimeError)), 1)
            self.assertEqual(settled, list(range(1, seq)))
            link.acknowledged(self.batch(link).number)
            self.assertEqual(settled, list(range(1, seq + 1)))
        self.assertEqual((heard, self.hung_up), ([1, 2], []))

    def test_one_push_a_connect(self) -> None:
        """
        A Connect with several recipients gets one push with all of them.
        """
        link, _ = self.subscribe()
        self.users(link, 1, 2, 3)
        self.links.push([message(1)], lambda: None)
        [push] = self.batch(link).pushes
        self.assertEqual(list(push.targets), [1, 2])

    def test_settled_by_all(self) -> None:
        """
        A message is settled when every Connect has acknowledged its push.
        """
        a, _ = self.subscribe("a")
        b, _ = self.subscribe("b")
        self.users(a, 1)
        self.users(b, 2)
        settled: list[int] = []
        self.links.push([message(1)], lambda: settled.append(1))
        for link in (a, b):
            self.assertEqual(settled, [])
            link.acknowledged(self.batch(link).number)
        self.assertEqual(settled, [1])

    def test_snapshot_in_parts(self) -> None:
        """
        A snapshot in several parts is applied when it is complete.
        """
        link, _ = self.subscribe()
        for number, (users, part) in enumerate(
            [([1], SNAPSHOT.BEGIN), ([2], SNAPSHOT.MORE), ([3], SNAPSHOT.END)], 1
        ):
            self.assertEqual(self.links.routes.users("n"), set())
            self.links.users.apply_presence(
                link, rest_pb2.PresenceDelta(number=number, online=users, snapshot=part)
            )
        self.assertEqual(self.links.routes.users("n"), {1, 2, 3})
        self.assertEqual(self.batch(link).presence_applied, 3)

    def test_snapshot_without_beginning(self) -> None:
        """
        A part of a snapshot without a beginning ends the stream.
        """
        link, _ = self.subscribe()
        self.links.users.apply_presence(
            link, rest_pb2.PresenceDelta(number=1, snapshot=SNAPSHOT.MORE)
        )
        self.assertEqual(len(self.hung_up), 1)

    def test_resumed_in_time(self) -> None:
        """
        Within the grace time the same incarnation of a Connect resumes with its users
        and pushes.
        """
        link, resumed = self.subscribe()
        self.assertFalse(resumed)
        self.users(link, 2)
        self.links.push([message(1)], lambda: None)
        self.batch(link)
        self.links.lost(link, link.stream, "test")
        self.links.push([message(2)], lambda: None)
        self.clock.advance(1.9)
        again, resumed = self.subscribe(resume=0)
        self.assertTrue(resumed)
        self.assertIs(again, link)
        self.assertEqual(self.batch(again).pushes[0].message.seq, 1)
        self.assertEqual(self.batch(again).pushes[0].message.seq, 2)

    def test_too_late_to_resume(self) -> None:
        """
        After the grace time the users are offline, the pushes settled, and Connect
        starts anew.
        """
        link, _ = self.subscribe()
        self.users(link, 2)
        settled: list[int] = []
        self.links.push([message(1)], lambda: settled.append(1))
        self.links.lost(link, link.stream, "test")
        self.clock.advance(1.9)
        self.assertEqual(settled, [])
        self.clock.advance(0.2)
        self.assertEqual(settled, [1])
        self.assertEqual(self.links.routes.of(2), set())
        self.assertIn(("forget", "n"), self.presence.calls)
        _, resumed = self.subscribe(resume=0)
        self.assertFalse(resumed)

    def test_another_incarnation(self) -> None:
        """
        A Connect that has restarted gets nothing of its last incarnation.
        """
        link, _ = self.subscribe()
        self.users(link, 2)
        settled: list[int] = []
        self.links.push([message(1)], lambda: settled.append(1))
        self.links.lost(link, link.stream, "test")
        again, resumed = self.subscribe(incarnation="j", resume=0)
        self.assertFalse(resumed)
        self.assertEqual(settled, [1])
        self.assertEqual(self.links.routes.of(2), set())
        self.assertIsNone(again.next_frame())

    def test_second_stream(self) -> None:
        """
        A second stream of the same incarnation replaces the first one; the end of the
        first one then changes nothing.
        """
        link, _ = self.subscribe()
        self.users(link, 2)
        again, resumed = self.subscribe(resume=0)
        self.assertTrue(resumed)
        self.assertEqual(len(self.hung_up), 1)
        self.assertEqual(self.links.routes.of(2), {"n"})
        self.assertTrue(again.open)

    def test_end_of_the_replaced_stream(self) -> None:
        """
        A Connect resumes while Message still holds its old stream; when the old stream
        ends, the new one carries pushes as before, and the users stay online.
        """
        link, _ = self.subscribe()
        self.users(link, 2)
        replaced = link.stream
        self.subscribe(resume=0)
        self.links.lost(link, replaced, "reset by the peer")
        self.assertTrue(link.open)
        self.clock.advance(10)
        self.assertEqual(self.links.routes.of(2), {"n"})
        self.links.push([message(1)], lambda: None)
        self.assertEqual(self.batch(link).pushes[0].message.seq, 1)
        self.links.lost(link, link.stream, "reset by the peer")
        self.assertFalse(link.open)
        self.clock.advance(10)
        self.assertEqual(self.links.status(), [])

    def test_clock_set_forward(self) -> None:
        """
        A link outlives its stream for its time when the system clock is stepped; who
        watches is told the time of that clock.
        """
        a, _ = self.subscribe("a")
        b, _ = self.subscribe("b")
        self.links.users.apply_watch(a, rest_pb2.WatchDelta(add=[7]))
        self.users(b, 7)
        self.batch(a)
        self.links.lost(b, b.stream, "test")
        self.ahead_s = 3600.0
        self.clock.advance(1.9)
        self.assertEqual(self.links.routes.of(7), {"b"})
        self.clock.advance(0.1)
        [told] = self.batch(a).presence
        self.assertEqual((told.online, told.last_seen_ms), (False, 3_602_000))

    def test_row_12_memory(self) -> None:
        """
        Row 12 of who may: a user whom a Connect watches takes at most 100 bytes at
        Message.
        """
        users = range(2**62, 2**62 + 100_000, 2)

        def make() -> PresenceWatchers:
            watchers = PresenceWatchers()
            for at in range(0, len(users), 500):
                watchers.add("a", users[at : at + 500])
            return watchers

        self.assertLess(traced_bytes(make) / len(users), 100)

    def test_watchers(self) -> None:
        """
        A Connect learns when a user whom it watches comes online or goes offline, until
        it stops watching.
        """
        a, _ = self.subscribe("a")
        b, _ = self.subscribe("b")
        self.links.users.apply_watch(a, rest_pb2.WatchDelta(add=[7]))
        self.users(b, 7)
        [told] = self.batch(a).presence
        self.assertEqual((told.user, told.online), (7, True))
        self.clock.advance(5)
        self.links.users.apply_presence(
            b, rest_pb2.PresenceDelta(number=2, offline=[7])
        )
        [told] = self.batch(a).presence
        self.assertEqual((told.user, told.online, told.last_seen_ms), (7, False, 5000))
        self.links.users.apply_watch(a, rest_pb2.WatchDelta(remove=[7]))
        self.users(b, 7, number=3)
        self.assertIsNone(a.next_frame())

    def test_watches_of_the_last_stream(self) -> None:
        """
        A Connect that resumes is sent the presence of the users whom it watches on the
        new stream, and of no others.
        """
        link, _ = self.subscribe()
        self.links.users.apply_watch(link, rest_pb2.WatchDelta(add=[7, 8]))
        self.links.lost(link, link.stream, "test")
        _, resumed = self.subscribe(resume=0)
        self.assertTrue(resumed)
        self.links.users.apply_watch(link, rest_pb2.WatchDelta(add=[8]))
        self.users(link, 7, 8)
        self.assertEqual([p.user for p in self.batch(link).presence], [8])

    def test_only_the_primary_writes(self) -> None:
        """
        Only the Message that Connect has chosen writes the presence of its users.
        """
        link, _ = self.subscribe(primary=False)
        self.users(link, 2)
        self.links.users.renew_leases()
        self.assertEqual(self.presence.calls, [])
        link, _ = self.subscribe("m", primary=True)
        self.users(link, 2)
        self.links.users.renew_leases()
        self.assertEqual(self.presence.calls, [("replace", "m", [2]), ("renew", "m")])

    def test_cut(self) -> None:
        """
        The link of a Connect that does not acknowledge breaks; others continue.
        """
        slow, _ = self.subscribe("slow")
        quick, _ = self.subscribe("quick")
        self.users(slow, 1)
        self.users(quick, 2)
        settled: list[int] = []
        for seq in range(1, 12):
            self.links.push([message(seq)], lambda: settled.append(1))
            quick.acknowledged(self.batch(quick).number)
        self.assertEqual(len(settled), 11)
        self.assertEqual(self.links.cut, 1)
        _, resumed = self.subscribe("slow", resume=0)
        self.assertFalse(resumed)

    def test_receipts_and_typing(self) -> None:
        """
        A cursor is sent to both members, typing to the other one.
        """
        link, _ = self.subscribe()
        self.users(link, 1, 2)
        self.links.receipt(Cursor("u:1:2", 2, 3, 1))
        self.links.typing(rest_pb2.Typing(conversation="u:1:2", user=2))
        batch = self.batch(link)
        self.assertEqual(list(batch.receipts[0].targets), [1, 2])
        self.assertEqual(list(batch.typing[0].targets), [1])

    def test_give_up_all(self) -> None:
        """
        A Message that stops gives up all links.
        """
        link, _ = self.subscribe()
        self.users(link, 2)
        settled: list[int] = []
        self.links.push([message(1)], lambda: settled.append(1))
        self.links.lost(link, link.stream, "test")
        self.links.give_up_all()
        self.assertEqual(settled, [1])
        self.assertEqual(self.links.status(), [])
