"""
Waits for a dependency: at start, and before a failed call is repeated.
"""

from __future__ import annotations

from typing import Protocol, TypeVar

from twisted.internet.defer import Deferred
from twisted.internet.interfaces import IReactorTime
from twisted.internet.task import deferLater
from twisted.python.failure import Failure

from wsmsg.dependency.state import Dependency, State
from wsmsg.errors import Unavailable

T = TypeVar("T")


class Startable(Protocol):
    """
    A backend: a journal, a store, a presence.
    """

    dependency: Dependency

    def start(self) -> None:
        """
        Open the backend and keep it open.
        """


def up(kept: Startable) -> Deferred[None]:
    """
    Start a backend.

    @return: a Deferred that fires when the backend is up, or with a failure
        L{Unavailable} when it is given up.
    """
    opened: Deferred[None] = Deferred()

    def changed(dependency: Dependency) -> None:
        if opened.called:
            return
        if dependency.up:
            opened.callback(None)
        elif dependency.state is State.DOWN:
            opened.errback(Unavailable(dependency.snapshot().last_error))

    kept.dependency.on_change(changed)
    kept.start()
    return opened


def unless_lost(needed: Dependency, call: Deferred[T]) -> Deferred[T]:
    """
    Wait for a call, but no longer than until the dependency that answers it is lost.
    The call itself goes on.

    @raise Unavailable: (as failure) the dependency was lost first.
    """
    if call.called or not needed.up:
        return call
    result: Deferred[T] = Deferred()
    lost = needed.when_lost()

    def ended(outcome: T | Failure) -> None:
        if result.called:
            return
        lost.cancel()
        if isinstance(outcome, Failure):
            result.errback(outcome)
        else:
            result.callback(outcome)

    def given_up(_: None) -> None:
        why = needed.snapshot().last_error
        result.errback(Unavailable(f"{needed.name} is not up: {why}"))

    lost.addCallbacks(given_up, lambda cancelled: None)
    call.addBoth(ended)
    return result


async def pause(needed: Dependency, clock: IReactorTime, delay_s: float) -> None:
    """
    Wait before a failed call is repeated: until the dependency that it needs is up, or
    for C{delay_s} if that is up and the call failed for another reason.
    """
    if needed.up:
        await deferLater(clock, delay_s)
    else:
        await needed.when_up()
