"""
The durations of the turns of the reactor.

In a turn the event loop runs what is due, and looks at no socket meanwhile.  So the
duration of the longest turns is what each client waits at least, whatever it asks for.
"""

from __future__ import annotations

import selectors
from collections.abc import Callable
from time import perf_counter
from typing import Any

from wsmsg.monitoring.measures.histogram import Histogram


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
