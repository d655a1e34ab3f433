"""
A stop that may be called more than once.
"""

from __future__ import annotations

from collections.abc import Callable, Coroutine
from typing import Any

from twisted.internet.defer import Deferred


class StopOnce:
    """
    Runs a stop at the first call; every call waits until it is over.

    @param stop: must not fail.
    @ivar begun: whether it has been called.
    """

    def __init__(self, stop: Callable[[], Coroutine[Any, Any, None]]) -> None:
        self.begun = False
        self._stop = stop
        self._stopped: Deferred[None] = Deferred()

    def __call__(self) -> Deferred[None]:
        if not self.begun:
            # Set first: the stop itself may look at L{begun} before it waits.
            self.begun = True
            Deferred.fromCoroutine(self._stop()).chainDeferred(self._stopped)
        return forked(self._stopped)


def forked(shared: Deferred[None]) -> Deferred[None]:
    """
    Return a Deferred of one's own that fires with a shared one; callbacks and
    cancellation of it do not reach the others.
    """
    own: Deferred[None] = Deferred()
    shared.chainDeferred(own)
    return own
