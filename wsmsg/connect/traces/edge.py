"""
The decision which messages are traced, and the first and the last span of those.

A message is traced by chance (C{traces.ratio}), or since its client asks for it: with a
C{traceparent} that has the flag C{sampled}.  Clients are strangers, so that flag is
heeded for a few messages in a second (C{traces.clients_per_s}), and neither the ids nor
the flag of a client change what chance decides.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from random import random

from twisted.internet.interfaces import IReactorTime
from twisted.logger import Logger

from wsmsg.connect.upstream.interface import NewSend, OnAnswer, SendAnswer
from wsmsg.daemon.app import Daemon
from wsmsg.flow.life_ring import LifeRing, Stage, send_key
from wsmsg.flow.token_bucket import TokenBucket
from wsmsg.model import Message
from wsmsg.monitoring.metrics import Metrics
from wsmsg.settings.upstream import ConnectTraceSettings
from wsmsg.settings.values import ConnectSettings
from wsmsg.tracing.context import (
    child_of,
    halves_of,
    is_traced,
    new_trace,
    read_traceparent,
    trace_id_of,
)
from wsmsg.tracing.spans import (
    AddSpan,
    SpanKind,
    TraceSpan,
    destination,
    message_attributes,
)


class EdgeTraces:
    """
    The traces of a Connect (L{wsmsg.connect.traces.interface.IEdgeTraces}).

    @param add: takes the spans.
    @param seconds: returns monotonic seconds.
    @param chance: returns a number from 0 to 1, by chance.
    @ivar sampled: messages that are traced by chance.
    @ivar heeded: messages that are traced since their client asked for it.
    @ivar unheeded: messages that are not, although their client asked for it.
    """

    _log = Logger()

    def __init__(
        self,
        add: AddSpan,
        settings: ConnectTraceSettings,
        seconds: Callable[[], float],
        *,
        now_ns: Callable[[], int] = time.time_ns,
        chance: Callable[[], float] = random,
    ) -> None:
        self.sampled = self.heeded = self.unheeded = 0
        self.now_ns = now_ns
        self._add = add
        self._seconds = seconds
        self._chance = chance
        self._set(settings)
        self._bucket = TokenBucket(seconds(), self._burst)

    def _set(self, settings: ConnectTraceSettings) -> None:
        self._ratio = settings.ratio
        self._per_s = settings.clients_per_s
        self._burst = max(1.0, self._per_s) if self._per_s else 0.0

    def apply_settings(self, settings: ConnectSettings) -> None:
        self._set(settings.traces)

    def samples(self, asked: str) -> bool:
        if asked:
            read = read_traceparent(asked)
            if read is not None and read[1]:
                if self._bucket.take(self._seconds(), self._per_s, self._burst):
                    self.heeded += 1
                    return True
                self.unheeded += 1
        if self._chance() >= self._ratio:
            return False
        self.sampled += 1
        return True

    def received(
        self,
        asked: str,
        new: NewSend,
        on_answer: OnAnswer,
        session: str,
        life: LifeRing,
    ) -> tuple[NewSend, OnAnswer]:
        start_ns, read = self.now_ns(), read_traceparent(asked)
        parent = "" if read is None else read[0]
        traceparent = child_of(parent) if parent else new_trace()
        key = send_key(new.sender, new.client_id)
        life.note(Stage.TRACED, key, *halves_of(traceparent))

        def answered(answer: SendAnswer) -> None:
            attributes = message_attributes(
                "receive",
                "receive",
                new.conversation,
                sender=new.sender,
                client_id=new.client_id,
                session=session,
            )
            attributes["messaging.message.body.size"] = len(new.content.encode())
            self._add(
                TraceSpan(
                    f"receive {destination(new.conversation)}",
                    SpanKind.SERVER,
                    traceparent,
                    parent,
                    start_ns,
                    self.now_ns(),
                    attributes,
                    error=answer.code,
                )
            )
            self._log.debug(
                "{client_id} of {user} is traced: {trace_id}, {code}",
                session=session,
                user=new.sender,
                client_id=new.client_id,
                conversation=new.conversation,
                trace_id=trace_id_of(traceparent),
                code=answer.code or "accepted",
            )
            on_answer(answer)

        return new._replace(traceparent=traceparent), answered

    def written(self, message: Message, sessions: int, start_ns: int) -> None:
        parent = message.traceparent
        if not is_traced(parent):
            return
        attributes = message_attributes(
            "write",
            "send",
            message.conversation,
            seq=message.seq,
            sessions=sessions,
        )
        attributes["messaging.message.id"] = str(message.message_id)
        self._add(
            TraceSpan(
                f"write {destination(message.conversation)}",
                SpanKind.PRODUCER,
                child_of(parent),
                parent,
                start_ns,
                self.now_ns(),
                attributes,
            )
        )

    def register_metrics(self, metrics: Metrics) -> None:
        """
        Have the counts read by each scrape.
        """
        metrics.counters(
            "wsmsg_connect_traced",
            "Messages of clients that are traced: by chance, or since the client asked",
            label="by",
            read=lambda: {"ratio": self.sampled, "client": self.heeded},
        )
        metrics.counter(
            "wsmsg_connect_traces_refused",
            "Messages for which a client asked for a trace beyond traces.clients_per_s",
            lambda: self.unheeded,
        )


def edge_traces(daemon: Daemon, reactor: IReactorTime) -> EdgeTraces | None:
    """
    Make what traces messages, if the daemon exports spans.
    """
    if daemon.spans is None:
        return None
    traces = EdgeTraces(daemon.spans.add, daemon.settings.traces, reactor.seconds)
    traces.register_metrics(daemon.metrics)
    daemon.on_reload(traces.apply_settings)
    return traces
