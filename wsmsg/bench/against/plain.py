"""
The messages of the L{relay<wsmsg.bench.against.relay>}, each a line of text::

    -> hello NAME             <- welcome NAME VERSION
    -> send NAME ID CONTENT   <- accepted ID          (to the sender)
                              <- message CONTENT      (to NAME)
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from wsmsg.bench.against.interface import (
    Arrived,
    Confirmed,
    Event,
    LoadUser,
    Met,
    Ready,
    Stuck,
    Unsent,
)


class PlainWire:
    """
    A user of the relay.
    """

    def __init__(self, login: LoadUser):
        self._name = login.name
        self._content = login.content
        self._to = b""

    def begin(self) -> Sequence[bytes]:
        return [b"hello " + self._name.encode()]

    def take(self, message: bytes) -> Iterable[Event]:
        kind, _, rest = message.decode().partition(" ")
        match kind:
            case "message":
                number = self._content.number(rest)
                return [Arrived(number)] if number >= 0 else []
            case "accepted":
                return [Confirmed(int(rest, 16))]
            case "rejected":
                digits, _, code = rest.partition(" ")
                return [Unsent(int(digits, 16), code)]
            case "welcome":
                name, _, version = rest.partition(" ")
                return [Ready(name, version)]
            case "met":
                return [Met()]
        return [Stuck(f"{kind[:40]!r} is not a message of the relay")]

    def meet(self, other: str) -> Sequence[bytes]:
        self._to = other.encode()
        return [b"meet " + self._to]

    def send(self, number: int) -> bytes:
        return b"send %s %x %s" % (self._to, number, self._content.make(number))

    def progress(self) -> None:
        return None
