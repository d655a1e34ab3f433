"""
Queries for changed conversations, page by page.

The answer to each query has the position where the list continues or, with the last
page, where the next list begins.  A list that is requested while another is in progress
follows it: a conversation may have changed after the page it was on.
"""

from __future__ import annotations

from wsmsg.client.state.inbound import Inbound, Place
from wsmsg.client.state.inflow import is_other
from wsmsg.protocol.frames import (
    Conversations,
    Heads,
    Page,
    Ping,
    Pong,
    Sync,
    Welcome,
)

#: The id of the query for the last message of this client.
NEWEST = "n"

_RETRY_S = 1.0
# A ping after so many seconds without a pong, while a newer witness is wanted.
_PING_S = 60.0
# So many seconds after a message a witness is newer than the message.
_COVERED_S = 120.0


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

    def reached(self, position: str) -> None:
        """
        Take the position up to which the server has pushed everything.  It has no
        meaning while a list is in progress, which may name what was not pushed.
        """
        if position and not self._open and self._ask_at is None:
            self.position = position

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
    The history of the server: its name, and the checks that it has what the client has.

    A restored older copy of the server's store gives numbers a second time, and may
    still have its name.  The client asks for its newest message to begin a connection,
    and for the last one of a conversation in which something does not fit: a list with
    a lower head, or an unknown message under a number that the client has.  If the
    server has another message there, or none, its history was rewound.

    A check asks for the message that was the last one when something did not fit,
    however late it is asked or repeated: what follows has the numbers of the newer
    history, and would agree with it.

    A I{witness} is a text that proves to the server how far it was.  It comes with a
    C{pong}; the client keeps the newest, and shows it when it connects.

    @param inbound: the conversations.
    @ivar epoch: its name; empty if it is not known.
    @ivar witness: the newest; empty if there is none.
    """

    def __init__(self, epoch: str, witness: str, inbound: Inbound) -> None:
        self.epoch = epoch
        self.witness = witness
        self._inbound = inbound
        self._asked: Place | None = None
        self._not_before = 0.0
        self._checked_at: float | None = None
        self._heard_at: float | None = None
        self._ponged_at = 0.0

    # -- its name

    def note(self, epoch: str) -> None:
        """
        Take the epoch of a frame; empty: the frame has none.
        """
        self.epoch = epoch or self.epoch

    def is_replaced(self, epoch: str) -> bool:
        """
        Return L{True} if a frame is of another history.
        """
        return bool(epoch and self.epoch and epoch != self.epoch)

    def begin_anew(self, epoch: str) -> None:
        """
        Forget what belongs to an earlier history.
        """
        self.note(epoch)
        self._asked, self.witness = None, ""

    # -- the checks

    def welcomed(self, now: float) -> None:
        """
        Begin a connection.
        """
        self._ponged_at = now
        self._inbound.suspect_newest()

    def lost(self) -> None:
        """
        Repeat the check of a lost connection on the next one.
        """
        self._ask_again()
        self._not_before = 0.0

    def _ask_again(self) -> None:
        if self._asked is not None:
            self._inbound.suspects[self._asked] = None
            self._asked = None

    def due(self, now: float) -> list[Sync | Ping]:
        """
        Return the queries to send now; one check at a time.
        """
        out: list[Sync | Ping] = []
        ping_at = self._ping_at
        if ping_at is not None and ping_at <= now:
            self._ponged_at = now
            out.append(Ping("w"))
        suspects = self._inbound.suspects
        if suspects and self._asked is None and self._not_before <= now:
            self._asked = name, last = next(iter(suspects))
            del suspects[self._asked]
            out.append(Sync(NEWEST, name, after=last.seq - 1, limit=1))
        return out

    def next_due(self, now: float) -> float | None:
        """
        Return the time at which L{due} will return more if nothing happens until then.
        """
        if self._inbound.suspects and self._asked is None:
            return max(now, self._not_before)
        return self._ping_at

    def is_rewound_in(self, page: Page) -> bool:
        """
        Process a page.

        @return: L{True} if it answers a check or a sync, and lacks the message that the
            client has.
        """
        if page.id != NEWEST or self._asked is None:
            return self._inbound.is_rewound_in(page)
        (name, last), self._asked = self._asked, None
        if page.conversation == name and is_other(page, last.seq, last):
            return True
        self._inbound.trust(name, last)
        return False

    def refused(self, retry_at: float | None) -> None:
        """
        Process an error as the answer to a check.

        @param retry_at: the time to ask again; L{None}: never.
        """
        if retry_at is not None:
            self._not_before = retry_at
            self._ask_again()
        elif self._asked is not None:
            self._inbound.trust(*self._asked)
            self._asked = None

    # -- what a pong says

    @property
    def _ping_at(self) -> float | None:
        return None if self._heard_at is None else self._ponged_at + _PING_S

    def heard(self, now: float) -> None:
        """
        Note that a message arrived, of which the witness knows nothing.
        """
        self._heard_at = now

    def ponged(self, pong: Pong, now: float) -> None:
        """
        Take what a C{pong} says.
        """
        ms, self._ponged_at = pong.checked_ms, now
        self._checked_at = now - ms / 1000 if ms else None
        if pong.witness and (self._heard_at is not None or not self.witness):
            self.witness = pong.witness
        if self._heard_at is not None and now >= self._heard_at + _COVERED_S:
            self._heard_at = None

    def checked_s(self, now: float) -> float | None:
        """
        Return the seconds since the server last compared what it pushed to this client
        with what it has; L{None}: nothing is known.
        """
        return None if self._checked_at is None else now - self._checked_at
