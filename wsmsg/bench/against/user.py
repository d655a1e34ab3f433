"""
A user on one WebSocket, whose protocol is a L{Wire}.
"""

from __future__ import annotations

import asyncio
import ssl
from collections.abc import Callable
from urllib.parse import SplitResult

from wsmsg.bench.against.interface import (
    Arrived,
    Confirmed,
    Event,
    Met,
    Ready,
    Stuck,
    ToSend,
    Unsent,
    UserEvents,
    Wire,
)
from wsmsg.bench.load.framing import TEXT, WHOLE_BINARY, WHOLE_TEXT, Mask
from wsmsg.bench.load.peers import Peer

_HEADERS = {"User-Agent": "wsmsg-bench/1"}


def address_of(url: SplitResult) -> tuple[str, int, ssl.SSLContext | None]:
    """
    Return host, port and TLS of a URL.
    """
    secure = url.scheme in ("wss", "https")
    tls = ssl.create_default_context() if secure else None
    return url.hostname or "127.0.0.1", url.port or (443 if secure else 80), tls


class WireUser(Peer):
    """
    A user of a system whose protocol runs over one WebSocket.

    @param on_lost: called with the reason when the server closes the connection later.
    """

    wholes = frozenset({WHOLE_TEXT, WHOLE_BINARY})

    def __init__(
        self, wire: Wire, url: SplitResult, mask: Mask, on_lost: Callable[[str], object]
    ):
        loop = asyncio.get_running_loop()
        path = url.path + (f"?{url.query}" if url.query else "")
        opened: asyncio.Future[None] = loop.create_future()
        super().__init__(mask, url.netloc, path, _HEADERS, opened, on_lost)
        self.identity = self.version = ""
        self._wire = wire
        self._url = url
        self._met: asyncio.Future[None] = loop.create_future()
        self._sink: UserEvents | None = None

    async def enter(self) -> None:
        loop = asyncio.get_running_loop()
        host, port, tls = address_of(self._url)
        await loop.create_connection(lambda: self, host, port, ssl=tls)
        await self.opened

    async def meet(self, other: str, *, first: bool) -> None:
        messages = self._wire.meet(other)
        if messages:
            self._say(*messages)
            await self._met

    def join(self, sink: UserEvents) -> None:
        self._sink = sink

    def send(self, numbers: list[int]) -> None:
        self._say(*map(self._wire.send, numbers))

    def report_progress(self) -> None:
        message = self._wire.progress()
        if message is not None and not self.transport.is_closing():
            self._say(message)

    def _say(self, *messages: bytes) -> None:
        frame = self._mask.frame
        self.transport.write(b"".join([frame(one, TEXT) for one in messages]))

    def upgraded(self) -> None:
        messages = self._wire.begin()
        if messages:
            self._say(*messages)

    def received(self, data: bytes, start: int, end: int) -> None:
        for event in self._wire.take(data[start:end]):
            self._happened(event)

    def _happened(self, event: Event) -> None:
        match event:
            case Arrived(number, seq):
                if self._sink is not None:
                    self._sink.delivered(number, seq or number + 1)
            case Confirmed(number):
                if self._sink is not None:
                    self._sink.accepted(number)
            case Unsent(number, code):
                if self._sink is not None:
                    self._sink.rejected(number, code, 0)
            case ToSend(message):
                self._say(message)
            case Ready(identity, version):
                self.identity, self.version = identity, version
                self._fire(self.opened)
            case Met():
                self._fire(self._met)
            case Stuck(reason):
                self._fail(reason)

    def _fire(self, future: asyncio.Future[None]) -> None:
        if not future.done():
            future.set_result(None)

    def connection_lost(self, exc: Exception | None) -> None:
        super().connection_lost(exc)
        if not self._met.done() and self.opened.done():
            self._met.set_exception(ConnectionError(self._reason))
            # Nobody may wait for it.
            self._met.exception()

    def received_all(self) -> None:
        if self._sink is not None:
            self._sink.refill()
