"""
The state of one thing that a daemon needs.

Whoever dials the thing reports here what happens.  The log, C{/readyz}, the metrics
and C{wsmsg status} read the state from here, so they cannot disagree::

    connecting --succeeded--> up --lost--> connecting
        | failed: stays, with the reason and the time of the next attempt
        `-- gave_up --> down            any --stopped--> stopped

The log has one line when a thing is lost, or cannot be reached, and another when it is
up.  While it is away, further lines give the number of attempts: one each minute, and
one for a new reason (L{OutageLog}).
"""

from __future__ import annotations

import time
from collections.abc import Callable
from enum import StrEnum

import attrs
from twisted.internet.defer import Deferred, succeed
from twisted.internet.interfaces import IReactorTime
from twisted.logger import Logger

from wsmsg.dependency.cause import Cause
from wsmsg.text.counted import counted

#: The interval of lines about an outage that goes on.
REMINDER_S = 60.0
#: The least time between a line and that of a new reason.
NEW_REASON_S = 10.0
# Above so many reasons in one outage, a further one has no line of its own.
_MOST_REASONS = 100


class State(StrEnum):
    """
    The state of a dependency.
    """

    CONNECTING = "connecting"
    UP = "up"
    DOWN = "down"
    STOPPED = "stopped"


@attrs.frozen(kw_only=True)
class Snapshot:
    """
    A dependency at one moment, as C{/readyz} and C{wsmsg status} show it.

    @ivar required: the daemon is not ready without it.
    @ivar attempts: the number of attempts since it was last up.
    @ivar losses: the number of changes from up to not up.
    @ivar since_s: the time of the last change of state, in unix seconds.
    @ivar next_try_s: the time of the next attempt, in unix seconds; L{None}: there is
        none.
    @ivar about: a description, where the thing may be one of several kinds.
    @ivar cause: the cause of the last failure, where it is known.
    """

    name: str
    state: State
    required: bool
    attempts: int
    losses: int
    last_error: str
    since_s: float
    next_try_s: float | None
    about: str = ""
    cause: Cause = Cause.UNKNOWN


class OutageLog:
    """
    Decides which failures of one outage have a line in the log.
    """

    def __init__(self) -> None:
        self._last_s: float | None = None
        self._reasons: set[str] = set()

    def begin(self, reason: str, now_s: float) -> None:
        """
        Note the line that reports the outage.
        """
        self._last_s = now_s
        self._reasons = {reason}

    def end(self) -> None:
        """
        Forget the outage: the thing is up.
        """
        self._last_s = None
        self._reasons.clear()

    def takes(self, reason: str, now_s: float) -> bool:
        """
        Return whether a failure has a line.
        """
        if self._last_s is None:
            self.begin(reason, now_s)
            return True
        waited_s = now_s - self._last_s
        known = reason in self._reasons or len(self._reasons) >= _MOST_REASONS
        new = not known and waited_s >= NEW_REASON_S
        if not new and waited_s < REMINDER_S:
            return False
        self._last_s = now_s
        self._reasons.add(reason)
        return True


