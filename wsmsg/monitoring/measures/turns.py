"""
The durations of the turns of the reactor.

In a turn the event loop runs what is due, and looks at no socket meanwhile.  So the
duration of the longest turns is what each client waits at least, whatever it asks for.
"""

from __future__ import annotations

import selectors
from collections.abc import Callable
from time import perf_counter
from typing import Any, Final

from wsmsg.monitoring.measures.histogram import Histogram

#: Each turn that L{SampledTurns} counts stands for those of so many seconds.
SAMPLE_S: Final = 0.1


class TimedSelector(selectors.DefaultSelector):
    """
    A selector that counts how long the event loop was busy between two waits.

    @ivar turns: the durations of the turns.
    """

    def __init__(self, seconds: Callable[[], float] = perf_counter) -> None:
        super().__init__()
        self.turns = Histogram()
        self._seconds = seconds
        self._woke_s = 0.0

    def select(self, timeout: float | None = None) -> list[Any]:
        """
        Count the turn that ends, then wait for the next.
        """
        if self._woke_s:
            self.turns.observe(self._seconds() - self._woke_s)
        ready = super().select(timeout)
        self._woke_s = self._seconds()
        return ready


class SampledTurns:
    """
    The turns of an event loop that has no selector, as that of uvloop: a timer is as
    late as the turn lasts in which it is due.

    @param call_later: calls a function after so many seconds.
    @ivar turns: the durations of some turns, one in L{SAMPLE_S} seconds.
    """

    def __init__(
        self,
        call_later: Callable[[float, Callable[[], None]], object],
        seconds: Callable[[], float] = perf_counter,
    ) -> None:
        self.turns = Histogram()
        self._call_later = call_later
        self._seconds = seconds
        self._due_s = 0.0

    def begin(self) -> None:
        """
        Begin to count, for as long as the loop runs.
        """
        self._due_s = self._seconds() + SAMPLE_S
        self._call_later(SAMPLE_S, self._look)

    def _look(self) -> None:
        self.turns.observe(max(0.0, self._seconds() - self._due_s))
        self.begin()
