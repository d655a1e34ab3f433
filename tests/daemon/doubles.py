"""
A reactor and a process for tests of the life of a daemon.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from twisted.internet.error import ReactorNotRunning
from twisted.internet.task import Clock

from wsmsg.daemon.exits import Exit


class Reactor(Clock):
    """
    A running reactor, as far as a root service needs one.

    @ivar sigTerm: the function for SIGTERM; C{sigInt}: for SIGINT.
    """

    sigTerm: Any
    sigInt: Any

    def __init__(self) -> None:
        super().__init__()
        self.stopped = 0

    def callWhenRunning(self, function: Callable[[], object]) -> None:
        function()

    def callFromThread(self, function: Callable[..., object], *args: object) -> None:
        function(*args)

    def stop(self) -> None:
        self.stopped += 1
        if self.stopped > 1:
            raise ReactorNotRunning()


class Process:
    """
    An L{Exit} whose process does not end.
    """

    def __init__(self, reactor: Reactor, pidfile: str = "") -> None:
        self.ends: list[Callable[[], object]] = []
        self.left: list[int] = []
        self.exits = Exit(
            reactor,
            pidfile=pidfile,
            at_exit=self.ends.append,
            leave=self.left.append,
        )

    def end(self) -> int:
        """
        The status that the process would end with.
        """
        for function in self.ends:
            function()
        return self.left[-1] if self.left else 0
