"""
HTTP/1.1 for a client (RFC 9112): requests one after the other on one connection, as
cheap as Python allows.
"""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Callable, Iterator
from typing import NamedTuple
from urllib.parse import SplitResult

from wsmsg.bench.against.user import address_of


class HttpAnswer(NamedTuple):
    """
    A response.
    """

    status: int
    body: bytes


class AnswerParser:
    """
    Finds the responses in the bytes of a connection.
    """

    def __init__(self) -> None:
        self._rest = b""

    def feed(self, data: bytes) -> Iterator[HttpAnswer]:
        """
        Return the responses that are complete with these bytes.

        @raise ValueError: the bytes are not HTTP/1.1.
        """
        self._rest += data
        while True:
            found = _answer(self._rest)
            if found is None:
                return
            answer, used = found
            self._rest = self._rest[used:]
            yield answer


def _answer(data: bytes) -> tuple[HttpAnswer, int] | None:
    end = data.find(b"\r\n\r\n")
    if end < 0:
        if data and not b"HTTP/1.1".startswith(data[:8]):
            raise ValueError(f"{data[:20]!r} is not HTTP/1.1")
        return None
    status, *lines = data[:end].decode("latin-1").split("\r\n")
    version, _, rest = status.partition(" ")
    if version != "HTTP/1.1":
        raise ValueError(f"{status[:40]!r} is not HTTP/1.1")
    headers = {
        name.lower(): value.strip()
        for name, _, value in (line.partition(":") for line in lines)
    }
    body, after = b"", end + 4
    if headers.get("transfer-encoding") == "chunked":
        whole = _chunks(data, after)
        if whole is None:
            return None
        body, after = whole
    elif length := int(headers.get("content-length", "0")):
        if len(data) < after + length:
            return None
        body, after = data[after : after + length], after + length
    return HttpAnswer(int(rest[:3]), body), after


def _chunks(data: bytes, at: int) -> tuple[bytes, int] | None:
    parts = []
    while True:
        end = data.find(b"\r\n", at)
        if end < 0:
            return None
        length = int(data[at:end].partition(b";")[0], 16)
        at = end + 2
        if len(data) < at + length + 2:
            return None
        parts.append(data[at : at + length])
        at += length + 2
        if not length:
            return b"".join(parts), at


class Lane(asyncio.Protocol):
    """
    One connection, whose requests wait for each other.

    @param on_lost: called with the reason when the server closes the connection.
    """

    def __init__(self, url: SplitResult, on_lost: Callable[[str], object]):
        self._url = url
        self._on_lost = on_lost
        self._token = ""
        self._parser = AnswerParser()
        self._waiting: deque[tuple[bytes, Callable[[HttpAnswer], object]]] = deque()
        self._busy = self._leaving = False
        self._lost_by: HttpAnswer | None = None
        self._transport: asyncio.Transport

    async def open(self) -> None:
        """
        Connect.

        @raise OSError: that is not possible.
        """
        loop = asyncio.get_running_loop()
        host, port, tls = address_of(self._url)
        await loop.create_connection(lambda: self, host, port, ssl=tls)

    def authorise(self, token: str) -> None:
        """
        Send this access token with every request.
        """
        self._token = f"Authorization: Bearer {token}\r\n"

    def close(self) -> None:
        """
        Close the connection.
        """
        self._leaving = True
        self._transport.close()

    def ask(
        self, method: str, path: str, body: bytes, then: Callable[[HttpAnswer], object]
    ) -> None:
        """
        Send a request once those before it are answered; on a lost connection, answer
        with status 0 and the reason.
        """
        if self._lost_by is not None:
            then(self._lost_by)
            return
        head = (
            f"{method} {path} HTTP/1.1\r\nHost: {self._url.netloc}\r\n{self._token}"
            f"Content-Type: application/json\r\nContent-Length: {len(body)}\r\n\r\n"
        )
        self._waiting.append((head.encode() + body, then))
        self._next()

    async def answer(self, method: str, path: str, body: bytes = b"") -> HttpAnswer:
        """
        Send a request and wait for its answer, as C{ask} gives it.
        """
        asked: asyncio.Future[HttpAnswer] = asyncio.get_running_loop().create_future()

        def then(answer: HttpAnswer) -> None:
            if not asked.done():
                asked.set_result(answer)

        self.ask(method, path, body, then)
        return await asked

    def _next(self) -> None:
        if self._waiting and not self._busy:
            self._busy = True
            self._transport.write(self._waiting[0][0])

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.Transport)
        self._transport = transport

    def data_received(self, data: bytes) -> None:
        try:
            for answer in self._parser.feed(data):
                _, then = self._waiting.popleft()
                self._busy = False
                then(answer)
                self._next()
        except (ValueError, IndexError) as e:
            self._lost(f"cannot be understood: {e}")
            self._transport.close()

    def connection_lost(self, exc: Exception | None) -> None:
        self._lost(f"connection lost: {exc}" if exc else "connection lost")

    def _lost(self, reason: str) -> None:
        if not self._leaving:
            self._leaving = True
            self._lost_by = lost = HttpAnswer(0, reason.encode())
            waiting, self._waiting = self._waiting, deque()
            for _, then in waiting:
                then(lost)
            self._on_lost(reason)
