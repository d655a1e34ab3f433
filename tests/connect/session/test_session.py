"""
A session, as its client sees it: bad frames, back-pressure, pushes, the end.
"""

from __future__ import annotations

import attrs
from msgspec.structs import replace
from twisted.logger import LogLevel, capturedLogs

from tests.connect.session.cases import SessionTestCase
from tests.connect.session.doubles import FakeNode, message
from wsmsg.connect.session.context import ENDED, LOST, Reconnects
from wsmsg.connect.session.input import BAD_FRAMES
from wsmsg.connect.upstream.interface import PageView
from wsmsg.errors import Close
from wsmsg.protocol import frames
from wsmsg.protocol import protobuf as codec_protobuf
from wsmsg.protocol.frames import Resync, Send


@attrs.define
class EndedUser:
    """
    A session that has ended.
    """

    user: int
    device: str


class BadFrameTests(SessionTestCase):
    """
    Frames that cannot be decoded, after the welcome.
    """

    def test_one(self) -> None:
        """
        One bad frame is answered with an error, and the session goes on.
        """
        client = FakeNode().log_in(1001)
        client.raw(b"{")
        self.assert_error(client, "bad_frame")
        client.say(frames.Ping())
        self.assertEqual(client.heard(), [frames.Pong()])

    def test_many(self) -> None:
        """
        Many bad frames end the connection with 4500, without a traceback.
        """
        node = FakeNode()
        client = node.log_in(1001)
        with capturedLogs() as logs:
            for _ in range(BAD_FRAMES):
                self.assertIsNone(client.peer.code)
                client.raw(b"{")
        self.assertEqual(client.peer.code, Close.BAD_FRAME)
        self.assertEqual(node.registry.counters.bad_frames, BAD_FRAMES)
        self.assertEqual([e for e in logs if e["log_level"] > LogLevel.info], [])
        client.raw(b"{")
        self.assertEqual(node.registry.counters.bad_frames, BAD_FRAMES)

    def test_text_for_binary(self) -> None:
        """
        A text message in place of a binary one is a bad frame, and so is the reverse.
        """
        node = FakeNode()
        client = node.log_in(1001, codec=codec_protobuf.CODEC)
        client.session.received(b"{}", False)
        self.assertIn("binary", self.assert_error(client, "bad_frame").reason)
        client = node.log_in(1002)
        client.session.received(b'{"type": "ping"}', True)
        self.assertIn("text", self.assert_error(client, "bad_frame").reason)


