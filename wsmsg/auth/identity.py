"""
Who somebody is, and how the token that says so is asked for.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

from wsmsg.errors import Unauthenticated
from wsmsg.model import INT64_MAX


class Identity(NamedTuple):
    """
    Who a token says that its bearer is.

    @ivar expires_s: when the token ends, in unix seconds; 0: never.
    """

    user: int
    expires_s: float = 0.0


#: (token, the user that the client says it is or L{None}) to who it is.
#: Raises L{wsmsg.errors.WsmsgError}, mostly C{Unauthenticated}.
Authenticate = Callable[[str, "int | None"], Identity]


def read_user(text: object) -> int:
    """
    The user id that a text spells in decimal: an int64 over zero.

    @raise Unauthenticated: it spells none.
    """
    if isinstance(text, str):
        text = text.strip()
        if text.isascii() and text.isdecimal() and len(text) <= 19:
            user = int(text)
            if 0 < user <= INT64_MAX and text[0] != "0":
                return user
    raise Unauthenticated("that is not a user id, a decimal number over zero")
