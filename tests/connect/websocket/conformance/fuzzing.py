"""
Random frames of a client, allowed ones and others, and plain Autobahn to compare with.
"""

from __future__ import annotations

import random
from collections.abc import Iterator
from typing import Any

from autobahn.twisted.websocket import WebSocketServerFactory, WebSocketServerProtocol
from twisted.internet.address import IPv4Address
from twisted.internet.task import Clock

from tests.connect.websocket.conformance.echo import (
    BINARY,
    CLOSE,
    CONTINUATION,
    PING,
    PONG,
    SUBPROTOCOLS,
    TEXT,
    Event,
    events_in,
    frame,
    message,
)
from tests.connect.websocket.port_in_memory import RecordingTransport, upgrade

#: The longest message of both servers.
LIMIT = 3000

_SIZES = (0, 1, 2, 3, 4, 5, 7, 8, 124, 125, 126, 127, 128, 300, LIMIT - 1, LIMIT)
_LETTERS = 'abcdefghij0123456789 {}"\u00e9\u00df\u0416\u4e2d\U0001f600'
_CODES = (0, 999, *range(1000, 1017), 1100, 2999, 3000, 4000, 4999, 5000, 65535)
_BAD_TEXT = (b"ab\xffcd", b"ab\xe4\xb8", b"\xed\xa0\x80", b"\xc0\xaf" + b"x" * 200)


class Client:
    """
    A client that sends random frames.

    @param spoils: whether it also sends frames that RFC 6455 forbids.
    """

    def __init__(self, dice: random.Random, spoils: bool) -> None:
        self._dice = dice
        self._spoils = spoils
        self.opcode = dice.choice((TEXT, BINARY))

    def frames(self) -> list[bytes]:
        """
        Return what the client sends, frame by frame.
        """
        dice, sent = self._dice, []
        for _ in range(dice.choice((1, 2, 3, 5, 8, 12))):
            sent += self._between()
            if self._spoils and dice.random() < 0.15:
                sent += self._spoilt()
            sent += self._message()
        if dice.random() < 0.5:
            code = dice.choice((1000, 1001, 3000, 4999)).to_bytes(2, "big")
            sent.append(frame(CLOSE, dice.choice((b"", code, code + b"bye"))))
            sent += self._between()
        return sent

    def segments(self, frames: list[bytes]) -> Iterator[bytes]:
        """
        Cut the frames in some way.
        """
        dice, stream = self._dice, b"".join(frames)
        sizes: tuple[int, ...] = dice.choice(
            ((len(stream) + 1,), (1,), (1, 2, 3, 9), (1448,), (1, 6, 50, 700))
        )
        if sizes == (1,) and len(stream) > 2000:
            sizes = (1, 2, 500)
        at = 0
        while at < len(stream):
            size = dice.choice(sizes)
            yield stream[at : at + size]
            at += size

    def _text(self, size: int) -> bytes:
        dice, text = self._dice, b""
        if self.opcode == BINARY:
            return dice.randbytes(size)
        while len(text) < size:
            one = dice.choice(_LETTERS).encode()
            text += one if len(text) + len(one) <= size else b"."
        return text

    def _message(self) -> list[bytes]:
        dice = self._dice
        payload = self._text(dice.choice(_SIZES))
        if dice.random() < 0.6:
            return [self._frame(self.opcode, payload)]
        count = dice.choice((1, 2, 3, 5, 40))
        cuts = sorted(dice.randrange(len(payload) + 1) for _ in range(count))
        frames = []
        for one in message(payload, self.opcode, cuts=cuts):
            frames += [one, *self._between()]
        return frames

    def _frame(self, opcode: int, payload: bytes) -> bytes:
        mask = self._dice.choice((bytes(4), self._dice.randbytes(4)))
        return frame(opcode, payload, mask=mask)

    def _between(self) -> list[bytes]:
        dice, frames = self._dice, []
        while dice.random() < 0.3:
            payload = dice.randbytes(dice.choice((0, 1, 4, 124, 125)))
            frames.append(self._frame(dice.choice((PING, PING, PONG)), payload))
        return frames

    def _spoilt(self) -> list[bytes]:
        """
        Return a frame that RFC 6455 forbids (but for some of the codes and payloads).
        """
        dice, data = self._dice, self.opcode
        good = self._text(dice.choice((0, 1, 5, 70)))
        control = dice.choice((PING, PONG, CLOSE))
        code = dice.choice(_CODES).to_bytes(2, "big")
        bad = dice.choice(_BAD_TEXT)
        half = dice.randrange(len(bad))
        return dice.choice(
            (
                [frame(data, good, mask=None)],
                [frame(PING, b"x" * dice.choice((0, 5)), mask=None)],
                [frame(dice.choice((data, control)), rsv=dice.randrange(1, 8))],
                [frame(dice.choice((3, 4, 5, 6, 7, 11, 12, 13, 14, 15)), good)],
                [frame(control, b"\x03\xe8" + b"x" * dice.choice((124, 200)))],
                [frame(PING, b"xx", length_bytes=dice.choice((3, 9)))],
                [frame(control, b"\x03\xe8", fin=False)],
                [frame(CONTINUATION, good, fin=dice.random() < 0.5)],
                [frame(data, good, fin=False), frame(data, good)],
                [frame(data, good, length_bytes=dice.choice((3, 9)))],
                [b"\x82\xff" + (2**63 + 5).to_bytes(8, "big") + bytes(4)],
                [frame(data, self._text(LIMIT + 1))],
                [frame(data, self._text(LIMIT), fin=False), frame(CONTINUATION, b"..")],
                [frame(CLOSE, b"x")],
                [frame(CLOSE, code + dice.choice((b"", b"reason")))],
                [frame(CLOSE, b"\x03\xe8\xff\xfe")],
                [frame(data, bad)],
                [frame(data, bad[:half], fin=False), frame(CONTINUATION, bad[half:])],
            )
        )


class AutobahnEcho:
    """
    A connection to a plain echo server of Autobahn's.
    """

    def __init__(self, opcode: int) -> None:
        factory: Any = WebSocketServerFactory(server="", reactor=Clock())
        factory.setProtocolOptions(
            failByDrop=False,
            openHandshakeTimeout=0,
            closeHandshakeTimeout=0,
            maxFramePayloadSize=LIMIT,
            maxMessagePayloadSize=LIMIT,
        )
        self._protocol: Any = _AutobahnSession()
        self._protocol.factory = factory
        self._transport = RecordingTransport(peerAddress=IPv4Address("TCP", "::1", 1))
        self._protocol.makeConnection(self._transport)
        self._protocol.dataReceived(upgrade(SUBPROTOCOLS[opcode]))
        assert b" 101 " in self._transport.written()

    def answers(self, segments: list[bytes]) -> list[Event]:
        """
        Return what the server answers to the segments.
        """
        for segment in segments:
            self._protocol.dataReceived(segment)
        return events_in(self._transport.written())


class _AutobahnSession(WebSocketServerProtocol):
    def onConnect(self, request: Any) -> Any:
        return request.protocols[0]

    def onMessage(self, payload: bytes, isBinary: bool) -> None:
        self.sendMessage(payload, isBinary)
