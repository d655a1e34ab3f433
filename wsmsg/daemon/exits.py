"""
How a daemon ends: with which exit status, and why.

twistd ends with status 0 however it was stopped (or with the signal that stopped
it), and has no place for another.  So the status is set by an C{atexit} function:
that runs after twistd removed its pid file and closed its log.
"""

from __future__ import annotations

import atexit
import os
import sys
from collections.abc import Callable
from typing import Any

from twisted.internet.error import ReactorNotRunning
from twisted.logger import Logger


class Exit:
    """
    The end of this process.

    @param pidfile: twistd's; removed by L{now}, which twistd does not outlive.
    @param at_exit: what has a function called when the process ends.
    @param leave: what ends the process at once.
    """

    _log = Logger()

    def __init__(
        self,
        reactor: Any,
        *,
        pidfile: str = "",
        at_exit: Callable[[Callable[[], object]], object] = atexit.register,
        leave: Callable[[int], object] = os._exit,
    ) -> None:
        self._reactor = reactor
        self._pidfile = pidfile
        self._leave = leave
        self.status = 0
        # Functions run last registered first: ours, early, runs after the others.
        at_exit(self._finish)

    def exit_with(self, status: int, reason: str) -> None:
        """
        Stop the reactor, in order, and end with this status.  The first call that
        gives a failure decides, and no other failure is told: it would follow from
        the first, or mean the same.

        @param reason: a sentence for the operator.
        """
        if self.status:
            return
        if status:
            self._log.error("stopping: {reason}", reason=reason)
        else:
            self._log.info("stopping: {reason}", reason=reason)
        self.status = status
        self._reactor.callWhenRunning(self._stop)

    def now(self, status: int, reason: str) -> None:
        """
        End the process without any order, for when order takes too long.
        """
        self._log.error("ending at once: {reason}", reason=reason)
        if self._pidfile:
            try:
                os.unlink(self._pidfile)
            except OSError:
                pass
        self._flush()
        self._leave(status)

    def _stop(self) -> None:
        try:
            self._reactor.stop()
        except ReactorNotRunning:
            pass

    def _finish(self) -> None:
        if self.status:
            self._flush()
            self._leave(self.status)

    def _flush(self) -> None:
        for stream in (sys.__stdout__, sys.__stderr__):
            if stream is not None:
                try:
                    stream.flush()
                except (OSError, ValueError):
                    pass
