"""
The identity of a user, and the type of functions that authenticate tokens.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

from wsmsg.errors import Unauthenticated
from wsmsg.model import INT64_MAX


class Identity(NamedTuple):
    """
    The user that a token identifies.

    @ivar expires_s: the time at which the token expires, in unix seconds and without
        the leeway; 0: never.
    @ivar issued_s: the time at which the token was issued, in unix seconds; 0: the
        token does not say.
    """

    user: int
    expires_s: float = 0.0
    issued_s: float = 0.0

    @property
    def expires_ms(self) -> int:
        """
        The time at which the token expires, in unix milliseconds; 0: never.
        """
        return int(self.expires_s * 1000)


#: Identifies the bearer of a token.  The second argument is the user that the bearer
#: claims to be; L{None}: the bearer names none.  Raises
#: L{wsmsg.errors.WsmsgError}, mostly C{Unauthenticated}.
Authenticate = Callable[[str, "int | None"], Identity]


def parse_user(text: object) -> int:
    """
    Parse a user id: a decimal number from 1 to 2^63-1, without leading zeros and
    without spaces.

    @raise Unauthenticated: the text is not a user id.
    """
    if isinstance(text, str) and text.isascii() and text.isdecimal() and len(text) < 20:
        user = int(text)
        if 0 < user <= INT64_MAX and text[0] != "0":
            return user
    reason = "this is not a user id, a decimal number from 1 to 2^63-1"
    raise Unauthenticated(reason, fault="subject")
