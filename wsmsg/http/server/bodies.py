"""
The memory of all bodies of requests on one listener.
"""

from __future__ import annotations

from typing import Protocol

from wsmsg.errors import Unavailable, WsmsgError

#: The bytes of all bodies that are arriving or being answered; at least two of the
#: longest bodies.
MOST_BYTES = 16 * 2**20


class Arriving(Protocol):
    """
    A connection with a body: L{wsmsg.http.server.site.CountedChannel}.
    """

    @property
    def is_answering(self) -> bool: ...

    def end_with(self, error: WsmsgError) -> None: ...


class Bodies:
    """
    Counts the bytes of bodies.  When they take too much, it refuses those that have
    been arriving for longest.
    """

    def __init__(self) -> None:
        self._bodies: dict[Arriving, int] = {}
        self.held = 0

    def hold(self, connection: Arriving, n_bytes: int, longest: int) -> None:
        """
        Count the bytes of a body, until L{release}.

        @param longest: the limit for one body.
        """
        self.held += n_bytes - self._bodies.get(connection, 0)
        self._bodies[connection] = n_bytes
        most = max(MOST_BYTES, 2 * longest)
        if self.held > most:
            self._make_room(most)

    def release(self, connection: Arriving) -> None:
        """
        Count the body of a connection no more.
        """
        self.held -= self._bodies.pop(connection, 0)

    def _make_room(self, most: int) -> None:
        for connection in list(self._bodies):
            if not connection.is_answering:
                reason = "the bodies of other requests take all memory for them"
                connection.end_with(Unavailable(reason, 1000))
            if self.held <= most:
                return
