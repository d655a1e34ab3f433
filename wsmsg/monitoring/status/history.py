"""
The last 15 minutes of the charts.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Sequence

from wsmsg.monitoring.metrics import Number
from wsmsg.monitoring.status.charts import Unit

#: Seconds between two samples.
INTERVAL_S = 5
#: Samples that are kept.
KEPT = 15 * 60 // INTERVAL_S

#: A value for each line; L{None}: the process did not run.
Sample = Sequence[int] | None


class ChartHistory:
    """
    A ring of samples, each a few integers.

    @param lines: the unit of each line, and what reads it.
    @param seconds: returns the time of the monotonic clock.
    """

    def __init__(
        self,
        lines: Sequence[tuple[Unit, Callable[[], Number]]],
        seconds: Callable[[], float],
    ) -> None:
        self._lines = lines
        self._seconds = seconds
        self._samples: deque[Sample] = deque(maxlen=KEPT)
        self._before = [read() for _, read in lines]
        self._before_s = seconds()

    @property
    def samples(self) -> Sequence[Sample]:
        """
        The samples, the oldest first.
        """
        return tuple(self._samples)

    def sample(self, intervals: int = 1) -> Sample:
        """
        Take a sample.

        @param intervals: since the last one; those in which the process did not run are
            gaps.
        """
        now_s = self._seconds()
        elapsed_s = max(now_s - self._before_s, 0.001)
        values = [read() for _, read in self._lines]
        taken: Sample = tuple(
            _value(unit, value, before, elapsed_s)
            for (unit, _), value, before in zip(
                self._lines, values, self._before, strict=True
            )
        )
        self._samples.extend([None] * min(intervals - 1, KEPT))
        self._samples.append(taken)
        self._before, self._before_s = values, now_s
        return taken


def _value(unit: Unit, value: Number, before: Number, elapsed_s: float) -> int:
    match unit:
        case Unit.RATE:
            return round(max(value - before, 0) * 1000 / elapsed_s)
        case Unit.DURATION:
            return round(value * 1000)
        case Unit.LEVEL:
            return round(value)
