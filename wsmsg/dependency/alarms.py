"""
Alarms: conditions under which a daemon serves, and which an operator must look at.

An alarm is raised by whoever finds the condition, and cleared when it has passed.
While one is raised the daemon is degraded, and C{/readyz}, the metrics and C{wsmsg
status} say why.  The log has a line when an alarm is raised, when its reason changes
(at most one each minute), and when it is cleared.
"""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Callable

import attrs
from twisted.logger import Logger

#: The least time between two lines about one alarm whose reason changes.
CHANGES_S = 60.0


@attrs.frozen
class Alarm:
    """
    A condition that lasts.

    @ivar name: the kind of the condition, of a small closed set: a label of metrics.
    @ivar reason: the condition, in words for an operator.
    @ivar since_s: when it was raised, in unix seconds.
    """

    name: str
    reason: str
    since_s: float


class Alarms:
    """
    The alarms of one daemon.

    @param seconds: returns monotonic seconds.
    @param unix_s: returns the unix time.
    @ivar raised: by name, how often an alarm was raised.
    """

    _log = Logger()

    def __init__(
        self,
        seconds: Callable[[], float] = time.monotonic,
        unix_s: Callable[[], float] = time.time,
    ) -> None:
        self.raised: Counter[str] = Counter()
        self._seconds = seconds
        self._logged_s: dict[str, float] = {}
        self._raised_s: dict[str, float] = {}
        self._unix_s = unix_s
        self._current: dict[str, Alarm] = {}

    @property
    def current(self) -> tuple[Alarm, ...]:
        """
        The alarms that are raised now, the oldest first.
        """
        return tuple(self._current.values())

    def raise_alarm(self, name: str, reason: str) -> None:
        """
        Raise an alarm, or change the reason of one that is raised.
        """
        known = self._current.get(name)
        if known is not None and known.reason == reason:
            return
        now_s = self._seconds()
        if known is None:
            self.raised[name] += 1
            self._raised_s[name] = now_s
        since_s = self._unix_s() if known is None else known.since_s
        self._current[name] = Alarm(name, reason, since_s)
        if known is None or now_s - self._logged_s[name] >= CHANGES_S:
            self._logged_s[name] = now_s
            self._log.error("alarm {alarm}: {reason}", alarm=name, reason=reason)

    def clear(self, name: str) -> None:
        """
        Clear an alarm, if it is raised.
        """
        known = self._current.pop(name, None)
        if known is not None:
            self._log.info(
                "alarm {alarm} is over after {seconds:.1f} s",
                alarm=name,
                seconds=self._seconds() - self._raised_s[name],
            )

    def set(self, name: str, reason: str) -> None:
        """
        Raise an alarm with this reason; clear it if the reason is empty.
        """
        if reason:
            self.raise_alarm(name, reason)
        else:
            self.clear(name)
