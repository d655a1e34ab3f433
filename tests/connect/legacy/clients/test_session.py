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
    LegacyNode,
    own_client,
    text,
    ws,
)
from tests.connect.session.moves.doubles import moves_of
from wsmsg.connect.upstream.interface import HeadsView, NewSend
from wsmsg.errors import BadRequest, Close, Unauthenticated, Unavailable
from wsmsg.legacy.codec import CONNECTION, HEARTBEAT
from wsmsg.legacy.extra import TEXT
from wsmsg.model import ConversationHead, Mark
from wsmsg.protocol.frames import Deliver


class HeadersTests(SynchronousTestCase):
    """
    The headers of a handshake without a subprotocol.
    """

    def test_no_subprotocol(self) -> None:
        """
        If a header of legacy clients is missing, perhaps because a proxy took the
        subprotocol away from another client, the refusal names the subprotocol.
        """
        check = LegacyNode().legacy.check_headers
        known = "wsmsg.v1.protobuf or wsmsg.v1.json"
        for headers, error, header in (
            ({}, Unauthenticated, "Authorization"),
            ({"user-id": "7"}, Unauthenticated, "Authorization"),
            ({"authorization": "x"}, BadRequest, "User-ID"),
            ({"authorization": "x", "user-id": "me"}, BadRequest, "User-ID"),
        ):
            refused = self.assertRaises(error, check, headers)
            self.assertIn("offers no WebSocket subprotocol", refused.reason)
            self.assertIn(known, refused.reason)
            self.assertIn(header, refused.reason)
        check({"authorization": "x", "user-id": "7"})


