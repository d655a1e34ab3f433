"""
Keeps one thing open: attempts, delays by the retry policy, and the reported state.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, TypeVar

from twisted.internet.defer import Deferred, fail, succeed
from twisted.internet.interfaces import IDelayedCall, IReactorTime
from twisted.logger import Logger
from twisted.python.failure import Failure

from wsmsg.dependency.cause import Cause, KnownCause
from wsmsg.dependency.retry import RetryPolicy
from wsmsg.dependency.state import Dependency
from wsmsg.dependency.worker import IWorker
from wsmsg.errors import Unavailable

T = TypeVar("T")

#: A server that has been silent for so long hangs, if it was asked meanwhile.  It is
#: asked twice a second, so that this shows within 2 s; a pause of 1 s is none.
STALL_S = 1.25
# The least delay after an attempt.
_AT_LEAST_S = 0.1


class Broken(Unavailable):
    """
    A failure that further attempts cannot cure: an operator has to act.
    """


class KeptOpen:
    """
    Opens one thing, and opens it again whenever it is lost, until L{stop}.

    @param open_: makes one attempt, which closes whatever an earlier one left open.
    @param retry: the time from the start of an attempt that fails to the next one: an
        attempt that waits for its server notices by itself when that serves again.
    @ivar up: whether the thing is open, and calls are made.
    """

    _log = Logger()

    def __init__(
        self,
        open_: Callable[[], Deferred[Any]],
        clock: IReactorTime,
        retry: RetryPolicy,
        dependency: Dependency,
    ) -> None:
        self._open = open_
        self._clock = clock
        self._retry = retry
        self._dependency = dependency
        self._failures = 0
        self._stopping = False
        self.up = False
        self._stalled = False
        self._tried_s = clock.seconds()
        self._attempt: Deferred[Any] = succeed(None)
        self._next: IDelayedCall | None = None

    def start(self) -> None:
        """
        Make the first attempt.
        """
        self._next = None
        self._tried_s = self._clock.seconds()
        self._dependency.attempting()
        self._attempt = self._open()
        self._attempt.addCallbacks(self._opened, self._failed)

    def stop(self) -> Deferred[None]:
        """
        Make no further attempt, and refuse all calls.

        @return: a Deferred that fires when no attempt is under way.
        """
        self._stopping, self.up = True, False
        if self._next is not None:
            self._next.cancel()
            self._next = None
        over: Deferred[None] = Deferred()
        self._attempt.addCallback(lambda _: over.callback(None))
        return over

    def run(self, worker: IWorker, f: Callable[..., T], *args: Any) -> Deferred[T]:
        """
        Run a call on a worker if the thing is up.  A failure L{Unavailable} of the call
        means that the thing is lost.
        """
        if not self.up:
            return fail(self.refusal())
        called: Deferred[T] = worker.do(f, *args)
        return called.addErrback(self._lost)

    def lost(self, error: Unavailable) -> None:
        """
        Report that the thing is lost, where no failed call of L{run} showed it.
        """
        if self.up or (self._stalled and not self._stopping):
            self.up = self._stalled = False
            self._dependency.lost(error.reason)
            self._wait(error)

    def stalled(self, error: Unavailable) -> None:
        """
        Report that the thing does not answer, and may not be lost: it is not opened
        again, and L{answered} or L{lost} follows.
        """
        if self.up:
            self.up, self._stalled = False, True
            self._dependency.lost(error.reason)

    def answered(self) -> None:
        """
        Report that a stalled thing answers again.
        """
        if self._stalled and not self._stopping:
            self.up, self._stalled = True, False
            self._dependency.succeeded()

    @property
    def is_stalled(self) -> bool:
        """
        True while the thing does not answer, as L{stalled} reported.
        """
        return self._stalled

    def refusal(self) -> Unavailable:
        """
        Return the failure of calls that are made while the thing is not up.
        """
        seen = self._dependency.snapshot()
        why = f": {seen.last_error}" if seen.last_error else ""
        return Unavailable(f"{seen.name} is not up{why}")

    def _lost(self, failure: Failure) -> Failure:
        error = failure.value
        if isinstance(error, Unavailable):
            self.lost(error)
        return failure

    def _opened(self, _: object) -> None:
        self._failures = 0
        if not self._stopping:
            self.up = True
            self._dependency.succeeded()

    def _failed(self, failure: Failure) -> None:
        error = failure.value
        if self._stopping:
            return
        if not isinstance(error, Unavailable):
            self._log.failure("{name}: bug", failure, name=self._dependency.name)
            error = Broken(f"{self._dependency.name} cannot be opened: {error!r}")
        self._wait(error)

    def _wait(self, error: Unavailable) -> None:
        self._failures += 1
        delay_s = None if isinstance(error, Broken) else self._delay_s()
        cause = error.cause if isinstance(error, KnownCause) else Cause.UNKNOWN
        self._dependency.failed(error.reason, delay_s, cause)
        # A listener of the dependency may have stopped this.
        if delay_s is not None and not self._stopping:
            self._next = self._clock.callLater(delay_s, self.start)

    def _delay_s(self) -> float | None:
        delay_s = self._retry(self._failures)
        if delay_s is None:
            return None
        waited_s = self._clock.seconds() - self._tried_s
        return max(delay_s - waited_s, min(delay_s, _AT_LEAST_S))
