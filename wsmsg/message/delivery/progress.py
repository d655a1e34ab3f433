"""
The progress of delivery: how old the oldest message in each step is.

::

    accepted --read--> in hand --stored, pushed--> unsettled --acknowledged--> settled

A step that stands still raises an alarm; a message that is merely far behind does not.
Ages go by the monotonic clock.  Only the age that a message had when it was read is the
difference of two system clocks, and it is in the metric alone.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

from wsmsg.message.journal.interface import JournalEntry


class DeliveryProgress:
    """
    The steps of one reader.

    @param seconds: returns the time of the monotonic clock.
    @param unix_s: returns the unix time.
    """

    def __init__(
        self, seconds: Callable[[], float], unix_s: Callable[[], float]
    ) -> None:
        self._seconds = seconds
        self._unix_s = unix_s
        self._unread_s: float | None = None
        self._taken_s: float | None = None
        self._taken_age_s = 0.0

    def read(self, entries: Sequence[JournalEntry]) -> None:
        """
        Note that a batch was read, and is to be stored.
        """
        self._unread_s = None
        self._taken_s = self._seconds()
        first = next((e.message for e in entries if e.message is not None), None)
        accepted_s = self._unix_s() if first is None else first.time_ms / 1000
        self._taken_age_s = max(self._unix_s() - accepted_s, 0.0)

    def stored(self) -> None:
        """
        Note that the batch is stored.
        """
        self._taken_s = None

    def look(self, unread: int) -> None:
        """
        Note how many records wait to be read.  Called once a second.
        """
        if not unread:
            self._unread_s = None
        elif self._unread_s is None:
            self._unread_s = self._seconds()

    def oldest_unstored_s(self) -> float:
        """
        Return the age of the oldest message that is accepted and not stored, as far as
        this Message knows it; 0: there is none.
        """
        now_s = self._seconds()
        unread_s = 0.0 if self._unread_s is None else now_s - self._unread_s
        if self._taken_s is None:
            return unread_s
        return max(unread_s, now_s - self._taken_s + self._taken_age_s)

    def stalled(self, limit_s: float, unsettled_s: float | None, *, full: bool) -> str:
        """
        Return the step that stands still, in a sentence; empty if none does.

        @param limit_s: the longest time for a step.
        @param unsettled_s: since when the oldest stored record is not settled;
            L{None}: there is none.
        @param full: reading waits for records to be settled.
        """
        latest_s = self._seconds() - limit_s
        if self._taken_s is not None:
            if self._taken_s <= latest_s:
                return f"storing stands still: a batch is not stored after {limit_s} s"
        elif unsettled_s is not None and unsettled_s <= latest_s:
            waits = ", and reading waits" if full else ""
            return (
                "pushing stands still: a message is not acknowledged after "
                f"{limit_s} s{waits}"
            )
        reads = self._taken_s is None and not full
        if reads and self._unread_s is not None and self._unread_s <= latest_s:
            return (
                "reading the journal stands still: it has records that are not read "
                f"after {limit_s} s"
            )
        return ""
