"""
Asking which conversations changed, page by page.

The server lists the oldest change first, and the next page goes on after the last
conversation of the one before.  A list that was asked for while one is under
way is made after it: what changed meanwhile may be on a page that we have already.
"""

from __future__ import annotations

from collections.abc import Sequence

from wsmsg.protocol.frames import Conversations, Head

_RETRY_S = 1.0


class Listing:
    """
    At most one list at a time.

    @ivar as_of_ms: the server's time when the list that is under way was begun: it
        says what changed until then.
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
        List what changed since then, beginning at C{at}.
        """
        if self._open:
            self._again = (since_ms, at, as_of_ms)
            return
        self._since, self._after = since_ms, ""
        self._ask_at, self.as_of_ms = at, as_of_ms

    def due(self, now: float) -> list[Conversations]:
        """
        What is to be asked now.
        """
        if self._open or self._ask_at is None or self._ask_at > now:
            return []
        self._made += 1
        self._open, self._ask_at = f"l{self._made}", None
        return [Conversations(self._open, self._since, after=self._after)]

    def next_due(self) -> float | None:
        """
        When L{due} will give more if nothing happens until then.
        """
        return None if self._open else self._ask_at

    def is_open(self, request_id: str) -> bool:
        """
        Whether this is the request that we wait for.
        """
        return bool(request_id) and request_id == self._open

    def page(self, heads: Sequence[Head], more: bool, now: float) -> bool:
        """
        A page came.

        @return: whether all that changed until C{as_of_ms} was listed by this.
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
        It was answered with an error; it is asked again.
        """
        self._open, self._ask_at = "", now + (retry_after_s or _RETRY_S)

    def lost(self) -> None:
        """
        The connection is gone; the next welcome brings a list.
        """
        self._open, self._ask_at, self._again = "", None, None
