"""
The connections of a load: L{asyncio.BufferedProtocol}s with only what a load needs.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import TYPE_CHECKING

from google.protobuf.message import DecodeError

from wsmsg.bench.load import encoding
from wsmsg.bench.load.framing import (
    CLOSE,
    PING,
    PONG,
    WHOLE_BINARY,
    FramingError,
    Mask,
    check_upgraded,
    new_key,
    split,
    upgrade,
)

if TYPE_CHECKING:
    from wsmsg.bench.load.pairs import EchoLoop, Pair


#: Senders get their own messages back with their numbers, and receipts.
_TO_SENDERS = frozenset({encoding.DELIVER, encoding.RECEIPT})


# All peers read into one buffer, one after the other.  A plain Protocol allocates
# 256 KiB for each read, which costs three times as much as the read itself.
_BUFFER = memoryview(bytearray(65536))


class Peer(asyncio.BufferedProtocol):
    """
    A WebSocket to the server.

    @param opened: fires when the peer may be used, or fails with the reason.
    @param on_lost: called with the reason when the server closes the connection later.
    @cvar wholes: the first bytes of frames that are messages.
    """

    wholes: frozenset[int] = frozenset({WHOLE_BINARY})

    def __init__(
        self,
        mask: Mask,
        host: str,
        path: str,
        headers: dict[str, str],
        opened: asyncio.Future[None],
        on_lost: Callable[[str], object],
    ):
        self.opened = opened
        self.on_lost = on_lost
        self._mask = mask
        self._key = new_key()
        self._request = upgrade(host, path, headers, self._key)
        self._rest = b""
        self._upgraded = False
        self._leaving = False
        self._reason = "connection lost"
        self.transport: asyncio.Transport

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.Transport)
        self.transport = transport
        transport.write(self._request)

    def get_buffer(self, sizehint: int) -> memoryview:
        return _BUFFER

    def buffer_updated(self, nbytes: int) -> None:
        self.data_received(bytes(_BUFFER[:nbytes]))

    def data_received(self, data: bytes) -> None:
        """
        Process received bytes, however the network cut them.
        """
        if self._rest:
            data = self._rest + data
        try:
            if not self._upgraded:
                head, blank, data = data.partition(b"\r\n\r\n")
                if not blank:
                    self._rest = head
                    return
                check_upgraded(head, self._key)
                self._upgraded = True
                self.upgraded()
            self._take(data)
        except (FramingError, ValueError, DecodeError) as e:
            self._fail(f"cannot be understood: {e}")

    def _take(self, data: bytes) -> None:
        end, wholes = 0, self.wholes
        for first, start, end in split(data):
            if first in wholes:
                self.received(data, start, end)
            else:
                self._control(first, data[start:end])
        self._rest = data[end:]
        self.received_all()

    def _control(self, first: int, payload: bytes) -> None:
        if first == 0x80 | PING:
            self.transport.write(self._mask.frame(payload, PONG))
        elif first == 0x80 | CLOSE:
            code = int.from_bytes(payload[:2], "big")
            reason = payload[2:].decode("utf-8", "replace")
            self._fail(f"closed with {code} {reason}".rstrip())
        elif first != 0x80 | PONG:
            raise FramingError("the server sent a text or fragmented message")

    def _fail(self, reason: str) -> None:
        self._reason = reason
        self.transport.close()

    def connection_lost(self, exc: Exception | None) -> None:
        reason = f"{self._reason}: {exc}" if exc else self._reason
        if not self.opened.done():
            self.opened.set_exception(ConnectionError(reason))
        elif not self._leaving:
            self.on_lost(reason)

    def leave(self) -> None:
        """
        Close the connection.
        """
        self._leaving = True
        self.transport.write(self._mask.frame(b"\x03\xe8", CLOSE))
        self.transport.close()

    def upgraded(self) -> None:
        """
        The WebSocket is open.
        """
        self.opened.set_result(None)

    def received(self, data: bytes, start: int, end: int) -> None:
        """
        Process a message: C{data} from C{start} to C{end}.
        """

    def received_all(self) -> None:
        """
        Called after all messages that arrived together.
        """


class EchoPeer(Peer):
    """
    Sends to an echo server and receives the echo.
    """

    loop: EchoLoop | None = None

    def join(self, loop: EchoLoop) -> None:
        """
        Report to the load of this connection.
        """
        self.loop = loop

    def received(self, data: bytes, start: int, end: int) -> None:
        if self.loop is not None:
            self.loop.echoed(encoding.echo_number(data, start))

    def received_all(self) -> None:
        if self.loop is not None:
            self.loop.refill()


class IdleEchoPeer(Peer):
    """
    Idles at an echo server after one message each way, as a session at Connect idles
    after C{hello} and C{welcome}.
    """

    greeting: bytes = b""

    def greet_with(self, greeting: bytes) -> None:
        """
        Write this once the connection is open.
        """
        self.greeting = greeting

    def upgraded(self) -> None:
        self.transport.write(self._mask.frame(self.greeting))

    def received(self, data: bytes, start: int, end: int) -> None:
        if not self.opened.done():
            self.opened.set_result(None)


class ChatPeer(Peer):
    """
    A session at Connect; by itself it is idle.
    """

    token: str
    device: str
    on_other: Callable[[str], object]

    def log_in_with(
        self, token: str, device: str, on_other: Callable[[str], object]
    ) -> None:
        """
        Log in once the connection is open.

        @param on_other: called with the name of each frame that the load does not use.
        """
        self.token, self.device, self.on_other = token, device, on_other

    def upgraded(self) -> None:
        frame = encoding.hello(self.token, self.device)
        self.transport.write(self._mask.frame(frame))

    def received(self, data: bytes, start: int, end: int) -> None:
        if data[start] == encoding.WELCOME and not self.opened.done():
            self.opened.set_result(None)
            return
        name, reason = encoding.describe(data[start:end])
        if name == "error":
            self._reason = f"refused: {reason}"
        self.on_other(f"{name}: {reason}" if reason else name)


class PairedPeer(ChatPeer):
    """
    The session of one side of a pair.
    """

    pair: Pair | None = None

    def join(self, pair: Pair) -> None:
        """
        Report to the load of this session.
        """
        self.pair = pair

    def received_all(self) -> None:
        if self.pair is not None:
            self.pair.refill()


class SenderPeer(PairedPeer):
    """
    The session of a sender.
    """

    def received(self, data: bytes, start: int, end: int) -> None:
        kind, pair = data[start], self.pair
        if pair is None:
            super().received(data, start, end)
        elif kind == encoding.ACCEPTED:
            pair.accepted(encoding.accepted_number(data, start))
        elif kind == encoding.REJECTED:
            pair.rejected(*encoding.rejected(data[start:end]))
        elif kind not in _TO_SENDERS:
            super().received(data, start, end)


class RecipientPeer(PairedPeer):
    """
    The session of a recipient.
    """

    def received(self, data: bytes, start: int, end: int) -> None:
        kind, pair = data[start], self.pair
        if pair is None:
            super().received(data, start, end)
        elif kind == encoding.DELIVER and pair.delivered(data, start, end):
            return
        elif kind != encoding.RECEIPT:
            super().received(data, start, end)
