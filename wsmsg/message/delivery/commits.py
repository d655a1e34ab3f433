"""
The part of the journal that is settled, and so may be committed.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Mapping

import attrs


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
