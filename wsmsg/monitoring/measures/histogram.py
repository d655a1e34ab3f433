"""
Histograms of durations, in arrays of integers.

Buckets grow by the factor 2^(1/4), so a quantile is known within 19 per cent.  Four of
them make one bucket of the classic format, which ends at a power of two; all of them
make a native histogram, whose buckets Prometheus numbers in the same way (schema 2).
"""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Iterable, Iterator
from itertools import accumulate

#: The buckets of a native histogram that double the bound together: 2^SCHEMA.
SCHEMA = 2
_PER_DOUBLING = 2**SCHEMA


class Histogram:
    """
    Counts of durations.

    @param lowest: the first bucket ends at 2^lowest seconds; by default, 61 us.
    @param highest: the last bucket ends at 2^highest seconds, by default 64 s.  What is
        longer counts in the next bucket.
    @ivar counts: by bucket; the first is for all up to the first bound, the last for
        all above the last bound.
    @ivar sum: of all durations, in seconds.
    """

    __slots__ = ("bounds", "counts", "lowest", "sum")

    def __init__(self, lowest: int = -14, highest: int = 6) -> None:
        steps = range(lowest * _PER_DOUBLING, highest * _PER_DOUBLING + 1)
        self.bounds: list[float] = [2.0 ** (step / _PER_DOUBLING) for step in steps]
        self.counts = [0] * (len(self.bounds) + 1)
        self.lowest = lowest
        self.sum = 0.0

    def observe(self, seconds: float, n: int = 1) -> None:
        """
        Count a duration, or C{n} of them that are the same.
        """
        self.counts[bisect_left(self.bounds, seconds)] += n
        self.sum += seconds * n

    def observe_since(self, now_ms: int, times_ms: Iterable[int]) -> None:
        """
        Count the durations since these unix times; one in the future, by another clock,
        counts as 0.
        """
        counts, bounds, total = self.counts, self.bounds, 0.0
        for time_ms in times_ms:
            seconds = (now_ms - time_ms) / 1000 if now_ms > time_ms else 0.0
            counts[bisect_left(bounds, seconds)] += 1
            total += seconds
        self.sum += total

    @property
    def count(self) -> int:
        """
        The number of durations.
        """
        return sum(self.counts)

    def classic(self) -> Iterator[tuple[float, int]]:
        """
        Yield the classic buckets but the one without a bound: each upper bound, and the
        number of durations up to it.
        """
        cumulative = list(accumulate(self.counts))
        for at in range(0, len(self.bounds), _PER_DOUBLING):
            yield self.bounds[at], cumulative[at]

    def native(self) -> list[tuple[int, int]]:
        """
        Return the native buckets above the zero bucket that are not empty: the index
        of each, and its count.  The zero bucket ends at the first bound.
        """
        first = self.lowest * _PER_DOUBLING
        found = enumerate(self.counts[1:], first + 1)
        return [(index, n) for index, n in found if n]

    def since(self, before: list[int]) -> list[int]:
        """
        Return the counts since they were C{before}.
        """
        return [now - then for now, then in zip(self.counts, before, strict=True)]

    def quantile(self, q: float, counts: list[int]) -> float:
        """
        Return the upper bound of the bucket in which a quantile of these counts lies;
        0: there are none.
        """
        rank = q * sum(counts)
        if not rank:
            return 0.0
        at = bisect_left(list(accumulate(counts)), rank)
        return self.bounds[min(at, len(self.bounds) - 1)]
