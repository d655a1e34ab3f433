"""
Sessions whose tokens are revoked.
"""

from __future__ import annotations

import time

import jwt
from pydantic import SecretStr

from tests.connect.legacy.clients.legacy_node import LegacyNode
from tests.connect.session.cases import SessionTestCase
from tests.connect.session.doubles import NOW_S, FakeNode
from wsmsg.auth.identity import Identity
from wsmsg.connect.tokens import revocations
from wsmsg.connect.tokens.revocations import Revocations
from wsmsg.errors import Close, Unauthenticated
from wsmsg.protocol.frames import Hello, Refresh, Refreshed

NOW_MS = int(NOW_S * 1000)


class RevocationTests(SessionTestCase):
    """
    Sessions, when Message says that tokens are revoked.
    """

    def setUp(self) -> None:
        self.node = FakeNode()

    def token(self, issued_s: float, user: int = 1001) -> str:
        return f"token-{user}/{NOW_S + 9999}/{NOW_S + issued_s}"

    def test_ends(self) -> None:
        """
        Sessions with older tokens are closed with 4501, those of later tokens and of
        other users go on.
        """
        old = self.node.log_in(1001, "a", token=self.token(-5))
        bare = self.node.log_in(1001, "b", token="token-1001")
        new = self.node.log_in(1001, "c", token=self.token(0))
        other = self.node.log_in(2, token=self.token(-5, 2))
        self.node.registry.revoke([(1001, NOW_MS)])
        self.assertEqual(
            old.peer.closed, (Close.UNAUTHENTICATED, "the token was revoked")
        )
        self.assertEqual(bare.peer.code, Close.UNAUTHENTICATED)
        self.assertEqual((new.peer.code, other.peer.code), (None, None))

    def test_refused(self) -> None:
        """
        An older token is refused in hello, after a handshake that it had passed before,
        and in C{refresh}; a later one is taken.
        """
        waiting = self.node.client(Identity(1001, NOW_S + 99, NOW_S - 5))
        session = self.node.log_in(1001, token=self.token(3))
        self.node.registry.revoke([(1001, NOW_MS)])
        waiting.say(Hello(device="tablet"))
        self.assertEqual(waiting.peer.code, Close.UNAUTHENTICATED)
        fresh = self.node.client()
        fresh.say(Hello(self.token(-5), "phone"))
        self.assert_error(fresh, "unauthenticated")
        session.say(Refresh(self.token(-5), "r1"))
        self.assert_error(session, "unauthenticated", "r1")
        session.say(Refresh(self.token(5), "r2"))
        self.assertIsInstance(session.heard()[0], Refreshed)

    def test_refreshed(self) -> None:
        """
        A session is judged by the token that it has now.
        """
        client = self.node.log_in(1001, token=self.token(-5))
        client.say(Refresh(self.token(5), "r"))
        self.node.registry.revoke([(1001, NOW_MS)])
        self.assertIsNone(client.peer.code)
        self.node.registry.revoke([(1001, NOW_MS + 6000)])
        self.assertEqual(client.peer.code, Close.UNAUTHENTICATED)

    def test_never_falls(self) -> None:
        """
        A time that comes late does not make an older token valid.
        """
        self.node.registry.revoke([(1001, NOW_MS)])
        self.node.registry.revoke([(1001, NOW_MS - 10_000)])
        client = self.node.client()
        client.say(Hello(self.token(-5), "phone"))
        self.assertEqual(client.peer.code, Close.UNAUTHENTICATED)

    def test_legacy(self) -> None:
        """
        A legacy client is closed, and its token, of either kind, is refused.
        """
        node = LegacyNode(legacy={"token_secret": SecretStr("eleven byte")})
        client = node.connect(7)
        now = int(time.time())
        claims = {"user_id": 7, "exp": now + 600, "iat": now - 5}
        text = jwt.encode(claims, "eleven byte")
        self.assertEqual(node.legacy.authenticate(text).user, 7)
        node.registry.revoke([(7, now * 1000)])
        self.assertEqual(client.peer.code, Close.UNAUTHENTICATED)
        self.assertRaises(Unauthenticated, node.legacy.authenticate, text)

    def test_bounded(self) -> None:
        """
        The oldest times, which Message has forgotten, are forgotten beyond a bound.
        """
        self.patch(revocations, "MOST_USERS", 3)
        known = Revocations()
        known.add((user, 1000 + user) for user in range(1, 6))
        self.assertEqual(len(known), 3)
        self.assertFalse(known.is_revoked(Identity(1)))
        self.assertTrue(known.is_revoked(Identity(5)))