class BackPressureTests(SessionTestCase):
    """
    Clients that are too fast or too slow.
    """

    def test_frame_rate(self) -> None:
        """
        A client over its frame rate is not read until it has tokens again, and loses
        nothing.
        """
        node = FakeNode(frames_per_s=4, frames_burst=3)
        client = node.log_in(1001)
        client.say(*(frames.Ping(str(i)) for i in range(6)))
        self.assertEqual(len(client.heard()), 3)
        self.assertFalse(client.peer.reading)
        node.pass_time(0.2)
        self.assertEqual(client.heard(), [])
        node.pass_time(0.05)
        self.assertEqual(client.heard(), [frames.Pong("3"), frames.Pong("4")])
        node.pass_time(10)
        self.assertEqual(client.heard(), [frames.Pong("5")])
        self.assertTrue(client.peer.reading)

    def test_fragments(self) -> None:
        """
        Parts of messages that are counted as frames are limited with the frames, before
        the first message and after the end too.
        """
        node = FakeNode(frames_per_s=4, frames_burst=3)
        client = node.client()
        for _ in range(3):
            client.session.count_frame()
        self.assertTrue(client.peer.reading)
        client.session.count_frame()
        self.assertFalse(client.peer.reading)
        node.pass_time(0.3)
        self.assertTrue(client.peer.reading)
        client.hang_up()
        for _ in range(9):
            client.session.count_frame()

    def test_slow_client(self) -> None:
        """
        A client that does not read gets no pushes above the hard mark, is not read
        itself, and is told to sync when it has caught up.
        """
        node = FakeNode(outbox_hard_bytes=1000)
        client = node.log_in(1001)
        client.session.outbox.pauseProducing()
        for seq in range(1, 30):
            node.registry.push(message(7, 1001, seq), [1001])
        self.assertEqual(client.heard(), [])
        self.assertFalse(client.peer.reading)
        self.assertLessEqual(client.session.outbox.size, 1000)
        client.session.outbox.resumeProducing()
        *delivers, last = client.heard()
        self.assertTrue(0 < len(delivers) < 29)
        self.assertIsInstance(last, Resync)
        self.assertTrue(client.peer.reading)
        node.registry.push(message(7, 1001, 30), [1001])
        self.assertEqual([type(f) for f in client.heard()], [frames.Deliver])
        node.pass_time(100)
        self.assertIsNone(client.peer.code)

    def test_stages(self) -> None:
        """
        The times that messages wait for a slow client, from the first that has to wait
        until none does, and those that they take until the client confirms one, are
        measured: also since Message accepted it.
        """
        node = FakeNode()
        client = node.log_in(1001)
        counters = node.registry.counters
        client.session.outbox.pauseProducing()
        for seq in (1, 2):
            accepted_ms = int(node.unix_s() * 1000) - 2000
            said = replace(message(7, 1001, seq), time_ms=accepted_ms)
            node.registry.push(said, [1001])
            node.clock.advance(1)
        self.assertEqual((node.registry.waited, counters.waited.count), (2, 0))
        client.session.outbox.resumeProducing()
        self.assertEqual((counters.waited.count, counters.waited.sum), (1, 2.0))
        node.clock.advance(1)
        client.say(frames.Delivered("u:7:1001", 2))
        self.assertEqual((counters.delivered.count, counters.delivered.sum), (1, 3.0))
        way = counters.all_the_way
        self.assertEqual((way.count, way.sum), (1, 5.0))

    def test_too_slow(self) -> None:
        """
        A client that does not catch up in time is closed at once, with a code that lets
        it reconnect.
        """
        node = FakeNode(outbox_hard_bytes=1000, outbox_drain_s=10)
        client = node.log_in(1001)
        client.session.outbox.pauseProducing()
        for seq in range(1, 30):
            node.registry.push(message(7, 1001, seq), [1001])
        node.pass_time(9.9)
        self.assertIsNone(client.peer.code)
        node.pass_time(0.1)
        self.assertEqual(client.peer.code, Close.SLOW_CLIENT)
        self.assertEqual(client.heard(), [])

    def test_shed(self) -> None:
        """
        A client that reads slowly misses typing first, which is counted.
        """
        node = FakeNode(outbox_soft_bytes=200)
        client = node.log_in(1001)
        client.session.outbox.pauseProducing()
        for _ in range(10):
            node.registry.typing("u:7:1001", 7, [1001])
        client.session.outbox.resumeProducing()
        heard = len(client.heard())
        client.hang_up()
        self.assertTrue(0 < heard < 10)
        self.assertEqual(node.registry.counters.shed, 10 - heard)

    def test_greedy(self) -> None:
        """
        A client that asks and does not read is closed before it takes much memory.
        """
        node = FakeNode(outbox_hard_bytes=1000)
        client = node.log_in(1001)
        client.session.outbox.pauseProducing()
        client.say(*(frames.Sync(f"s{i}", "u:7:1001") for i in range(4)))
        rows = [message(7, 1001, 1, content="x" * 900)]
        for asked in node.upstream.asked:
            asked.callback(PageView(rows, 1, False, "e1"))
        self.assertEqual(client.peer.code, Close.SLOW_CLIENT)