class Dependency:
    """
    One thing that a daemon needs: another daemon, the journal, the store, the presence.

    @param name: the name for operators, such as C{message 127.0.0.1:22004}.
    @param clock: for durations.
    @param required: the daemon is not ready without it.
    @param unix_s: returns the unix time, for the times in the snapshot.
    @ivar replaceable: whether it is one of several things of which the daemon needs any
        one, and so is not required by itself.
    @ivar state: written by this object alone, as is C{up}.
    @ivar up: whether the state is L{State.UP}.
    @ivar about: as in L{Snapshot}.
    """

    _log = Logger()

    def __init__(
        self,
        name: str,
        clock: IReactorTime,
        *,
        required: bool = True,
        unix_s: Callable[[], float] = time.time,
    ) -> None:
        self.name = name
        self.required = required
        self.replaceable = False
        self.about = ""
        self._clock = clock
        self._unix_s = unix_s
        self.state = State.CONNECTING
        self.up = False
        self._attempts = 0
        self._losses = 0
        self._last_error = ""
        self._cause = Cause.UNKNOWN
        self._changed_s = clock.seconds()
        self._since = unix_s()
        self._next_try: float | None = None
        self._outage = OutageLog()
        self._listeners: list[Callable[[Dependency], object]] = []
        self._waiting: list[Deferred[None]] = []
        self._losing: list[Deferred[None]] = []

    def snapshot(self) -> Snapshot:
        return Snapshot(
            name=self.name,
            state=self.state,
            required=self.required,
            attempts=self._attempts,
            losses=self._losses,
            last_error=self._last_error,
            since_s=self._since,
            next_try_s=self._next_try,
            about=self.about,
            cause=self._cause,
        )

    def one_of(self, count: int) -> None:
        """
        Note that the daemon needs any one of C{count} things of this kind.
        """
        self.required = count == 1
        self.replaceable = not self.required

    def describe(self, about: str) -> None:
        """
        Describe the thing for the log and the status.
        """
        self.about = about

    def when_up(self) -> Deferred[None]:
        """
        Wait for the dependency.

        @return: a Deferred that fires at once if it is up, else when it comes up, after
            the listeners of L{on_change}.  It may be cancelled; if the dependency never
            comes up, it never fires.
        """
        if self.up:
            return succeed(None)
        waiting: Deferred[None] = Deferred(self._waiting.remove)
        self._waiting.append(waiting)
        return waiting

    def when_lost(self) -> Deferred[None]:
        """
        Wait until the dependency is not up.

        @return: a Deferred that fires when it is lost or stopped.  It may be cancelled.
        """
        waiting: Deferred[None] = Deferred(self._losing.remove)
        self._losing.append(waiting)
        return waiting

    def on_change(self, listener: Callable[[Dependency], object]) -> None:
        """
        Call C{listener} with this object after each change of state.
        """
        self._listeners.append(listener)

    def attempting(self) -> None:
        """
        Report that an attempt begins.
        """
        self._attempts += 1
        self._next_try = None
        self._log.debug(
            "{dependency}: attempt {attempt}",
            dependency=self.name,
            attempt=self._attempts,
        )

    def succeeded(self) -> None:
        """
        Report that the thing is there and answered.
        """
        attempts, self._attempts, self._next_try = self._attempts, 0, None
        self._outage.end()
        if self.state is State.UP:
            return
        self._log.info(
            "{dependency}: up after {attempts} and {seconds:.1f} s{about}",
            dependency=self.name,
            about=f": {self.about}" if self.about else "",
            attempts=counted(attempts, "attempt"),
            seconds=self._clock.seconds() - self._changed_s,
        )
        self._become(State.UP)

    def failed(
        self, reason: str, delay_s: float | None, cause: Cause = Cause.UNKNOWN
    ) -> None:
        """
        Report that an attempt failed; or, where none was made since the loss, that the
        next one is due.

        @param delay_s: seconds until the next attempt; L{None}: there will be none.
        """
        self._last_error, self._cause = reason, cause
        if delay_s is None:
            self._next_try = None
            self._log.error(
                "{dependency}: attempt {attempt} failed, giving up: {reason}",
                dependency=self.name,
                attempt=self._attempts,
                reason=reason,
            )
            self._become(State.DOWN)
            return
        self._next_try = self._unix_s() + delay_s
        if self._attempts:
            self._log_failure(reason, delay_s)
        if self.state is not State.CONNECTING:
            self._become(State.CONNECTING)

    def lost(self, reason: str) -> None:
        """
        Report that the thing was up and is gone.
        """
        if self.state is not State.UP:
            return
        self._last_error, self._cause = reason, Cause.UNKNOWN
        self._losses += 1
        self._log.error(
            "{dependency}: lost after {seconds:.1f} s: {reason}",
            dependency=self.name,
            seconds=self._clock.seconds() - self._changed_s,
            reason=reason,
        )
        self._outage.begin(reason, self._clock.seconds())
        self._become(State.CONNECTING)

    def stopped(self) -> None:
        """
        Report that the daemon does not need the thing any more.
        """
        self._next_try = None
        self._become(State.STOPPED)

    def _log_failure(self, reason: str, delay_s: float) -> None:
        takes = self._outage.takes(reason, self._clock.seconds())
        log = self._log.warn if takes else self._log.debug
        log(
            "{dependency}: attempt {attempt} failed after {seconds:.1f} s, next in "
            "{delay:.2f} s: {reason}",
            dependency=self.name,
            attempt=self._attempts,
            seconds=self._clock.seconds() - self._changed_s,
            delay=delay_s,
            reason=reason,
        )

    def _become(self, state: State) -> None:
        self.state = state
        self.up = state is State.UP
        self._changed_s, self._since = self._clock.seconds(), self._unix_s()
        for listener in self._listeners:
            # Who reports the change has a next attempt to make.
            with self._log.failuresHandled(
                "a listener of {dependency}", dependency=self.name
            ):
                listener(self)
        while self._waiting and self.up:
            self._waiting.pop(0).callback(None)
        while self._losing and not self.up:
            self._losing.pop(0).callback(None)
