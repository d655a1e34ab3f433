"""
What one deployed Connect hands to another through Redis, read and judged.

It is a JSON object: C{from_instance}, C{to_instance}, C{user_id}, C{timestamp},
C{type} (always C{forward_message}) and C{message}, a C{WSMessage} in snake case whose
empty fields are left out.
"""

from __future__ import annotations

from typing import Annotated

import msgspec

from wsmsg.model import (
    FIRST_EVENT,
    INT64_MAX,
    TEXT,
    Message,
    conversation_of,
    group_conversation,
)
from wsmsg.stream.contract import SIGNAL_TYPES

#: A longer one is not read.  Theirs are a message's content and 300 bytes.
LIMIT_BYTES = 256 * 1024

_Id = Annotated[int, msgspec.Meta(gt=0, le=INT64_MAX)]
_OptionalId = Annotated[int, msgspec.Meta(ge=0, le=INT64_MAX)]


class _Said(msgspec.Struct, frozen=True):
    message_id: _Id
    sender: _Id = msgspec.field(name="from")
    to: _OptionalId = 0
    group_id: _OptionalId = 0
    content: str = ""
    # Seconds; a year of five digits is the most.
    timestamp: Annotated[int, msgspec.Meta(ge=0, le=10**12)] = 0
    message_type: Annotated[int, msgspec.Meta(ge=0, lt=FIRST_EVENT)] = TEXT


class _Forward(msgspec.Struct, frozen=True):
    to_instance: str
    user_id: _Id
    type: str
    message: _Said
    from_instance: str = ""
    timestamp: int = 0


class BadForward(ValueError):
    """
    It is no message that was handed to us; says why.
    """


class Forward(msgspec.Struct, frozen=True):
    """
    A message that a deployed Connect wants given to a user here: the same, to the last
    field, as our own stream would make of it.
    """

    user: int
    message: Message


_decoder = msgspec.json.Decoder(_Forward)


def read_forward(text: str | bytes, node: str, content_bytes: int) -> Forward:
    """
    @param node: our name; what is for another is not for us.
    @param content_bytes: the longest content.
    @raise BadForward: with the reason, which repeats nothing of the content.
    """
    if not text:
        raise BadForward(f"it is empty, or over {LIMIT_BYTES} bytes")
    try:
        forward = _decoder.decode(text)
    except (msgspec.DecodeError, UnicodeError, RecursionError) as e:
        raise BadForward(str(e)[:200]) from None
    said = forward.message
    problem = _problem(forward, node, content_bytes)
    if problem:
        raise BadForward(problem)
    if said.group_id:
        conversation = group_conversation(said.group_id)
    else:
        conversation = conversation_of(said.sender, said.to)
    message = Message(
        conversation,
        said.sender,
        "",
        said.message_id,
        said.content,
        said.message_type,
        said.timestamp * 1000,
    )
    return Forward(forward.user_id, message)


def _problem(forward: _Forward, node: str, content_bytes: int) -> str:
    said = forward.message
    if forward.type != "forward_message":
        return f"its type is {forward.type[:40]!r}"
    if forward.to_instance != node:
        return f"it is for {forward.to_instance[:80]!r}"
    if said.message_type in SIGNAL_TYPES or not said.message_type:
        return f"message_type {said.message_type} is no message of a person"
    if not said.group_id and forward.user_id not in (said.to, said.sender):
        return "the user is not in the conversation"
    if len(said.content.encode("utf-8", "surrogatepass")) > content_bytes:
        return f"the content is over {content_bytes} bytes"
    return ""
