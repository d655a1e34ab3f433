"""
Queries for changed conversations, page by page.

The server lists the least recently changed conversation first, and the next page
continues after the last conversation of the page before.  A list that is requested
while another is in progress follows it: a conversation may have changed after the page
it was on.
"""

from __future__ import annotations

from collections.abc import Sequence

from wsmsg.protocol.frames import Conversations, Head

_RETRY_S = 1.0


class Listing:
    """
    The list in progress, at most one at a time.

    @ivar as_of_ms: the server's time when the list began; the list has all changes
        until then.
    """

    def __init__(self) -> None:
        self.as_of_ms = 0
        self._since = 0
        self._after = ""
        self._open = ""
        self._ask_at: float | None = None
        self._again: tuple[int, float, int] | None = None
        self._made = 0

    def begin(self, since_ms: int, at: float, as_of_ms: int) -> None:
        """
        List the changes since a time, starting at C{at}.
        """
        if self._open:
            self._again = (since_ms, at, as_of_ms)
            return
        self._since, self._after = since_ms, ""
        self._ask_at, self.as_of_ms = at, as_of_ms

    def due(self, now: float) -> list[Conversations]:
        """
        Return the queries to send now.
        """
        if self._open or self._ask_at is None or self._ask_at > now:
            return []
        self._made += 1
        self._open, self._ask_at = f"l{self._made}", None
        return [Conversations(self._open, self._since, after=self._after)]

    def next_due(self) -> float | None:
        """
        Return the time at which L{due} will return more if nothing happens until then.
        """
        return None if self._open else self._ask_at

    def is_open(self, request_id: str) -> bool:
        """
        Return L{True} if this is the id of the open query.
        """
        return bool(request_id) and request_id == self._open

    def page(self, heads: Sequence[Head], more: bool, now: float) -> bool:
        """
        Process a page.

        @return: L{True} if the list until C{as_of_ms} is complete with it.
        """
        self._open, self._ask_at = "", None
        if more and heads:
            self._since, self._after = heads[-1].time, heads[-1].conversation
            self._ask_at = now
            return False
        if self._again is not None:
            again, self._again = self._again, None
            self.begin(*again)
            return False
        return True

    def refused(self, now: float, retry_after_s: float) -> None:
        """
        Process an error: the query is sent again.
        """
        self._open, self._ask_at = "", now + (retry_after_s or _RETRY_S)

    def lost(self) -> None:
        """
        Stop the list of a lost connection; the next welcome starts another.
        """
        self._open, self._ask_at, self._again = "", None, None
