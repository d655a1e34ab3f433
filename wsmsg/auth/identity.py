"""
The identity of a user, and the type of functions that authenticate tokens.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

from wsmsg.errors import Unauthenticated
from wsmsg.names import is_given, name_problem, number_in


class Identity(NamedTuple):
    """
    The user that a token identifies.

    @ivar user: 0: the number of the name is not known yet.
    @ivar expires_s: the time at which the token expires, in unix seconds and without
        the leeway; 0: never.
    @ivar issued_s: the time at which the token was issued, in unix seconds; 0: the
        token does not say.
    @ivar name: the user's name (L{wsmsg.names}); empty: the user has a number alone.
    """

    user: int
    expires_s: float = 0.0
    issued_s: float = 0.0
    name: str = ""

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
    user = number_in(text) if isinstance(text, str) and text else 0
    if user:
        return user
    reason = "this is not a user id, a decimal number from 1 to 2^63-1"
    raise Unauthenticated(reason, fault="subject")


def subject_of(text: str) -> Identity:
    """
    Return the identity of a subject, which is a user id or a name.

    @raise Unauthenticated: the text is neither, or is a number that is given to names.
    """
    user = number_in(text) if text else 0
    if is_given(user):
        reason = f"{user} is one of the numbers that are given to names"
        raise Unauthenticated(reason, fault="subject")
    if user:
        return Identity(user)
    if problem := name_problem(text):
        reason = f"the subject cannot be a name: {problem}"
        raise Unauthenticated(reason, fault="subject")
    return Identity(0, name=text)
