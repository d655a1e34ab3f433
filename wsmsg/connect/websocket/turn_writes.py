"""
Writes to a connection that leave together, at the end of the reactor turn.

Twisted's C{transport.write} arms the selector, waits for the next turn of the reactor,
writes, and disarms the selector: three times the cost of the C{send} itself.  A message
causes two or three frames, mostly in the same turn and to sockets that accept them at
once.  So L{TurnWrites} joins them and passes them to the kernel directly.  Only what
the kernel does not accept goes to C{transport.write}, with its back-pressure.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

#: The number of frames of one connection that are written before the end of the turn.
_MOST_PIECES = 16
#: The maximum of bytes that are passed to the kernel directly.
_MOST_BYTES = 65536

#: Calls a function at the end of the reactor turn.
Soon = Callable[[Callable[[], None]], object]


class TurnWrites:
    """
    The writes of one reactor turn, of all connections.
    """

    def __init__(self, soon: Soon) -> None:
        self._soon = soon
        self._waiting: dict[Any, list[bytes]] = {}

    def write(self, transport: Any, data: bytes) -> None:
        """
        Write complete frames, at the latest at the end of the turn.
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
        Write the frames of one connection now, because something else will follow.
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
    # Returns the number of bytes that the kernel accepted, or an exception: then the
    # connection is lost, and the transport will notice.
    taken = transport.writeSomeData(data)
    if not isinstance(taken, int):
        transport.write(data)
    elif taken < len(data):
        transport.write(data[taken:])


def _is_idle(transport: Any) -> bool:
    """
    Return whether nothing waits in the transport, so that bypassing it keeps the order.

    Twisted keeps what waits in C{dataBuffer} and C{_tempDataBuffer}.  A transport of
    another kind, as in tests, has neither, and is never bypassed.
    """
    return (
        getattr(transport, "_tempDataBuffer", True) == []
        and not transport.dataBuffer
        and bool(transport.connected)
    )
