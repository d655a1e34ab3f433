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
        self._heard_at = now
        self._asked_at: float | None = None

    def heard(self, now: float) -> None:
        """
        Record that something arrived.
        """
        self._heard_at = now
        self._asked_at = None

    def ask(self, now: float) -> bool:
        """
        Return L{True} if a ping is due now; it then counts as sent.
        """
        if self._asked_at is not None or now < self._heard_at + self._interval_s:
            return False
        self._asked_at = now
        return True

    def dead(self, now: float) -> bool:
        """
        L{True} if the connection is dead.
        """
        asked = self._asked_at
        return asked is not None and now >= asked + self._interval_s

    @property
    def next_due(self) -> float:
        """
        Return the time of the next check.
        """
        start = self._heard_at if self._asked_at is None else self._asked_at
        return start + self._interval_s
