"""
The lines that a supervisor and a worker exchange: objects of JSON.
"""

from __future__ import annotations

from enum import StrEnum

import msgspec

#: Descriptors of a worker: its complaints, where orders come from, and where facts go.
STDERR_FD, ORDERS_FD, FACTS_FD = 2, 3, 4
#: The longest line.
MOST_BYTES = 8192


class Lines:
    """
    The lines of a stream of bytes.
    """

    def __init__(self) -> None:
        self._rest = b""

    def split(self, data: bytes) -> list[bytes]:
        """
        Return the lines that are complete now; one that is too long is cut.
        """
        *lines, self._rest = (self._rest + data).split(b"\n")
        if len(self._rest) > MOST_BYTES:
            lines.append(self._rest)
            self._rest = b""
        return lines


class Order(StrEnum):
    """
    An order of the supervisor.

    @cvar STOP: stop in order; the second one is as a second signal.
    @cvar RELOAD: read the settings again; the worker reports the result.
    @cvar ROTATE: begin a new log file.
    """

    STOP = "stop"
    RELOAD = "reload"
    ROTATE = "rotate"


class Fact(msgspec.Struct, frozen=True, omit_defaults=True):
    """
    A fact that a worker reports; without a field, that it is alive.

    @ivar admin: the port of its admin listener.
    @ivar ready: whether it is ready; L{None}: as before.
    @ivar reason: the reason for which it is not.
    @ivar reloaded: whether a reload that was ordered has read valid settings.
    """

    admin: int = 0
    ready: bool | None = None
    reason: str = ""
    reloaded: bool | None = None


def encoded_fact(fact: Fact) -> bytes:
    """
    Return the line of a fact, without its end.
    """
    return msgspec.json.encode(fact)


def decoded_fact(line: bytes) -> Fact:
    """
    Return the fact of a line.

    @raise ValueError: it is none.
    """
    try:
        return msgspec.json.decode(line, type=Fact)
    except (msgspec.DecodeError, UnicodeError) as e:
        raise ValueError(str(e)) from None
