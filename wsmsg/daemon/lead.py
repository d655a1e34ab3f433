"""
The lead time of a stop.

A balancer notices by C{/readyz} that a daemon stops, but not at once.  Until then it
sends newcomers, and the daemon serves them.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from twisted.internet.defer import Deferred, succeed
from twisted.logger import Logger


class LeadTime:
    """
    The time between the end of readiness and the stop of the first part.

    @param lead_s: returns its length in seconds.
    """

    _log = Logger()

    def __init__(self, reactor: Any, lead_s: Callable[[], float]) -> None:
        self._reactor = reactor
        self._lead_s = lead_s
        self._waiting: Deferred[None] | None = None

    def wait(self) -> Deferred[None]:
        """
        Let the lead time pass.
        """
        lead_s = self._lead_s()
        if not lead_s:
            return succeed(None)
        self._log.info(
            "not ready any more; newcomers are served for {seconds} s", seconds=lead_s
        )
        waiting = self._waiting = Deferred()
        timer = self._reactor.callLater(lead_s, self._end)

        def ended(result: None) -> None:
            if timer.active():
                timer.cancel()

        return waiting.addCallback(ended)

    def cut(self) -> bool:
        """
        End the lead time now.  A signal function may call this.

        @return: whether it was under way.
        """
        if self._waiting is None:
            return False
        self._reactor.callFromThread(self._end)
        return True

    def _end(self) -> None:
        waiting, self._waiting = self._waiting, None
        if waiting is not None:
            waiting.callback(None)
