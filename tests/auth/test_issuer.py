"""
The keys of an issuer: when they are fetched, and what happens to tokens meanwhile.
"""

from __future__ import annotations

from collections.abc import Callable

from cryptography.hazmat.primitives.asymmetric import ec
from twisted.internet.defer import Deferred, fail, succeed
from twisted.internet.task import Clock
from twisted.trial.unittest import SynchronousTestCase

from tests.auth.issuers import RSA_KEY, entry, key_set, signed
from wsmsg.auth.fetch import FetchFailed
from wsmsg.auth.issuer import FLOOR_S, MISSING_S, REFRESH_S, IssuerKeys
from wsmsg.auth.jwt import Authenticator
from wsmsg.errors import Unauthenticated, Unavailable
from wsmsg.settings.tokens import TokenSettings

ONE = key_set(entry("ES256", "one"))
OTHER_KEY = ec.generate_private_key(ec.SECP256R1())
TWO = key_set(entry("ES256", "one"), entry("ES256", "two", OTHER_KEY))


class IssuerTests(SynchronousTestCase):
    """
    L{IssuerKeys}, and an authenticator with them.
    """

    def setUp(self) -> None:
        self.clock = Clock()
        self.fetches = 0
        self.answer: Callable[[], Deferred[bytes]] = lambda: succeed(ONE)
        self.keys = IssuerKeys("https://i", self.fetch, self.clock, lambda n: 4.0)
        jwks = TokenSettings(jwks="https://i")
        self.auth = Authenticator(jwks, b"", issuer=self.keys)
        self.keys.start()
        self.addCleanup(self.nothing_left)

    async def fetch(self) -> bytes:
        self.fetches += 1
        return await self.answer()

    def nothing_left(self) -> None:
        self.keys.stop()
        self.assertEqual(self.clock.getDelayedCalls(), [])

    def comes(self, text: str) -> str:
        """
        Return what happens to a token: C{in}, C{out} or C{later}.
        """
        try:
            self.auth.authenticate(text)
        except Unauthenticated:
            return "out"
        except Unavailable as e:
            self.assertGreaterEqual(e.retry_after_ms, 1000)
            return "later"
        return "in"

    def test_start(self) -> None:
        """
        Until the first fetch has ended, tokens are answered with a time to wait.
        """
        self.assertEqual(self.comes(signed("ES256", "one")), "later")
        self.clock.advance(0)
        self.assertTrue(self.keys.dependency.up)
        self.assertEqual(self.comes(signed("ES256", "one")), "in")
        self.assertEqual(self.comes(signed("ES256")), "in")

    def test_unknown(self) -> None:
        """
        For a key that is not known, the set is fetched once; then the token is
        accepted, or refused.
        """
        self.clock.advance(0)
        self.answer = lambda: succeed(TWO)
        two, three = signed("ES256", "two", OTHER_KEY), signed("ES256", "three")
        self.clock.advance(1)
        self.assertEqual((self.comes(two), self.comes(three)), ("later", "later"))
        self.clock.advance(FLOOR_S - 1)
        self.assertEqual(self.fetches, 2)
        self.assertEqual((self.comes(two), self.comes(three)), ("in", "out"))
        self.clock.advance(FLOOR_S)
        self.assertEqual(self.comes(three), "out")
        self.assertEqual(self.fetches, 2)
        self.clock.advance(MISSING_S)
        self.assertEqual(self.comes(three), "later")

    def test_flood(self) -> None:
        """
        A flood of keys that do not exist causes one fetch in ten seconds.
        """
        self.clock.advance(0)
        for n in range(60):
            for m in range(50):
                self.comes(signed("ES256", f"{n}-{m}"))
            self.clock.advance(1)
        self.assertLessEqual(self.fetches, 8)
        self.assertEqual(self.comes(signed("ES256", "one")), "in")

    def test_away(self) -> None:
        """
        While the issuer is away, its keys stay, and a key that is not known is not
        refused.
        """
        self.clock.advance(0)
        self.answer = lambda: fail(FetchFailed("answered 500"))
        self.clock.advance(REFRESH_S)
        self.assertFalse(self.keys.dependency.up)
        self.assertEqual(self.keys.dependency.snapshot().last_error, "answered 500")
        for _ in range(20):
            self.assertEqual(self.comes(signed("ES256", "one")), "in")
            self.assertEqual(self.comes(signed("ES256", "two", OTHER_KEY)), "later")
            self.clock.advance(4)
        self.answer = lambda: succeed(TWO)
        self.clock.advance(4)
        self.assertTrue(self.keys.dependency.up)
        self.assertEqual(self.comes(signed("ES256", "two", OTHER_KEY)), "in")

    def test_nonsense(self) -> None:
        """
        A set that is none changes nothing.
        """
        self.clock.advance(0)
        self.answer = lambda: succeed(b"<html>")
        self.clock.advance(REFRESH_S)
        self.assertIn("not JSON", self.keys.dependency.snapshot().last_error)
        self.assertEqual(self.comes(signed("ES256", "one")), "in")

    def test_bug(self) -> None:
        """
        A bug in a fetch is logged, and the next fetch comes.
        """
        self.clock.advance(0)
        self.answer = lambda: fail(ZeroDivisionError())
        self.clock.advance(REFRESH_S)
        self.assertEqual(len(self.flushLoggedErrors(ZeroDivisionError)), 1)
        self.answer = lambda: succeed(TWO)
        self.clock.advance(4)
        self.assertTrue(self.keys.dependency.up)

    def test_removed(self) -> None:
        """
        A key that the issuer has removed is not believed any more.
        """
        self.answer = lambda: succeed(TWO)
        self.clock.advance(0)
        self.answer = lambda: succeed(ONE)
        self.keys.reload()
        self.clock.advance(0)
        two = signed("ES256", "two", OTHER_KEY)
        self.assertEqual(self.comes(two), "later")
        self.clock.advance(FLOOR_S)
        self.assertEqual(self.comes(two), "out")

    def test_replaced(self) -> None:
        """
        Another key with the id of one that is known is fetched when a signature does
        not fit.
        """
        self.clock.advance(0)
        self.clock.advance(1)
        self.answer = lambda: succeed(key_set(entry("ES256", "one", OTHER_KEY)))
        token = signed("ES256", "one", OTHER_KEY)
        self.assertEqual(self.comes(token), "out")
        self.clock.advance(FLOOR_S)
        self.assertEqual(self.comes(token), "in")

    def test_slow(self) -> None:
        """
        Tokens are answered while a fetch lasts, and one that came meanwhile is decided
        by the next.
        """
        waiting: Deferred[bytes] = Deferred()
        self.clock.advance(0)
        self.answer = lambda: waiting
        self.keys.reload()
        self.clock.advance(0)
        self.assertEqual(self.comes(signed("ES256", "one")), "in")
        self.assertEqual(self.comes(signed("ES256", "new")), "later")
        self.answer = lambda: succeed(ONE)
        waiting.callback(ONE)
        self.assertEqual(self.comes(signed("ES256", "new")), "later")
        self.clock.advance(FLOOR_S)
        self.assertEqual(self.comes(signed("ES256", "new")), "out")

    def test_other_algorithms(self) -> None:
        """
        A token with another algorithm than its key is refused, and the public key is no
        secret.
        """
        self.clock.advance(0)
        self.assertEqual(self.comes(signed("HS256", "one", b"k" * 32)), "out")
        self.assertEqual(self.comes(signed("RS256", "one", RSA_KEY)), "later")
        self.clock.advance(FLOOR_S)
        self.assertEqual(self.comes(signed("RS256", "one", RSA_KEY)), "out")
        self.assertEqual(self.comes(signed("ES256", "one", OTHER_KEY)), "out")
