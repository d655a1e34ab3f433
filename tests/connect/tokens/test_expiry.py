"""
Sessions whose tokens expire: reminder, end, a new token, and a clock that is set.
"""

from __future__ import annotations

from typing import Any

from twisted.internet.task import Clock
from twisted.trial.unittest import SynchronousTestCase

from tests.connect.legacy.clients.legacy_node import LegacyNode
from tests.connect.session.cases import SessionTestCase
from tests.connect.session.doubles import NOW_S, Client, FakeNode
from wsmsg.auth.identity import Identity
from wsmsg.connect.tokens.expiry import AT_ONCE, Expiry, Term
from wsmsg.errors import Close
from wsmsg.protocol import frames, json, protobuf
from wsmsg.protocol.codec import ICodec
from wsmsg.protocol.frames import Hello, Refresh, Refreshed

#: The default of C{token.leeway_s}.
LEEWAY_S = 10
HOUR_S = 3600.0


def token(lives_s: float, user: int = 1001, since_s: float = 0.0) -> str:
    """
    Return a token that expires so many seconds after the start of the test.
    """
    return f"token-{user}/{NOW_S + lives_s}/{NOW_S + since_s}"


class ExpiryTests(SessionTestCase):
    """
    The end of a session by its token.
    """

    def setUp(self) -> None:
        self.node = FakeNode()

    def client(self, lives_s: float, **more: Any) -> Client:
        """
        Return a client that has read its welcome, and whose token lives so long.
        """
        return self.node.log_in(1001, token=token(lives_s), **more)

    def pass_seconds(self, seconds: int) -> None:
        """
        Let time pass, with a sweep in each second.
        """
        for _ in range(seconds):
            self.node.pass_time(1)

    def test_welcome(self) -> None:
        """
        The welcome says when the token expires, in both spellings; a token that never
        expires is 0.
        """
        for given, expires in ((token(100), (NOW_S + 100) * 1000), ("token-1001", 0)):
            codecs: tuple[ICodec, ...] = (protobuf.CODEC, json.CODEC)
            for codec in codecs:
                client = self.node.client(codec=codec)
                client.say(Hello(given, "phone"))
                (welcome,) = client.heard()
                assert isinstance(welcome, frames.Welcome)
                self.assertEqual(welcome.expires, expires)

    def test_ends(self) -> None:
        """
        A session is reminded a minute before its token expires, and closed with 4501
        when the leeway has passed as well.
        """
        client = self.client(200)
        self.pass_seconds(139)
        self.assertEqual(client.heard(), [])
        self.pass_seconds(1)
        self.assertEqual(
            client.heard(), [frames.TokenExpiring(int((NOW_S + 200) * 1000))]
        )
        self.pass_seconds(60 + LEEWAY_S - 1)
        self.assertEqual((client.heard(), client.peer.code), ([], None))
        self.pass_seconds(1)
        self.assertEqual(
            client.peer.closed, (Close.UNAUTHENTICATED, "the token has expired")
        )
        self.assertNotIn(1001, self.node.registry)

    def test_short(self) -> None:
        """
        A token that lives less than two minutes is reminded of after half of its time,
        and one that lives for seconds only is not.
        """
        client, brief = self.client(40), self.node.log_in(2, token=token(3, 2))
        self.pass_seconds(20)
        self.assertEqual(
            client.heard(), [frames.TokenExpiring(int((NOW_S + 40) * 1000))]
        )
        self.assertEqual(brief.heard(), [])
        self.assertEqual(brief.peer.code, Close.UNAUTHENTICATED)

    def test_never(self) -> None:
        """
        A session whose token does not expire is in no queue.
        """
        client = self.node.log_in(1001)
        self.assertEqual(len(self.node.registry.expiry), 0)
        self.pass_seconds(2)
        self.assertIsNone(client.peer.code)

    def test_header(self) -> None:
        """
        The token of the handshake ends the session, unless hello has another.
        """
        first = self.node.client(Identity(1001, NOW_S + 20))
        first.say(Hello(device="a"))
        second = self.node.client(Identity(1001, NOW_S + 20))
        second.say(Hello(token(1000), "b"))
        self.pass_seconds(20 + LEEWAY_S)
        self.assertEqual(first.peer.code, Close.UNAUTHENTICATED)
        self.assertIsNone(second.peer.code)

    def test_refreshed(self) -> None:
        """
        A session with a new token lives until that one expires, and is reminded of it.
        """
        client = self.client(100)
        client.say(Refresh(token(300), "r1"))
        expires = int((NOW_S + 300) * 1000)
        self.assertEqual(client.heard(), [Refreshed("r1", expires)])
        self.pass_seconds(239)
        self.assertEqual(client.heard(), [])
        self.pass_seconds(1)
        self.assertEqual(client.heard(), [frames.TokenExpiring(expires)])
        self.pass_seconds(60 + LEEWAY_S)
        self.assertEqual(client.peer.code, Close.UNAUTHENTICATED)

    def test_refused(self) -> None:
        """
        A new token that is forged, or of another user, is refused with the reason, and
        the session keeps the token that it has.
        """
        client = self.client(100)
        client.say(Refresh("forged", "r1"))
        self.assertIn(
            "forged", self.assert_error(client, "unauthenticated", "r1").reason
        )
        client.say(Refresh(token(300, 1002), "r2"))
        error = self.assert_error(client, "unauthenticated", "r2")
        self.assertIn("another user", error.reason)
        self.pass_seconds(100 + LEEWAY_S - 1)
        self.assertIsNone(client.peer.code)
        self.pass_seconds(1)
        self.assertEqual(client.peer.code, Close.UNAUTHENTICATED)

    def test_flood(self) -> None:
        """
        A flood of refreshes is answered without verifying the tokens.
        """
        client = self.client(100)
        client.say(*[Refresh(token(300), str(n)) for n in range(20)])
        answers = client.heard()
        done = [a for a in answers if isinstance(a, Refreshed)]
        limited = [a for a in answers if isinstance(a, frames.Error)]
        self.assertEqual((len(done), len(limited)), (5, 15))
        self.assertEqual({a.code for a in limited}, {"rate_limited"})
        self.assertEqual(self.node.registry.counters.refreshed, 5)
        self.node.pass_time(limited[0].retry_after_ms / 1000)
        client.say(Refresh(token(300), "again"))
        self.assertEqual(type(client.heard()[0]), Refreshed)

    def test_before_the_welcome(self) -> None:
        """
        C{refresh} is refused before the welcome, as all frames but hello are.
        """
        client = self.node.client()
        client.say(Refresh(token(300)))
        self.assertEqual(client.peer.code, Close.BAD_FRAME)

    def test_at_once(self) -> None:
        """
        Very many tokens that expire in the same moment are not all ended in one turn
        of the reactor.
        """
        clients = [
            self.node.log_in(n, token=token(50, n)) for n in range(1, AT_ONCE + 51)
        ]
        self.node.pass_time(50 + LEEWAY_S)
        self.assertEqual(len([c for c in clients if c.peer.code]), AT_ONCE)
        self.node.pass_time(0.1)
        self.assertTrue(all(c.peer.code for c in clients))

    # -------------------------------------------------------- steps of the clock

    def test_set_for_a_moment(self) -> None:
        """
        A clock that is set by an hour, and back within a minute, ends no session, and
        keeps none.
        """
        client = self.client(300)
        for by_s in (HOUR_S, 0.0, -HOUR_S, 0.0):
            self.node.set_by_s = by_s
            self.pass_seconds(50)
            self.assertIsNone(client.peer.code)
        self.pass_seconds(100 + LEEWAY_S - 1)
        self.assertIsNone(client.peer.code)
        self.pass_seconds(1)
        self.assertEqual(client.peer.code, Close.UNAUTHENTICATED)

    def test_set_forward(self) -> None:
        """
        After a step forward that stays, a session whose token has expired by that is
        reminded and has a minute for another; one whose token is still valid goes on.
        """
        client, other = self.client(1800), self.node.log_in(2, token=token(9000, 2))
        self.pass_seconds(5)
        self.node.set_by_s = HOUR_S
        self.pass_seconds(60)
        self.assertEqual((client.heard(), client.peer.code), ([], None))
        self.pass_seconds(1)
        (reminder,) = client.heard()
        self.assertIsInstance(reminder, frames.TokenExpiring)
        self.assertIsNone(client.peer.code)
        client.say(Refresh(f"token-1001/{NOW_S + 2 * HOUR_S + 60}", "r"))
        self.pass_seconds(60)
        self.assertIsNone(client.peer.code)
        third = self.node.log_in(3, token=token(HOUR_S + 200, 3))
        self.pass_seconds(100)
        self.assertEqual(third.peer.code, Close.UNAUTHENTICATED)
        self.assertIsNone(other.peer.code)

    def test_set_back(self) -> None:
        """
        After a step back that stays, a session gains no more than an hour.
        """
        client = self.client(200)
        self.node.set_by_s = -24 * HOUR_S
        self.pass_seconds(70)
        self.node.clock.advance(130 + HOUR_S - 10)
        self.pass_seconds(10)
        self.assertIsNone(client.peer.code)
        self.pass_seconds(LEEWAY_S)
        self.assertEqual(client.peer.code, Close.UNAUTHENTICATED)

    # -------------------------------------------------------------------- memory

    def test_left(self) -> None:
        """
        Sessions that ended, and tokens that were replaced, do not fill the queue.
        """
        for n in range(1000):
            self.node.log_in(1 + n, token=token(HOUR_S, 1 + n)).hang_up()
        self.assertLess(len(self.node.registry.expiry), 200)


