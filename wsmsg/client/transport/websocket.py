"""
One WebSocket to the server, as frames: the only module that knows C{websockets}.

The client imports this module when a program makes a client, not before: the library
takes a third of the time of the whole import.
"""

from __future__ import annotations

import ipaddress
import ssl
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from websockets.asyncio.client import ClientConnection, connect
from websockets.exceptions import (
    ConnectionClosed,
    InvalidHandshake,
    InvalidStatus,
    InvalidURI,
    WebSocketException,
)
from websockets.http11 import Response
from websockets.typing import Subprotocol

from wsmsg import __version__
from wsmsg.client.state.reconnect import Ended
from wsmsg.client.transport.interface import (
    ClientTransport,
    CodecName,
    Dial,
    Learn,
    Lost,
)
from wsmsg.client.transport.refusal import refusal_of
from wsmsg.errors import BadRequest, Close, TooLarge, WsmsgError
from wsmsg.protocol.frames import ClientFrame, ServerFrame
from wsmsg.protocol.json import CODEC as JSON
from wsmsg.protocol.json import JsonCodec
from wsmsg.protocol.protobuf import CODEC as PROTOBUF
from wsmsg.protocol.protobuf import ProtobufCodec

_CODECS: dict[str, ProtobufCodec | JsonCodec] = {"protobuf": PROTOBUF, "json": JSON}

#: Limit of a frame: room for a page of messages, and a bound for a broken server.
_MAX_BYTES = 64 * 2**20

_CLOSE_S = 1.0

_NAMES: dict[int, str] = {c.value: c.name.lower() for c in Close}


class WebSocketTransport:
    """
    L{ClientTransport} over a WebSocket.
    """

    def __init__(
        self,
        connection: ClientConnection,
        codec: ProtobufCodec | JsonCodec,
        learn: Learn | None = None,
    ) -> None:
        self._connection = connection
        self._codec = codec
        self._learn = learn

    async def send(
        self, frames: list[ClientFrame], limit_bytes: int = 0
    ) -> list[tuple[ClientFrame, WsmsgError]]:
        text = not self._codec.binary
        refused: list[tuple[ClientFrame, WsmsgError]] = []
        try:
            for frame in frames:
                try:
                    data = _encoded(self._codec, frame, limit_bytes)
                except WsmsgError as error:
                    refused.append((frame, error))
                else:
                    await self._connection.send(data, text=text)
        except ConnectionClosed as error:
            raise Lost(_closed(error)) from None
        return refused

    async def receive(self) -> ServerFrame:
        try:
            data = await self._connection.recv(decode=False)
        except ConnectionClosed as error:
            raise Lost(_closed(error)) from None
        if self._learn is None:
            return self._codec.decode_server(bytes(data))
        frame, names = self._codec.decode_named(bytes(data))
        if names:
            self._learn(names)
        return frame

    async def close(self, reason: str) -> None:
        await self._connection.close(Close.DONE, reason)

    def abort(self) -> None:
        self._connection.transport.abort()


def _encoded(
    codec: ProtobufCodec | JsonCodec, frame: ClientFrame, limit_bytes: int
) -> bytes:
    try:
        data = codec.encode_client(frame)
    except Exception as error:
        raise BadRequest(f"the frame cannot be encoded: {error}") from error
    if 0 < limit_bytes < len(data):
        raise TooLarge(f"the frame has {len(data)} bytes; the limit is {limit_bytes}")
    return data


class _Connect(connect):
    """
    An attempt to connect that leaves a redirect to a web page, as a captive portal
    sends it, as the answer that it is.
    """

    def process_redirect(self, exc: Exception) -> Exception | str:
        try:
            return super().process_redirect(exc)
        except InvalidURI:
            return exc