class SaidTests(SynchronousTestCase):
    """
    Messages of a client.
    """

    def test_send(self) -> None:
        """
        A text is sent as the authenticated user, whatever its C{from} says.
        """
        node = LegacyNode()
        client = node.connect(7)
        more = {"message_id": 5, "timestamp": -9, "ack_id": "k"}
        client.raw(ws(sender=99, to=8, content="hi", message_type=TEXT, **more))
        ((new, _),) = node.upstream.sends
        sent = NewSend(7, new.client_id, "u:7:8", "hi", TEXT, extra="-9 1 k")
        self.assertEqual(new, sent)
        self.assertLessEqual(len(new.client_id), 64)

    def test_group(self) -> None:
        """
        A text to a group is sent to the group.
        """
        node = LegacyNode()
        node.connect(7).raw(ws(group_id=4, content="hi", message_type=TEXT))
        self.assertEqual(node.upstream.sends[0][0].conversation, "g:4")

    def test_text_frames(self) -> None:
        """
        A WebSocket text message with the same bytes is accepted, although they are not
        UTF-8.
        """
        node = LegacyNode()
        said = ws(to=8, content="hi", message_type=TEXT, timestamp=1795447835)
        with self.assertRaises(UnicodeDecodeError):
            said.decode()
        node.connect(7).raw(said, binary=False)
        self.assertEqual(node.sent, ["hi"])

    def test_nothing_follows(self) -> None:
        """
        Heartbeats and messages about the connection have no effect.
        """
        node = LegacyNode()
        client = node.connect(7)
        client.raw(ws(message_type=HEARTBEAT))
        client.raw(ws(message_type=CONNECTION, content="whatever"))
        self.assertEqual((node.sent, client.heard()), ([], []))
        self.assertEqual(node.legacy.counters.skipped, 0)

    def test_skipped(self) -> None:
        """
        Invalid messages are skipped and counted, with a warning now and then; the
        client and others go on.
        """
        node = LegacyNode(content_bytes=5)
        client = node.connect(7)
        bad = [
            b"\xff\xff\xff",
            b"",
            ws(to=8, content="too long", message_type=TEXT),
            ws(content="nobody", message_type=TEXT),
            ws(to=8, group_id=-4, content="two", message_type=TEXT),
            ws(to=8, content="hi", message_type=TEXT, ack_id="x" * 1025),
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
        self.assertEqual(node.legacy.counters.skipped, 3 * len(bad))
        self.assertIsNone(client.peer.code)
        client.say(8, "hi")
        self.assertEqual(node.sent, ["hi"])

    def test_acknowledgement(self) -> None:
        """
        An acknowledgement marks the message; the place of a recent message is known.
        """
        node = LegacyNode()
        marks: list[Mark] = []
        up: Any = node.upstream

        def mark(user: int, some: list[Mark]) -> Deferred[list[bool]]:
            marks.extend(some)
            return succeed([True] * len(some))

        up.mark = mark
        client = node.connect(8)
        node.push(text(5), to=8)
        client.acknowledge(105)
        client.acknowledge(105)
        client.drop()
        node.pass_time(0.1)
        self.assertEqual(marks, [Mark(8, 105, "u:7:8", 5), Mark(8, 105)])

    def test_foreign_acknowledgement(self) -> None:
        """
        An acknowledgement of a message to another user is skipped.
        """
        node = LegacyNode()
        up: Any = node.upstream
        up.mark = lambda user, some: succeed([False])
        client = node.connect(8)
        client.acknowledge(1)
        node.pass_time(0.1)
        self.assertEqual(node.legacy.counters.skipped, 1)

    def test_acknowledged_while_away(self) -> None:
        """
        An acknowledgement that cannot be stored now is stored later, even if the client
        is gone by then.
        """
        node = LegacyNode()
        up: Any = node.upstream
        up.mark = lambda user, some: fail(Unavailable("no Message is there"))
        client = node.connect(8)
        client.acknowledge(1)
        node.pass_time(0.1)
        client.drop()
        self.assertEqual(node.legacy.status()["marks"], 1)
        up.mark = lambda user, some: succeed([True])
        node.pass_time(5)
        self.assertEqual(node.legacy.status()["marks"], 0)

    def test_rate(self) -> None:
        """
        A legacy client over its rate is read more slowly instead of being refused;
        nothing is lost.
        """
        node = LegacyNode(sends_per_s=10, sends_burst=5)
        client = node.connect(7)
        many = [str(n) for n in range(20)]
        client.say(8, *many)
        self.assertEqual(node.sent, many[:5])
        self.assertFalse(client.peer.reading)
        for _ in range(10):
            node.pass_time(0.1)
        self.assertIn(len(node.sent), (14, 15))
        for _ in range(10):
            node.pass_time(0.1)
        self.assertEqual(node.sent, many)
        self.assertTrue(client.peer.reading)

    def test_rate_of_user(self) -> None:
        """
        The rate is the user's, over any number of logins.
        """
        node = LegacyNode(sends_per_s=10, sends_burst=5)
        clients = [node.connect(7) for _ in range(4)]
        for client in clients:
            client.say(8, *"abcdefghij")
        for _ in range(10):
            node.pass_time(0.1)
        self.assertIn(len(node.sent), (14, 15))
        for _ in range(40):
            node.pass_time(0.1)
        self.assertEqual(sorted(node.sent), sorted(4 * "abcdefghij"))

    def test_frame_rate(self) -> None:
        """
        Frames of all kinds have a rate too.
        """
        node = LegacyNode(frames_per_s=10, frames_burst=5)
        client = node.connect(7)
        for _ in range(6):
            client.raw(ws(message_type=HEARTBEAT))
        self.assertFalse(client.peer.reading)
        node.pass_time(0.2)
        self.assertTrue(client.peer.reading)


class TogetherTests(SynchronousTestCase):
    """
    Several clients of one user.
    """

    def test_two_logins(self) -> None:
        """
        Two logins of a user coexist, and both receive messages.
        """
        node = LegacyNode()
        one, two = node.connect(8), node.connect(8)
        node.push(text(1), to=8)
        self.assertEqual((one.texts(), two.texts()), (["1"], ["1"]))
        self.assertEqual((one.peer.code, two.peer.code), (None, None))

    def test_with_own(self) -> None:
        """
        A user's legacy client and a client of the current protocol receive the same.
        """
        node = LegacyNode()
        ours, theirs = own_client(node, 8), node.connect(8)
        node.push(text(1), to=8)
        (deliver,) = ours.heard()
        assert isinstance(deliver, Deliver)
        (heard,) = theirs.heard()
        self.assertEqual(deliver.message_id, heard.message_id)

    def test_too_many(self) -> None:
        """
        The limit of connections of a user applies.
        """
        node = LegacyNode(connections_per_user=2)
        clients = [node.connect(8) for _ in range(3)]
        self.assertEqual(
            [c.peer.code for c in clients], [None, None, Close.RATE_LIMITED]
        )
        self.assertEqual(clients[2].heard(), [])

    def test_nothing_else(self) -> None:
        """
        Receipts, typing and resyncs are not sent to legacy clients.
        """
        node = LegacyNode()
        client = node.connect(8)
        node.registry.typing("u:7:8", 7, [8])
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
        node = LegacyNode(sends_per_s=1, sends_burst=1)
        client = node.connect(7)
        client.say(8, "a", "b", "c")
        self.assertEqual(node.sent, ["a"])
        client.drop()
        self.assertEqual(node.sent, ["a", "b", "c"])
        self.assertEqual(node.registry.users(), [])

    def test_drain(self) -> None:
        """
        A node that stops closes the client, and still accepts messages that the client
        sent before it learned of that.
        """
        node = LegacyNode()
        client = node.connect(7)
        client.say(8, "a")
        moves_of(node).stop(10)
        node.pass_time(2)
        self.assertEqual(client.peer.code, Close.DRAIN)
        client.say(8, "b")
        client.acknowledge(5)
        client.drop()
        self.assertEqual(node.sent, ["a", "b"])

    def test_last(self) -> None:
        """
        A node that stops closes legacy clients, which never come back by themselves,
        when the others have gone, or after a quarter of the time that a stop has.
        """
        for others_stay, wait_s in ((False, 2), (True, 7)):
            node = LegacyNode()
            client, other = node.connect(7), own_client(node, 9)
            moves_of(node).stop(10)
            node.pass_time(1.5)
            self.assertIsNone(client.peer.code)
            if not others_stay:
                other.hang_up()
            node.pass_time(wait_s - 1.5)
            self.assertEqual(client.peer.code, Close.DRAIN)

    def test_renewed(self) -> None:
        """
        A legacy client stays when clients of the current protocol are asked to
        reconnect for a new welcome.
        """
        node = LegacyNode()
        client = node.connect(7)
        client.session.goaway("another kind of Message", 5, ())
        self.assertIsNone(client.peer.code)

    def test_after_the_end(self) -> None:
        """
        A client that goes on sending after the close cannot fill the memory.
        """
        node = LegacyNode(legacy={"user_sends": 2, "held_bytes": 1200})
        client = node.connect(7)
        client.session.close(Close.DRAIN, "stopping")
        client.say(8, *"abcdef")
        self.assertEqual(node.sent, ["a", "b", "c"])
        self.assertEqual(node.legacy.counters.skipped, 3)

    def test_nothing_left(self) -> None:
        """
        After all clients have gone and all messages are accepted, nothing is left of
        them.
        """
        node = LegacyNode()
        client = node.connect(7)
        client.say(8, "a")
        node.answer(UNAVAILABLE)
        client.drop()
        node.pass_time(1)
        node.answer(ACCEPTED)
        self.assertEqual(set(node.legacy.held.status().values()), {0})
        self.assertEqual(node.registry.count, 0)
        self.assertEqual(list(node.registry.watched()), [])

    def test_gone_while_looking(self) -> None:
        """
        A client that goes while its conversations are read is not told of anybody.
        """
        node = LegacyNode()
        up: Any = node.upstream
        waiting: list[Deferred[Any]] = []

        def heads(*_: Any, continued: bool, **__: Any) -> Deferred[Any]:
            waiting.append(Deferred())
            return waiting[-1]

        client = node.connect(8)
        up.heads = heads
        client = node.connect(9)
        waiting.pop().callback(HeadsView((), False, "1", "e1"))
        client.drop()
        waiting.pop().callback(
            HeadsView([ConversationHead("u:7:9", 1, 0)], False, "1", "e1")
        )
        self.assertEqual(client.peer.written, [])
        self.assertEqual(list(node.registry.watched()), [])
