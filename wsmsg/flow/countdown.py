"""
A callable that waits for several calls.
"""

from __future__ import annotations

from collections.abc import Callable


class Countdown:
    """
    A callable that calls C{done} once it has been called C{n} times itself.
    """

    __slots__ = ("_done", "_n")

    def __init__(self, n: int, done: Callable[[], object]) -> None:
        self._n = n
        self._done = done

    def __call__(self) -> None:
        self._n -= 1
        if self._n == 0:
            self._done()
