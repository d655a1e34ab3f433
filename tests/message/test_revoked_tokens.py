"""
The revoked tokens, as a Message knows them.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from twisted.internet.defer import Deferred, fail
from twisted.internet.task import Clock
from twisted.trial.unittest import SynchronousTestCase

from tests.message.doubles import MemoryStore
from wsmsg.auth.identity import Identity
from wsmsg.errors import BadRequest, Overloaded, Unauthenticated, Unavailable
from wsmsg.message import revoked_tokens
from wsmsg.message.revoked_tokens import LOOK_S, RevokedTokens
from wsmsg.settings.tokens import TokenSettings

NOW_S = 1_700_000_000.0
NOW_MS = int(NOW_S * 1000)


class RevokedTokensTests(SynchronousTestCase):
    """
    L{RevokedTokens}.
    """

    def setUp(self) -> None:
        self.clock = Clock()
        self.store: Any = MemoryStore()
        self.told: list[Mapping[int, int]] = []
        self.settings = TokenSettings()

    def message(self) -> RevokedTokens:
        """
        Return the tokens of a Message that has begun.
        """
        tokens = RevokedTokens(
            self.store,
            self.clock,
            tell=self.tell,
            settings=lambda: self.settings,
            unix_s=lambda: NOW_S + self.clock.seconds(),
        )
        tokens.start()
        self.addCleanup(tokens.stop)
        return tokens

    def tell(self, revoked: Mapping[int, int]) -> int:
        self.told.append(dict(revoked))
        return 3

    def assert_revoked(self, tokens: RevokedTokens, issued_s: float) -> None:
        """
        A token of user 7 that was issued then is revoked.
        """
        identity = Identity(7, NOW_S + 60, issued_s)
        self.assertRaises(Unauthenticated, tokens.check, identity)

    def test_revoked(self) -> None:
        """
        Tokens that were issued before the time, or do not say when, are revoked, and
        all Connects are told; later tokens and other users' are not.
        """
        tokens = self.message()
        done = self.successResultOf(_deferred(tokens.revoke(7, NOW_MS)))
        self.assertEqual(done, (NOW_MS, 3))
        self.assertEqual(self.told, [{}, {7: NOW_MS}])
        self.assert_revoked(tokens, NOW_S - 1)
        self.assert_revoked(tokens, 0)
        tokens.check(Identity(7, NOW_S + 60, NOW_S))
        tokens.check(Identity(8, NOW_S + 60, 0))
        done = self.successResultOf(_deferred(tokens.revoke(7, NOW_MS - 500)))
        self.assertEqual(done[0], NOW_MS)

    def test_restarted(self) -> None:
        """
        A Message that begins anew knows what was revoked; before the store has told it,
        no token is valid.
        """
        self.store.revoked[7] = NOW_MS
        self.store.dependency.up = False
        tokens = self.message()
        self.assertIsNone(tokens.known())
        self.assertRaises(Unavailable, tokens.check, Identity(8))
        self.store.dependency.up = True
        self.clock.advance(LOOK_S)
        self.assertEqual(tokens.known(), {7: NOW_MS})
        self.assert_revoked(tokens, NOW_S - 1)
        self.assertEqual(self.told, [{7: NOW_MS}])

    def test_elsewhere(self) -> None:
        """
        Another Message's revocations are known, and told, within half a second.
        """
        tokens, other = self.message(), self.message()
        self.told.clear()
        self.successResultOf(_deferred(other.revoke(7, NOW_MS)))
        self.clock.advance(LOOK_S)
        self.assert_revoked(tokens, NOW_S - 1)
        self.assertEqual(self.told.count({7: NOW_MS}), 2)
        self.clock.advance(LOOK_S)
        self.assertEqual(len(self.told), 2)

    def test_store_fails(self) -> None:
        """
        While the store is away, what is known stays, and a revocation fails.
        """
        tokens = self.message()
        self.successResultOf(_deferred(tokens.revoke(7, NOW_MS)))
        for name in ("revoke", "revocations", "revocations_changed"):
            setattr(self.store, name, lambda *_: fail(Unavailable("away")))
        self.clock.advance(LOOK_S)
        self.assert_revoked(tokens, NOW_S - 1)
        self.failureResultOf(_deferred(tokens.revoke(8, NOW_MS)), Unavailable)

    def test_refused(self) -> None:
        """
        A time in the future is refused, and so are the tokens of too many users.
        """
        tokens = self.message()
        later = _deferred(tokens.revoke(7, NOW_MS + 120_000))
        self.failureResultOf(later, BadRequest)
        self.patch(revoked_tokens, "MOST_USERS", 1)
        self.successResultOf(_deferred(tokens.revoke(7, NOW_MS)))
        self.successResultOf(_deferred(tokens.revoke(7, NOW_MS + 1)))
        self.failureResultOf(_deferred(tokens.revoke(8, NOW_MS)), Overloaded)

    def test_forgotten(self) -> None:
        """
        A revocation is forgotten when all tokens that it concerns have expired, if they
        have a longest lifetime.
        """
        tokens = self.message()
        self.successResultOf(_deferred(tokens.revoke(7, NOW_MS)))
        self.clock.pump([1800] * 10)
        self.assertEqual(tokens.known(), {7: NOW_MS})
        self.settings = TokenSettings(max_lifetime_s=7200)
        self.clock.pump([1800] * 4)
        self.assertEqual((tokens.known(), self.store.revoked), ({}, {}))


def _deferred(coroutine: Any) -> Any:
    return Deferred.fromCoroutine(coroutine)
