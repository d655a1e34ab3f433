"""
Counts for Prometheus that cost an addition.

What happens thousands of times a second adds to a plain integer; only a scrape
looks at it::

    self._sends = metrics.counter("wsmsg_sends", "Sends that clients made")
    self._refused = metrics.counters("wsmsg_refused", "Sends refused", label="code")
    ...
    self._sends.value += 1
    self._refused["overloaded"].value += 1

What is counted elsewhere anyway is only read: C{metrics.gauge("wsmsg_sessions",
"Sessions there are", lambda: len(registry))}.  A label's values must be a small
closed set: a code, a reason, a state; never a user.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping

from prometheus_client import CollectorRegistry, ProcessCollector
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily
from prometheus_client.exposition import choose_encoder
from prometheus_client.metrics_core import Metric
from prometheus_client.registry import Collector

from wsmsg.dependency.state import Snapshot, State

Number = int | float


class Count:
    """
    A number that only rises, by C{count.value += 1}.
    """

    __slots__ = ("value",)

    def __init__(self) -> None:
        self.value: Number = 0


class CountsByLabel(dict[str, Count]):
    """
    A L{Count} for each value of a label, made when it is first asked for.
    """

    def __missing__(self, label: str) -> Count:
        count = self[label] = Count()
        return count


class Metrics(Collector):
    """
    All that one daemon counts.
    """

    def __init__(self) -> None:
        self._families: dict[str, Callable[[], Iterable[Metric]]] = {}
        self._registry = CollectorRegistry()
        self._registry.register(self)
        # The process's CPU seconds, memory and open files.
        ProcessCollector(registry=self._registry)

    def counter(
        self, name: str, text: str, read: Callable[[], Number] | None = None
    ) -> Count:
        """
        Something that is counted.

        @param name: without C{_total}, which is added.
        @param read: where it is counted elsewhere.
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
    ) -> CountsByLabel:
        """
        Something that is counted for each value of a label.
        """
        counts = CountsByLabel()
        values = read or (lambda: {key: c.value for key, c in counts.items()})

        def family() -> Iterator[Metric]:
            metric = CounterMetricFamily(name, text, labels=[label])
            for key, value in values().items():
                metric.add_metric([key], value)
            yield metric

        self._add(name, family)
        return counts

    def gauge(self, name: str, text: str, read: Callable[[], Number]) -> None:
        """
        Something that rises and falls.
        """
        self._add(name, lambda: [GaugeMetricFamily(name, text, value=read())])

    def gauges(
        self,
        name: str,
        text: str,
        read: Callable[[], Mapping[str, Number]],
        *,
        label: str,
    ) -> None:
        """
        Something that rises and falls, for each value of a label.
        """

        def family() -> Iterator[Metric]:
            metric = GaugeMetricFamily(name, text, labels=[label])
            for key, value in read().items():
                metric.add_metric([key], value)
            yield metric

        self._add(name, family)

    def dependencies(self, read: Callable[[], Iterable[Snapshot]]) -> None:
        """
        What the daemon needs, as C{/readyz} has it.
        """

        def by_name(value: Callable[[Snapshot], Number]) -> dict[str, Number]:
            return {snapshot.name: value(snapshot) for snapshot in read()}

        self.gauges(
            "wsmsg_dependency_up",
            "Whether it is there",
            lambda: by_name(lambda s: int(s.state is State.UP)),
            label="dependency",
        )
        self.gauges(
            "wsmsg_dependency_attempts",
            "Attempts since it was last there",
            lambda: by_name(lambda s: s.attempts),
            label="dependency",
        )
        self.gauges(
            "wsmsg_dependency_since_seconds",
            "When it came to its state, in unix seconds",
            lambda: by_name(lambda s: s.since_s),
            label="dependency",
        )
        self.counters(
            "wsmsg_dependency_losses",
            "How often it went away",
            label="dependency",
            read=lambda: by_name(lambda s: s.losses),
        )

    def collect(self) -> Iterator[Metric]:
        """
        Everything, as it is now; for the registry.
        """
        for family in self._families.values():
            yield from family()

    def exposition(self, accept: str = "") -> tuple[str, bytes]:
        """
        The page that Prometheus reads.

        @param accept: the C{Accept} header of its request.
        @return: its content type and its bytes.
        """
        encode, kind = choose_encoder(accept)
        return kind, encode(self._registry)

    def _add(self, name: str, family: Callable[[], Iterable[Metric]]) -> None:
        if name in self._families:
            raise ValueError(f"{name} is counted already")
        self._families[name] = family
