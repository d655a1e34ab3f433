"""
A new token for a session whose token expires.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable

from wsmsg.client.token_source import TokenSource, token_of
from wsmsg.client.transport.interface import Lost
from wsmsg.errors import from_code
from wsmsg.protocol import frames

#: The id of the requests, which no other request has.
REFRESH_ID = "refresh"

_AGAIN_S = 5.0

_log = logging.getLogger("wsmsg.client")


class Renewal:
    """
    Asks the program for a token when the server says that the session's token expires,
    and sends it.

    @param write: writes a frame.
    """

    def __init__(
        self,
        source: TokenSource,
        write: Callable[[frames.Refresh], Awaitable[object]],
        again_s: float = _AGAIN_S,
    ) -> None:
        self._source = source
        self._write = write
        self._again_s = again_s
        self._asking: asyncio.Task[None] | None = None

    def expiring(self) -> None:
        """
        Begin to renew the token, unless that is under way.
        """
        if isinstance(self._source, str):
            _log.warning(
                "the token expires soon, and so the session ends: only a function that"
                " returns tokens can renew it"
            )
        else:
            self._begin(0.0)

    def refused(self, error: frames.Error) -> None:
        """
        Try again, if the refusal allows it; the session goes on until its token
        expires.
        """
        _log.warning("the server refused a new token: %s", error.reason)
        if from_code(error.code, error.reason).retry:
            self._begin(max(error.retry_after_ms / 1000, self._again_s))

    def stop(self) -> None:
        """
        Renew nothing more.
        """
        if self._asking is not None:
            self._asking.cancel()

    def _begin(self, after_s: float) -> None:
        if self._asking is None or self._asking.done():
            self._asking = asyncio.create_task(self._renew(after_s))

    async def _renew(self, after_s: float) -> None:
        await asyncio.sleep(after_s)
        while True:
            try:
                token = await token_of(self._source)
            except Lost as lost:
                _log.warning("the token cannot be renewed: %s", lost.how.reason)
                await asyncio.sleep(self._again_s)
                continue
            try:
                await self._write(frames.Refresh(token, REFRESH_ID))
            except Lost:
                pass  # The reader learns it, too.
            return
