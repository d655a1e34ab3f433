"""
Spans in the form of OpenTelemetry, and its exporter: OTLP as protobuf over HTTP.

The exporter heeds the environment that OpenTelemetry defines, as
C{OTEL_EXPORTER_OTLP_HEADERS} and C{OTEL_RESOURCE_ATTRIBUTES}.  Its thread makes the
forms, so that the reactor does nothing for them.
"""

from __future__ import annotations

import logging
from collections.abc import Sequence

from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
from opentelemetry.sdk.resources import Resource
from opentelemetry.sdk.trace import ReadableSpan
from opentelemetry.sdk.trace.export import SpanExportResult
from opentelemetry.sdk.util.instrumentation import InstrumentationScope
from opentelemetry.trace import (
    Link,
    SpanContext,
    SpanKind,
    Status,
    StatusCode,
    TraceFlags,
)

from wsmsg import __version__
from wsmsg.tracing.context import ids_of
from wsmsg.tracing.spans import TraceSpan

# It logs each attempt that fails, where one line a minute says enough.
_LOGGER = "opentelemetry.exporter.otlp.proto.http"
_SAMPLED = TraceFlags(TraceFlags.SAMPLED)
_FAILED = "the endpoint {} did not take them within {:g} s"


class OtlpExporter:
    """
    Exports to one endpoint (L{wsmsg.tracing.export.Exporter}).

    @param endpoint: the URL, as C{http://127.0.0.1:4318/v1/traces}.
    @param service: the name of the service.
    @param node: the name of this daemon.
    @param timeout_s: the time for one request, with all of its attempts.
    """

    def __init__(
        self, endpoint: str, *, service: str, node: str, timeout_s: float
    ) -> None:
        logging.getLogger(_LOGGER).setLevel(logging.CRITICAL)
        self._problem = _FAILED.format(endpoint, timeout_s)
        self._exporter = OTLPSpanExporter(endpoint, timeout=timeout_s)
        self._scope = InstrumentationScope("wsmsg", __version__)
        self._resource = Resource.create(
            {
                "service.name": service,
                "service.instance.id": node,
                "service.version": __version__,
            }
        )

    def export(self, spans: Sequence[TraceSpan]) -> str:
        done = self._exporter.export([self._readable(span) for span in spans])
        return "" if done is SpanExportResult.SUCCESS else self._problem

    def shutdown(self) -> None:
        self._exporter.shutdown()  # type: ignore[no-untyped-call]

    def _readable(self, span: TraceSpan) -> ReadableSpan:
        attributes = dict(span.attributes)
        if span.error:
            attributes["error.type"] = span.error
        return ReadableSpan(
            span.name,
            _context(span.traceparent),
            _context(span.parent, is_remote=True) if span.parent else None,
            self._resource,
            attributes,
            links=[Link(_context(link, is_remote=True)) for link in span.links],
            kind=SpanKind[span.kind.value],
            status=Status(StatusCode.ERROR, span.error) if span.error else _UNSET,
            start_time=span.start_ns,
            end_time=span.end_ns,
            instrumentation_scope=self._scope,
        )


_UNSET = Status(StatusCode.UNSET)


def _context(traceparent: str, *, is_remote: bool = False) -> SpanContext:
    trace_id, span_id = ids_of(traceparent)
    return SpanContext(trace_id, span_id, is_remote, _SAMPLED)
