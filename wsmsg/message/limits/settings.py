"""
The limits of users as they are now, and the refusals by limit.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from typing import Final

from wsmsg.errors import LimitReached
from wsmsg.monitoring.metrics import Metrics
from wsmsg.settings.values import UserLimitSettings

#: The names of the limits, in the metric.
LIMITS: Final = (
    "sends",
    "stored_bytes",
    "strangers",
    "groups_owned",
    "groups_joined",
)

DAY_S: Final = 86_400
HOUR_S: Final = 3600


class UserLimits:
    """
    The settings C{limits} of Message, which may change at any time.

    @param unix_s: returns the unix time, for the days and hours of UTC.
    @ivar settings: the current settings.
    @ivar refused: the requests that were refused, by limit.
    """

    def __init__(
        self, settings: UserLimitSettings, unix_s: Callable[[], float]
    ) -> None:
        self.settings = settings
        self.refused: Counter[str] = Counter(dict.fromkeys(LIMITS, 0))
        self._unix_s = unix_s

    def apply_settings(self, settings: UserLimitSettings) -> None:
        """
        Apply other limits.
        """
        self.settings = settings

    def register_metrics(self, metrics: Metrics) -> None:
        """
        Have the refusals read by each scrape.
        """
        metrics.counters(
            "wsmsg_message_limited",
            "Requests refused because the user reached a limit",
            label="limit",
            read=lambda: self.refused,
        )

    def day(self) -> int:
        """
        Return the number of the current day of UTC.
        """
        return int(self._unix_s() // DAY_S)

    def hour(self) -> int:
        """
        Return the number of the current hour of UTC.
        """
        return int(self._unix_s() // HOUR_S)

    def refuse(self, limit: str, reason: str) -> LimitReached:
        """
        Count a refusal, and return its error.
        """
        self.refused[limit] += 1
        return LimitReached(reason)
