"""
The export of spans: to a receiver, and to endpoints that fail or hang.
"""

from __future__ import annotations

from collections.abc import Sequence
from threading import Event
from typing import Any

from twisted.internet.defer import Deferred
from twisted.internet.task import deferLater
from twisted.logger import LogLevel, capturedLogs
from twisted.trial.unittest import TestCase

from tests.tracing.receiver import REACTOR, HangingReceiver, OtlpReceiver
from wsmsg.monitoring.metrics import Metrics
from wsmsg.settings.upstream import TraceSettings
from wsmsg.tracing.context import child_of, new_trace, trace_id_of
from wsmsg.tracing.export import BATCH, SpanExport, span_export
from wsmsg.tracing.spans import SpanKind, TraceSpan, message_attributes


def span(name: str = "store", parent: str = "", **more: Any) -> TraceSpan:
    """
    Return a span.
    """
    traceparent = child_of(parent) if parent else new_trace()
    attributes = message_attributes(name, "process", "u:1:2", seq=3)
    return TraceSpan(
        name, SpanKind.CONSUMER, traceparent, parent, 1_000, 2_000, attributes, **more
    )


class GatedExporter:
    """
    An exporter that waits for the test.

    @ivar begun: set when an export begins.
    @ivar gate: set by the test: exports may end.
    @ivar batches: the sizes of the batches.
    """

    def __init__(self, problem: str = "") -> None:
        self.begun, self.gate = Event(), Event()
        self.batches: list[int] = []
        self.is_shut = False
        self._problem = problem

    def export(self, spans: Sequence[TraceSpan]) -> str:
        self.batches.append(len(spans))
        self.begun.set()
        self.gate.wait(30)
        return self._problem

    def shutdown(self) -> None:
        self.is_shut = True
        self.gate.set()


async def until(condition: Any) -> None:
    """
    Wait for another thread.
    """
    while not condition():
        await deferLater(REACTOR, 0.01)


class ReceiverTests(TestCase):
    """
    Spans that reach a real receiver.
    """

    timeout = 60

    def _export(self, url: str, **more: Any) -> SpanExport:
        settings = TraceSettings(endpoint=url, **more)
        export = span_export("message", settings, "m1", REACTOR)
        assert export is not None
        self.addCleanup(export.stop)
        export.start()
        return export

    async def test_form(self) -> None:
        """
        The receiver gets names, times, kinds, attributes, parents, links and errors,
        and the daemon that made them.
        """
        receiver = OtlpReceiver()
        self.addCleanup(receiver.stop)
        export = self._export(receiver.url)
        parent, link = new_trace(), new_trace()
        export.add(span("push", parent, links=[link], error="unavailable"))
        await export.stop()
        (got,) = receiver.spans
        self.assertEqual((got.service, got.node), ("wsmsg-message", "m1"))
        self.assertEqual((got.name, got.start_ns, got.end_ns), ("push", 1_000, 2_000))
        self.assertEqual((got.trace_id, got.parent), (parent[3:35], parent[36:52]))
        self.assertEqual(got.links, [(trace_id_of(link), link[36:52])])
        self.assertEqual(got.error, "unavailable")
        self.assertEqual(
            got.attributes,
            {
                "messaging.system": "wsmsg",
                "messaging.operation.name": "push",
                "messaging.operation.type": "process",
                "messaging.destination.name": "u:1:2",
                "messaging.destination.template": "u:{user}:{user}",
                "wsmsg.seq": 3,
                "error.type": "unavailable",
            },
        )
        self.assertEqual(export.exported, 1)

    async def test_many(self) -> None:
        """
        Many spans are exported in requests of a bounded size, and all of them before
        the stop ends.
        """
        receiver = OtlpReceiver()
        self.addCleanup(receiver.stop)
        export = self._export(receiver.url, service_name="chat")
        for _ in range(3 * BATCH):
            export.add(span())
        await export.stop()
        self.assertEqual(len(receiver.spans), 3 * BATCH)
        self.assertEqual(export.exported, 3 * BATCH)
        self.assertEqual({s.service for s in receiver.spans}, {"chat"})
        self.assertGreaterEqual(receiver.requests, 3)

    async def test_refused(self) -> None:
        """
        Spans that the endpoint refuses are counted, and one line says so, without those
        of the library.
        """
        receiver = OtlpReceiver()
        self.addCleanup(receiver.stop)
        receiver.answer(400)
        export = self._export(receiver.url)
        with capturedLogs() as logs:
            for n in range(3):
                export.add(span())
                await until(lambda n=n: export.failed > n)
        lines = [e for e in logs if e["log_level"] >= LogLevel.warn]
        self.assertEqual(len(lines), 1, lines)
        self.assertEqual(lines[0]["spans"], "1 span")
        self.assertIn(receiver.url, lines[0]["reason"])
        metrics = Metrics()
        export.register_metrics(metrics)
        self.assertEqual(
            metrics.read("wsmsg_trace_spans_dropped"), {"queue": 0, "endpoint": 3}
        )

    async def test_hangs(self) -> None:
        """
        An endpoint that hangs costs spans; the queue is bounded, and the stop of the
        daemon does not wait for the time limit of the request.
        """
        receiver = HangingReceiver()
        self.addCleanup(receiver.stop)
        export = self._export(receiver.url, queue=5, timeout_s=30)
        export.add(span())
        await receiver.asked
        for _ in range(8):
            export.add(span())
        self.assertEqual(export.overflowed, 3)
        begun_s = REACTOR.seconds()
        with capturedLogs() as logs:
            await export.stop()
        self.assertLess(REACTOR.seconds() - begun_s, 5)
        (line,) = [e for e in logs if e["log_level"] >= LogLevel.warn]
        self.assertIn("without waiting longer", line["log_format"])


class QueueTests(TestCase):
    """
    The queue, and its thread.
    """

    timeout = 60

    def _started(self, exporter: GatedExporter, limit: int) -> SpanExport:
        export = SpanExport(lambda: exporter, REACTOR, limit=limit)
        export.start()
        self.addCleanup(export.stop)
        self.addCleanup(exporter.gate.set)
        return export

    async def test_line_a_minute(self) -> None:
        """
        The line about lost spans counts those that did not fit, too.
        """
        exporter = GatedExporter("it is down")
        export = self._started(exporter, limit=2)
        export.add(span())
        await until(exporter.begun.is_set)
        with capturedLogs() as logs:
            for _ in range(4):
                export.add(span())
            exporter.gate.set()
            await until(lambda: export.failed == 3)
        lines = [e for e in logs if e["log_level"] >= LogLevel.warn]
        self.assertEqual(
            [(e["spans"], e["reason"]) for e in lines], [("3 spans", "it is down")]
        )
        self.assertEqual(export.dropped, 5)

    async def test_stop_waits(self) -> None:
        """
        A stop waits for what the thread is exporting, and leaves nothing behind.
        """
        exporter = GatedExporter()
        export = self._started(exporter, limit=10)
        export.add(span())
        await until(exporter.begun.is_set)
        export.add(span())
        stopped: Deferred[None] = export.stop()
        self.assertNoResult(stopped)
        exporter.gate.set()
        await stopped
        self.assertEqual(exporter.batches, [1, 1])
        self.assertTrue(exporter.is_shut)

    def test_not_started(self) -> None:
        """
        An export that was not started stops at once.
        """
        export = SpanExport(GatedExporter, REACTOR, limit=1)
        self.successResultOf(export.stop())

    def test_none(self) -> None:
        """
        Without an endpoint there is no export.
        """
        self.assertIsNone(span_export("connect", TraceSettings(), "c1", REACTOR))
