"""
Queries for changed conversations, page by page.

The answer to each query has the position where the list continues or, with the last
page, where the next list begins.  A list that is requested while another is in progress
follows it: a conversation may have changed after the page it was on.
"""

from __future__ import annotations

from wsmsg.client.state.inflow import Position
from wsmsg.protocol.frames import Conversations, Heads, Page, Sync, Welcome

#: The id of the query for the newest message of this client.
NEWEST = "n"

_RETRY_S = 1.0


class Listing:
    """
    The list in progress, at most one at a time.

    @ivar position: the position of the last complete list.
    """

    def __init__(self, position: str) -> None:
        self.position = position
        self._at = position
        self._open = ""
        self._ask_at: float | None = None
        self._again: float | None = None
        self._made = 0

    def begin(self, at: float) -> None:
        """
        List the changes since the last complete list, starting at C{at}.
        """
        if self._open:
            self._again = at
            return
        self._at, self._ask_at = self.position, at

    def restart(self, at: float) -> None:
        """
        List all conversations, as another history has begun.
        """
        self.position = ""
        self._open, self._again = "", None
        self.begin(at)

    def due(self, now: float) -> list[Conversations]:
        """
        Return the queries to send now.
        """
        if self._open or self._ask_at is None or self._ask_at > now:
            return []
        self._made += 1
        self._open, self._ask_at = f"l{self._made}", None
        return [Conversations(self._open, position=self._at)]

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

    def page(self, page: Welcome | Heads, now: float) -> bool:
        """
        Process a page.

        @return: L{True} if the list is complete with it.
        """
        self._open, self._ask_at = "", None
        if page.more:
            self._at, self._ask_at = page.position, now
            return False
        self.position = page.position
        if self._again is not None:
            again, self._again = self._again, None
            self.begin(again)
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


class ServerHistory:
    """
    The name of the server's history, and the check that it has the newest message.

    @ivar epoch: empty if it is not known.
    """

    def __init__(self, epoch: str) -> None:
        self.epoch = epoch
        self._checked_at: float | None = None
        self._newest: tuple[str, Position] | None = None

    def note(self, epoch: str) -> None:
        """
        Take the epoch of a frame; empty: the frame has none.
        """
        if self.is_replaced(epoch):
            self._newest = None  # The new history need not have it.
        self.epoch = epoch or self.epoch

    def checked(self, checked_ms: int, now: float) -> None:
        """
        Take from a C{pong} when the server last compared what it pushed; 0: it has not.
        """
        self._checked_at = now - checked_ms / 1000 if checked_ms else None

    def checked_s(self, now: float) -> float | None:
        """
        Return the seconds since the server last compared what it pushed to this client
        with what it has; L{None}: nothing is known.
        """
        return None if self._checked_at is None else now - self._checked_at

    def is_replaced(self, epoch: str) -> bool:
        """
        Return L{True} if a frame is of another history.
        """
        return bool(epoch and self.epoch and epoch != self.epoch)

    def is_replaced_in(self, page: Page) -> bool:
        """
        Return L{True} if a page is of another history, or if it is the answer to
        L{check} and lacks the newest message.
        """
        return self._lacks_newest(page) or self.is_replaced(page.epoch)

    def check(self, newest: tuple[str, Position] | None) -> Sync | None:
        """
        Return the query for the newest message of this client: the server may have
        restored an older copy without noticing.
        """
        self._newest = newest
        if newest is None:
            return None
        name, position = newest
        return Sync(NEWEST, name, after=position.seq - 1, limit=1)

    def _lacks_newest(self, page: Page) -> bool:
        if page.id != NEWEST or self._newest is None:
            return False
        (name, position), self._newest = self._newest, None
        if page.conversation != name:
            return False
        if page.messages and page.messages[0].seq == position.seq:
            return page.messages[0].message_id != position.message_id
        return page.head < position.seq
