"""
The port in memory, with sessions that echo, and both ends' frames as bytes.

None of this uses the frames of C{wsmsg}: it is a second reading of RFC 6455.
"""

from __future__ import annotations

from itertools import pairwise
from typing import Any

from twisted.trial.unittest import SynchronousTestCase

from tests.connect.websocket.port_in_memory import Edge, RecordingSession, Wire

CONTINUATION, TEXT, BINARY, CLOSE, PING, PONG = 0, 1, 2, 8, 9, 10
KINDS = {TEXT: "text", BINARY: "binary", CLOSE: "close", PING: "ping", PONG: "pong"}
SUBPROTOCOLS = {TEXT: "wsmsg.v1.json", BINARY: "wsmsg.v1.protobuf"}

#: A message, a pong, or a close with its code.
Event = tuple[str, Any]


def frame(
    opcode: int,
    payload: bytes = b"",
    *,
    fin: bool = True,
    rsv: int = 0,
    mask: bytes | None = b"\x37\xfa\x21\x3d",
    length_bytes: int = 0,
) -> bytes:
    """
    Return a frame of a client, allowed or not.

    @param mask: L{None}: the frame is not masked.
    @param length_bytes: 1, 3 or 9: write the length in so many bytes; 0: in as few as
        possible.
    """
    size = len(payload)
    if not length_bytes:
        length_bytes = 1 if size < 126 else 3 if size < 65536 else 9
    length = size.to_bytes(length_bytes, "big")
    if length_bytes > 1:
        length = bytes([126 if length_bytes == 3 else 127]) + length[1:]
    first = bytes([fin << 7 | rsv << 4 | opcode])
    if mask is None:
        return first + length + payload
    key = int.from_bytes((mask * (size // 4 + 1))[:size], "big")
    body = (int.from_bytes(payload, "big") ^ key).to_bytes(size, "big")
    return first + bytes([length[0] | 0x80]) + length[1:] + mask + body


def message(
    payload: bytes, opcode: int = TEXT, *, cuts: list[int] | None = None
) -> list[bytes]:
    """
    Return the frames of a message.

    @param cuts: the positions where its fragments begin, without 0.
    """
    at = [0, *(cuts or []), len(payload)]
    pieces = [payload[a:b] for a, b in pairwise(at)]
    last = len(pieces) - 1
    return [
        frame(CONTINUATION if n else opcode, piece, fin=n == last)
        for n, piece in enumerate(pieces)
    ]


def events_in(data: bytes) -> list[Event]:
    """
    Parse frames of a server.
    """
    events: list[Event] = []
    at = 0
    while at < len(data):
        first, size, body = data[at], data[at + 1], at + 2
        if size == 126:
            size, body = int.from_bytes(data[at + 2 : at + 4], "big"), at + 4
            assert size >= 126, "a length takes too many bytes"
        elif size == 127:
            size, body = int.from_bytes(data[at + 2 : at + 10], "big"), at + 10
            assert size >= 65536, "a length takes too many bytes"
        assert first & 0xF0 == 0x80, "not a whole frame without reserved bits"
        payload = data[body : body + size]
        assert len(payload) == size, "half a frame, or a masked one"
        kind = KINDS[first & 0x0F]
        if kind == "close":
            payload[2:].decode()
            events.append((kind, int.from_bytes(payload[:2], "big")))
        else:
            events.append((kind, payload))
        at = body + size
    return events


class EchoSession(RecordingSession):
    """
    Sends every message back.
    """

    def received(self, data: bytes, binary: bool) -> None:
        opcode, size = BINARY if binary else TEXT, len(data)
        if size < 126:
            head = bytes([0x80 | opcode, size])
        elif size < 65536:
            head = bytes([0x80 | opcode, 126]) + size.to_bytes(2, "big")
        else:
            head = bytes([0x80 | opcode, 127]) + size.to_bytes(8, "big")
        self.peer.write_encoded(head + data)


class EchoEdge(Edge):
    """
    The port, with sessions that echo.
    """

    def open_session(self, *args: Any) -> RecordingSession:
        session = EchoSession(*args)
        self.sessions.append(session)
        return session

    def client(self, opcode: int = TEXT) -> EchoClient:
        """
        Connect a client whose messages have this opcode.
        """
        return EchoClient(self.open(SUBPROTOCOLS[opcode]))


class EchoClient:
    """
    A client, and what it hears.
    """

    def __init__(self, wire: Wire) -> None:
        self._wire = wire
        self._heard = b""
        self.transport = wire.transport

    def send(self, *segments: bytes) -> None:
        """
        Send bytes, each segment by itself.
        """
        for segment in segments:
            self._wire.send(segment)

    def heard(self) -> list[Event]:
        """
        Return everything that the server has sent.
        """
        self._heard += self.transport.written()
        return events_in(self._heard)

    def finish(self, test: SynchronousTestCase) -> None:
        """
        Check that the server ends the connection cleanly, then lose it.
        """
        ends = self.transport.disconnecting or self.transport.half_closed
        test.assertTrue(ends, "the server does not end the connection")
        test.assertFalse(self.transport.aborted, "the connection was reset")
        self._wire.lose()
