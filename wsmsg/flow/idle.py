"""
Waiting until some work is done.
"""

from __future__ import annotations

from twisted.internet.defer import Deferred, succeed


class IdleWaiters:
    """
    The Deferreds of those who wait until the owner of this is idle.

    The owner calls L{fire} whenever it becomes idle.

    @ivar waiters: the Deferreds; usually there are none.
    """

    __slots__ = ("waiters",)

    def __init__(self) -> None:
        self.waiters: list[Deferred[None]] = []

    def wait(self, is_idle: bool) -> Deferred[None]:
        """
        @param is_idle: whether the owner is idle now.
        @return: a Deferred that fires when the owner is idle: at once if it is now.
        """
        if is_idle:
            return succeed(None)
        waiter: Deferred[None] = Deferred()
        self.waiters.append(waiter)
        return waiter

    def fire(self) -> None:
        """
        Fire all Deferreds, those that were added so far.
        """
        if self.waiters:
            waiters, self.waiters = self.waiters, []
            for waiter in waiters:
                waiter.callback(None)
