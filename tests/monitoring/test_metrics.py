"""
Metrics: their names and help texts, and the page that Prometheus scrapes.
"""

from __future__ import annotations

import os
import re
import shutil
import subprocess
from unittest import SkipTest

from prometheus_client import ProcessCollector
from prometheus_client.parser import text_string_to_metric_families
from twisted.trial.unittest import SynchronousTestCase

from tests.doubles import exposed
from tools.metric_rows import MetricRow, metric_rows
from wsmsg.monitoring.measures.process import ProcessMetrics
from wsmsg.monitoring.metrics import Counter, Gauge, Metrics

_UNITS = re.compile(
    r"_(ms|millis|milliseconds|us|microseconds|minutes|hours|kb|mb|kib|mib|percent|s)"
    r"(_total)?$"
)
_LEVEL_SUFFIXES = ("_total", "_count", "_sum", "_bucket", "_gauge", "_counter")


class NamesTests(SynchronousTestCase):
    """
    The metrics of both daemons.
    """

    def setUp(self) -> None:
        self.rows = metric_rows()
        self.assertGreater(len(self.rows), 100)

    def test_names(self) -> None:
        """
        A counter ends with C{_total} and nothing else does; units are base units.
        """
        for row in self.rows:
            self.assertRegex(row.name, r"^wsmsg_[a-z][a-z0-9_]*$")
            self.assertEqual(row.name.endswith("_total"), row.kind == "counter", row)
            self.assertNotRegex(row.name, _UNITS)
            if row.kind != "counter":
                self.assertFalse(row.name.endswith(_LEVEL_SUFFIXES), row)

    def test_families(self) -> None:
        """
        No label mixes several things in a family.
        """
        mixed = [row.name for row in self.rows if row.label in ("what", "name", "key")]
        self.assertEqual(mixed, [])

    def test_help(self) -> None:
        """
        Each help text is a phrase that a person who never saw the code understands: it
        begins with a capital or a number, has no full stop, and refers to no other.
        """
        for row in self.rows:
            self.assertRegex(row.text, r"^[A-Z1][^`]{9,}[^.]$", row.name)
            self.assertNotRegex(row.text, r"\b(theirs|those that failed|see docs)\b")
        texts = [(row.name.split("_")[1], row.text) for row in self.rows]
        twice = {text for text in texts if texts.count(text) > 1}
        self.assertEqual(twice, set())

    def test_promtool(self) -> None:
        """
        promtool finds nothing to say against the names and the help texts.
        """
        promtool = shutil.which("promtool")
        if promtool is None:
            if os.environ.get("CI"):
                self.fail("there is no promtool; install Debian's package prometheus")
            raise SkipTest("there is no promtool")
        page = "".join(map(_exposed, self.rows))
        done = subprocess.run(
            [promtool, "check", "metrics"],
            input=page,
            capture_output=True,
            text=True,
            check=False,
            timeout=60,
        )
        self.assertEqual((done.returncode, done.stdout + done.stderr), (0, ""))


def _exposed(row: MetricRow) -> str:
    name = row.name
    samples = [name]
    if row.kind == "histogram":
        samples = [f'{name}_bucket{{le="+Inf"}}', f"{name}_sum", f"{name}_count"]
    lines = [f"# HELP {name} {row.text}", f"# TYPE {name} {row.kind}"]
    return "\n".join([*lines, *(f"{sample} 1" for sample in samples), ""])


class PageTests(SynchronousTestCase):
    """
    L{Metrics}.
    """

    def setUp(self) -> None:
        self.metrics = Metrics()

    def samples(self) -> dict[str, dict[str, float]]:
        """
        Return the samples of the page that belong to wsmsg: by name, by label values.
        """
        page = exposed(self.metrics)
        found: dict[str, dict[str, float]] = {}
        for family in text_string_to_metric_families(page.decode()):
            for sample in family.samples:
                if sample.name.startswith("wsmsg_"):
                    labels = ",".join(f"{k}={v}" for k, v in sample.labels.items())
                    found.setdefault(sample.name, {})[labels] = sample.value
        return found

    def test_first_increase(self) -> None:
        """
        A counter with known values of its label has samples before anything is counted,
        so that Prometheus sees the first increase.
        """
        self.metrics.counters(
            "wsmsg_letters", "Letters", label="kind", read=dict, values=["a", "b"]
        )
        wanted = {"wsmsg_letters_total": {"kind=a": 0.0, "kind=b": 0.0}}
        self.assertEqual(self.samples(), wanted)

    def test_keyed(self) -> None:
        """
        The values of a mapping are families of their own, each of its kind; one that
        the mapping lacks has no sample.
        """
        values = {"a": 3, "b": 4}
        self.metrics.keyed(
            lambda: values,
            {
                "a": Counter("wsmsg_a", "As"),
                "b": Gauge("wsmsg_b", "Bs"),
                "c": Counter("wsmsg_c", "Cs"),
            },
        )
        self.assertEqual(self.samples(), {"wsmsg_a_total": {"": 3}, "wsmsg_b": {"": 4}})
        values["c"] = 5
        self.assertEqual(self.samples()["wsmsg_c_total"], {"": 5})

    def test_unknown(self) -> None:
        """
        A level that is not known has no sample.
        """
        self.metrics.gauge("wsmsg_free_bytes", "Free space", lambda: None)
        self.assertEqual(self.samples(), {})

    def test_build_info(self) -> None:
        """
        The version is a label of a gauge that is 1.
        """
        self.metrics.info("wsmsg_build", "Version", {"version": "1.2.3"})
        self.assertEqual(self.samples(), {"wsmsg_build_info": {"version=1.2.3": 1}})

    def test_process(self) -> None:
        """
        The page has the metrics of the process and of Python's garbage collector.
        """
        page = exposed(self.metrics).decode()
        self.assertIn("\npython_gc_collections_total", page)
        families = {f.name: f for f in ProcessMetrics().collect()}
        usual = {f.name: f for f in ProcessCollector(registry=None).collect()}
        self.assertEqual(families.keys(), usual.keys())
        for name, family in families.items():
            (mine,), (other,) = family.samples, usual[name].samples
            self.assertIn(f"\n{mine.name} ", page)
            self.assertEqual(mine.name, other.name)
            self.assertEqual(family.type, usual[name].type)
            self.assertEqual(family.documentation, usual[name].documentation)
            # CPU time and memory have grown between the two looks, and little.
            self.assertLess(abs(other.value - mine.value), 0.01 * mine.value + 1, name)
