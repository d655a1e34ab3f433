"""
The session of a legacy client: its messages, other sessions of its user, its end.
"""

from __future__ import annotations

from typing import Any

from twisted.internet.defer import Deferred, fail, succeed
from twisted.logger import LogLevel, capturedLogs
from twisted.trial.unittest import SynchronousTestCase

from tests.connect.legacy.clients.legacy_node import (
    ACCEPTED,
    UNAVAILABLE,
    LegacyHouse,
    own_client,
    text,
    ws,
)
from wsmsg.connect.upstream.interface import NewSend
from wsmsg.errors import Close, Unavailable
from wsmsg.model import ConversationHead, Mark
from wsmsg.protocol.frames import Deliver
from wsmsg.protocol.legacy import CONNECTION, HEARTBEAT, TEXT


class SaidTests(SynchronousTestCase):
    """
    Messages of a client.
    """

    def test_send(self) -> None:
        """
        A text is sent as the authenticated user, whatever its C{from} says.
        """
        house = LegacyHouse()
        client = house.connect(7)
        client.raw(ws(sender=99, to=8, content="hi", message_type=TEXT, message_id=5))
        ((new, _),) = house.upstream.sends
        self.assertEqual(new, NewSend(7, new.client_id, "u:7:8", "hi", TEXT))
        self.assertLessEqual(len(new.client_id), 64)

    def test_group(self) -> None:
        """
        A text to a group is sent to the group.
        """
        house = LegacyHouse()
        house.connect(7).raw(ws(group_id=4, content="hi", message_type=TEXT))
        self.assertEqual(house.upstream.sends[0][0].conversation, "g:4")

    def test_text_frames(self) -> None:
        """
        A WebSocket text message with the same bytes is accepted, although they are not
        UTF-8.
        """
        house = LegacyHouse()
        said = ws(to=8, content="hi", message_type=TEXT, timestamp=1795447835)
        with self.assertRaises(UnicodeDecodeError):
            said.decode()
        house.connect(7).raw(said, binary=False)
        self.assertEqual(house.sent, ["hi"])

    def test_nothing_follows(self) -> None:
        """
        Heartbeats and messages about the connection have no effect.
        """
        house = LegacyHouse()
        client = house.connect(7)
        client.raw(ws(message_type=HEARTBEAT))
        client.raw(ws(message_type=CONNECTION, content="whatever"))
        self.assertEqual((house.sent, client.heard()), ([], []))
        self.assertEqual(house.legacy.counters.skipped, 0)

    def test_skipped(self) -> None:
        """
        Invalid messages are skipped and counted, with a warning now and then; the
        client and others go on.
        """
        house = LegacyHouse(content_bytes=5)
        client = house.connect(7)
        bad = [
            b"\xff\xff\xff",
            b"",
            ws(to=8, content="too long", message_type=TEXT),
            ws(content="nobody", message_type=TEXT),
            ws(to=8, group_id=4, content="two", message_type=TEXT),
            ws(to=-8, content="hi", message_type=TEXT),
            ws(to=8, content="hi", message_type=77),
            ws(to=8, content="h\0i", message_type=TEXT),
            ws(message_type=4),
        ]
        with capturedLogs() as logs:
            for data in bad * 3:
                client.raw(data)
        warnings = [e for e in logs if e["log_level"] is LogLevel.warn]
        self.assertEqual(len(warnings), 1)
        self.assertEqual(house.legacy.counters.skipped, 3 * len(bad))
        self.assertIsNone(client.peer.code)
        client.say(8, "hi")
        self.assertEqual(house.sent, ["hi"])

    def test_acknowledgement(self) -> None:
        """
        An acknowledgement marks the message; the place of a recent message is known.
        """
        house = LegacyHouse()
        marks: list[Mark] = []
        up: Any = house.upstream

        def mark(user: int, some: list[Mark]) -> Deferred[list[bool]]:
            marks.extend(some)
            return succeed([True] * len(some))

        up.mark = mark
        client = house.connect(8)
        house.push(text(5), to=8)
        client.acknowledge(105)
        client.acknowledge(105)
        client.drop()
        house.pass_time(0.1)
        self.assertEqual(marks, [Mark(8, 105, "u:7:8", 5), Mark(8, 105)])

    def test_foreign_acknowledgement(self) -> None:
        """
        An acknowledgement of a message to another user is skipped.
        """
        house = LegacyHouse()
        up: Any = house.upstream
        up.mark = lambda user, some: succeed([False])
        client = house.connect(8)
        client.acknowledge(1)
        house.pass_time(0.1)
        self.assertEqual(house.legacy.counters.skipped, 1)

    def test_acknowledged_while_away(self) -> None:
        """
        An acknowledgement that cannot be stored now is stored later, even if the client
        is gone by then.
        """
        house = LegacyHouse()
        up: Any = house.upstream
        up.mark = lambda user, some: fail(Unavailable("no Message is there"))
        client = house.connect(8)
        client.acknowledge(1)
        house.pass_time(0.1)
        client.drop()
        self.assertEqual(house.legacy.status()["marks"], 1)
        up.mark = lambda user, some: succeed([True])
        house.pass_time(5)
        self.assertEqual(house.legacy.status()["marks"], 0)

    def test_rate(self) -> None:
        """
        A legacy client over its rate is read more slowly instead of being refused;
        nothing is lost.
        """
        house = LegacyHouse(sends_per_s=10, sends_burst=5)
        client = house.connect(7)
        many = [str(n) for n in range(20)]
        client.say(8, *many)
        self.assertEqual(house.sent, many[:5])
        self.assertFalse(client.peer.reading)
        for _ in range(10):
            house.pass_time(0.1)
        self.assertIn(len(house.sent), (14, 15))
        for _ in range(10):
            house.pass_time(0.1)
        self.assertEqual(house.sent, many)
        self.assertTrue(client.peer.reading)

    def test_rate_of_user(self) -> None:
        """
        The rate is the user's, over any number of logins.
        """
        house = LegacyHouse(sends_per_s=10, sends_burst=5)
        clients = [house.connect(7) for _ in range(4)]
        for client in clients:
            client.say(8, *"abcdefghij")
        for _ in range(10):
            house.pass_time(0.1)
        self.assertIn(len(house.sent), (14, 15))
        for _ in range(40):
            house.pass_time(0.1)
        self.assertEqual(sorted(house.sent), sorted(4 * "abcdefghij"))

    def test_frame_rate(self) -> None:
        """
        Frames of all kinds have a rate too.
        """
        house = LegacyHouse(frames_per_s=10, frames_burst=5)
        client = house.connect(7)
        for _ in range(6):
            client.raw(ws(message_type=HEARTBEAT))
        self.assertFalse(client.peer.reading)
        house.pass_time(0.2)
        self.assertTrue(client.peer.reading)


