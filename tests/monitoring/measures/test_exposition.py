"""
The pages for Prometheus.
"""

from __future__ import annotations

from prometheus_client.openmetrics.parser import (
    text_string_to_metric_families as open_metrics,
)
from twisted.trial.unittest import SynchronousTestCase

from tests.doubles import exposed
from wsmsg.monitoring.measures.exposition import PROTOBUF
from wsmsg.monitoring.measures.exposition_pb2 import MetricFamily
from wsmsg.monitoring.measures.histogram import Histogram
from wsmsg.monitoring.metrics import Metrics

_OPEN = "application/openmetrics-text;version=1.0.0"
_PROTOBUF = (
    "application/vnd.google.protobuf;proto=io.prometheus.client.MetricFamily;"
    "encoding=delimited"
)


class PageTests(SynchronousTestCase):
    """
    The page of L{Metrics}, in each format.
    """

    def setUp(self) -> None:
        self.metrics = Metrics()
        self.stages = {"a": Histogram(), "b": Histogram()}
        self.stages["a"].observe(0.003, 2)
        self.stages["a"].observe(0.0031)
        self.stages["a"].observe(1.0)
        self.metrics.counters(
            "wsmsg_refused", "Refused", label="code", read=lambda: {"x": 3, "y": 0}
        )
        self.metrics.gauge("wsmsg_sessions", "Sessions", lambda: 7)
        self.metrics.info("wsmsg_build", "Version", {"version": "1"})
        self.metrics.histograms(
            "wsmsg_stage_seconds", "Stages", self.stages, label="stage"
        )

    def families(self) -> dict[str, MetricFamily]:
        """
        Return the families of the protobuf page, by name.
        """
        data, found = exposed(self.metrics, _PROTOBUF), {}
        while data:
            size, shift = 0, 0
            while True:
                first, data = data[0], data[1:]
                size |= (first & 127) << shift
                shift += 7
                if first < 128:
                    break
            family = MetricFamily.FromString(data[:size])
            found[family.name] = family
            data = data[size:]
        return found

    def test_text(self) -> None:
        """
        The text has a classic histogram for each value of the label.
        """
        lines = exposed(self.metrics).decode().splitlines()
        name = 'wsmsg_stage_seconds_bucket{le="%s",stage="a"} %s'
        for line in (
            name % ("0.001953125", "0.0"),
            name % ("0.00390625", "3.0"),
            name % ("1.0", "4.0"),
            name % ("+Inf", "4.0"),
            'wsmsg_stage_seconds_count{stage="b"} 0.0',
            "# TYPE wsmsg_stage_seconds histogram",
        ):
            self.assertIn(line, lines)

    def test_open_metrics(self) -> None:
        """
        The pieces of an OpenMetrics page are one page, which ends once.
        """
        page = exposed(self.metrics, _OPEN).decode()
        self.assertEqual(page.count("# EOF"), 1)
        families = open_metrics(page)  # type: ignore[no-untyped-call]
        names = {family.name for family in families}
        self.assertLessEqual({"wsmsg_refused", "wsmsg_stage_seconds"}, names)

    def test_protobuf(self) -> None:
        """
        The protobuf page has every metric of the text, with the same names and values.
        """
        found = self.families()
        refused = found["wsmsg_refused_total"]
        self.assertEqual((refused.type, refused.help), (0, "Refused"))
        values = {m.label[0].value: m.counter.value for m in refused.metric}
        self.assertEqual(values, {"x": 3, "y": 0})
        self.assertEqual(found["wsmsg_sessions"].metric[0].gauge.value, 7)
        [build] = found["wsmsg_build_info"].metric
        self.assertEqual((build.label[0].name, build.gauge.value), ("version", 1))
        text = exposed(self.metrics).decode().splitlines()
        named = {line.split()[2] for line in text if line.startswith("# TYPE")}
        self.assertEqual({n for n in named if not n.endswith("_created")}, {*found})

    def test_native(self) -> None:
        """
        The protobuf page has native histograms, as spans of buckets and differences.
        """
        stages = {
            m.label[0].value: m for m in self.families()["wsmsg_stage_seconds"].metric
        }
        a = stages["a"].histogram
        self.assertEqual((a.schema, a.sample_count, a.zero_count), (2, 4, 0))
        spans = [(span.offset, span.length) for span in a.positive_span]
        # 0.003 and 0.0031 are in (2^(-34/4), 2^(-33/4)], and 1 ends the bucket 0.
        self.assertEqual(spans, [(-33, 1), (32, 1)])
        self.assertEqual(list(a.positive_delta), [3, -2])
        self.assertEqual(a.zero_threshold, 2**-14)
        self.assertEqual(stages["b"].histogram.sample_count, 0)

    def test_negotiation(self) -> None:
        """
        A scraper gets protobuf if it wants nothing else more.
        """
        prometheus = (
            f"{_PROTOBUF},{_OPEN};q=0.8,text/plain;version=0.0.4;q=0.5,*/*;q=0.1"
        )
        for accept, wanted in (
            (prometheus, True),
            (_PROTOBUF, True),
            (f"{_PROTOBUF};q=0.2,{_OPEN};q=0.8", False),
            (f"{_PROTOBUF};q=0", False),
            (f"{_PROTOBUF};q=x", False),
            ("application/vnd.google.protobuf", False),
            (_PROTOBUF.replace("delimited", "text"), False),
            ("*/*", False),
            ("", False),
        ):
            kind = self.metrics.page(accept).kind
            self.assertEqual(kind == PROTOBUF, wanted, accept)
