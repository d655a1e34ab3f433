"""
Whether a daemon can do its work, told the same to everybody who asks.

Readiness is made of the daemon's dependencies by a rule: Connect needs any of its
streams, Message each that is required.  A daemon that has not started or is
stopping is not ready, whatever its dependencies say.  Liveness is only that it
answers at all.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from datetime import UTC, datetime
from enum import StrEnum
from typing import Any

from twisted.internet.interfaces import IReactorTime
from twisted.logger import Logger

from wsmsg import __version__
from wsmsg.dependency.state import Dependency, Snapshot, State

#: From a test and the dependencies to whether enough of them pass it.
Rule = Callable[[Callable[[Dependency], bool], Iterable[Dependency]], bool]


def any_up(test: Callable[[Dependency], bool], deps: Iterable[Dependency]) -> bool:
    """
    One Message is enough; looking for others does not count, nor do the Connects of
    another system.
    """
    aside = ("discovery ", "legacy ")
    return any(test(d) for d in deps if not d.name.startswith(aside))


def required_up(test: Callable[[Dependency], bool], deps: Iterable[Dependency]) -> bool:
    """
    Every required one.
    """
    return all(test(d) for d in deps if d.required)


class Phase(StrEnum):
    """
    Where a daemon's life is.
    """

    STARTING = "starting"
    STARTED = "started"
    STOPPING = "stopping"


class Health:
    """
    The readiness of a daemon, and what it is made of.

    @param clock: its seconds are unix seconds.
    @param rule: L{any_up} for Connect, L{required_up} for Message.
    @param about: what the status begins with, as the daemon's name and node.
    """

    _log = Logger()

    def __init__(
        self,
        clock: IReactorTime,
        rule: Rule,
        *,
        dependencies: Iterable[Dependency] = (),
        about: Mapping[str, object] | None = None,
    ) -> None:
        self._clock = clock
        self._rule = rule
        self._about = {"version": __version__, **(about or {})}
        self._dependencies: list[Dependency] = []
        self._phase = Phase.STARTING
        self._since = clock.seconds()
        self._ready = False
        self._listeners: list[Callable[[bool], object]] = []
        self._hopeless: list[Callable[[str], object]] = []
        self._sections: dict[str, Callable[[], object]] = {}
        for dependency in dependencies:
            self.add(dependency)

    @property
    def ready(self) -> bool:
        return self._ready

    @property
    def degraded(self) -> bool:
        """
        Whether something is missing that is not required.
        """
        gone = (State.CONNECTING, State.DOWN)
        return any(d.state in gone for d in self._dependencies)

    @property
    def dependencies(self) -> tuple[Snapshot, ...]:
        return tuple(d.snapshot() for d in self._dependencies)

    def add(self, dependency: Dependency) -> None:
        """
        This daemon needs one thing more.
        """
        self._dependencies.append(dependency)
        dependency.on_change(self._changed)
        self._update()

    def remove(self, dependency: Dependency) -> None:
        """
        This daemon does not need it any more.
        """
        self._dependencies.remove(dependency)
        self._update()

    def on_change(self, listener: Callable[[bool], object]) -> None:
        """
        Call C{listener} with the readiness each time that it changes.
        """
        self._listeners.append(listener)

    def on_hopeless(self, listener: Callable[[str], object]) -> None:
        """
        Call C{listener} with a reason when so much was given up (by the limit of
        attempts in the settings) that the daemon cannot become ready.
        """
        self._hopeless.append(listener)

    def describe(self, section: str, read: Callable[[], object]) -> None:
        """
        Have the status show, under this name, what C{read} returns.
        """
        self._sections[section] = read

    def started(self) -> None:
        """
        All parts of the daemon have started.
        """
        self._phase = Phase.STARTED
        self._update()

    def stopping(self) -> None:
        """
        The daemon takes nothing more.
        """
        self._phase = Phase.STOPPING
        self._update()

    def readiness(self) -> dict[str, object]:
        """
        What C{/readyz} shows.
        """
        return {
            "ready": self._ready,
            "degraded": self._ready and self.degraded,
            "reason": self.reason(),
            "dependencies": [_shown(s) for s in self.dependencies],
        }

    def reason(self) -> str:
        """
        Why the daemon is not ready; empty where it is.
        """
        if self._ready:
            return ""
        if self._phase is not Phase.STARTED:
            return str(self._phase)
        missing = [d.name for d in self._dependencies if not d.up and d.required]
        return f"waiting for {', '.join(missing)}" if missing else "nothing to reach"

    def status(self) -> dict[str, object]:
        """
        What C{/status} shows.
        """
        return {
            **self._about,
            "phase": self._phase.value,
            "since": _time(self._since),
            "uptime_s": round(self._clock.seconds() - self._since, 3),
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
            told = dependency.snapshot()
            reason = (
                f"gave up on {told.name} after {told.attempts} attempts: "
                f"{told.last_error}"
            )
            for listener in self._hopeless:
                listener(reason)

    def _update(self) -> None:
        ready = self._phase is Phase.STARTED and self._rule(
            lambda d: d.up, self._dependencies
        )
        if ready == self._ready:
            return
        self._ready = ready
        if ready:
            self._log.info("ready")
        elif self._phase is not Phase.STOPPING:
            self._log.warn("not ready: {reason}", reason=self.reason())
        for listener in self._listeners:
            listener(ready)


def _shown(snapshot: Snapshot) -> dict[str, Any]:
    next_try = snapshot.next_try_s
    about = {"about": snapshot.about} if snapshot.about else {}
    return {
        "name": snapshot.name,
        **about,
        "state": snapshot.state.value,
        "required": snapshot.required,
        "attempts": snapshot.attempts,
        "losses": snapshot.losses,
        "last_error": snapshot.last_error,
        "since": _time(snapshot.since_s),
        "next_try": None if next_try is None else _time(next_try),
    }


def _time(seconds: float) -> str:
    return datetime.fromtimestamp(seconds, UTC).isoformat(timespec="milliseconds")
