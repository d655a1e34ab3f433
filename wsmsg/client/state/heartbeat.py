"""
Liveness of the connection.

After a time of silence the client sends a C{ping}; if nothing at all arrives for as
long again, the connection is dead, whatever the socket says.
"""

from __future__ import annotations


class HeartbeatTimer:
    """
    The timer of one connection.

    @param interval_s: seconds of silence before a ping, and again before giving up.
    """

    def __init__(self, interval_s: float, now: float) -> None:
        self._interval_s = interval_s
        self._received_at = now
        self._pinged_at: float | None = None

    def received(self, now: float) -> None:
        """
        Record that something arrived.
        """
        self._received_at = now
        self._pinged_at = None

    def ask(self, now: float) -> bool:
        """
        Return L{True} if a ping is due now; it then counts as sent.
        """
        if self._pinged_at is not None or now < self._received_at + self._interval_s:
            return False
        self._pinged_at = now
        return True

    def dead(self, now: float) -> bool:
        """
        L{True} if the connection is dead.
        """
        pinged_at = self._pinged_at
        return pinged_at is not None and now >= pinged_at + self._interval_s

    @property
    def next_due(self) -> float:
        """
        Return the time of the next check.
        """
        start = self._received_at if self._pinged_at is None else self._pinged_at
        return start + self._interval_s
