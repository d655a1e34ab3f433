"""
The status page of a daemon: its samples, its timers and its routes.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from twisted.internet.interfaces import IReactorTime
from twisted.internet.task import LoopingCall
from twisted.logger import Logger

from wsmsg.http.access import AccessLevel
from wsmsg.http.routes import Call, LiveText, Reply, Route
from wsmsg.http.static.routes import static_routes
from wsmsg.monitoring.admin import page
from wsmsg.monitoring.health import Health
from wsmsg.monitoring.metrics import MetricValues
from wsmsg.monitoring.status.charts import Readings
from wsmsg.monitoring.status.events import CONTENT_TYPE, Viewers, encoded
from wsmsg.monitoring.status.history import INTERVAL_S, ChartHistory

#: Seconds between two events with the status, while a page is open.
STATUS_S = 1.0

_PAGE = Path(__file__).parent / "page"


class StatusPage:
    """
    The page at C{/} and its events at C{/events}; both begin when the daemon's parts
    have registered their metrics.

    A sample each 5 s is all that it costs while no page is open.
    """

    _log = Logger()

    def __init__(
        self, health: Health, metrics: MetricValues, clock: IReactorTime
    ) -> None:
        self._health = health
        self._readings = Readings(metrics)
        self._history = ChartHistory(self._readings.samplers(), clock.seconds)
        self._viewers = Viewers(self._first, self._viewers_changed)
        self._sampling = LoopingCall.withCount(self._sample)
        self._telling = LoopingCall(self._tell)
        self._sampling.clock = self._telling.clock = clock
        health.add_section("figures", self._readings.figures)
        health.add_section("refusals", self._readings.refusals)

    def routes(self) -> Sequence[Route]:
        """
        Return the routes.  The page itself tells nothing, so everybody may have it; the
        events need the key of operators, as C{/status} does.
        """
        return [
            *static_routes(
                _PAGE, index="/", below="/static/", access=AccessLevel.UNLIMITED
            ),
            page("events", self._events, form=LiveText),
        ]

    def start(self) -> None:
        """
        Begin to take samples.
        """
        self._sampling.start(INTERVAL_S, now=False)

    def stop(self) -> None:
        """
        End the streams of all pages.
        """
        if self._sampling.running:
            self._sampling.stop()
        self._viewers.end()

    async def _events(self, call: Call) -> Reply:
        self._viewers.check_room()
        return Reply(200, LiveText(CONTENT_TYPE, self._viewers.watch))

    def _first(self) -> bytes:
        history = {
            "interval_s": INTERVAL_S,
            "charts": self._readings.described(),
            "figures": self._readings.explained,
            "samples": self._history.samples,
        }
        return encoded("history", history) + encoded("status", self._health.status())

    def _sample(self, intervals: int) -> None:
        # LoopingCall makes no further call after one that raises.
        with self._log.failuresHandled("the charts of the status page"):
            self._viewers.tell("sample", self._history.sample(intervals))

    def _tell(self) -> None:
        with self._log.failuresHandled("the events of the status page"):
            self._viewers.tell("status", self._health.status())

    def _viewers_changed(self) -> None:
        if len(self._viewers) and not self._telling.running:
            self._telling.start(STATUS_S, now=False)
        elif not len(self._viewers) and self._telling.running:
            self._telling.stop()
