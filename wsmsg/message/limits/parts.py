"""
The limits of users, put together: one object that starts, stops and is reloaded.
"""

from __future__ import annotations

import time
from collections.abc import Callable

from twisted.internet.defer import Deferred
from twisted.internet.interfaces import IReactorTime

from wsmsg.message.limits.meters import UserMeters
from wsmsg.message.limits.quotas import IQuotaStore, Quotas
from wsmsg.message.limits.rates import ConnectRates
from wsmsg.message.limits.settings import UserLimits
from wsmsg.message.limits.usage import UsageSaver
from wsmsg.monitoring.metrics import Metrics
from wsmsg.settings.values import MessageSettings


class LimitParts:
    """
    The meters and quotas of users, for all sends of this Message.

    @param unix_s: returns the unix time, for the days and hours of UTC.
    @ivar rates: the rates of the Connects.
    @ivar meters: sends a second and bytes a day.
    @ivar quotas: the limits that the store must judge.
    """

    def __init__(
        self,
        settings: MessageSettings,
        store: IQuotaStore,
        clock: IReactorTime,
        unix_s: Callable[[], float] = time.time,
    ) -> None:
        self._limits = UserLimits(settings.limits, unix_s)
        self.rates = ConnectRates()
        self.meters = UserMeters(self._limits, clock.seconds, self.rates)
        self.quotas = Quotas(self._limits, store, clock.seconds)
        self._saver = UsageSaver(self.meters, store.usage, store.dependency, clock)

    def apply_settings(self, settings: MessageSettings) -> None:
        """
        Apply other limits.
        """
        self._limits.apply_settings(settings.limits)
        self.meters.apply_settings()
        self.quotas.apply_settings(settings.limits)

    def register_metrics(self, metrics: Metrics) -> None:
        """
        Register the metrics of refusals.
        """
        self._limits.register_metrics(metrics)

    def start(self) -> None:
        """
        Begin to save what users have used.
        """
        self._saver.start()

    def stop(self) -> Deferred[None]:
        """
        @return: a Deferred that fires when what users have used is saved.
        """
        return self._saver.stop()
