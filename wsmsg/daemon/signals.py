"""
Signals, and the response of a daemon to each.

======= =========================================================
TERM    stop in order, status 0; a second one: end the lead time if it is
        under way, else stop at once, status 1
INT     the same
HUP     reload the settings
USR1    begin a new log file
======= =========================================================

The functions that twistd installs would end the process by the signal that stopped it,
and so with a status that a supervisor takes for a crash.
"""

from __future__ import annotations

import signal
from collections.abc import Callable
from typing import Any

from wsmsg.daemon.exits import Exit
from wsmsg.daemon.reactor import handle_stops

#: As L{signal.signal}.
Install = Callable[[int, Any], Any]


class Signals:
    """
    The signal functions of this process, while a daemon runs in it.

    Start it once the reactor runs, because the reactor installs its own functions when
    it begins to run.  The functions are Python's, not asyncio's, because Twisted
    occupies the one wakeup descriptor that Python has.

    @param reload: called in the reactor's thread for HUP.
    @param rotate: called in the reactor's thread for USR1.
    @param cut_lead: L{wsmsg.daemon.lead.LeadTime.cut}.
    """

    def __init__(
        self,
        reactor: Any,
        exits: Exit,
        *,
        reload: Callable[[], object],
        rotate: Callable[[], object] = lambda: None,
        cut_lead: Callable[[], bool] = lambda: False,
        install: Install = signal.signal,
    ) -> None:
        self._reactor = reactor
        self._exits = exits
        self._cut_lead = cut_lead
        self._install = install
        self._stopping = False
        self._calls = {signal.SIGHUP: reload, signal.SIGUSR1: rotate}
        # A signal that comes before L{start} must not end the process by that signal.
        handle_stops(reactor, self._stop)

    def start(self) -> None:
        for number in self._calls:
            self._install(number, self._called)
        self._install(signal.SIGTERM, self._stop)
        if self._install(signal.SIGINT, self._stop) is signal.SIG_IGN:
            # Started in the background of a shell: Ctrl-C is meant for another process.
            self._install(signal.SIGINT, signal.SIG_IGN)

    def stop(self) -> None:
        """
        Ignore HUP and USR1, because the parts that would respond are stopping.
        """
        for number in self._calls:
            self._install(number, signal.SIG_IGN)

    def stop_now(self, reason: str) -> None:
        """
        End the lead time, or else the process.
        """
        if not self._cut_lead():
            self._exits.abort(1, reason)

    def _called(self, number: int, frame: object) -> None:
        self._reactor.callFromThread(self._calls[signal.Signals(number)])

    def _stop(self, number: int, frame: object) -> None:
        name = signal.Signals(number).name
        if self._stopping:
            self.stop_now(f"received {name} again")
            return
        self._stopping = True
        self._reactor.callFromThread(self._exits.exit_with, 0, f"received {name}")
