"""
Metrics for Prometheus, at the cost of an addition for each event.

Frequent events add to a plain integer, which only a scrape reads::

    self._sends = metrics.counter("wsmsg_sends", "Sends that clients made")
    self._refused = metrics.counters("wsmsg_refused", "Sends refused", label="code")
    ...
    self._sends.value += 1
    self._refused["overloaded"].value += 1

A value that another object keeps is read from there at a scrape:
C{metrics.gauge("wsmsg_sessions", "Open sessions", lambda: len(registry))}.  The values
of a label have to be a small closed set (a code, a reason, a state), never a user.

A name ends with its unit, which is a base unit (C{_seconds}, C{_bytes}), and a counter
then with C{_total}.  A family is a counter, a level or a histogram, never a mixture.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import Protocol

import attrs
from prometheus_client import CollectorRegistry, GCCollector, PlatformCollector
from prometheus_client.core import (
    CounterMetricFamily,
    GaugeMetricFamily,
    InfoMetricFamily,
)
from prometheus_client.metrics_core import Metric
from prometheus_client.registry import Collector

from wsmsg.dependency.alarms import Alarms
from wsmsg.dependency.state import Snapshot, State
from wsmsg.monitoring.measures.exposition import DurationsFamily, MetricsPage, page
from wsmsg.monitoring.measures.histogram import Histogram
from wsmsg.monitoring.measures.process import ProcessMetrics

Number = int | float


class Count:
    """
    A counter, which C{count.value += 1} increases.
    """

    __slots__ = ("value",)

    def __init__(self) -> None:
        self.value: Number = 0


class CountsByLabel(dict[str, Count]):
    """
    A L{Count} for each value of a label, created at its first use.
    """

    def __missing__(self, label: str) -> Count:
        count = self[label] = Count()
        return count


@attrs.frozen
class Family:
    """
    A name and a help text, for L{Metrics.keyed}.

    @ivar name: of a counter, without the suffix C{_total}, which is added.
    """

    name: str
    text: str


class Counter(Family):
    """
    A number that only rises.
    """


class Gauge(Family):
    """
    A number that rises and falls.
    """


class MetricValues(Protocol):
    """
    Values of metrics by their names, without the suffix C{_total}.
    """

    def has(self, name: str) -> bool:
        """
        Return whether there is a metric of this name.
        """

    def read(self, name: str) -> Mapping[str, Number]:
        """
        Return the current values of one metric, by the value of its label; without a
        label, by the empty string.
        """


class Metrics(Collector):
    """
    All metrics of a daemon.
    """

    def __init__(self) -> None:
        self._families: dict[str, Callable[[], Iterable[Metric]]] = {}
        self._registry = CollectorRegistry()
        self._registry.register(self)
        # CPU seconds, memory, open files and garbage collections of the process, and
        # the version of Python.
        self._registry.register(ProcessMetrics())
        for collector in (GCCollector, PlatformCollector):
            collector(registry=self._registry)

    def counter(
        self, name: str, text: str, read: Callable[[], Number] | None = None
    ) -> Count:
        """
        Add a counter.

        @param name: without the suffix C{_total}, which is added.
        @param text: its help text.
        @param read: returns the value, if another object keeps it.
        @return: the counter to increase, if no other object keeps it.
        """
        count = Count()
        value = read or (lambda: count.value)
        self._add(name, lambda: [CounterMetricFamily(name, text, value=value())])
        return count

    def counters(
        self,
        name: str,
        text: str,
        *,
        label: str,
        read: Callable[[], Mapping[str, Number]] | None = None,
        values: Iterable[str] = (),
    ) -> CountsByLabel:
        """
        Add a counter for each value of a label.

        @param values: those of the label that have a sample from the start, so that
            Prometheus sees the first increase.
        """
        counts = CountsByLabel()
        current = read or (lambda: {key: c.value for key, c in counts.items()})
        zeros = dict.fromkeys(values, 0)

        def family() -> Iterator[Metric]:
            metric = CounterMetricFamily(name, text, labels=[label])
            for key, value in {**zeros, **current()}.items():
                metric.add_metric([key], value)
            yield metric

        self._add(name, family)
        return counts

    def histogram(self, name: str, text: str, histogram: Histogram) -> None:
        """
        Add a histogram, which another object keeps.
        """
        self._add(name, lambda: [DurationsFamily(name, text, "", {"": histogram})])

    def histograms(
        self,
        name: str,
        text: str,
        histograms: Mapping[str, Histogram],
        *,
        label: str,
    ) -> None:
        """
        Add a histogram for each value of a label.
        """
        self._add(name, lambda: [DurationsFamily(name, text, label, histograms)])

    def gauge(self, name: str, text: str, read: Callable[[], Number | None]) -> None:
        """
        Add a gauge.

        @param read: returns its value; L{None}: it is not known, and the gauge has no
            sample.
        """
        self._add(name, lambda: [GaugeMetricFamily(name, text, value=read())])

    def info(self, name: str, text: str, labels: dict[str, str]) -> None:
        """
        Add a gauge that is always 1, for the values of its labels.

        @param name: without the suffix C{_info}, which is added.
        """
        self._add(name, lambda: [InfoMetricFamily(name, text, value=labels)])

    def gauges(
        self,
        name: str,
        text: str,
        read: Callable[[], Mapping[str, Number]],
        *,
        label: str,
    ) -> None:
        """
        Add a gauge for each value of a label.
        """

        def family() -> Iterator[Metric]:
            metric = GaugeMetricFamily(name, text, labels=[label])
            for key, value in read().items():
                metric.add_metric([key], value)
            yield metric

        self._add(name, family)

    def keyed(
        self, read: Callable[[], Mapping[str, Number]], table: Mapping[str, Family]
    ) -> None:
        """
        Add a family for each key of a mapping that another object keeps.

        @param read: returns the mapping; a family has no sample while its key lacks.
        @param table: the families by key.
        """

        def value(key: str) -> Callable[[], Iterable[Metric]]:
            kind, name, text = type(table[key]), table[key].name, table[key].text
            family = CounterMetricFamily if kind is Counter else GaugeMetricFamily
            return lambda: [family(name, text, value=read().get(key))]

        for key, family in table.items():
            self._add(family.name, value(key))

    def dependencies(self, read: Callable[[], Iterable[Snapshot]]) -> None:
        """
        Add the metrics of the daemon's dependencies, which C{/readyz} shows too.
        """

        def by_name(value: Callable[[Snapshot], Number]) -> dict[str, Number]:
            return {snapshot.name: value(snapshot) for snapshot in read()}

        self.gauges(
            "wsmsg_dependency_up",
            "1 if the dependency is up, else 0",
            lambda: by_name(lambda s: int(s.state is State.UP)),
            label="dependency",
        )
        self.gauges(
            "wsmsg_dependency_attempts",
            "Attempts to reach the dependency since it was last up",
            lambda: by_name(lambda s: s.attempts),
            label="dependency",
        )
        self.gauges(
            "wsmsg_dependency_changed_timestamp_seconds",
            "Unix time of the last change of the state of the dependency",
            lambda: by_name(lambda s: s.since_s),
            label="dependency",
        )
        self.counters(
            "wsmsg_dependency_losses",
            "Losses of the dependency",
            label="dependency",
            read=lambda: by_name(lambda s: s.losses),
        )

    def alarms(self, alarms: Alarms) -> None:
        """
        Add the metrics of the daemon's alarms, which C{/readyz} shows too.
        """

        def current() -> dict[str, Number]:
            names = {alarm.name for alarm in alarms.current}
            return {name: int(name in names) for name in alarms.raised}

        self.gauges(
            "wsmsg_alarm", "1 while the alarm is raised, else 0", current, label="alarm"
        )
        self.counters(
            "wsmsg_alarms_raised",
            "Times that the alarm was raised",
            label="alarm",
            read=lambda: alarms.raised,
        )

    def collect(self) -> Iterator[Metric]:
        """
        Return the current values, for the registry.
        """
        for family in self._families.values():
            yield from family()

    def has(self, name: str) -> bool:
        """
        Return whether there is a metric of this name, without the suffix C{_total}.
        """
        return name in self._families

    def read(self, name: str) -> Mapping[str, Number]:
        """
        Return the current values of one metric, by the value of its label; without a
        label, by the empty string.
        """
        return {
            "".join(sample.labels.values()): sample.value
            for metric in self._families[name]()
            for sample in metric.samples
        }

    def page(self, accept: str = "") -> MetricsPage:
        """
        Return the page that Prometheus scrapes.

        @param accept: the C{Accept} header of the request.
        """
        return page(self._registry.collect(), accept)

    def _add(self, name: str, family: Callable[[], Iterable[Metric]]) -> None:
        if name in self._families:
            raise ValueError(f"there is a metric {name} already")
        self._families[name] = family
