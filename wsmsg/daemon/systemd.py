"""
Notifications to systemd: ready, reloading, stopping, alive.

The protocol is a datagram of C{KEY=value} lines to the socket in C{$NOTIFY_SOCKET}; see
sd_notify(3), which keeps it stable for programs that implement it themselves.  Without
the variable nothing is sent.
"""

from __future__ import annotations

import os
import socket
import time
from collections.abc import Callable, Mapping

from twisted.internet.interfaces import IReactorTime
from twisted.internet.task import LoopingCall
from twisted.logger import Logger

from wsmsg.monitoring.health import Health

#: Seconds in which a process ends after its last part.
_MARGIN_S = 5.0


class Notify:
    """
    Reports the state of this daemon to systemd.

    READY is sent when the daemon is ready for the first time, so units that are ordered
    after this one find it working.  If the daemon becomes unready later, the status
    line says so: a unit cannot return to the state before READY.

    The reactor feeds the watchdog at half of its interval, so a reactor that is blocked
    does not feed it.

    @param is_fine: returns whether the watchdog may be fed.
    """

    _log = Logger()

    def __init__(
        self,
        clock: IReactorTime,
        health: Health,
        environ: Mapping[str, str] = os.environ,
        *,
        pid: Callable[[], int] = os.getpid,
        monotonic_ns: Callable[[], int] = time.monotonic_ns,
        is_fine: Callable[[], bool] = lambda: True,
    ) -> None:
        self._health = health
        self._pid = pid
        self._monotonic_ns = monotonic_ns
        self._path = environ.get("NOTIFY_SOCKET", "")
        self._environ = environ
        self._sent_ready = False
        self._is_fine = is_fine
        self._feeding = LoopingCall(self._feed)
        self._feeding.clock = clock

    def start(self) -> None:
        if not self._path:
            return
        self._health.on_change(self._changed)
        self._changed(self._health.ready)
        period_s = self._watchdog_s()
        if period_s:
            self._feeding.start(period_s / 2)

    def stop(self) -> None:
        if self._feeding.running:
            self._feeding.stop()

    def stopping(self, limit_s: float) -> None:
        """
        Report that the daemon stops in order, and ask for the time that it may take.

        @param limit_s: the longest time in seconds.
        """
        limit_us = int((limit_s + _MARGIN_S) * 1e6)
        self.send(STOPPING=1, STATUS="stopping", EXTEND_TIMEOUT_USEC=limit_us)

    def reloading(self) -> None:
        """
        Report that the settings are being read again; L{reloaded} follows.
        """
        if self._sent_ready:
            self.send(RELOADING=1, MONOTONIC_USEC=self._monotonic_ns() // 1000)

    def reloaded(self) -> None:
        """
        Report that the reload has ended, with or without an effect.
        """
        # systemd waits for READY at the end of a reload, even if no stream is up.
        if self._sent_ready:
            self.send(READY=1, STATUS=self._status())

    def send(self, **facts: object) -> None:
        """
        Send these facts to systemd, if it started this process.
        """
        if not self._path:
            return
        text = "\n".join(f"{key}={value}" for key, value in facts.items())
        # A path that begins with @ is in the abstract namespace.
        path = f"\0{self._path[1:]}" if self._path.startswith("@") else self._path
        try:
            with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as out:
                out.setblocking(False)
                out.sendto(text.encode(), path)
        except OSError as e:
            self._log.warn(
                "cannot notify systemd of {facts}: {reason}",
                facts=sorted(facts),
                reason=str(e),
            )

    def _feed(self) -> None:
        if self._is_fine():
            self.send(WATCHDOG=1)

    def _changed(self, ready: bool) -> None:
        if ready and not self._sent_ready:
            self._sent_ready = True
            self.send(READY=1, STATUS=self._status())
        else:
            self.send(STATUS=self._status())

    def _status(self) -> str:
        return self._health.reason() or "ready"

    def _watchdog_s(self) -> float:
        """
        The watchdog interval of systemd in seconds; 0 if systemd does not watch this
        process.
        """
        if self._environ.get("WATCHDOG_PID", str(self._pid())) != str(self._pid()):
            return 0.0
        try:
            return int(self._environ.get("WATCHDOG_USEC", "0")) / 1e6
        except ValueError:
            return 0.0
