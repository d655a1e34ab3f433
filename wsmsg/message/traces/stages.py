"""
The spans of a message between the stream that brought it and those that take it on.

Each costs nothing for a message that is not traced but the look whether it is.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence
from itertools import chain

import msgspec
from twisted.internet.defer import Deferred
from twisted.logger import Logger

from wsmsg.flow.life_ring import LifeRing, Stage, message_key
from wsmsg.message.traces.interface import AddResult, R
from wsmsg.model import Message
from wsmsg.tracing.context import child_of, halves_of, new_trace, trace_id_of
from wsmsg.tracing.spans import (
    AddSpan,
    SpanKind,
    TraceSpan,
    batch_attributes,
    destination,
    message_attributes,
)

#: The most links of a span: what OpenTelemetry allows by default.
MOST_LINKS = 128


class MessageTraces:
    """
    The traces of a Message (L{wsmsg.message.traces.interface.IMessageTraces}).

    @param add: takes the spans.
    @param journal: the attributes of the span of a batch of the journal.
    @param life: remembers the traces of messages.
    """

    _log = Logger()

    def __init__(
        self,
        add: AddSpan,
        life: LifeRing,
        *,
        journal: Mapping[str, str] | None = None,
        now_ns: Callable[[], int] = time.time_ns,
    ) -> None:
        self.now_ns = now_ns
        self._add = add
        self._life = life
        self._journal = dict(journal or {})

    def appends(
        self, add: Callable[[Sequence[Message]], Deferred[R]]
    ) -> Callable[[Sequence[Message]], Deferred[R]]:
        def add_traced(messages: Sequence[Message]) -> Deferred[R]:
            if not _traced(messages):
                return add(messages)
            start_ns, children = self.now_ns(), _children(messages)

            def ended(appended: R) -> R:
                for old, new in zip(messages, children, strict=True):
                    if new is not old:
                        self._end_append(old, new, start_ns, appended)
                return appended

            return add(children).addCallback(ended)

        return add_traced

    def _end_append(
        self, old: Message, new: Message, start_ns: int, appended: AddResult
    ) -> None:
        problem = appended.refused.get(new.identity) or appended.problem
        if new.identity in appended.stored:
            problem = None
        code = "" if problem is None else problem.code
        self._end("append", "send", SpanKind.PRODUCER, new, old, start_ns, error=code)

    def appended(self, batches: Sequence[Sequence[Message]], start_ns: int) -> None:
        links = [m.traceparent for m in chain(*batches) if m.traceparent]
        if links:
            n = sum(map(len, batches))
            attributes = batch_attributes("append", "send", n, **self._journal)
            self._end_batch("append batch", links, start_ns, attributes)

    def stored(self, messages: Sequence[Message], start_ns: int) -> list[Message]:
        before = _traced(messages)
        if not before:
            return list(messages)
        children = _children(messages)
        for old, new in zip(messages, children, strict=True):
            if new is not old:
                trace_id = trace_id_of(new.traceparent)
                key = message_key(new.message_id)
                self._life.note(Stage.TRACED, key, *halves_of(new.traceparent))
                self._log.debug(
                    "message {message_id} is stored, and traced: {trace_id}",
                    message_id=new.message_id,
                    client_id=new.client_id,
                    user=new.sender,
                    conversation=new.conversation,
                    seq=new.seq,
                    trace_id=trace_id,
                )
                self._end("store", "process", SpanKind.CONSUMER, new, old, start_ns)
        attributes = batch_attributes("store", "process", len(messages))
        self._end_batch("store batch", before, start_ns, attributes)
        return children

    def pushed(
        self, messages: Sequence[Message], settled: Callable[[], object]
    ) -> tuple[Sequence[Message], Callable[[], object]]:
        if not _traced(messages):
            return messages, settled
        start_ns, children = self.now_ns(), _children(messages)

        def ended() -> None:
            for old, new in zip(messages, children, strict=True):
                if new is not old:
                    self._end("push", "send", SpanKind.PRODUCER, new, old, start_ns)
            settled()

        return children, ended

    def _end(
        self,
        stage: str,
        operation: str,
        kind: SpanKind,
        message: Message,
        before: Message,
        start_ns: int,
        *,
        error: str = "",
    ) -> None:
        attributes = message_attributes(
            stage,
            operation,
            message.conversation,
            sender=message.sender,
            client_id=message.client_id,
        )
        attributes["messaging.message.id"] = str(message.message_id)
        if message.seq:
            attributes["wsmsg.seq"] = message.seq
        self._add(
            TraceSpan(
                f"{stage} {destination(message.conversation)}",
                kind,
                message.traceparent,
                before.traceparent,
                start_ns,
                self.now_ns(),
                attributes,
                error=error,
            )
        )

    def _end_batch(
        self,
        name: str,
        links: Sequence[str],
        start_ns: int,
        attributes: Mapping[str, str | int],
    ) -> None:
        self._add(
            TraceSpan(
                name,
                SpanKind.INTERNAL,
                new_trace(),
                "",
                start_ns,
                self.now_ns(),
                attributes,
                links[:MOST_LINKS],
            )
        )


def _traced(messages: Sequence[Message]) -> list[str]:
    return [m.traceparent for m in messages if m.traceparent]


def _children(messages: Sequence[Message]) -> list[Message]:
    """
    Return all messages, those that are traced with the span that is to come.
    """
    return [
        msgspec.structs.replace(m, traceparent=child_of(m.traceparent))
        if m.traceparent
        else m
        for m in messages
    ]
