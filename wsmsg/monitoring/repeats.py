"""
Lines of the log that others can cause, gathered so that nobody can fill it.
"""

from __future__ import annotations

from collections.abc import Callable, Hashable
from heapq import nlargest
from operator import itemgetter

from twisted.internet.interfaces import IDelayedCall, IReactorTime

WINDOW_S = 60.0
#: The most causes whose sums are counted in a window, and written after it.
_CAUSES = 10_000
_NAMED = 100

#: Logs a sum: the cause (L{None}: several others), the lines left out, the seconds.
Sum = Callable[[Hashable, int, float], object]


class Repeats:
    """
    Decides which lines are written: the first ones of each cause in a window.  At its
    end one line sums up what was left out.  Without lines there is no timer, and
    nothing is remembered longer than a window.

    @param first: the lines of one cause in a window.
    @param lines: the lines of all causes in a window.
    @ivar left_out: lines that were not written so far.
    """

    def __init__(
        self, clock: IReactorTime, log_sum: Sum, *, first: int, lines: int
    ) -> None:
        self.left_out = 0
        self._clock = clock
        self._log_sum = log_sum
        self._first = first
        self._lines = lines
        self._written = 0
        self._seen: dict[Hashable, int] = {}
        self._left: dict[Hashable, int] = {}
        self._others = 0
        self._end: IDelayedCall | None = None

    def allow(self, cause: Hashable) -> bool:
        """
        Count a line.

        @param cause: the address or the user that causes it.
        @return: whether to write it.
        """
        if self._end is None:
            self._end = self._clock.callLater(WINDOW_S, self._sum_up)
        seen, left = self._seen.get(cause, 0), self._left
        if seen < self._first and self._written < self._lines:
            self._seen[cause] = seen + 1
            self._written += 1
            return True
        self.left_out += 1
        if cause in left or len(left) < _CAUSES:
            left[cause] = left.get(cause, 0) + 1
        else:
            self._others += 1
        return False

    def stop(self) -> None:
        """
        Write the sums now.
        """
        if self._end is not None:
            self._end.cancel()
            self._sum_up()

    def _sum_up(self) -> None:
        self._end, self._written = None, 0
        left, self._left, self._seen = self._left, {}, {}
        others = self._others + sum(left.values())
        self._others = 0
        for cause, count in nlargest(_NAMED, left.items(), key=itemgetter(1)):
            others -= count
            self._log_sum(cause, count, WINDOW_S)
        if others:
            self._log_sum(None, others, WINDOW_S)