class TogetherTests(SynchronousTestCase):
    """
    Several clients of one user.
    """

    def test_two_logins(self) -> None:
        """
        Two logins of a user coexist, and both receive messages.
        """
        house = LegacyHouse()
        one, two = house.connect(8), house.connect(8)
        house.push(text(1), to=8)
        self.assertEqual((one.texts(), two.texts()), (["1"], ["1"]))
        self.assertEqual((one.peer.code, two.peer.code), (None, None))

    def test_with_own(self) -> None:
        """
        A user's legacy client and a client of the current protocol receive the same.
        """
        house = LegacyHouse()
        ours, theirs = own_client(house, 8), house.connect(8)
        house.push(text(1), to=8)
        (deliver,) = ours.heard()
        assert isinstance(deliver, Deliver)
        (heard,) = theirs.heard()
        self.assertEqual(deliver.message_id, heard.message_id)

    def test_too_many(self) -> None:
        """
        The limit of connections of a user applies.
        """
        house = LegacyHouse(connections_per_user=2)
        clients = [house.connect(8) for _ in range(3)]
        self.assertEqual(
            [c.peer.code for c in clients], [None, None, Close.RATE_LIMITED]
        )
        self.assertEqual(clients[2].heard(), [])

    def test_nothing_else(self) -> None:
        """
        Receipts, typing and resyncs are not sent to legacy clients.
        """
        house = LegacyHouse()
        client = house.connect(8)
        house.registry.typing("u:7:8", 7, [8])
        client.session.resync("why not")
        self.assertEqual(client.peer.written, [])


class EndTests(SynchronousTestCase):
    """
    The end of a session.
    """

    def test_waiting_taken(self) -> None:
        """
        Messages that were read and waited when the connection ended are sent.
        """
        house = LegacyHouse(sends_per_s=1, sends_burst=1)
        client = house.connect(7)
        client.say(8, "a", "b", "c")
        self.assertEqual(house.sent, ["a"])
        client.drop()
        self.assertEqual(house.sent, ["a", "b", "c"])
        self.assertEqual(house.registry.users(), [])

    def test_drain(self) -> None:
        """
        A node that stops closes the client, and still accepts messages that the client
        sent before it learned of that.
        """
        house = LegacyHouse()
        client = house.connect(7)
        client.say(8, "a")
        house.registry.drain("stopping")
        house.pass_time(2)
        self.assertEqual(client.peer.code, Close.DRAIN)
        client.say(8, "b")
        client.acknowledge(5)
        client.drop()
        self.assertEqual(house.sent, ["a", "b"])

    def test_renewed(self) -> None:
        """
        A legacy client stays when clients of the current protocol are asked to
        reconnect for a new welcome.
        """
        house = LegacyHouse()
        client = house.connect(7)
        client.session.goaway("another kind of Message", 5, ())
        self.assertIsNone(client.peer.code)

    def test_after_the_end(self) -> None:
        """
        A client that goes on sending after the close cannot fill the memory.
        """
        house = LegacyHouse(legacy={"user_sends": 2, "held_bytes": 1200})
        client = house.connect(7)
        client.session.close(Close.DRAIN, "stopping")
        client.say(8, *"abcdef")
        self.assertEqual(house.sent, ["a", "b", "c"])
        self.assertEqual(house.legacy.counters.skipped, 3)

    def test_nothing_left(self) -> None:
        """
        After all clients have gone and all messages are accepted, nothing is left of
        them.
        """
        house = LegacyHouse()
        client = house.connect(7)
        client.say(8, "a")
        house.answer(UNAVAILABLE)
        client.drop()
        house.pass_time(1)
        house.answer(ACCEPTED)
        self.assertEqual(set(house.legacy.held.status().values()), {0})
        self.assertEqual(house.registry.count, 0)
        self.assertEqual(house.registry.watched(), [])

    def test_gone_while_looking(self) -> None:
        """
        A client that goes while its conversations are read is not told of anybody.
        """
        house = LegacyHouse()
        up: Any = house.upstream
        waiting: list[Deferred[Any]] = []

        def heads(*_: Any) -> Deferred[Any]:
            waiting.append(Deferred())
            return waiting[-1]

        client = house.connect(8)
        up.heads = heads
        client = house.connect(9)
        waiting.pop().callback(((), False))
        client.drop()
        waiting.pop().callback(([ConversationHead("u:7:9", 1, 0)], False))
        self.assertEqual(client.peer.written, [])
        self.assertEqual(house.registry.watched(), [])
