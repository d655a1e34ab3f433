"""
A request of HTTP, bounded before it is kept.
"""

from __future__ import annotations

from collections.abc import Sequence
from io import BytesIO
from typing import Any

from twisted.web import server

from wsmsg.errors import TooLarge
from wsmsg.http.server.targets import authority, origin_form

# As Any: what twisted.web declares contradicts what it lets subclasses do.
_server: Any = server


class BoundedRequest(_server.Request):  # type: ignore[misc]
    """
    A request whose body is bounded.
    """

    _received = 0
    _types: Sequence[bytes] = ()

    def gotLength(self, length: int | None) -> None:
        self.content = BytesIO()
        if length is not None and length > self.channel.site.limits().body_bytes:
            self._too_large()

    def handleContentChunk(self, data: bytes) -> None:
        before, self._received = self._received, self._received + len(data)
        limit = self.channel.site.limits().body_bytes
        if self._received <= limit:
            super().handleContentChunk(data)
            self.channel.site.bodies.hold(self.channel, self._received, limit)
        elif before <= limit:
            self._too_large()

    def requestReceived(self, command: bytes, path: bytes, version: bytes) -> None:
        if self.channel.ended:
            return
        self.channel.request_arrived()
        forwarded = self.requestHeaders.getRawHeaders(b"x-forwarded-for", [])
        self.channel.in_turn(forwarded, lambda: self._in_turn(command, path, version))

    def _in_turn(self, command: bytes, path: bytes, version: bytes) -> None:
        # twisted.web parses no form: it would add fields to the arguments.
        self._types = self.requestHeaders.getRawHeaders(b"content-type", [])
        self.requestHeaders.removeHeader(b"content-type")
        if host := authority(path):
            self.requestHeaders.setRawHeaders(b"host", [host])
        super().requestReceived(command, origin_form(path), version)

    def process(self) -> None:
        self.requestHeaders.setRawHeaders(b"content-type", self._types)
        super().process()

    def render(self, resrc: Any) -> None:
        self.responseHeaders.removeHeader(b"server")
        super().render(resrc)

    def drop_body(self) -> None:
        """
        Keep nothing of the body.
        """
        self._received = 2**62
        self.content = BytesIO()

    def _too_large(self) -> None:
        limit = self.channel.site.limits().body_bytes
        self._received = 2**62
        self.channel.end_with(TooLarge(f"the body is over {limit} bytes"))
