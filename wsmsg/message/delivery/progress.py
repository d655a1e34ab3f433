"""
The progress of delivery: how old the oldest message in each step is; the step after the
store, in which messages are pushed; and which part of a journal is settled, so that it
may be committed.

::

    accepted --read--> in hand --stored, pushed--> unsettled --acknowledged--> settled

A step that stands still raises an alarm; a message that is merely far behind does not.
Ages go by the monotonic clock.  Only the age that a message had when it was read is the
difference of two system clocks, and it is in the metric alone.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Mapping, Sequence

import attrs
from twisted.logger import Logger

from wsmsg.message.delivery.numbering import NumberedBatch
from wsmsg.message.journal.interface import JournalEntry
from wsmsg.message.links.interface import ILinks, Settled
from wsmsg.message.traces.interface import IMessageTraces
from wsmsg.model import Message


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


@attrs.define(eq=False)
class _Open:
    positions: Mapping[int, int]
    n_records: int
    since_s: float
    settled: bool = False

    def settle(self) -> None:
        self.settled = True


class CommitTracker:
    """
    Tracks the batches that were read, and the contiguous prefix of them that is
    settled.  Only that prefix may be committed.

    @param commit: called whenever the prefix grows, with the offset after the last
        settled record of each partition.
    @param seconds: returns the time of the monotonic clock.
    @ivar unsettled: the number of records that were read and are not in the prefix.
    """

    def __init__(
        self,
        commit: Callable[[Mapping[int, int]], object],
        seconds: Callable[[], float],
    ) -> None:
        self.unsettled = 0
        self._seconds = seconds
        self._commit = commit
        self._batches: deque[_Open] = deque()

    @property
    def oldest_s(self) -> float | None:
        """
        The time at which the oldest unsettled batch was read; L{None}: there is none.
        """
        return self._batches[0].since_s if self._batches else None

    def begin(self, positions: Mapping[int, int], n_records: int) -> Callable[[], None]:
        """
        Track a batch that was read.

        @param positions: the offset after the batch's last record, by partition.
        @return: a callable for when all of the batch is settled; to be called once.
        """
        batch = _Open(positions, n_records, self._seconds())
        self._batches.append(batch)
        self.unsettled += n_records

        def settled() -> None:
            batch.settle()
            self._advance()

        return settled

    def _advance(self) -> None:
        positions: dict[int, int] = {}
        while self._batches and self._batches[0].settled:
            batch = self._batches.popleft()
            self.unsettled -= batch.n_records
            positions.update(batch.positions)
        if positions:
            self._commit(positions)


class StoredPushes:
    """
    Passes stored batches on.  No failure of a listener or of a link comes back.

    @param on_stored: called with the messages of each batch; L{None}: nobody.
    @param traces: makes the spans of pushes; L{None}: there are none.
    """

    _log = Logger()

    def __init__(
        self,
        links: ILinks,
        on_stored: Callable[[Sequence[Message]], object] | None,
        traces: IMessageTraces | None = None,
    ) -> None:
        self._links = links
        self._traces = traces
        self._on_stored = on_stored

    def pass_on(self, stored: NumberedBatch, settled: Settled) -> None:
        """
        Push a batch.

        @param settled: called once, when all of its messages are settled.
        """
        if self._on_stored is not None:
            try:
                self._on_stored(stored.messages)
            except Exception:  # noqa: BLE001 - a guard
                self._log.failure("a listener for stored messages failed")
        messages: Sequence[Message] = stored.messages
        if self._traces is not None:
            messages, settled = self._traces.pushed(messages, settled)
        try:
            self._links.push(messages, settled, stored.recipients)
        except Exception:  # noqa: BLE001 - a guard
            # Nobody knows which links have the messages, so all sessions sync.
            self._log.failure("a batch of messages is stored and cannot be pushed")
            self._links.break_off_all("messages that are stored could not be pushed")
            settled()
