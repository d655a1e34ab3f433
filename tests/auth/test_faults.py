"""
Tests of the faults by which refused tokens are counted.
"""

from __future__ import annotations

import time

from twisted.trial.unittest import SynchronousTestCase

from tests.auth.test_jwt import KEY, raw, settings, token
from wsmsg.auth.jwt import Authenticator
from wsmsg.errors import Unauthenticated


class FaultTests(SynchronousTestCase):
    """
    L{Unauthenticated.fault} of tokens.
    """

    def test_row_15_faults(self) -> None:
        """
        An error names the fault of its token by a word of a small closed set.
        """
        now = int(time.time())
        auth = Authenticator(settings(audience="chat", issuer="login"), KEY)
        chat = {"aud": "chat", "iss": "login"}
        for text, fault in (
            ("", "missing"),
            ("x", "unreadable"),
            ("a" * 5000, "too_long"),
            (token(**chat, sub="+1"), "subject"),
            (token(**chat, exp=now - 60), "expired"),
            (token(**chat, nbf=now + 60), "too_early"),
            (token(**chat, exp="soon"), "unreadable"),
            (token(b"x" * 32, **chat), "signature"),
            (token(aud="chat", iss="other"), "issuer"),
            (token(aud="mail", iss="login"), "audience"),
            (token(iss="login"), "incomplete"),
            (raw({"alg": "none"}, {"sub": "1"}, KEY), "algorithm"),
        ):
            e = self.assertRaises(Unauthenticated, auth.authenticate, text)
            self.assertEqual(e.fault, fault, text[:40])
        good = token(**chat)
        e = self.assertRaises(Unauthenticated, auth.authenticate, good, 1002)
        self.assertEqual(e.fault, "other_user")
        short = Authenticator(settings(max_lifetime_s=30.0), KEY)
        e = self.assertRaises(Unauthenticated, short.authenticate, token(iat=now))
        self.assertEqual(e.fault, "lifetime")
