"""
Where a client's token comes from.
"""

from __future__ import annotations

import logging
from collections.abc import Awaitable, Callable

from wsmsg.client.state.reconnect import Ended
from wsmsg.client.transport import Lost
from wsmsg.errors import Unauthenticated

#: Gives a token; asked before every attempt to connect, so it may give a fresh one.
TokenSource = str | Callable[[], "str | Awaitable[str]"]

_log = logging.getLogger("wsmsg.client")


async def token_of(source: TokenSource) -> str:
    """
    A token for the next attempt.

    @raise Lost: there is none; a source that raises L{Unauthenticated} says that
        there will be none, any other failure is tried again.
    """
    if isinstance(source, str):
        return source
    try:
        token = source()
        return token if isinstance(token, str) else await token
    except Unauthenticated as error:
        raise Lost(Ended(reason=error.reason, http_status=401)) from error
    except Exception as error:
        _log.exception("no token")
        raise Lost(Ended(reason=f"no token: {error}")) from error
