"""
Tests of users' tokens at Message's HTTP API.
"""

from __future__ import annotations

import time
from typing import Any

import jwt
from twisted.internet.defer import Deferred
from twisted.trial.unittest import SynchronousTestCase

from tests.message.doubles import MemoryStore
from wsmsg.auth.identity import Identity
from wsmsg.auth.jwt import Authenticator
from wsmsg.errors import Unauthenticated
from wsmsg.message.user_tokens import CheckedTokens
from wsmsg.settings.tokens import TokenSettings

_KEY = b"k" * 32


def token(subject: str) -> str:
    """
    Return a token of a user.
    """
    claims = {"sub": subject, "exp": int(time.time()) + 60}
    return jwt.encode(claims, _KEY, algorithm="HS256")


class NamedTokenTests(SynchronousTestCase):
    """
    Tokens where users have names.
    """

    def setUp(self) -> None:
        self.store = MemoryStore()
        self.checked: list[Identity] = []
        found = self.successResultOf(self.store.names.claim(["anna", "berta"]))
        self.anna, self.berta = found["anna"], found["berta"]

    def identify(self, subject: str, user: int, *, named: bool = True) -> Any:
        """
        Identify the bearer of a token as a user.
        """
        tokens = CheckedTokens(
            Authenticator(TokenSettings(), _KEY, names=named),
            self.checked.append,
            self.store.names if named else None,
        )
        return Deferred.fromCoroutine(tokens.authenticate(token(subject), user))

    def test_named(self) -> None:
        """
        A token with a name is of the user with its number, by which it is revoked.
        """
        identity = self.successResultOf(self.identify("anna", self.anna))
        self.assertEqual((identity.user, identity.name), (self.anna, "anna"))
        self.assertEqual(self.checked, [identity])
        identity = self.successResultOf(self.identify("1001", 1001))
        self.assertEqual((identity.user, identity.name), (1001, ""))

    def test_others(self) -> None:
        """
        A token of another name, of a name that nobody has, and of another number is
        refused, and the name gets no number.
        """
        for subject, user in (
            ("anna", self.berta),
            ("anna", 1001),
            ("nobody", self.anna),
            ("1002", 1001),
            ("1002", self.anna),
        ):
            failure = self.failureResultOf(self.identify(subject, user))
            failure.trap(Unauthenticated)
            self.assertIn("another user", failure.value.reason)
        self.assertEqual(self.checked, [])
        self.assertEqual(set(self.store.names.users), {"anna", "berta"})

    def test_off(self) -> None:
        """
        Without C{users.names}, a token with a name is refused.
        """
        failure = self.failureResultOf(self.identify("anna", self.anna, named=False))
        failure.trap(Unauthenticated)
