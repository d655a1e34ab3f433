"""
The body of the response of another HTTP server, bounded in bytes.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from twisted.internet.defer import Deferred
from twisted.internet.protocol import Protocol, connectionDone
from twisted.python.failure import Failure


class ResponseBody(Protocol):
    """
    Reads a body, up to the most bytes.

    @param most_bytes: of the body; a longer one is an error.
    @param failed: makes the error that C{ended} fails with, from a reason.
    @ivar ended: fires with the body.  Cancel it to read no more.
    """

    def __init__(self, most_bytes: int, failed: Callable[[str], Exception]) -> None:
        self.ended: Deferred[bytes] = Deferred(lambda _: self._abort())
        self._most_bytes = most_bytes
        self._failed = failed
        self._parts: list[bytes] = []
        self._size = 0
        self._refused = ""

    def refuse(self, reason: str) -> None:
        """
        Do not read the body.
        """
        self._refused = reason

    def connectionMade(self) -> None:
        if self._refused:
            self._end(self._refused)

    def dataReceived(self, data: bytes) -> None:
        self._parts.append(data)
        self._size += len(data)
        if self._size > self._most_bytes:
            self._end(f"answered with more than {self._most_bytes} bytes")

    def connectionLost(self, reason: Failure = connectionDone) -> None:
        # Imported only where there is a response: it takes a tenth of a second.
        from twisted.web.client import ResponseDone
        from twisted.web.http import PotentialDataLoss

        if self.ended.called:
            return
        if reason.check(ResponseDone, PotentialDataLoss):
            self.ended.callback(b"".join(self._parts))
        else:
            self.ended.errback(self._failed("broke off its answer"))

    def _end(self, reason: str) -> None:
        if not self.ended.called:
            self.ended.errback(self._failed(reason))
            self._abort()

    def _abort(self) -> None:
        transport: Any = self.transport
        if transport is not None:
            # The transport of a body has loseConnection, and of late abortConnection.
            getattr(transport, "abortConnection", transport.loseConnection)()
