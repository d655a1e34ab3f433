"""
The figures and the charts of the status page.
"""

from __future__ import annotations

from collections import Counter

from twisted.internet.task import Clock
from twisted.trial.unittest import SynchronousTestCase

from wsmsg.monitoring.metrics import Metrics
from wsmsg.monitoring.status.charts import CHARTS, FIGURES, Readings, Unit
from wsmsg.monitoring.status.history import KEPT, ChartHistory


class HistoryTests(SynchronousTestCase):
    """
    L{ChartHistory}.
    """

    def setUp(self) -> None:
        self.clock = Clock()
        self.values = {"count": 100, "level": 3, "age": 0.25}
        read = self.values.__getitem__
        self.history = ChartHistory(
            [
                (Unit.RATE, lambda: read("count")),
                (Unit.LEVEL, lambda: read("level")),
                (Unit.DURATION, lambda: read("age")),
            ],
            self.clock.seconds,
        )

    def test_samples(self) -> None:
        """
        A sample has the growth of a counter in thousandths a second, a level as it is,
        and a time in milliseconds; a counter that began anew has not shrunk.
        """
        self.clock.advance(5)
        self.values["count"] += 12
        self.assertEqual(self.history.sample(), (2400, 3, 250))
        self.clock.advance(10)
        self.assertEqual(self.history.sample(), (0, 3, 250))
        self.values["count"] = 0
        self.clock.advance(5)
        self.assertEqual(self.history.sample(), (0, 3, 250))

    def test_gap(self) -> None:
        """
        The time in which the process did not run is a gap, at most the whole history.
        """
        self.clock.advance(15)
        self.values["count"] += 15
        self.history.sample(intervals=3)
        self.assertEqual(self.history.samples, (None, None, (1000, 3, 250)))
        self.history.sample(intervals=10**9)
        self.assertEqual(len(self.history.samples), KEPT)

    def test_bound(self) -> None:
        """
        The history is bounded: the oldest samples leave.
        """
        for number in range(KEPT + 10):
            self.values["level"] = number
            self.clock.advance(5)
            self.history.sample()
        self.assertEqual(len(self.history.samples), KEPT)
        self.assertEqual(self.history.samples[0], (0, 10, 250))


class ReadingsTests(SynchronousTestCase):
    """
    L{Readings}.
    """

    def setUp(self) -> None:
        self.refused = Counter({"token_expired": 2, "stale": 0, "handshakes": 1})
        self.metrics = Metrics()
        self.metrics.counter("wsmsg_connect_accepted", "Accepted", lambda: 7)
        self.metrics.counter("wsmsg_connect_pushed", "Pushed", lambda: 9)
        self.metrics.counters(
            "wsmsg_connect_refused",
            "Refused",
            label="reason",
            read=lambda: self.refused,
        )
        self.metrics.gauge("wsmsg_connect_sends_unanswered", "Waiting", lambda: 4)
        self.readings = Readings(self.metrics)

    def test_charts(self) -> None:
        """
        The charts are those for which the daemon has the metrics, and read these.
        """
        titles = [chart["title"] for chart in self.readings.described()]
        self.assertEqual(titles, ["Messages", "Waiting"])
        self.assertEqual([read() for _, read in self.readings.samplers()], [7, 9, 4])

    def test_figures(self) -> None:
        """
        The figures are the values of metrics, each explained in a sentence.
        """
        self.assertEqual(
            self.readings.figures(), {"messages_accepted": 7, "messages_pushed": 9}
        )
        self.assertEqual(set(self.readings.explained), set(self.readings.figures()))
        for _, about in FIGURES.values():
            self.assertTrue(about.endswith("."), about)

    def test_refusals(self) -> None:
        """
        Refusals are counted by reason; what was never refused is left out.
        """
        counts = {"token_expired": 2, "handshakes": 1}
        self.assertEqual(self.readings.refusals(), {"logins": counts})
        self.refused.clear()
        self.assertEqual(self.readings.refusals(), {})

    def test_table(self) -> None:
        """
        A chart has at most three lines, which are told apart by more than a colour.
        """
        for chart in CHARTS:
            self.assertLessEqual(len(chart.series), 3, chart.title)
