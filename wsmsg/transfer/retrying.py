"""
Repeats calls to a store that is away for a while.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TypeVar

from twisted.internet.defer import Deferred
from twisted.internet.interfaces import IReactorTime
from twisted.internet.task import deferLater

from wsmsg.dependency.retry import Backoff
from wsmsg.errors import Unavailable

T = TypeVar("T")


class RetryUntil:
    """
    Repeats a call while the store is unavailable; every call must be repeatable.

    @param seconds: time limit, from the first of consecutive failures.
    @param tell: prints a line of progress.
    """

    def __init__(
        self,
        clock: IReactorTime,
        seconds: float,
        tell: Callable[[str], object],
        *,
        backoff: Backoff,
    ) -> None:
        self._clock = clock
        self._seconds = seconds
        self._tell = tell
        self._backoff = backoff

    async def call(self, f: Callable[..., Deferred[T]], *args: object) -> T:
        """
        Call C{f} until the store answers.

        @raise Unavailable: the store stayed away for too long.
        """
        until_s: float | None = None
        failures = 0
        while True:
            try:
                return await f(*args)
            except Unavailable as e:
                now_s = self._clock.seconds()
                if until_s is None:
                    until_s = now_s + self._seconds
                    if self._seconds > 0:
                        self._tell(f"waiting for the store: {e.reason}")
                if now_s >= until_s:
                    raise
                failures += 1
                await deferLater(self._clock, self._backoff(failures))
