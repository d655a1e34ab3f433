"""
The exit status of a daemon, and the log line with its reason.

twistd exits with status 0 however it was stopped (or with the signal that stopped it),
and offers no way to set another.  So an C{atexit} function sets the status: it runs
after twistd has removed its pid file and closed its log.
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

    @param pidfile: twistd's; L{abort} removes it, because twistd does not get to.
    @param at_exit: registers a function to call when the process exits.
    @param leave: ends the process at once.
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
        self._on_abort: list[Callable[[], object]] = []
        self.status = 0
        # Functions run last registered first, so this early one runs after the others.
        at_exit(self._finish)

    def exit_with(self, status: int, reason: str) -> None:
        """
        Stop the reactor in order and exit with this status.  The first call with a
        failure decides the status; later failures are not logged, because they follow
        from the first.

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

    def on_abort(self, step: Callable[[], object]) -> None:
        """
        Call C{step} before L{abort} ends the process, for which no C{atexit} function
        runs.
        """
        self._on_abort.append(step)

    def abort(self, status: int, reason: str) -> None:
        """
        End the process at once, without an orderly stop.
        """
        self._log.error("exiting at once: {reason}", reason=reason)
        if self._pidfile:
            try:
                os.unlink(self._pidfile)
            except OSError:
                pass
        for step in self._on_abort:
            step()
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
