"""
Socket.IO (protocol 5) over Engine.IO (protocol 4), as C{examples/socketio-relay} uses
it::

    <- 0{"sid":...}                        Engine.IO open
    -> 40                                  Socket.IO connect
    <- 40{"sid":...}
    -> 420["join",NAME]                    an event, to acknowledge as 0
    <- 430[VERSION]
    -> 42ID["send",NAME,CONTENT]           an event, to acknowledge as ID
    <- 43ID[]                              its acknowledgement
    <- 42["message",CONTENT]               (to NAME)
    <- 2, -> 3                             ping, pong

Ids of sends begin at 2.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence

import msgspec

from wsmsg.bench.against.interface import (
    Arrived,
    Confirmed,
    Event,
    LoadUser,
    Met,
    Ready,
    Stuck,
    ToSend,
    Unsent,
)

_JOIN, _MEET, _FIRST = 0, 1, 2
_list = msgspec.json.Decoder(list[object]).decode


class SocketIOWire:
    """
    A user of a Socket.IO server with the events of C{examples/socketio-relay}.
    """

    def __init__(self, login: LoadUser):
        self._name = login.name
        self._content = login.content
        self._head = b""

    def begin(self) -> Sequence[bytes]:
        return []

    def take(self, message: bytes) -> Iterable[Event]:
        match message[:2]:
            case b"42":
                return self._event(message[2:])
            case b"43":
                return self._acknowledged(message[2:])
            case b"40":
                name = msgspec.json.encode(["join", self._name])
                return [ToSend(b"42%d%s" % (_JOIN, name))]
            case b"44" | b"41":
                return [Stuck(f"refused: {message[2:].decode()[:200]}")]
            case b"2":
                return [ToSend(b"3")]
        if message[:1] == b"0":
            return [ToSend(b"40")]
        if message[:1] in (b"1", b"6"):
            return []
        raise ValueError(f"{message[:20]!r} is no packet of Engine.IO 4")

    def _event(self, packet: bytes) -> Iterable[Event]:
        match _list(packet):
            case ["message", content]:
                number = self._content.number(content)
                return [Arrived(number)] if number >= 0 else []
        return []

    def _acknowledged(self, packet: bytes) -> Iterable[Event]:
        digits, bracket, rest = packet.partition(b"[")
        number, values = int(digits), _list(bracket + rest)
        if number == _JOIN:
            return [Ready(self._name, str(values[0]) if values else "")]
        if number == _MEET:
            return [Met()]
        if values:
            return [Unsent(number - _FIRST, str(values[0]))]
        return [Confirmed(number - _FIRST)]

    def meet(self, other: str) -> Sequence[bytes]:
        self._head = b'["send",%s,"' % msgspec.json.encode(other)
        return [b'42%d["join",%s]' % (_MEET, msgspec.json.encode(self._name))]

    def send(self, number: int) -> bytes:
        content = self._content.make(number)
        return b'42%d%s%s"]' % (number + _FIRST, self._head, content)

    def progress(self) -> None:
        return None
