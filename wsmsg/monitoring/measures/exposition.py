"""
The pages that Prometheus scrapes, made in pieces: one for each family of metrics, so
that a daemon does other work in between.

The text formats are those of C{prometheus_client}.  The protobuf format, which alone
carries native histograms, is written here, because C{prometheus_client} lacks it: a
sequence of C{MetricFamily}, each after its length.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from typing import Any

import attrs
from prometheus_client.core import HistogramMetricFamily
from prometheus_client.exposition import choose_encoder
from prometheus_client.metrics_core import Metric
from prometheus_client.registry import Collector

from wsmsg.monitoring.measures import exposition_pb2
from wsmsg.monitoring.measures.histogram import SCHEMA, Histogram

PROTOBUF = (
    "application/vnd.google.protobuf; proto=io.prometheus.client.MetricFamily; "
    "encoding=delimited"
)
_FAMILY = "io.prometheus.client.metricfamily"
_END = b"# EOF\n"
_COUNTER, _GAUGE, _UNTYPED, _HISTOGRAM = 0, 1, 3, 4
_TYPES = {
    "counter": (_COUNTER, "counter"),
    "gauge": (_GAUGE, "gauge"),
    "info": (_GAUGE, "gauge"),
}


class DurationsFamily(HistogramMetricFamily):
    """
    A family of histograms, of which the classic buckets are samples.

    @ivar histograms: by the value of the label; without a label, by the empty string.
    """

    def __init__(
        self, name: str, text: str, label: str, histograms: Mapping[str, Histogram]
    ) -> None:
        super().__init__(name, text, labels=[label] if label else [])
        self.label = label
        self.histograms = histograms
        for value, histogram in histograms.items():
            buckets = [(repr(le), n) for le, n in histogram.classic()]
            buckets.append(("+Inf", histogram.count))
            self.add_metric([value] if label else [], buckets, histogram.sum)


@attrs.frozen
class MetricsPage:
    """
    A page that is still to be made.

    @ivar kind: the content type.
    @ivar pieces: the bytes; an iterator that reads each metric when its turn comes.
    """

    kind: str
    pieces: Iterator[bytes]


def page(families: Iterable[Metric], accept: str) -> MetricsPage:
    """
    Return the page of these families.

    @param accept: the C{Accept} header of the request.
    """
    if _prefers_protobuf(accept):
        return MetricsPage(PROTOBUF, map(_delimited, families))
    encode, kind = choose_encoder(accept)
    return MetricsPage(kind, _text(families, encode, ends="openmetrics" in kind))


def _text(
    families: Iterable[Metric], encode: Callable[[Collector], bytes], *, ends: bool
) -> Iterator[bytes]:
    for family in families:
        yield encode(_One(family)).removesuffix(_END)
    if ends:
        yield _END


class _One(Collector):
    """
    One family, as an encoder wants it.
    """

    def __init__(self, family: Metric) -> None:
        self._family = family

    def collect(self) -> Sequence[Metric]:
        return (self._family,)


# ------------------------------------------------------------------------- protobuf


def _prefers_protobuf(accept: str) -> bool:
    """
    Return whether a scraper wants protobuf at least as much as anything else.
    """
    wanted: dict[bool, float] = {}
    for choice in accept.split(","):
        kind, *parameters = (part.strip().lower() for part in choice.split(";"))
        given = dict(p.partition("=")[::2] for p in parameters)
        is_protobuf = (
            kind == "application/vnd.google.protobuf"
            and given.get("proto") == _FAMILY
            and given.get("encoding") == "delimited"
        )
        quality = given.get("q", "1")
        weight = float(quality) if re.fullmatch(r"[01](\.\d{0,3})?", quality) else 0.0
        wanted[is_protobuf] = max(wanted.get(is_protobuf, 0.0), weight)
    return wanted.get(True, 0.0) > 0 and wanted[True] >= wanted.get(False, 0.0)


def _delimited(family: Metric) -> bytes:
    data = _protobuf(family).SerializeToString()
    return _varint(len(data)) + data


def _protobuf(family: Metric) -> exposition_pb2.MetricFamily:
    if isinstance(family, DurationsFamily):
        return _durations(family)
    kind, field = _TYPES.get(family.type, (_UNTYPED, "untyped"))
    suffix = {"counter": "_total", "info": "_info"}.get(family.type, "")
    found = exposition_pb2.MetricFamily(
        name=family.name + suffix, help=family.documentation, type=kind
    )
    for sample in family.samples:
        if sample.name != found.name:
            continue  # the time at which a counter was made
        labels = [_label(*each) for each in sample.labels.items()]
        fields: dict[str, Any] = {field: exposition_pb2.Value(value=sample.value)}
        found.metric.append(exposition_pb2.Metric(label=labels, **fields))
    return found


def _label(name: str, value: str) -> exposition_pb2.LabelPair:
    return exposition_pb2.LabelPair(name=name, value=value)


def _durations(family: DurationsFamily) -> exposition_pb2.MetricFamily:
    found = exposition_pb2.MetricFamily(
        name=family.name, help=family.documentation, type=_HISTOGRAM
    )
    for value, histogram in family.histograms.items():
        metric = found.metric.add()
        if family.label:
            metric.label.add(name=family.label, value=value)
        _fill(metric.histogram, histogram)
    return found


def _fill(into: exposition_pb2.Histogram, histogram: Histogram) -> None:
    into.sample_count = histogram.count
    into.sample_sum = histogram.sum
    for bound, n in histogram.classic():
        into.bucket.add(upper_bound=bound, cumulative_count=n)
    into.schema = SCHEMA
    into.zero_threshold = histogram.bounds[0]
    into.zero_count = histogram.counts[0]
    last_index, last_count = None, 0
    for index, n in histogram.native():
        if last_index is not None and index == last_index + 1:
            into.positive_span[-1].length += 1
        else:
            gap = index if last_index is None else index - last_index - 1
            into.positive_span.add(offset=gap, length=1)
        into.positive_delta.append(n - last_count)
        last_index, last_count = index, n


def _varint(number: int) -> bytes:
    found = bytearray()
    while number > 127:
        found.append(number & 127 | 128)
        number >>= 7
    found.append(number)
    return bytes(found)
