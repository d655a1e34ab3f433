"""
The metrics that the daemons can register, for the table on their page.

Each C{register_metrics} of the tree is called with a recorder, on an instance that
stands in for what it reads.  So the table has the metrics of plug-ins too, which a
daemon registers when it first needs them.
"""

from __future__ import annotations

import ast
from collections.abc import Callable, Iterator, Mapping
from importlib import import_module
from pathlib import Path
from typing import Any, NamedTuple

from wsmsg.dependency.alarms import Alarms
from wsmsg.monitoring.measures.histogram import Histogram
from wsmsg.monitoring.metrics import (
    Count,
    Counter,
    CountsByLabel,
    Family,
    Metrics,
)

ROOT = Path(__file__).resolve().parent.parent


class MetricRow(NamedTuple):
    """
    A metric: its name as it is scraped, its kind, its label or nothing, its help text.
    """

    name: str
    kind: str
    label: str
    text: str


class Nothing:
    """
    Stands in for whatever a constructor, a route or a metric reads.
    """

    def __getattr__(self, name: str) -> Any:
        return self

    def __call__(self, *_: object, **__: object) -> Any:
        return self

    def __iter__(self) -> Iterator[Any]:
        return iter(())


class _Recorder(Metrics):
    """
    Keeps a row for each metric, and reads none.
    """

    def __init__(self) -> None:
        super().__init__()
        self.rows: dict[str, MetricRow] = {}

    def counter(self, name: str, text: str, read: Any = None) -> Count:
        self._keep(MetricRow(f"{name}_total", "counter", "", text))
        return Count()

    def counters(
        self, name: str, text: str, *, label: str, read: Any = None, values: Any = ()
    ) -> CountsByLabel:
        self._keep(MetricRow(f"{name}_total", "counter", label, text))
        return CountsByLabel()

    def histogram(self, name: str, text: str, histogram: Histogram) -> None:
        self._keep(MetricRow(name, "histogram", "", text))

    def histograms(
        self, name: str, text: str, histograms: object, *, label: str
    ) -> None:
        self._keep(MetricRow(name, "histogram", label, text))

    def gauge(self, name: str, text: str, read: Callable[[], Any]) -> None:
        self._keep(MetricRow(name, "gauge", "", text))

    def gauges(self, name: str, text: str, read: Any, *, label: str) -> None:
        self._keep(MetricRow(name, "gauge", label, text))

    def info(self, name: str, text: str, labels: dict[str, str]) -> None:
        self._keep(MetricRow(f"{name}_info", "gauge", ", ".join(labels), text))

    def keyed(self, read: Any, table: Mapping[str, Family]) -> None:
        for family in table.values():
            if isinstance(family, Counter):
                self.counter(family.name, family.text)
            else:
                self.gauge(family.name, family.text, int)

    def _keep(self, row: MetricRow) -> None:
        self.rows[row.name] = row


def metric_rows() -> list[MetricRow]:
    """
    Return the metrics of both daemons, by name.
    """
    recorder = _Recorder()
    recorder.dependencies(list)
    recorder.alarms(Alarms(Nothing()))
    for owner in _owners():
        fields = {"__getattr__": lambda self, name: Nothing()}
        stand_in = type(owner.__name__, (owner,), fields)
        owner.register_metrics(object.__new__(stand_in), recorder)
    return sorted(recorder.rows.values())


def _owners() -> Iterator[Any]:
    """
    Yield the classes that register metrics, without interfaces and protocols.
    """
    for path in sorted((ROOT / "wsmsg").rglob("*.py")):
        text = path.read_text()
        if "def register_metrics(" not in text:
            continue
        module = import_module(".".join(path.relative_to(ROOT).with_suffix("").parts))
        for node in ast.parse(text).body:
            if not isinstance(node, ast.ClassDef):
                continue
            methods = {n.name for n in node.body if isinstance(n, ast.FunctionDef)}
            owner = getattr(module, node.name)
            if "register_metrics" in methods and isinstance(owner, type):
                yield owner