class LegacyExpiryTests(SynchronousTestCase):
    """
    The end of a legacy session by its token.
    """

    def test_ends(self) -> None:
        """
        The session of a legacy client is closed when its token expires, and the client
        is sent nothing before.
        """
        node = LegacyNode()
        client = node.connect(7, expires_s=NOW_S + 100)
        node.pass_time(70)
        node.pass_time(39)
        self.assertEqual((client.peer.written, client.peer.code), ([], None))
        node.pass_time(1)
        self.assertEqual(client.peer.code, Close.UNAUTHENTICATED)


class OneFailsTests(SynchronousTestCase):
    """
    The queue, with sessions that fail.
    """

    def test_others_end(self) -> None:
        """
        A bug in the end of one session does not keep the others.
        """
        clock = Clock()
        ended: list[Close] = []

        class Broken:
            def __init__(self) -> None:
                self.term: Term | None = None

            def limit_term(self, term: Term | None) -> None:
                self.term = term

            def remind(self) -> None:
                raise ValueError("a bug")

            def close(self, code: Close, reason: str) -> None:
                raise ValueError("a bug")

        class Sound(Broken):
            def close(self, code: Close, reason: str) -> None:
                ended.append(code)

        expiry = Expiry(clock, clock.seconds)
        for session in (Broken(), Sound()):
            expiry.begin(session, Identity(1, 3.0), 0.0)
        clock.advance(5)
        expiry.sweep()
        self.assertEqual(ended, [Close.UNAUTHENTICATED])
        self.assertEqual(len(self.flushLoggedErrors(ValueError)), 1)
