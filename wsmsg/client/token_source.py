"""
The token for each attempt to connect.
"""

from __future__ import annotations

import logging
from collections.abc import Awaitable, Callable

from wsmsg.client.state.reconnect import Ended
from wsmsg.client.transport import Lost
from wsmsg.errors import Unauthenticated

#: A token, or a function that returns one.  The client calls the function before every
#: attempt to connect.
TokenSource = str | Callable[[], "str | Awaitable[str]"]

_log = logging.getLogger("wsmsg.client")


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
        return token if isinstance(token, str) else await token
    except Unauthenticated as error:
        how = Ended(reason=error.reason, http_status=401, code=error.code)
        raise Lost(how) from error
    except Exception as error:
        _log.exception("no token")
        raise Lost(Ended(reason=f"no token: {error}")) from error
