"""
Wait until something that is kept open is there, or will not be.
"""

from __future__ import annotations

from typing import Protocol

from twisted.internet.defer import Deferred

from wsmsg.dependency.state import Dependency, State
from wsmsg.errors import Unavailable


class Startable(Protocol):
    """
    A journal, a store, a presence.
    """

    dependency: Dependency

    def start(self) -> None:
        """
        Open it and keep it open.
        """


def up(kept: Startable) -> Deferred[None]:
    """
    Start it.

    @return: a Deferred that fires when it is up; with a failure L{Unavailable} when
        it was given up.
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
