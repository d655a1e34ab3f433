"""
What is written to a connection in one turn of the reactor leaves together, at its end.

Twisted's C{transport.write} arms the selector, lets the reactor turn, writes and
disarms it: three times the cost of the C{send} itself.  A message makes two or three
frames, mostly in the same turn and to sockets that take them at once; so they are
joined and given to the kernel directly, and only what it does not take goes the long
way, with the back-pressure that belongs to it.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

#: So many frames of one connection are not kept for the end of the turn.
_MOST_PIECES = 16
#: The most that is offered to the kernel directly.
_MOST_BYTES = 65536

#: Has a function called when the present turn of the reactor is over.
Soon = Callable[[Callable[[], None]], object]


class TurnWrites:
    """
    The writes of one turn, for all connections.
    """

    def __init__(self, soon: Soon) -> None:
        self._soon = soon
        self._waiting: dict[Any, list[bytes]] = {}

    def write(self, transport: Any, data: bytes) -> None:
        """
        Write whole frames, at the latest when this turn is over.
        """
        waiting = self._waiting
        pieces = waiting.get(transport)
        if pieces is not None:
            pieces.append(data)
            if len(pieces) >= _MOST_PIECES:
                self.flush(transport)
            return
        if len(data) > _MOST_BYTES:
            transport.write(data)
            return
        first = not waiting
        waiting[transport] = [data]
        if first:
            self._soon(self._end)

    def flush(self, transport: Any) -> None:
        """
        Write what waits for this connection now: something else is to follow it.
        """
        pieces = self._waiting.pop(transport, None)
        if pieces:
            _write(transport, pieces)

    def _end(self) -> None:
        waiting, self._waiting = self._waiting, {}
        for transport, pieces in waiting.items():
            _write(transport, pieces)


def _write(transport: Any, pieces: list[bytes]) -> None:
    data = pieces[0] if len(pieces) == 1 else b"".join(pieces)
    if len(data) > _MOST_BYTES or not _is_idle(transport):
        transport.write(data)
        return
    # The number of bytes that were taken, or an exception: the connection is lost,
    # and the transport will find out by itself.
    taken = transport.writeSomeData(data)
    if not isinstance(taken, int):
        transport.write(data)
    elif taken < len(data):
        transport.write(data[taken:])


def _is_idle(transport: Any) -> bool:
    """
    Whether nothing waits in the transport, so that writing past it keeps the order.
    What waits there is in Twisted's C{dataBuffer} and C{_tempDataBuffer}; a transport
    of another kind, as in tests, has neither.
    """
    return (
        getattr(transport, "_tempDataBuffer", True) == []
        and not transport.dataBuffer
        and bool(transport.connected)
    )
