"""
Conversion between values and the events of the legacy stream protocol.
"""

from __future__ import annotations

from typing import Any

from wsmsg.connect.upstream.interface import NewSend
from wsmsg.legacy.extra import extra_of, shown_ms, write_extra
from wsmsg.model import (
    FIRST_EVENT,
    TEXT,
    Message,
    conversation_of,
    group_conversation,
    group_in,
    is_group,
    members_of,
)
from wsmsg.rpc import rest_pb2
from wsmsg.stream.contract import SIGNAL_TYPES

Request = rest_pb2.MessageStreamRequest


def send_event(new: NewSend, time_s: int) -> Request:
    """
    Return the C{send_message} of a send.

    @param time_s: the time at which the client sent it, unless that is a legacy client,
        whose own time counts.
    """
    message = rest_pb2.WSMessage(content=new.content)
    write_extra(message, new.extra, 1000 * time_s)
    setattr(message, "from", new.sender)  # a keyword in Python
    if is_group(new.conversation):
        message.group_id = group_in(new.conversation)
    else:
        members = members_of(new.conversation)
        message.to = members[0] if members[-1] == new.sender else members[-1]
    return Request(send_message=rest_pb2.SendWSMessageRequest(msg=message))


def ack_event(user: int, message_id: int, time_s: int) -> Request:
    """
    Return the acknowledgement that a user has seen a message.
    """
    return Request(
        ack=rest_pb2.MessageAckRequest(
            message_id=message_id, user_id=user, timestamp=time_s
        )
    )


def push_result_event(user: int) -> Request:
    """
    Return the report that a message pushed to this user is in the outbox of a session.
    """
    return Request(
        push_result=rest_pb2.PushResultRequest(success=True, target_user_id=user)
    )


def message_of(event: rest_pb2.MessagePushEvent) -> Message | None:
    """
    Return the message of a C{push_event}; L{None} if it has none that a client could be
    shown.
    """
    message = event.message
    conversation = _conversation(message)
    if not conversation or event.target_user_id <= 0 or message.message_id <= 0:
        return None
    kind = message.message_type
    if kind in SIGNAL_TYPES:
        return None
    return Message(
        conversation,
        _sender(message),
        "",
        message.message_id,
        message.content,
        kind if 0 < kind < FIRST_EVENT else TEXT,
        shown_ms(message.timestamp),
        extra=extra_of(message),
    )


def is_from(new: NewSend, message: rest_pb2.WSMessage) -> bool:
    """
    Return whether L{send_event} made this message of a send, or of a send that does not
    differ from it but in its time.
    """
    return (
        new.sender == _sender(message)
        and new.content == message.content
        and new.conversation == _conversation(message)
        and new.extra in ("", extra_of(message))
    )


def _sender(message: Any) -> int:
    return int(getattr(message, "from"))


def _conversation(message: rest_pb2.WSMessage) -> str:
    """
    Return the conversation of a message; empty if it names none.
    """
    sender = _sender(message)
    if sender <= 0:
        return ""
    if message.group_id > 0:
        return group_conversation(message.group_id)
    return conversation_of(sender, message.to) if message.to > 0 else ""
