"""
The metrics that every daemon has of itself, whatever it does.
"""

from __future__ import annotations

from collections.abc import Callable

import attrs

from wsmsg import __version__
from wsmsg.monitoring.measures.histogram import Histogram
from wsmsg.monitoring.metrics import Metrics


@attrs.frozen
class Vitals:
    """
    The version, the readiness and the turns of a daemon.

    @ivar daemon: its kind.
    @ivar node: its name.
    @ivar is_ready: returns whether it is ready.
    @ivar turns: the durations of the turns of the reactor; L{None}: they are not known.
    """

    daemon: str
    node: str
    is_ready: Callable[[], bool]
    turns: Histogram | None

    def register_metrics(self, metrics: Metrics) -> None:
        """
        Have the values read by each scrape.
        """
        labels = {"version": __version__, "daemon": self.daemon, "node": self.node}
        metrics.info(
            "wsmsg_build",
            "The version of wsmsg, the kind of the daemon and the name of its node",
            labels,
        )
        metrics.gauge(
            "wsmsg_ready", "1 if the daemon is ready, else 0", self._ready_or_not
        )
        if self.turns is not None:
            metrics.histogram(
                "wsmsg_reactor_turn_seconds",
                "Time for which the reactor was busy before it looked at the sockets; "
                "on uvloop ten of these times in a second",
                self.turns,
            )

    def _ready_or_not(self) -> int:
        return int(self.is_ready())