class PushTests(SessionTestCase):
    """
    Pushes, from the session's side.
    """

    def test_repeat(self) -> None:
        """
        A message is sent once, however often it is pushed.
        """
        node = FakeNode()
        client = node.log_in(1001)
        for seq in (1, 2, 1, 2, 3):
            node.registry.push(message(7, 1001, seq), [1001])
        seqs = [f.seq for f in client.heard() if isinstance(f, frames.Deliver)]
        self.assertEqual(seqs, [1, 2, 3])
        self.assertEqual(node.registry.counters.repeats, 2)

    def test_each_conversation(self) -> None:
        """
        The seqs of different conversations are independent.
        """
        node = FakeNode()
        client = node.log_in(1001)
        node.registry.push(message(7, 1001, 5), [1001])
        node.registry.push(message(8, 1001, 1), [1001])
        self.assertEqual(len(client.heard()), 2)

    def test_missed_is_no_repeat(self) -> None:
        """
        A message that a slow client missed is not taken for a repeat later.
        """
        node = FakeNode(outbox_hard_bytes=1)
        client = node.log_in(1001)
        client.session.outbox.pauseProducing()
        node.registry.push(message(7, 1001, 1), [1001])
        client.session.outbox.resumeProducing()
        client.heard()
        node.registry.push(message(7, 1001, 1), [1001])
        self.assertEqual([type(f) for f in client.heard()], [frames.Deliver])


class EndTests(SessionTestCase):
    """
    The end of a session.
    """

    def test_lost(self) -> None:
        """
        A client that hangs up is gone for everyone.
        """
        node = FakeNode()
        client = node.log_in(1001)
        client.say(frames.Watch((7,)))
        client.hang_up()
        client.hang_up()
        self.assertEqual(node.registry.users(), [])
        self.assertEqual(list(node.registry.watched()), [])
        self.assertEqual(node.upstream.named("user_left"), [(1001,)])
        self.assertEqual(node.upstream.named("unwatch"), [([7],)])
        self.assertEqual(node.registry.count, 0)
        self.assertIsNone(client.peer.code)

    def test_reconnects(self) -> None:
        """
        A login of a device that was connected before counts by why that ended; one
        whose device was not here counts as from elsewhere, if it shows a position.  A
        first login, and another device, do not count.
        """
        node = FakeNode()
        counts = node.registry.counters.reconnects.counts
        node.log_in(1001).hang_up()
        self.assertEqual(counts, {})
        again = node.log_in(1001)
        node.log_in(1001, "laptop")
        self.assertEqual(counts, {"LOST": 1})
        again.session.close(Close.SLOW_CLIENT, "too slow")
        again.hang_up()
        node.log_in(1001)
        node.log_in(1001)
        node.client().say(frames.Hello("token-7", "phone", position="p5"))
        node.client().say(frames.Hello("forged", "phone", position="p5"))
        self.assertEqual(
            counts, {"LOST": 1, "SLOW_CLIENT": 1, "REPLACED": 1, "ELSEWHERE": 1}
        )

    def test_reconnects_are_bounded(self) -> None:
        """
        Only the last sessions that ended are remembered.
        """
        ended = Reconnects()
        sessions = [EndedUser(user, "phone") for user in range(1, ENDED + 2)]
        for session in sessions:
            ended.ended(session, LOST)
        for session in (sessions[0], sessions[1], sessions[-1]):
            ended.logged_in(session, "")
        self.assertEqual(ended.counts, {LOST: 2})

    def test_closed_by_the_client(self) -> None:
        """
        The frames in the outbox of a client that closes are written.
        """
        client = FakeNode().log_in(1001)
        client.session.outbox.pauseProducing()
        client.say(frames.Ping("last"))
        self.assertEqual(client.heard(), [])
        client.hang_up()
        self.assertEqual(client.heard(), [frames.Pong("last")])

    def test_goaway(self) -> None:
        """
        A client that is asked to move has its sends answered before it is closed.
        """
        node = FakeNode()
        client = node.log_in(1001)
        client.say(Send("c1", to=7))
        client.session.goaway("stopping", 300, ("b:1",))
        self.assertEqual(client.heard(), [frames.Goaway("stopping", 300, ("b:1",))])
        client.say(Send("c2", to=7))
        self.assertEqual(len(node.upstream.sends), 1)
        self.assertIsNone(client.peer.code)
        node.upstream.accept()
        self.assertEqual(client.heard(), [frames.Accepted("c1", 5)])
        self.assertEqual(client.peer.code, Close.DRAIN)

    def test_goaway_idle(self) -> None:
        """
        A client that is asked to move and waits for nothing is closed at once.
        """
        client = FakeNode().log_in(1001)
        client.session.goaway("stopping", 300, ())
        self.assertEqual(client.peer.code, Close.DRAIN)
