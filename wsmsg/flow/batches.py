"""
Work that is done in batches, one at a time.

::

    work comes --linger--> batch --rest--> batch --rest--> ... no work: idle
                             | fails
                             `--pause--> the next one

Items that come while a batch is in progress make the next batch.  After each batch the
loop rests for three times as long as the batch took, up to a bound: so a slow backend
is busy with this work for a quarter of the time at the most.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Coroutine
from math import inf
from typing import Any

from twisted.internet.defer import CancelledError, Deferred
from twisted.internet.interfaces import IDelayedCall, IReactorTime
from twisted.logger import Logger

from wsmsg.flow.idle import IdleWaiters

_REST = 3
# The least delay after a failure, where nothing else says how long to pause.
_FAILED_S = 0.5


class BatchLoop:
    """
    Runs while there is work.

    @param process: processes one batch.  It returns whether it succeeded; after a
        failure the work is still there.  An exception is logged, and counts as one.
    @param has_work: returns whether there is work.
    @param linger_s: the least delay before a batch, in seconds, so that items gather.
    @param most_rest_s: the longest rest after a batch; 0: none.
    @param pause: waits after so many failures in a row.
    @ivar running: whether there was work when the loop last looked.
    """

    _log = Logger()

    def __init__(
        self,
        process: Callable[[], Coroutine[Any, Any, bool]],
        has_work: Callable[[], bool],
        clock: IReactorTime,
        *,
        linger_s: float,
        most_rest_s: float = 0.0,
        pause: Callable[[int], Awaitable[object]] | None = None,
    ) -> None:
        self.running = False
        self._process = process
        self._has_work = has_work
        self._clock = clock
        self._linger_s = linger_s
        self._most_rest_s = most_rest_s
        self._pause = pause
        self._rested_s = 0.0
        self._within_s = inf
        self._waiting: Deferred[Any] | None = None
        self._timer: IDelayedCall | None = None
        self._idle = IdleWaiters()

    def wake(self) -> None:
        """
        Note that there is work.
        """
        if not self.running:
            self.running = True
            Deferred.fromCoroutine(self._run()).addErrback(
                lambda failure: self._log.failure("processing a batch", failure)
            )

    def hurry(self, within_s: float = 0.0) -> None:
        """
        Begin the next batch within this time, if it would linger for longer; a rest or
        a pause is not made shorter.
        """
        self._within_s = min(self._within_s, within_s)
        timer, now_s = self._timer, self._clock.seconds()
        if timer is not None and timer.active():
            due_s = max(0.0, self._within_s, self._rested_s - now_s)
            if timer.getTime() - now_s > due_s:
                timer.reset(due_s)

    def when_idle(self) -> Deferred[None]:
        """
        @return: a Deferred that fires when there is no work; at once if there is none.
        """
        return self._idle.wait(not self.running)

    def stop(self) -> None:
        """
        End the loop if it waits for the next batch, whether there is work or not.
        """
        if self._waiting is not None:
            self._waiting.cancel()

    async def _run(self) -> None:
        failures = 0
        try:
            while self._has_work():
                await self._wait(failures)
                begun_s = self._clock.seconds()
                failures = 0 if await self._guarded() else failures + 1
                ended_s = self._clock.seconds()
                rest_s = min(_REST * (ended_s - begun_s), self._most_rest_s)
                self._rested_s = ended_s + rest_s
        except CancelledError:
            pass  # stopped
        finally:
            self._waiting = self._timer = None
            self.running = False
            self._idle.fire()

    async def _guarded(self) -> bool:
        try:
            return await self._process()
        except CancelledError:
            raise
        except Exception:  # noqa: BLE001 - a guard: the rest of the work waits
            self._log.failure("a batch cannot be processed")
            return False

    async def _wait(self, failures: int) -> None:
        if failures and self._pause is not None:
            self._waiting = Deferred.fromCoroutine(_awaited(self._pause(failures)))
        else:
            rest_s = self._rested_s - self._clock.seconds()
            linger_s = min(self._linger_s, self._within_s)
            delay_s = max(linger_s, rest_s, _FAILED_S if failures else 0.0)
            if delay_s <= 0:
                self._within_s = inf
                return
            self._waiting = Deferred(lambda _: timer.cancel())
            timer = self._clock.callLater(delay_s, self._waiting.callback, None)
            self._timer = None if failures else timer
        await self._waiting
        self._waiting = self._timer = None
        self._within_s = inf


async def _awaited(pause: Awaitable[object]) -> None:
    await pause
