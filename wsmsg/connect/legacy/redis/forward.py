"""
Validation of the messages that legacy Connects forward to each other through Redis.

Each is a JSON object with C{from_instance}, C{to_instance}, C{user_id}, C{timestamp},
C{type} (always C{forward_message}) and C{message}, a C{WSMessage} in snake case without
its empty fields.
"""

from __future__ import annotations

from typing import Annotated

import msgspec

from wsmsg.errors import json_problem
from wsmsg.legacy.extra import UNSET, extra_of, shown_ms
from wsmsg.model import (
    FIRST_EVENT,
    INT64_MAX,
    TEXT,
    Message,
    conversation_of,
    group_conversation,
)
from wsmsg.stream.contract import SIGNAL_TYPES

#: The bytes of a forward besides the content.
_BESIDE_CONTENT = 64 * 1024
#: The most bytes of JSON that the legacy Connect makes of one: C{\\u003c}, for example.
_ESCAPED = 6

_Id = Annotated[int, msgspec.Meta(gt=0, le=INT64_MAX)]
_OptionalId = Annotated[int, msgspec.Meta(ge=0, le=INT64_MAX)]


class _Message(msgspec.Struct, frozen=True):
    message_id: _Id
    sender: _Id = msgspec.field(name="from")
    to: _OptionalId = 0
    group_id: _OptionalId = 0
    content: str = ""
    timestamp: Annotated[int, msgspec.Meta(ge=-INT64_MAX - 1, le=INT64_MAX)] = 0
    message_type: Annotated[int, msgspec.Meta(ge=0, lt=FIRST_EVENT)] = UNSET
    ack_id: str = ""


class _Forward(msgspec.Struct, frozen=True):
    to_instance: str
    user_id: _Id
    type: str
    message: _Message
    from_instance: str = ""
    timestamp: int = 0


class InvalidForward(ValueError):
    """
    A forward cannot be delivered; the text says why.
    """


class Forward(msgspec.Struct, frozen=True):
    """
    A message that a legacy Connect forwards to a user on this node, with the values
    that the stream from Message would give it.
    """

    user: int
    message: Message


_decoder = msgspec.json.Decoder(_Forward)


def limit_bytes(content_bytes: int) -> int:
    """
    Return the length of the longest forward that is read.

    @param content_bytes: the longest content.
    """
    return _ESCAPED * content_bytes + _BESIDE_CONTENT


def read_forward(text: str | bytes, node: str, content_bytes: int) -> Forward:
    """
    Validate a forward.

    @param node: the name of this Connect, which the forward must name.
    @param content_bytes: the longest content, in bytes.
    @raise InvalidForward: the forward is invalid; the reason repeats nothing of the
        content.
    """
    if not text:
        limit = limit_bytes(content_bytes)
        raise InvalidForward(f"the forward is empty, or over {limit} bytes")
    try:
        forward = _decoder.decode(text)
    except (msgspec.DecodeError, UnicodeError, RecursionError) as e:
        raise InvalidForward(json_problem(e, text)[:200]) from None
    sent = forward.message
    problem = _problem(forward, node, content_bytes)
    if problem:
        raise InvalidForward(problem)
    if sent.group_id:
        conversation = group_conversation(sent.group_id)
    else:
        conversation = conversation_of(sent.sender, sent.to)
    message = Message(
        conversation,
        sent.sender,
        "",
        sent.message_id,
        sent.content,
        sent.message_type or TEXT,
        shown_ms(sent.timestamp),
        extra=extra_of(sent),
    )
    return Forward(forward.user_id, message)


def _problem(forward: _Forward, node: str, content_bytes: int) -> str:
    sent = forward.message
    if forward.type != "forward_message":
        return f"the type is {forward.type[:40]!r}"
    if forward.to_instance != node:
        return f"the forward is for {forward.to_instance[:80]!r}"
    if sent.message_type in SIGNAL_TYPES:
        return f"message_type {sent.message_type} is a signal"
    if not sent.group_id and forward.user_id not in (sent.to, sent.sender):
        return "the user is not in the conversation"
    if len(sent.content.encode("utf-8", "surrogatepass")) > content_bytes:
        return f"the content is over {content_bytes} bytes"
    return ""
