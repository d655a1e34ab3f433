"""
The way of spans out of a daemon: a bounded queue, and a thread that exports them.

The reactor only appends to the queue.  An endpoint that is slow, hangs or is gone costs
spans: while the thread waits for it the queue fills, and what does not fit is dropped
and counted.  The stop of a daemon waits a moment for the last spans, and leaves a
thread that is stuck to the end of the process.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Sequence
from threading import Event, Thread
from typing import Protocol

from twisted.internet.defer import Deferred, succeed
from twisted.internet.interfaces import IReactorFromThreads, IReactorTime
from twisted.logger import Logger

from wsmsg.monitoring.metrics import Metrics
from wsmsg.settings.upstream import TraceSettings
from wsmsg.text.counted import counted
from wsmsg.tracing.spans import TraceSpan

#: The time for which spans are gathered, unless a batch is full before.
GATHER_S = 1.0
#: The most spans of one request.
BATCH = 512
#: The time that a stop waits for the last spans.
STOP_S = 2.0
#: The time between two lines of the log about spans that were lost.
QUIET_S = 60.0
_BUG = "see the failure above"


class TimeAndThreads(IReactorTime, IReactorFromThreads):
    """
    The parts of a reactor that an export needs.
    """


class Exporter(Protocol):
    """
    Exports spans; called in a thread.
    """

    def export(self, spans: Sequence[TraceSpan]) -> str:
        """
        Export spans, and wait until that is done.

        @return: why they are lost; empty: they are not.
        """

    def shutdown(self) -> None:
        """
        Wait for nothing any more, and close the connection; called once, in the thread
        of the reactor.
        """


class SpanExport:
    """
    Exports the spans of a daemon.

    @param make: makes the exporter when the export starts.
    @param limit: the most spans that wait.
    @ivar exported: spans that the endpoint took.
    @ivar overflowed: spans that were dropped, as the queue was full.
    @ivar failed: spans that were dropped, as the endpoint did not take them.
    """

    _log = Logger()

    def __init__(
        self, make: Callable[[], Exporter], reactor: TimeAndThreads, *, limit: int
    ) -> None:
        self.exported = self.overflowed = self.failed = 0
        self._make = make
        self._reactor = reactor
        self._limit = limit
        self._waiting: deque[TraceSpan] = deque()
        self._wake = Event()
        self._exporter: Exporter | None = None
        self._stopping = False
        self._over: Deferred[None] = Deferred()
        self._quiet_until_s = 0.0
        self._told = 0

    @property
    def dropped(self) -> int:
        """
        Spans that were lost.
        """
        return self.overflowed + self.failed

    def add(self, span: TraceSpan) -> None:
        """
        Queue a span.
        """
        waiting = self._waiting
        if len(waiting) >= self._limit:
            self.overflowed += 1
            return
        waiting.append(span)
        if len(waiting) == BATCH:
            self._wake.set()

    def start(self) -> None:
        """
        Begin to export.
        """
        self._exporter = exporter = self._make()
        # A daemon thread: an endpoint that hangs must not keep the process alive.
        Thread(
            target=self._run, args=(exporter,), name="wsmsg-traces", daemon=True
        ).start()

    def stop(self) -> Deferred[None]:
        """
        Export what waits, as far as that goes within L{STOP_S}.
        """
        if self._exporter is None:
            return succeed(None)
        self._stopping = True
        self._wake.set()
        over: Deferred[None] = Deferred()
        self._over.chainDeferred(over)
        over.addTimeout(STOP_S, self._reactor, self._too_late)
        return over

    def _too_late(self, *_: object) -> None:
        left = counted(len(self._waiting), "span")
        self._log.warn("stopping without waiting longer to export {left}", left=left)
        self._shut_down()

    def _end(self) -> None:
        self._shut_down()
        self._over.callback(None)

    def _shut_down(self) -> None:
        exporter, self._exporter = self._exporter, None
        if exporter is not None:
            exporter.shutdown()

    def register_metrics(self, metrics: Metrics) -> None:
        """
        Have the counts read by each scrape.
        """
        metrics.counter(
            "wsmsg_trace_spans",
            "Spans of traces that the endpoint took",
            lambda: self.exported,
        )
        metrics.counters(
            "wsmsg_trace_spans_dropped",
            "Spans of traces that were lost: the queue was full, or the endpoint did "
            "not take them",
            label="reason",
            read=lambda: {"queue": self.overflowed, "endpoint": self.failed},
        )

    # -- in the thread

    def _run(self, exporter: Exporter) -> None:
        try:
            while not self._stopping:
                self._wake.wait(GATHER_S)
                self._wake.clear()
                self._export_all(exporter)
            self._export_all(exporter)
        except Exception:  # noqa: BLE001 - the top of a thread
            self._log.failure("the thread that exports spans")
        self._reactor.callFromThread(self._end)

    def _export_all(self, exporter: Exporter) -> None:
        waiting = self._waiting
        while waiting:
            batch = [waiting.popleft() for _ in range(min(len(waiting), BATCH))]
            problem = _BUG
            with self._log.failuresHandled("spans cannot be exported"):
                problem = exporter.export(batch)
            if problem:
                self.failed += len(batch)
                self._tell(problem)
            else:
                self.exported += len(batch)

    def _tell(self, problem: str) -> None:
        """
        Log that spans are lost, at most once in L{QUIET_S}.
        """
        now_s = self._reactor.seconds()
        if now_s < self._quiet_until_s:
            return
        self._quiet_until_s = now_s + QUIET_S
        lost, self._told = self.dropped - self._told, self.dropped
        self._log.warn(
            "{spans} of traces lost: {reason}",
            spans=counted(lost, "span"),
            reason=problem,
        )


def span_export(
    daemon: str, settings: TraceSettings, node: str, reactor: TimeAndThreads
) -> SpanExport | None:
    """
    Make the export of a daemon; L{None}: its settings name no endpoint.
    """
    if not settings.endpoint:
        return None

    def exporter() -> Exporter:
        from wsmsg.tracing.otlp import OtlpExporter

        return OtlpExporter(
            settings.endpoint,
            service=settings.service_name or f"wsmsg-{daemon}",
            node=node,
            timeout_s=settings.timeout_s,
        )

    return SpanExport(exporter, reactor, limit=settings.queue)
