"""
The part of HTTP that the legacy peers use: one request a connection.
"""

from __future__ import annotations

import asyncio
import io
import json
from collections.abc import Awaitable, Callable, Mapping
from http import HTTPStatus
from http.client import HTTPResponse
from typing import Any, NamedTuple

#: Headers on every answer of a legacy daemon.
CORS = {
    "Access-Control-Allow-Origin": "*",
    "Access-Control-Allow-Headers": "*",
    "Access-Control-Allow-Methods": "*",
}


class Request(NamedTuple):
    """
    A request.

    @ivar headers: with their names in lower case.
    """

    method: str
    path: str
    headers: dict[str, str]
    body: bytes


class Answer(NamedTuple):
    """
    A response.

    @ivar headers: with their names in lower case.
    """

    status: int
    headers: dict[str, str]
    body: bytes

    @property
    def document(self) -> Any:
        return json.loads(self.body)


async def read_head(reader: asyncio.StreamReader) -> tuple[str, dict[str, str]]:
    """
    Read the head of a request or response.

    @return: the first line, and the headers with their names in lower case.
    """
    head = (await reader.readuntil(b"\r\n\r\n")).decode("latin-1")
    first, *lines = head[:-4].split("\r\n")
    headers = {}
    for line in lines:
        name, _, value = line.partition(":")
        headers[name.strip().lower()] = value.strip()
    return first, headers


async def read_request(reader: asyncio.StreamReader) -> Request:
    """
    Read a complete request.
    """
    first, headers = await read_head(reader)
    method, path, _ = first.split(" ")
    body = await reader.readexactly(int(headers.get("content-length", 0)))
    return Request(method, path, headers, body)


def answer(status: int, document: Any) -> bytes:
    """
    Encode a response with a JSON document.
    """
    body = json.dumps(document).encode()
    lines = [f"HTTP/1.1 {status} {HTTPStatus(status).phrase}"]
    lines += [f"{name}: {value}" for name, value in CORS.items()]
    lines += ["Content-Type: application/json; charset=utf-8"]
    lines += [f"Content-Length: {len(body)}", "Connection: close", "", ""]
    return "\r\n".join(lines).encode() + body


Respond = Callable[[Request], Awaitable[tuple[int, Any]]]


async def respond(
    respond_to: Respond, reader: asyncio.StreamReader, writer: asyncio.StreamWriter
) -> None:
    """
    Serve one connection that carries one request.
    """
    try:
        request = await read_request(reader)
        status, document = await respond_to(request)
        writer.write(answer(status, document))
        await writer.drain()
    except (OSError, asyncio.IncompleteReadError, ValueError):
        pass
    finally:
        writer.close()


async def ask(
    port: int,
    method: str,
    path: str,
    document: Any = None,
    *,
    headers: Mapping[str, str] | None = None,
    body: bytes | None = None,
    limit_s: float = 30.0,
) -> Answer:
    """
    Send a request to a daemon of this machine.

    @param body: sent as it is, instead of the document.
    """
    if body is None:
        body = b"" if document is None else json.dumps(document).encode()
    lines = [f"{method} {path} HTTP/1.1", f"Host: localhost:{port}"]
    lines += ["Content-Type: application/json"] if body else []
    lines += [f"{name}: {value}" for name, value in (headers or {}).items()]
    lines += [f"Content-Length: {len(body)}", "Connection: close", "", ""]
    async with asyncio.timeout(limit_s):
        reader, writer = await asyncio.open_connection("127.0.0.1", port)
        try:
            writer.write("\r\n".join(lines).encode() + body)
            return read_answer(await reader.read(), method)
        finally:
            writer.close()


class _Bytes:
    def __init__(self, data: bytes) -> None:
        self._data = data

    def makefile(self, mode: str) -> io.BytesIO:
        return io.BytesIO(self._data)


def read_answer(data: bytes, method: str) -> Answer:
    """
    Read a complete response, with either kind of body length.
    """
    response = HTTPResponse(_Bytes(data), method=method)  # type: ignore[arg-type]
    response.begin()
    headers = {name.lower(): value for name, value in response.getheaders()}
    return Answer(response.status, headers, response.read())
