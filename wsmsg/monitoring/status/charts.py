"""
The figures and charts of the status page, by the metrics that they show.

The tables are for both daemons: what a daemon has no metric for is left out.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from enum import StrEnum

import attrs

from wsmsg.monitoring.metrics import MetricValues, Number


class Unit(StrEnum):
    """
    The unit of a chart, and what a sample of it is.
    """

    #: Thousandths of events a second: the growth of a counter since the last sample.
    RATE = "rate"
    #: A number of things.
    LEVEL = "level"
    #: Milliseconds, of a metric in seconds.
    DURATION = "ms"


@attrs.frozen
class Series:
    """
    A line of a chart.

    @ivar metric: without the suffix C{_total}; the sum over its label.
    """

    name: str
    metric: str


@attrs.frozen
class Chart:
    """
    A chart.

    @ivar about: one sentence for a person who never saw the system.
    """

    title: str
    unit: Unit
    about: str
    series: Sequence[Series]


_CONNECT = "wsmsg_connect_"
_MESSAGE = "wsmsg_message_"

CHARTS = (
    Chart(
        "Messages",
        Unit.RATE,
        "Messages of clients that were accepted, and messages pushed to clients.",
        [
            Series("accepted", f"{_CONNECT}accepted"),
            Series("pushed", f"{_CONNECT}pushed"),
        ],
    ),
    Chart(
        "Sessions",
        Unit.LEVEL,
        "Clients that are connected.",
        [Series("sessions", f"{_CONNECT}sessions")],
    ),
    Chart(
        "Refusals",
        Unit.RATE,
        "Connections, logins and messages that Connect refused.",
        [
            Series("logins", f"{_CONNECT}refused"),
            Series("messages", f"{_CONNECT}rejected"),
        ],
    ),
    Chart(
        "Waiting",
        Unit.LEVEL,
        "Messages of clients for which no Message has answered yet.",
        [Series("messages", f"{_CONNECT}sends_unanswered")],
    ),
    Chart(
        "Messages",
        Unit.RATE,
        "Messages that were accepted, stored, and pushed to Connects.",
        [
            Series("accepted", f"{_MESSAGE}accepted"),
            Series("stored", f"{_MESSAGE}stored"),
            Series("pushed", f"{_MESSAGE}pushed"),
        ],
    ),
    Chart(
        "Lag",
        Unit.LEVEL,
        "Accepted messages that are not stored and pushed to the end yet.",
        [Series("messages", f"{_MESSAGE}journal_lag")],
    ),
    Chart(
        "Delay",
        Unit.DURATION,
        "The age of the oldest message that waits to be stored, and of the oldest push "
        "that a Connect has not acknowledged.",
        [
            Series("store", f"{_MESSAGE}oldest_unstored_seconds"),
            Series("push", f"{_MESSAGE}link_oldest_push_seconds"),
        ],
    ),
    Chart(
        "Users",
        Unit.LEVEL,
        "Users who are connected to any Connect.",
        [Series("users", f"{_MESSAGE}users")],
    ),
    Chart(
        "Refusals",
        Unit.RATE,
        "Messages that Message refused, and calls of HTTP.",
        [
            Series("messages", f"{_MESSAGE}rejected"),
            Series("HTTP", f"{_MESSAGE}http_rejected"),
        ],
    ),
)

#: By name, the metric of a figure, and what it is.
FIGURES = {
    "sessions": (f"{_CONNECT}sessions", "Clients that are connected or log in."),
    "connections": (
        f"{_CONNECT}connections",
        "Open connections, those of HTTP included.",
    ),
    "messages_accepted": (
        f"{_CONNECT}accepted",
        "Messages of clients that are durable, since the start.",
    ),
    "messages_pushed": (
        f"{_CONNECT}pushed",
        "Messages written to sessions, since the start.",
    ),
    "pushes_missed": (
        f"{_CONNECT}pushes_missed",
        "Conversations in which a client was not pushed a message. Must stay 0.",
    ),
    "connects": (
        f"{_MESSAGE}streams",
        "Connects with a stream to this Message.",
    ),
    "users": (f"{_MESSAGE}users", "Users who are connected to any Connect."),
    "accepted": (
        f"{_MESSAGE}accepted",
        "Messages that are durable, since the start.",
    ),
    "stored": (f"{_MESSAGE}stored", "Messages put into the store, since the start."),
    "lag": (
        f"{_MESSAGE}journal_lag",
        "Accepted messages that are not stored and pushed to the end yet.",
    ),
    "dead_letters": (
        f"{_MESSAGE}dead_letters",
        "Records that can never be processed and were set aside, since the start. "
        "wsmsg dead-letters lists them.",
    ),
}

#: By what was refused, the metric that counts it by reason.
REFUSALS = {
    "logins": f"{_CONNECT}refused",
    "sends": f"{_CONNECT}rejected",
    "intake": f"{_MESSAGE}gate_refused",
    "limits_of_users": f"{_MESSAGE}limited",
    "peers": "wsmsg_peer_refused",
    "tls": "wsmsg_tls_failed",
}


class Readings:
    """
    The metrics of a daemon, as the tables read them.

    @ivar charts: those of this daemon.
    @ivar explained: by name, what a figure is.
    """

    def __init__(self, metrics: MetricValues) -> None:
        self._metrics = metrics
        has = metrics.has
        self.charts = tuple(
            c for c in CHARTS if all(has(series.metric) for series in c.series)
        )
        figures = {name: it for name, it in FIGURES.items() if has(it[0])}
        self._figures = {name: metric for name, (metric, _) in figures.items()}
        self.explained = {name: about for name, (_, about) in figures.items()}

    def samplers(self) -> Sequence[tuple[Unit, Callable[[], Number]]]:
        """
        Return how to read each line of the charts, in order.
        """
        return [
            (chart.unit, self._sampler(series))
            for chart in self.charts
            for series in chart.series
        ]

    def _sampler(self, series: Series) -> Callable[[], Number]:
        def read() -> Number:
            return sum(self._metrics.read(series.metric).values())

        return read

    def figures(self) -> Mapping[str, Number]:
        """
        Return the section C{figures} of C{/status}.
        """
        return {
            name: sum(self._metrics.read(metric).values())
            for name, metric in self._figures.items()
        }

    def refusals(self) -> Mapping[str, Mapping[str, Number]]:
        """
        Return the section C{refusals} of C{/status}: by what was refused and by reason,
        how often since the start.
        """
        found = {
            name: {reason: n for reason, n in self._metrics.read(metric).items() if n}
            for name, metric in REFUSALS.items()
            if self._metrics.has(metric)
        }
        return {name: counts for name, counts in found.items() if counts}

    def described(self) -> Sequence[Mapping[str, object]]:
        """
        Return the charts, for the page.
        """
        return [
            {
                "title": chart.title,
                "unit": chart.unit.value,
                "about": chart.about,
                "series": [series.name for series in chart.series],
            }
            for chart in self.charts
        ]
