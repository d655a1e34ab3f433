"""
The token for each attempt to connect, and for a session whose token expires.
"""

from __future__ import annotations

import logging
from collections.abc import Awaitable, Callable

from wsmsg.client.state.reconnect import Ended
from wsmsg.client.transport.interface import Lost
from wsmsg.errors import BadRequest, Unauthenticated

#: A token, or a function that returns one.  The client calls the function before every
#: attempt to connect, and a minute before the token of a session expires.
TokenSource = str | Callable[[], "str | Awaitable[str]"]

_log = logging.getLogger("wsmsg.client")


def check_token_source(source: TokenSource) -> None:
    """
    Check a source before it is used.

    @raise TypeError: it is neither a token nor a function.
    @raise BadRequest: the token cannot be sent.
    """
    if isinstance(source, str):
        problem = _token_problem(source)
        if problem:
            raise BadRequest(problem)
    elif not callable(source):
        kind = type(source).__name__
        raise TypeError(f"the token must be a str or a function, not {kind}")


def _token_problem(token: str) -> str:
    """
    Return what is wrong with a token; empty: nothing.  The text does not quote it.
    """
    if token.isascii() and token.isprintable() and " " not in token:
        return ""
    return "the token has a space, a line end or another character that no token has"


async def token_of(source: TokenSource) -> str:
    """
    Return a token for the next attempt.

    @raise Lost: there is none.  If the source raises L{Unauthenticated}, there will be
        none; after any other failure the client tries again.
    """
    if isinstance(source, str):
        return source
    try:
        token = source()
        token = token if isinstance(token, str) else await token
        problem = _token_problem(token)
    except Unauthenticated as error:
        how = Ended(reason=error.reason, http_status=401, code=error.code)
        raise Lost(how) from error
    except Exception as error:
        _log.exception("no token")
        raise Lost(Ended(reason=f"no token: {error}")) from error
    if problem:
        raise Lost(Ended(reason=problem))
    return token
