"""
Login: from the opening of a connection to its welcome.
"""

from __future__ import annotations

import attrs
from twisted.internet.defer import Deferred
from twisted.logger import LogLevel, capturedLogs
from twisted.trial.unittest import SynchronousTestCase

from tests.connect.session.cases import SessionTestCase
from tests.connect.session.doubles import NOW_S, FakeNode, message
from wsmsg import model
from wsmsg.auth.identity import Identity
from wsmsg.connect.upstream.interface import HeadsView
from wsmsg.errors import Close, Unavailable
from wsmsg.protocol import frames
from wsmsg.protocol.frames import Hello, Resync, Welcome


class LoginTests(SessionTestCase):
    """
    From the opening to the welcome.
    """

    def test_welcome(self) -> None:
        """
        A client with a valid token is welcomed with its limits and conversations.
        """
        node = FakeNode(window=7)
        node.upstream.heads_d = Deferred()
        client = node.client()
        client.say(Hello("token-1001", "phone", position="p5"))
        self.assertEqual(client.heard(), [])
        receipt = model.Cursor("u:1:1001", 1, delivered=2, read=1)
        head = model.ConversationHead("u:1:1001", 3, 99, 2, 1, (receipt,))
        node.upstream.heads_d.callback(HeadsView([head], True, "p6", "e1"))
        (welcome,) = client.heard()
        assert isinstance(welcome, Welcome)
        self.assertEqual((welcome.user, welcome.more), (1001, True))
        self.assertEqual((welcome.position, welcome.epoch), ("p6", "e1"))
        self.assertTrue(welcome.synced)
        self.assertEqual(welcome.limits.window, 7)
        self.assertEqual(welcome.time, int(NOW_S * 1000))
        other = frames.Receipt("u:1:1001", 1, 1, 2)
        self.assertEqual(
            welcome.heads, (frames.Head("u:1:1001", 3, 1, 2, 99, (other,)),)
        )
        self.assertEqual(node.upstream.named("user_joined"), [(1001,)])

    def test_clock_set_back(self) -> None:
        """
        The time in the welcome is that of the system clock, and no session ends
        because that clock is stepped.
        """
        node = FakeNode()
        unix_s = [NOW_S]
        node.context = attrs.evolve(node.context, unix_s=lambda: unix_s[0])
        waiting = node.client()
        unix_s[0] -= 3600
        client = node.client()
        client.say(Hello("token-1", "phone"))
        (welcome,) = client.heard()
        assert isinstance(welcome, Welcome)
        self.assertEqual(welcome.time, int((NOW_S - 3600) * 1000))
        unix_s[0] += 7200
        node.pass_time(4.9)
        self.assertIsNone(waiting.peer.code)
        node.pass_time(0.1)
        self.assertEqual(waiting.peer.code, Close.STALE)
        self.assertIsNone(client.peer.code)

    def test_since(self) -> None:
        """
        The welcome has the conversations that changed since the client's last sync.
        """
        node = FakeNode(page=9)
        node.client().say(Hello("token-1001", position="p77"))
        self.assertEqual(node.upstream.named("heads"), [(1001, "p77", 9, False)])

    def test_header_identity(self) -> None:
        """
        A client whose headers prove its user sends hello without a token.
        """
        client = FakeNode().client(Identity(1001))
        client.say(Hello())
        (welcome,) = client.heard()
        assert isinstance(welcome, Welcome)
        self.assertEqual(welcome.user, 1001)

    def test_two_identities(self) -> None:
        """
        A token in hello of another user than that of the headers ends the connection.
        """
        client = FakeNode().client(Identity(1001))
        client.say(Hello("token-1002"))
        self.assert_error(client, "unauthenticated")
        self.assertEqual(client.peer.code, Close.UNAUTHENTICATED)

    def test_forged(self) -> None:
        """
        A forged token is answered with an error and 4501, and nothing remains.
        """
        node = FakeNode()
        client = node.client()
        client.say(Hello("forged"))
        self.assert_error(client, "unauthenticated")
        self.assertEqual(client.peer.code, Close.UNAUTHENTICATED)
        self.assertEqual(node.registry.users(), [])
        self.assertEqual(node.upstream.calls, [])

    def test_no_token(self) -> None:
        """
        A client without any token is refused.
        """
        client = FakeNode().client()
        client.say(Hello())
        self.assertEqual(client.peer.code, Close.UNAUTHENTICATED)

    def test_only_hello(self) -> None:
        """
        Any other frame than hello before the welcome ends the connection with 4500.
        """
        client = FakeNode().client()
        client.say(frames.Ping("x"))
        self.assert_error(client, "bad_frame")
        self.assertEqual(client.peer.code, Close.BAD_FRAME)

    def test_garbage_first(self) -> None:
        """
        A first frame that cannot be decoded ends the connection with 4500.
        """
        client = FakeNode().client()
        client.raw(b"\xff")
        self.assert_error(client, "bad_frame")
        self.assertEqual(client.peer.code, Close.BAD_FRAME)

    def test_no_hello(self) -> None:
        """
        A client that sends no hello in time is closed, and not a moment earlier.
        """
        node = FakeNode()
        client = node.client()
        node.pass_time(4.9)
        self.assertIsNone(client.peer.code)
        node.pass_time(0.1)
        self.assertEqual(client.peer.code, Close.STALE)

    def test_hello_in_time(self) -> None:
        """
        A client that was welcomed is not closed for a missing hello.
        """
        node = FakeNode()
        client = node.log_in(1001)
        node.pass_time(1000)
        self.assertIsNone(client.peer.code)

    def test_frames_meanwhile(self) -> None:
        """
        Frames that arrive during the login wait, and are answered in order.
        """
        node = FakeNode()
        node.upstream.joined_d = Deferred()
        client = node.client()
        client.say(Hello("token-1001"), frames.Ping("1"), frames.Ping("2"))
        self.assertFalse(client.peer.reading)
        self.assertEqual(client.heard(), [])
        node.upstream.joined_d.callback(True)
        welcome, *pongs = client.heard()
        self.assertIsInstance(welcome, Welcome)
        self.assertEqual(pongs, [frames.Pong("1"), frames.Pong("2")])
        self.assertTrue(client.peer.reading)

    def test_flood_meanwhile(self) -> None:
        """
        A client cannot fill the memory during its login.
        """
        node = FakeNode()
        node.upstream.joined_d = Deferred()
        client = node.client()
        client.say(Hello("token-1001"))
        for _ in range(10000):
            client.raw(b"")
        self.assertEqual(client.peer.code, Close.RATE_LIMITED)

    def test_pushes_meanwhile(self) -> None:
        """
        A push during the login arrives after the welcome.
        """
        node = FakeNode()
        node.upstream.joined_d = Deferred()
        client = node.client()
        client.say(Hello("token-1001"))
        node.registry.push(message(1002, 1001, 1), [1001])
        self.assertEqual(client.heard(), [])
        node.upstream.joined_d.callback(True)
        welcome, deliver = client.heard()
        self.assertIsInstance(welcome, Welcome)
        self.assertIsInstance(deliver, frames.Deliver)

    def test_many_pushes_meanwhile(self) -> None:
        """
        If too much is pushed during the login, the client is told that pushes are
        missing.
        """
        node = FakeNode(outbox_soft_bytes=500)
        node.upstream.joined_d = Deferred()
        client = node.client()
        client.say(Hello("token-1001"))
        for seq in range(1, 50):
            node.registry.push(message(1002, 1001, seq), [1001])
        node.upstream.joined_d.callback(True)
        welcome, *delivers, resync = client.heard()
        self.assertIsInstance(welcome, Welcome)
        self.assertIsInstance(resync, Resync)
        self.assertTrue(0 < len(delivers) < 10)

    def test_no_stream(self) -> None:
        """
        While no Message is up, a client is welcomed as not in sync, and is told to sync
        once one is up.
        """
        node = FakeNode()
        node.upstream.up = False
        client = node.log_in(1001)
        node.pass_time(100)
        self.assertEqual(client.heard(), [])
        node.upstream.up = True
        node.pass_time(1)
        node.pass_time(node.settings.resync_spread_s)
        self.assertEqual([type(f) for f in client.heard()], [Resync])
        node.pass_time(100)
        self.assertEqual(client.heard(), [])

    def test_heads_fail(self) -> None:
        """
        If the conversations cannot be read, the client is told to ask for them.
        """
        node = FakeNode()
        node.upstream.heads_d = Deferred()
        client = node.client()
        client.say(Hello("token-1001"))
        node.upstream.heads_d.errback(Unavailable("the store is away"))
        (welcome,) = client.heard()
        assert isinstance(welcome, Welcome)
        self.assertFalse(welcome.synced)
        node.pass_time(1)
        node.pass_time(node.settings.resync_spread_s)
        self.assertEqual([type(f) for f in client.heard()], [Resync])

    def test_never_checked(self) -> None:
        """
        A login that Message never answers ends with a code that lets the client
        reconnect.
        """
        node = FakeNode()
        node.upstream.joined_d = Deferred()
        client = node.client()
        client.say(Hello("token-1001"))
        node.pass_time(15)
        self.assertEqual(client.peer.code, Close.UNAVAILABLE)
        node.upstream.joined_d.callback(True)
        self.assertEqual(client.heard(), [])

    def test_lost_while_checking(self) -> None:
        """
        A client that disconnects before its welcome leaves nothing behind.
        """
        node = FakeNode()
        node.upstream.joined_d = Deferred()
        client = node.client()
        client.say(Hello("token-1001"))
        client.hang_up()
        node.upstream.joined_d.callback(True)
        self.assertEqual(node.registry.users(), [])
        self.assertEqual(node.upstream.named("user_left"), [(1001,)])
        self.assertEqual(node.registry.count, 0)

    def test_bug_in_login(self) -> None:
        """
        A bug during a login ends this session with 1011, and is logged.
        """
        node = FakeNode()
        node.upstream.heads_d = Deferred()
        client = node.client()
        client.say(Hello("token-1001"))
        node.upstream.heads_d.errback(RuntimeError("a bug"))
        self.assertEqual(client.peer.code, Close.BUG)
        self.assertEqual(len(self.flushLoggedErrors(RuntimeError)), 1)


class LogTests(SynchronousTestCase):
    """
    The lines about sessions in the log.
    """

    def test_row_15_a_token_fills_no_log(self) -> None:
        """
        In a minute, twenty lines and a sum are written of the sessions of one user, and
        of all users together 6,000 lines and 101 sums; nothing stays in memory.
        """
        node = FakeNode()
        with capturedLogs() as logs:
            for _ in range(200):
                node.log_in(1001).hang_up()
            node.log_in(1002)
            node.clock.advance(60)
        users = [e["user"] for e in logs if e["log_level"] is LogLevel.info]
        self.assertEqual((users.count(1001), users.count(1002)), (21, 1))
        self.assertEqual(logs[-1]["more"], 380)
        lines = node.context.lines
        with capturedLogs() as logs:
            allowed = sum(lines.allow(user) for user in range(50_000))
            node.clock.advance(60)
        self.assertEqual(allowed, 6000)
        self.assertEqual(len(logs), 101)
        self.assertEqual(sum(e["more"] for e in logs), 44_000)
