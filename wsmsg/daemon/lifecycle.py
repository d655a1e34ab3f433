"""
The life of a daemon: its parts start in one order and stop in another, both written
out.

::

    starting --each part, in order--> started --SIGTERM--> lead time --> stopping
        | one fails: status 1                 not ready  |                  |
                                            any more  <--'   over stop_s: status 1

By itself, twistd would start services before the reactor runs (where nothing can be
awaited), stop all of them at once, and lose their failures.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import attrs
from twisted.application.service import Service
from twisted.internet.defer import Deferred, ensureDeferred, maybeDeferred, succeed
from twisted.internet.error import CannotListenError, ConnectError
from twisted.logger import ILogObserver, Logger
from twisted.python.failure import Failure

from wsmsg.daemon.exits import Exit
from wsmsg.daemon.lead import LeadTime
from wsmsg.errors import WsmsgError
from wsmsg.monitoring.health import Health


@attrs.frozen
class Part:
    """
    A part of a daemon that starts and stops.

    @ivar start: may return a Deferred or a coroutine, which is awaited before the next
        part starts.
    @ivar stop: likewise; called only if the part was started.
    """

    name: str
    start: Callable[[], object] | None = None
    stop: Callable[[], object] | None = None


def part(name: str, thing: Any) -> Part:
    """
    Make a L{Part} of an object with C{startService} and C{stopService}, or with
    C{start} and C{stop}.
    """
    if hasattr(thing, "startService"):
        return Part(name, thing.startService, thing.stopService)
    return Part(name, thing.start, thing.stop)


class RootService(Service):
    """
    The one service that twistd sees of a daemon.

    @param parts: in the order of starting.
    @param stop_order: the names of the parts that stop, in the order of stopping.
    @param stop_s: the time limit for stopping all parts, after the lead time.
    @param lead: the time between the end of readiness and the stop of the first part.
    @param stopping: called when a stop begins.
    @param observer: the log observer for twistd; L{None}: twistd chooses its own.
    """

    _log = Logger()

    def __init__(
        self,
        reactor: Any,
        parts: Sequence[Part],
        stop_order: Sequence[str],
        *,
        exits: Exit,
        health: Health,
        stop_s: Callable[[], float],
        lead: LeadTime,
        stopping: Callable[[], object] = lambda: None,
        observer: ILogObserver | None = None,
    ) -> None:
        names = [p.name for p in parts if p.stop is not None]
        if sorted(names) != sorted(stop_order):
            raise ValueError(f"parts that stop: {names}; stop order: {stop_order}")
        self._reactor = reactor
        self._parts = parts
        self._stop_order = stop_order
        self._exits = exits
        self._health = health
        self._stop_s = stop_s
        self._lead = lead
        self._stopping = stopping
        self._observer = observer
        self._started: dict[str, Part] = {}
        self._starting: Deferred[None] = succeed(None)

    def setServiceParent(self, parent: Any) -> None:
        # twistd asks its application for an observer after it has made its services; a
        # --logger takes precedence.
        if self._observer is not None:
            parent.setComponent(ILogObserver, self._observer)
        Service.setServiceParent(self, parent)

    def startService(self) -> None:
        Service.startService(self)
        self._reactor.callWhenRunning(self._begin)

    def stopService(self) -> Deferred[None]:
        """
        Stop the parts that were started, and cancel a start that is under way.

        A daemon that was ready, and stops because it was asked to, stays as it is for
        its lead time first.

        @return: fires when all parts have stopped or C{stop_s} has passed; never fails.
        """
        Service.stopService(self)
        is_awaited = self._health.ready and not self._exits.status
        self._health.stopping()
        self._stopping()
        self._starting.cancel()
        lead = self._lead.wait() if is_awaited else succeed(None)
        return ensureDeferred(self._stop(lead))

    def _begin(self) -> None:
        if self.running:
            self._starting = ensureDeferred(self._start())

    async def _start(self) -> None:
        for each in self._parts:
            if not self.running:
                return
            # Noted first, so that a part that fails to start is stopped as well.
            self._started[each.name] = each
            failed: list[Failure] = []
            await _called(each.start).addErrback(failed.append)
            if failed:
                self._cannot_start(each.name, failed[0])
                return
            self._log.debug("{part}: started", part=each.name)
        self._health.started()

    def _cannot_start(self, name: str, failure: Failure) -> None:
        # A stop cancels a start that is under way, which is no failure of the part.
        if self.running:
            self._exits.exit_with(1, f"cannot start {name}: {_line(failure.value)}")

    async def _stop(self, lead: Deferred[None]) -> None:
        await lead
        begun, late = self._reactor.seconds(), []
        for name in self._stop_order:
            each = self._started.pop(name, None)
            if each is None:
                continue
            left = max(0.0, begun + self._stop_s() - self._reactor.seconds())
            if not await self._stopped(each, left):
                late.append(name)
        seconds = self._reactor.seconds() - begun
        if late:
            reason = f"after {seconds:.1f} s some parts still run: {', '.join(late)}"
            self._exits.abort(1, reason)
        self._log.info("stopped in {seconds:.1f} s", seconds=seconds)

    async def _stopped(self, each: Part, left_s: float) -> bool:
        """
        Stop one part.

        @return: L{True} if the part stopped in time, even with a failure.
        """
        ended: Deferred[bool] = Deferred()

        def done(result: object) -> None:
            if isinstance(result, Failure):
                self._log.failure(
                    "{part}: failed to stop", failure=result, part=each.name
                )
            if not ended.called:
                ended.callback(True)

        _called(each.stop).addBoth(done)
        if not ended.called:
            timer = self._reactor.callLater(left_s, ended.callback, False)
            in_time = await ended
            if timer.active():
                timer.cancel()
            return in_time
        return await ended


def _called(step: Callable[[], object] | None) -> Deferred[object]:
    return succeed(None) if step is None else maybeDeferred(step)


def _line(error: BaseException | None) -> str:
    """
    An error in one line: with its type, unless its text is meant for operators.
    """
    if isinstance(error, (WsmsgError, OSError, ConnectError, CannotListenError)):
        return str(error)
    return f"{type(error).__name__}: {error}"
