"""
The times in a token.
"""

from __future__ import annotations

import math
from typing import Any

from twisted.trial.unittest import SynchronousTestCase

from wsmsg.auth.times import LATEST_S, TokenTimes, check_times
from wsmsg.errors import Unauthenticated

NOW_S = 1_700_000_000.0


class TokenTimesTests(SynchronousTestCase):
    """
    L{check_times}.
    """

    def check(self, leeway_s: float = 0.0, **claims: Any) -> TokenTimes:
        return check_times({"exp": NOW_S + 60} | claims, NOW_S, leeway_s)

    def assert_refused(self, reason: str, **claims: Any) -> None:
        """
        A token with these claims is refused for this reason.
        """
        e = self.assertRaises(Unauthenticated, self.check, **claims)
        self.assertIn(reason, e.reason)

    def test_valid(self) -> None:
        """
        Whole numbers and fractions are times.
        """
        self.assertEqual(self.check(), (NOW_S + 60, 0))
        self.assertEqual(self.check(exp=NOW_S + 0.5, iat=7), (NOW_S + 0.5, 7))
        self.assertEqual(self.check(exp=LATEST_S).expires_s, LATEST_S)
        self.assertEqual(self.check(iat=None, nbf=None).issued_s, 0)

    def test_absurd(self) -> None:
        """
        A value that is no time up to the year 9999 is refused, and the reason names the
        claim.
        """
        absurd: tuple[Any, ...] = (
            1e300,
            math.inf,
            -math.inf,
            math.nan,
            -1,
            True,
            "9999999999",
            [],
            {},
        )
        for value in (*absurd, LATEST_S + 1, int(NOW_S * 1000), 10**400):
            for claim in ("exp", "iat", "nbf"):
                self.assert_refused(
                    f"the token's {claim} is not a time", **{claim: value}
                )

    def test_bounds(self) -> None:
        """
        The leeway counts on both sides.
        """
        self.assert_refused("expired", exp=NOW_S)
        self.check(leeway_s=10, exp=NOW_S - 9)
        self.assert_refused("not valid yet", nbf=NOW_S + 1)
        self.assert_refused("not valid yet", iat=NOW_S + 1)
        self.check(leeway_s=10, nbf=NOW_S + 10, iat=NOW_S + 10)
        self.assert_refused("no exp", exp=None)

    def test_rows_2_and_3_no_iat(self) -> None:
        """
        With a longest lifetime, a token has to say when it was issued: otherwise an old
        one is accepted in its last hours, when its revocation has been forgotten.
        """

        def check(**claims: Any) -> TokenTimes:
            return check_times({"exp": NOW_S + 60} | claims, NOW_S, 0.0, 3600.0)

        e = self.assertRaises(Unauthenticated, check)
        self.assertIn("the token has no iat", e.reason)
        self.assertEqual(e.fault, "incomplete")
        self.assertRaises(Unauthenticated, check, iat=NOW_S - 3541)
        self.assertEqual(check(iat=NOW_S - 3540).issued_s, NOW_S - 3540)
