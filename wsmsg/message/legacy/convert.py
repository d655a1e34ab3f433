"""
Conversion of messages between the legacy protocol and values.

The legacy protocol has no client ids, no conversations and no seqs: a message goes
C{from} one user C{to} another, or to a C{group_id}.
"""

from __future__ import annotations

from wsmsg.errors import BadRequest
from wsmsg.legacy.extra import UNSET, checked_extra_of, write_extra
from wsmsg.message.ingress.interface import SendRequest
from wsmsg.model import (
    INT64_MAX,
    TEXT,
    Message,
    conversation_of,
    group_conversation,
    group_in,
    is_group,
    members_of,
)
from wsmsg.rpc import rest_pb2

NEW_MESSAGE = "new_message"


def send_request_of(
    message: rest_pb2.WSMessage, ref: int, client_id: str
) -> SendRequest:
    """
    Return the send request of a message from a legacy peer.

    The sender in it is trusted, as every peer that reaches the gRPC listener is.  The
    id in it is ignored.

    @raise BadRequest: the message has no valid sender or recipient, is not text, or has
        an C{ack_id} that is refused.
    """
    if message.message_type not in (TEXT, UNSET):
        raise BadRequest(f"message_type {message.message_type} is not text (1, or 0)")
    sender, to, group = getattr(message, "from"), message.to, message.group_id
    if not 0 < sender <= INT64_MAX:
        raise BadRequest(f"from is {sender}, which is not a user")
    if group < 0:
        raise BadRequest(f"group_id is {group}, which is not a group")
    if group:
        conversation = group_conversation(group)
    elif not 0 < to <= INT64_MAX:
        raise BadRequest(f"to is {to}, which is not a user, and there is no group_id")
    else:
        conversation = conversation_of(sender, to)
    extra = checked_extra_of(message)
    return SendRequest(
        ref,
        sender,
        client_id,
        conversation,
        message.content,
        TEXT,
        extra=extra,
        by_user=True,
    )


def write_message(message: Message, to: rest_pb2.WSMessage) -> None:
    """
    Write a message in the legacy protocol, with the fields that its legacy sender
    wrote.  Every kind of content of others becomes text, the only type that legacy
    clients can show.
    """
    to.message_id = message.message_id
    setattr(to, "from", message.sender)
    if is_group(message.conversation):
        to.group_id = group_in(message.conversation)
    else:
        others = [u for u in members_of(message.conversation) if u != message.sender]
        to.to = others[0] if others else message.sender
    to.content = message.content
    write_extra(to, message.extra, message.time_ms)
