"""
The count and the log of calls and of peers that were refused for want of a proof.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from typing import Literal

from twisted.logger import Logger

from wsmsg.dependency.alarms import Alarms
from wsmsg.text.counted import plural

#: For so long after the last caller with another secret, the daemon says so.
ALARM_S = 60.0
#: The least time between two lines of the log.
_LOG_S = 10.0

#: C{unproven}: the caller offers no proof; C{secret}: it has another secret; C{proof}:
#: its proof is wrong, or was made for another connection.
Reason = Literal["unproven", "secret", "proof"]

_WORDS: dict[Reason, str] = {
    "unproven": "it offers no proof that it is a daemon of this system",
    "secret": "it has another secret (peer.secrets, or peer.key in the data directory)",
    "proof": "its proof is wrong, or was made for another connection",
}


class Refusals:
    """
    The callers that a listener refused.

    @param seconds: returns monotonic seconds.
    @ivar counts: the number of refused calls, by reason.
    """

    _log = Logger()

    def __init__(self, alarms: Alarms, seconds: Callable[[], float]) -> None:
        self.counts: Counter[str] = Counter()
        self._alarms = alarms
        self._seconds = seconds
        self._logged_s: dict[Reason, float] = {}
        self._unlogged: Counter[str] = Counter()
        self._alarm_until_s = 0.0

    def note(self, reason: Reason, address: str, method: str) -> None:
        """
        Note a refused call.
        """
        self.counts[reason] += 1
        now_s = self._seconds()
        if reason == "secret":
            self._alarm_until_s = now_s + ALARM_S
            self._alarms.set("peer_refused", f"{address} calls: {_WORDS[reason]}")
        if now_s - self._logged_s.get(reason, -_LOG_S) < _LOG_S:
            self._unlogged[reason] += 1
            return
        self._logged_s[reason] = now_s
        more = self._unlogged.pop(reason, 0)
        were = plural(more, "call was", "calls were")
        self._log.warn(
            "refused {method} of {address}: {why}{more}",
            method=method,
            address=address,
            why=_WORDS[reason],
            more=f"; {more} more {were} refused before" if more else "",
        )

    def look(self) -> None:
        """
        Clear the alarm when its time is over; called every few seconds.
        """
        if self._alarm_until_s and self._seconds() >= self._alarm_until_s:
            self._alarm_until_s = 0.0
            self._alarms.clear("peer_refused")
