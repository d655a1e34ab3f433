"""
Tokens that name their user in C{user_id}.
"""

from __future__ import annotations

import time
from typing import Any

import jwt
from twisted.trial.unittest import SynchronousTestCase

from wsmsg.auth.identity import Identity
from wsmsg.auth.user_id_tokens import authenticate_user_id
from wsmsg.errors import Unauthenticated

KEY = "eleven byte"
EXPIRES = int(time.time()) + 3600


def token(key: str = KEY, algorithm: str = "HS256", **claims: Any) -> str:
    """
    A token of user 1001, with other claims; L{None} leaves a claim out.
    """
    payload = {"user_id": 1001, "exp": EXPIRES} | claims
    payload = {k: v for k, v in payload.items() if v is not None}
    return jwt.encode(payload, key, algorithm)


class UserIdTests(SynchronousTestCase):
    """
    Exactly the tokens of the legacy system's user service are accepted.
    """

    def refused(self, text: str, claimed_user: int | None = None) -> str:
        error = self.assertRaises(
            Unauthenticated, authenticate_user_id, text, KEY, 0.0, claimed_user
        )
        return str(error.reason)

    def test_accepted(self) -> None:
        """
        A number and digits are accepted as C{user_id}, bare and after C{Bearer}.
        """
        for text in (token(), f"Bearer {token()}", token(user_id="1001")):
            found = authenticate_user_id(text, KEY, 10.0, 1001)
            self.assertEqual(found, Identity(1001, EXPIRES))

    def test_refused(self) -> None:
        """
        Another key, algorithm, form or user is refused, as are a token that has
        expired or never does, and one that has a C{sub}.
        """
        for text in (
            token("another key"),
            token(algorithm="HS512"),
            token("", "none"),
            token(exp=1),
            token(exp=None),
            token(sub="1001"),
            token(user_id=None),
            token(user_id=True),
            token(user_id=0),
            token(user_id=-5),
            token(user_id=2**63),
            token(user_id=1.5),
            token(user_id=[1001]),
            "a.b.c",
            "x" * 5000,
            "",
        ):
            self.refused(text)
        self.assertEqual(self.refused(token(exp=None)), "the token has no exp")
        self.assertIn("another user", self.refused(token(), 1002))
