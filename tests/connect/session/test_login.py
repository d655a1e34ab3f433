"""
Login: from the opening of a connection to its welcome.
"""

from __future__ import annotations

from twisted.internet.defer import Deferred

from tests.connect.session.cases import SessionTestCase
from tests.connect.session.doubles import NOW_S, House, message
from wsmsg import model
from wsmsg.auth.identity import Identity
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
        house = House(window=7)
        house.upstream.heads_d = Deferred()
        client = house.client()
        client.say(Hello("token-1001", "phone", since=5))
        self.assertEqual(client.heard(), [])
        receipt = model.Cursor("u:1:1001", 1, delivered=2, read=1)
        head = model.ConversationHead("u:1:1001", 3, 99, 2, 1, (receipt,))
        house.upstream.heads_d.callback(([head], True))
        (welcome,) = client.heard()
        assert isinstance(welcome, Welcome)
        self.assertEqual((welcome.user, welcome.more), (1001, True))
        self.assertTrue(welcome.synced)
        self.assertEqual(welcome.limits.window, 7)
        self.assertEqual(welcome.time, int(NOW_S * 1000))
        other = frames.Receipt("u:1:1001", 1, 1, 2)
        self.assertEqual(
            welcome.heads, (frames.Head("u:1:1001", 3, 1, 2, 99, (other,)),)
        )
        self.assertEqual(house.upstream.named("user_joined"), [(1001,)])

    def test_since(self) -> None:
        """
        The welcome has the conversations that changed since the client's last sync.
        """
        house = House(page=9)
        house.client().say(Hello("token-1001", since=77))
        self.assertEqual(house.upstream.named("heads"), [(1001, 77, 9)])

    def test_header_identity(self) -> None:
        """
        A client whose headers prove its user sends hello without a token.
        """
        client = House().client(Identity(1001))
        client.say(Hello())
        (welcome,) = client.heard()
        assert isinstance(welcome, Welcome)
        self.assertEqual(welcome.user, 1001)

    def test_two_identities(self) -> None:
        """
        A token in hello of another user than that of the headers ends the connection.
        """
        client = House().client(Identity(1001))
        client.say(Hello("token-1002"))
        self.assert_error(client, "unauthenticated")
        self.assertEqual(client.peer.code, Close.UNAUTHENTICATED)

    def test_forged(self) -> None:
        """
        A forged token is answered with an error and 4501, and nothing remains.
        """
        house = House()
        client = house.client()
        client.say(Hello("forged"))
        self.assert_error(client, "unauthenticated")
        self.assertEqual(client.peer.code, Close.UNAUTHENTICATED)
        self.assertEqual(house.registry.users(), [])
        self.assertEqual(house.upstream.calls, [])

    def test_no_token(self) -> None:
        """
        A client without any token is refused.
        """
        client = House().client()
        client.say(Hello())
        self.assertEqual(client.peer.code, Close.UNAUTHENTICATED)

    def test_only_hello(self) -> None:
        """
        Any other frame than hello before the welcome ends the connection with 4500.
        """
        client = House().client()
        client.say(frames.Ping("x"))
        self.assert_error(client, "bad_frame")
        self.assertEqual(client.peer.code, Close.BAD_FRAME)

    def test_garbage_first(self) -> None:
        """
        A first frame that cannot be decoded ends the connection with 4500.
        """
        client = House().client()
        client.raw(b"\xff")
        self.assert_error(client, "bad_frame")
        self.assertEqual(client.peer.code, Close.BAD_FRAME)

    def test_no_hello(self) -> None:
        """
        A client that sends no hello in time is closed, and not a moment earlier.
        """
        house = House()
        client = house.client()
        house.pass_time(4.9)
        self.assertIsNone(client.peer.code)
        house.pass_time(0.1)
        self.assertEqual(client.peer.code, Close.STALE)

    def test_hello_in_time(self) -> None:
        """
        A client that was welcomed is not closed for a missing hello.
        """
        house = House()
        client = house.log_in(1001)
        house.pass_time(1000)
        self.assertIsNone(client.peer.code)

    def test_frames_meanwhile(self) -> None:
        """
        Frames that arrive during the login wait, and are answered in order.
        """
        house = House()
        house.upstream.joined_d = Deferred()
        client = house.client()
        client.say(Hello("token-1001"), frames.Ping("1"), frames.Ping("2"))
        self.assertFalse(client.peer.reading)
        self.assertEqual(client.heard(), [])
        house.upstream.joined_d.callback(True)
        welcome, *pongs = client.heard()
        self.assertIsInstance(welcome, Welcome)
        self.assertEqual(pongs, [frames.Pong("1"), frames.Pong("2")])
        self.assertTrue(client.peer.reading)

    def test_flood_meanwhile(self) -> None:
        """
        A client cannot fill the memory during its login.
        """
        house = House()
        house.upstream.joined_d = Deferred()
        client = house.client()
        client.say(Hello("token-1001"))
        for _ in range(10000):
            client.raw(b"")
        self.assertEqual(client.peer.code, Close.RATE_LIMITED)

    def test_pushes_meanwhile(self) -> None:
        """
        A push during the login arrives after the welcome.
        """
        house = House()
        house.upstream.joined_d = Deferred()
        client = house.client()
        client.say(Hello("token-1001"))
        house.registry.push(message(1002, 1001, 1), [1001])
        self.assertEqual(client.heard(), [])
        house.upstream.joined_d.callback(True)
        welcome, deliver = client.heard()
        self.assertIsInstance(welcome, Welcome)
        self.assertIsInstance(deliver, frames.Deliver)

    def test_many_pushes_meanwhile(self) -> None:
        """
        If too much is pushed during the login, the client is told that pushes are
        missing.
        """
        house = House(outbox_soft_bytes=500)
        house.upstream.joined_d = Deferred()
        client = house.client()
        client.say(Hello("token-1001"))
        for seq in range(1, 50):
            house.registry.push(message(1002, 1001, seq), [1001])
        house.upstream.joined_d.callback(True)
        welcome, *delivers, resync = client.heard()
        self.assertIsInstance(welcome, Welcome)
        self.assertIsInstance(resync, Resync)
        self.assertTrue(0 < len(delivers) < 10)

    def test_no_stream(self) -> None:
        """
        While no Message is up, a client is welcomed as not in sync, and is told to sync
        once one is up.
        """
        house = House()
        house.upstream.up = False
        client = house.log_in(1001)
        house.pass_time(100)
        self.assertEqual(client.heard(), [])
        house.upstream.up = True
        house.pass_time(1)
        house.pass_time(house.settings.resync_spread_s)
        self.assertEqual([type(f) for f in client.heard()], [Resync])
        house.pass_time(100)
        self.assertEqual(client.heard(), [])

    def test_heads_fail(self) -> None:
        """
        If the conversations cannot be read, the client is told to ask for them.
        """
        house = House()
        house.upstream.heads_d = Deferred()
        client = house.client()
        client.say(Hello("token-1001"))
        house.upstream.heads_d.errback(Unavailable("the store is away"))
        (welcome,) = client.heard()
        assert isinstance(welcome, Welcome)
        self.assertFalse(welcome.synced)
        house.pass_time(1)
        house.pass_time(house.settings.resync_spread_s)
        self.assertEqual([type(f) for f in client.heard()], [Resync])

    def test_never_checked(self) -> None:
        """
        A login that Message never answers ends with a code that lets the client
        reconnect.
        """
        house = House()
        house.upstream.joined_d = Deferred()
        client = house.client()
        client.say(Hello("token-1001"))
        house.pass_time(15)
        self.assertEqual(client.peer.code, Close.UNAVAILABLE)
        house.upstream.joined_d.callback(True)
        self.assertEqual(client.heard(), [])

    def test_lost_while_checking(self) -> None:
        """
        A client that disconnects before its welcome leaves nothing behind.
        """
        house = House()
        house.upstream.joined_d = Deferred()
        client = house.client()
        client.say(Hello("token-1001"))
        client.hang_up()
        house.upstream.joined_d.callback(True)
        self.assertEqual(house.registry.users(), [])
        self.assertEqual(house.upstream.named("user_left"), [(1001,)])
        self.assertEqual(house.registry.count, 0)

    def test_bug_in_login(self) -> None:
        """
        A bug during a login ends this session with 1011, and is logged.
        """
        house = House()
        house.upstream.heads_d = Deferred()
        client = house.client()
        client.say(Hello("token-1001"))
        house.upstream.heads_d.errback(RuntimeError("a bug"))
        self.assertEqual(client.peer.code, Close.BUG)
        self.assertEqual(len(self.flushLoggedErrors(RuntimeError)), 1)
