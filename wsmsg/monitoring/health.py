"""
The readiness of a daemon, for all that ask for it.

A rule derives readiness from the daemon's dependencies: Connect needs one stream to a
Message, Message needs all required dependencies.  A daemon that has not started or is
stopping is not ready, whatever the state of its dependencies.  A daemon that is ready
is degraded while a dependency is not up, or an alarm is raised.  A daemon is alive if
it answers at all.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Mapping
from enum import StrEnum
from typing import Any

from twisted.internet.interfaces import IReactorTime
from twisted.logger import Logger

from wsmsg import __version__
from wsmsg.dependency.alarms import Alarm, Alarms
from wsmsg.dependency.state import Dependency, Snapshot, State
from wsmsg.monitoring.words import readiness_in_words, shown_time
from wsmsg.text.counted import counted

#: Decides from a test and the dependencies whether enough of them pass the test.
Rule = Callable[[Callable[[Dependency], bool], Iterable[Dependency]], bool]


def any_up(test: Callable[[Dependency], bool], deps: Iterable[Dependency]) -> bool:
    """
    Require one of the required or replaceable dependencies: Connect works with one
    Message.
    """
    return any(test(d) for d in deps if d.required or d.replaceable)


def required_up(test: Callable[[Dependency], bool], deps: Iterable[Dependency]) -> bool:
    """
    Require all required dependencies.
    """
    return all(test(d) for d in deps if d.required)


class Phase(StrEnum):
    """
    A phase in the life of a daemon.
    """

    STARTING = "starting"
    STARTED = "started"
    STOPPING = "stopping"


class Health:
    """
    The readiness of a daemon, and the dependencies that it follows from.

    @param clock: for the uptime.
    @param rule: L{any_up} for Connect, L{required_up} for Message.
    @param about: the first fields of the status, such as the daemon's name and node.
    @ivar alarms: the alarms of the daemon, for whoever raises one.
    """

    _log = Logger()

    def __init__(
        self,
        clock: IReactorTime,
        rule: Rule,
        *,
        dependencies: Iterable[Dependency] = (),
        about: Mapping[str, object] | None = None,
        unix_s: Callable[[], float] = time.time,
    ) -> None:
        self.alarms = Alarms(clock.seconds, unix_s)
        self._clock = clock
        self._rule = rule
        self._about = {"version": __version__, **(about or {})}
        self._dependencies: list[Dependency] = []
        self._phase = Phase.STARTING
        self._started_s = clock.seconds()
        self._since = unix_s()
        self._ready = False
        self._held: dict[str, str] = {}
        self._unix_s = unix_s
        self._listeners: list[Callable[[bool], object]] = []
        self._on_give_up: list[Callable[[str], object]] = []
        self._sections: dict[str, Callable[[], object]] = {}
        for dependency in dependencies:
            self.add(dependency)

    @property
    def ready(self) -> bool:
        return self._ready

    @property
    def degraded(self) -> bool:
        """
        True while a dependency is not up, whether it is required or not, and while an
        alarm is raised.
        """
        if self.alarms.current:
            return True
        down = (State.CONNECTING, State.DOWN)
        return any(d.state in down for d in self._dependencies)

    @property
    def dependencies(self) -> tuple[Snapshot, ...]:
        return tuple(d.snapshot() for d in self._dependencies)

    def add(self, dependency: Dependency) -> None:
        """
        Add a dependency.
        """
        self._dependencies.append(dependency)
        dependency.on_change(self._changed)
        self._update()

    def remove(self, dependency: Dependency) -> None:
        """
        Remove a dependency.
        """
        self._dependencies.remove(dependency)
        self._update()

    def on_change(self, listener: Callable[[bool], object]) -> None:
        """
        Call C{listener} with the readiness whenever it changes.
        """
        self._listeners.append(listener)

    def on_give_up(self, listener: Callable[[str], object]) -> None:
        """
        Call C{listener} with a reason when the daemon cannot become ready any more,
        since attempts to reach its dependencies were given up (C{retry.attempts}).
        """
        self._on_give_up.append(listener)

    def add_section(self, section: str, read: Callable[[], object]) -> None:
        """
        Add a section to the status.

        @param read: returns its content; called each time that the status is shown.
        """
        self._sections[section] = read

    def started(self) -> None:
        """
        Record that all parts of the daemon have started.
        """
        self._phase = Phase.STARTED
        self._update()

    def stopping(self) -> None:
        """
        Record that the daemon is stopping.
        """
        self._phase = Phase.STOPPING
        self._update()

    def hold(self, name: str, reason: str) -> None:
        """
        Keep the daemon from being ready, whatever its dependencies are.

        @param name: of the cause.
        @param reason: why it is not ready; empty: this cause holds it no longer.
        """
        if reason:
            self._held[name] = reason
        else:
            self._held.pop(name, None)
        self._update()

    def readiness(self) -> dict[str, object]:
        """
        Return the document of C{/readyz}.
        """
        return {
            "ready": self._ready,
            "degraded": self._ready and self.degraded,
            "reason": self.reason(),
            "in_words": self.in_words(),
            "alarms": [_alarm(a) for a in self.alarms.current],
            "dependencies": [_document(s) for s in self.dependencies],
        }

    def reason(self) -> str:
        """
        Return the reason for which the daemon is not ready; empty if it is.
        """
        if self._ready:
            return ""
        if self._phase is not Phase.STARTED:
            return str(self._phase)
        if self._held:
            return next(iter(self._held.values()))
        missing = [
            d.name
            for d in self._dependencies
            if not d.up and (d.required or d.replaceable)
        ]
        return f"waiting for {', '.join(missing)}" if missing else "no Message is known"

    def in_words(self) -> str:
        """
        Return the readiness in words, for a person.
        """
        down = (State.CONNECTING, State.DOWN)
        missing = [
            d.snapshot()
            for d in self._dependencies
            if d.state in down and (self._ready or d.required or d.replaceable)
        ]
        return readiness_in_words(
            str(self._about.get("daemon", "")),
            ready=self._ready,
            phase=self._phase.value,
            held=next(iter(self._held.values()), ""),
            missing=missing,
            alarms=self.alarms.current,
            now_s=self._unix_s(),
        )

    def status(self) -> dict[str, object]:
        """
        Return the document of C{/status}.
        """
        return {
            **self._about,
            "phase": self._phase.value,
            "since": shown_time(self._since),
            "uptime_s": round(self._clock.seconds() - self._started_s, 3),
            **self.readiness(),
            **{name: read() for name, read in self._sections.items()},
        }

    def _changed(self, dependency: Dependency) -> None:
        if dependency not in self._dependencies:
            return
        self._update()
        if dependency.state is State.DOWN and not self._rule(
            lambda d: d.state is not State.DOWN, self._dependencies
        ):
            snapshot = dependency.snapshot()
            reason = (
                f"gave up on {snapshot.name} after "
                f"{counted(snapshot.attempts, 'attempt')}: "
                f"{snapshot.last_error}"
            )
            for listener in self._on_give_up:
                listener(reason)

    def _update(self) -> None:
        started = self._phase is Phase.STARTED and not self._held
        ready = started and self._rule(lambda d: d.up, self._dependencies)
        if ready == self._ready:
            return
        self._ready = ready
        if ready:
            self._log.info("ready")
        elif self._phase is not Phase.STOPPING:
            self._log.warn("not ready: {reason}", reason=self.reason())
        for listener in self._listeners:
            listener(ready)


def _document(snapshot: Snapshot) -> dict[str, Any]:
    next_try = snapshot.next_try_s
    about = {"about": snapshot.about} if snapshot.about else {}
    cause = {"cause": snapshot.cause.value} if snapshot.cause else {}
    return {
        "name": snapshot.name,
        **about,
        "state": snapshot.state.value,
        "required": snapshot.required,
        "attempts": snapshot.attempts,
        "losses": snapshot.losses,
        "last_error": snapshot.last_error,
        **cause,
        "since": shown_time(snapshot.since_s),
        "next_try": None if next_try is None else shown_time(next_try),
    }


def _alarm(alarm: Alarm) -> dict[str, Any]:
    return {
        "name": alarm.name,
        "reason": alarm.reason,
        "since": shown_time(alarm.since_s),
    }