def authorities(ca: str | Path | None) -> ssl.SSLContext | None:
    """
    Return what trusts the authorities in a PEM file alone; L{None} for no file: those
    of the machine are trusted.

    @raise BadRequest: the file cannot be read, or has no certificate.
    """
    if ca is None:
        return None
    try:
        return ssl.create_default_context(cafile=str(ca))
    except (OSError, ssl.SSLError) as error:
        reason = getattr(error, "strerror", None) or str(error)
        raise BadRequest(f"the authorities in {ca} cannot be used: {reason}") from None


def websocket_dial(
    codec: CodecName,
    *,
    open_timeout_s: float = 10.0,
    tls: ssl.SSLContext | None = None,
    learn: Learn | None = None,
) -> Dial:
    """
    Return a function that opens WebSockets with this codec.

    @param tls: for C{wss}; L{None}: trust the certificate authorities of the machine.
    @param learn: called with the names that come with a frame.
    """
    wanted = _CODECS[codec]

    async def dial(url: str, token: str) -> ClientTransport:
        # The library accepts no ssl=None for wss, and no ssl at all for ws.
        extra: dict[str, Any] = {"ssl": tls} if tls else {}
        try:
            connection = await _Connect(
                url,
                subprotocols=[Subprotocol(wanted.subprotocol)],
                additional_headers=[("Authorization", f"Bearer {token}")],
                user_agent_header=f"wsmsg-python/{__version__}",
                compression=None,
                proxy=None if _is_local(url) else True,
                open_timeout=open_timeout_s,
                close_timeout=_CLOSE_S,
                ping_interval=None,  # the client pings the session, not the socket
                max_size=_MAX_BYTES,
                **extra,
            )
        except Exception as error:
            raise Lost(_refused(url, error)) from error
        if connection.subprotocol != wanted.subprotocol:
            connection.transport.abort()
            # The server refuses a handshake that it cannot serve: this is another one.
            reason = f"{url} does not speak {wanted.subprotocol}"
            raise Lost(Ended(reason=reason))
        return WebSocketTransport(connection, wanted, learn)

    return dial


def _closed(error: ConnectionClosed) -> Ended:
    if error.rcvd is None:
        if error.sent is not None and error.sent.code != Close.DONE:
            # The data is invalid, and would be so the next time.
            return Ended(reason=str(error), close_code=error.sent.code)
        return Ended(reason="the connection was lost")
    code = error.rcvd.code
    name = _NAMES.get(code, "closed")
    detail = f": {error.rcvd.reason}" if error.rcvd.reason else ""
    return Ended(reason=f"{name} ({code}){detail}", close_code=code)


def _refused(url: str, error: Exception) -> Ended:
    match error:
        case InvalidStatus():
            response = error.response
            answer = refusal_of(
                response.status_code,
                bytes(response.body or b""),
                retry_after=_header(response, "Retry-After"),
                date=_header(response, "Date"),
            )
            detail = f": {answer.detail}" if answer.detail else ""
            return Ended(
                reason=f"{url} answered {answer.status}{detail}",
                http_status=answer.status,
                code=answer.code,
                retry_after_s=answer.retry_after_s,
            )
        case InvalidURI():
            return Ended(reason=str(error), close_code=Close.BAD_FRAME)
        case InvalidHandshake():
            return Ended(reason=f"{url}: {error}")
        case TimeoutError():
            return Ended(reason=f"{url}: no answer in time")
        case OSError() | EOFError() | WebSocketException():
            return Ended(reason=f"{url}: {_plain(error)}")
        case _:
            # For example a certificate file, a resolver or a proxy.
            return Ended(reason=f"{url}: {type(error).__name__}: {error}")


def _header(response: Response, name: str) -> str:
    return next(iter(response.headers.get_all(name)), "")


def _plain(error: Exception) -> str:
    """
    Return an error in one line; asyncio puts the failures of several addresses into one
    text.
    """
    if isinstance(error, ConnectionRefusedError) or "refused" in str(error):
        return "connection refused"
    if isinstance(error, OSError) and error.strerror:
        return error.strerror
    return str(error) or type(error).__name__


def _is_local(url: str) -> bool:
    host = urlsplit(url).hostname or ""
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"
