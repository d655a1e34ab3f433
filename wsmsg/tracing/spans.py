"""
A span: one stage of one message, or the work on a batch of them.

The attributes are those of the conventions of OpenTelemetry for messaging; those that
begin with C{wsmsg.} are our own.  No span has the content of a message.
U{https://opentelemetry.io/docs/specs/semconv/messaging/}
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from enum import Enum
from typing import NamedTuple

from wsmsg.model import is_group

SYSTEM = "wsmsg"


class SpanKind(Enum):
    """
    The part that a daemon plays in a span, by its name in OpenTelemetry.
    """

    SERVER = "SERVER"
    PRODUCER = "PRODUCER"
    CONSUMER = "CONSUMER"
    INTERNAL = "INTERNAL"


class TraceSpan(NamedTuple):
    """
    A span that has ended.

    @ivar traceparent: of this span.
    @ivar parent: of the span before it; empty: this is the first of its trace.
    @ivar start_ns: unix nanoseconds, as is C{end_ns}.
    @ivar links: the spans of the messages of a batch.
    @ivar error: the code of the error that ended it; empty: none did.
    """

    name: str
    kind: SpanKind
    traceparent: str
    parent: str
    start_ns: int
    end_ns: int
    attributes: Mapping[str, str | int]
    links: Sequence[str] = ()
    error: str = ""


#: Takes a span that has ended; never waits, and never fails.
AddSpan = Callable[[TraceSpan], None]


def destination(conversation: str) -> str:
    """
    Return the conversation without its numbers, as span names have it.
    """
    return "g:{group}" if is_group(conversation) else "u:{user}:{user}"


def message_attributes(
    operation: str, kind: str, conversation: str, **more: str | int
) -> dict[str, str | int]:
    """
    Return the attributes of a span of one message.

    @param operation: the stage.
    @param kind: the type of operation, one of the conventions.
    @param more: of our own, without their prefix.
    """
    found: dict[str, str | int] = {
        "messaging.system": SYSTEM,
        "messaging.operation.name": operation,
        "messaging.operation.type": kind,
        "messaging.destination.name": conversation,
        "messaging.destination.template": destination(conversation),
    }
    found.update((f"{SYSTEM}.{name}", value) for name, value in more.items())
    return found


def batch_attributes(
    operation: str, kind: str, n_messages: int, **more: str | int
) -> dict[str, str | int]:
    """
    Return the attributes of a span of a batch.

    @param more: of the conventions, without their prefix C{messaging}, and with C{_} in
        the place of dots.
    """
    found: dict[str, str | int] = {
        "messaging.system": SYSTEM,
        "messaging.operation.name": operation,
        "messaging.operation.type": kind,
        "messaging.batch.message_count": n_messages,
    }
    found.update(
        (f"messaging.{name.replace('_', '.')}", value) for name, value in more.items()
    )
    return found
