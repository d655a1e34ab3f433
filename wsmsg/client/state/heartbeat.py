"""
Whether the server is still there.

A connection on which nothing came for a while is asked for a C{pong}; when nothing
at all comes for as long again, it is dead, whatever the socket says.
"""

from __future__ import annotations


class HeartbeatTimer:
    """
    @param interval_s: of silence, before we ask and before we give up.
    """

    def __init__(self, interval_s: float, now: float) -> None:
        self._interval_s = interval_s
        self._heard_at = now
        self._asked_at: float | None = None

    def heard(self, now: float) -> None:
        """
        Something came.
        """
        self._heard_at = now
        self._asked_at = None

    def ask(self, now: float) -> bool:
        """
        Whether a ping is due now; it is taken as sent.
        """
        if self._asked_at is not None or now < self._heard_at + self._interval_s:
            return False
        self._asked_at = now
        return True

    def dead(self, now: float) -> bool:
        """
        Whether to give up.
        """
        asked = self._asked_at
        return asked is not None and now >= asked + self._interval_s

    @property
    def next_due(self) -> float:
        """
        When to look again.
        """
        start = self._heard_at if self._asked_at is None else self._asked_at
        return start + self._interval_s
