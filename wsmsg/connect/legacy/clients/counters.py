"""
Counters of the sessions of legacy clients.
"""

from __future__ import annotations

import attrs

from wsmsg.monitoring.counters import Counters
from wsmsg.monitoring.metrics import Metrics


@attrs.define(kw_only=True)
class LegacyClientCounters(Counters):
    """
    Monotonic counters, read by the metrics.

    @ivar skipped: messages of legacy clients that were dropped as invalid.
    @ivar again: times that a conversation's sends were refused for now and will be
        sent again.
    @ivar given_up: messages that were refused for too long.
    @ivar missed: messages that could not be read for a client.
    """

    skipped: int = 0
    again: int = 0
    given_up: int = 0
    missed: int = 0

    def register_metrics(self, metrics: Metrics) -> None:
        """
        Have the counters read by each scrape.
        """
        metrics.counter(
            "wsmsg_connect_legacy_skipped",
            "Invalid messages of legacy clients that were dropped",
            lambda: self.skipped,
        )
        metrics.counter(
            "wsmsg_connect_legacy_again",
            "Times that sends of legacy clients were refused for now",
            lambda: self.again,
        )
        metrics.counter(
            "wsmsg_connect_legacy_given_up",
            "Messages of legacy clients given up",
            lambda: self.given_up,
        )
        metrics.counter(
            "wsmsg_connect_legacy_missed",
            "Messages that could not be read for legacy clients",
            lambda: self.missed,
        )
