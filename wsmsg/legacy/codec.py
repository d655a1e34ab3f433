"""
The protocol of legacy clients: each WebSocket message is one C{WSMessage} of
C{protos/wsmsg/rpc/rest.proto}, without a subprotocol.

C{message_type} tells the messages apart::

    from the client   1 text (or 0: no type), 2 heartbeat, 3 connection management,
                      4 acknowledgement of one message
    to the client     1 text (0, if its sender gave it no type), 10 presence of a user

Legacy clients have no client ids, no seqs and no answers.  A frame that has no
counterpart here is encoded as no bytes at all (L{LegacyCodec.encode}).
"""

from __future__ import annotations

from typing import Any

from google.protobuf.message import DecodeError

from wsmsg.errors import BadFrame
from wsmsg.legacy.extra import (
    TEXT,
    UNSET,
    checked_extra_of,
    write_extra,
)
from wsmsg.model import FIRST_EVENT, INT64_MAX
from wsmsg.protocol import frames
from wsmsg.protocol.codec import ICodec
from wsmsg.protocol.frames import ClientFrame, ServerFrame
from wsmsg.rpc.rest_pb2 import WSMessage

HEARTBEAT = 2
CONNECTION = 3
ACKNOWLEDGEMENT = 4
PRESENCE = 10

ONLINE = "online"
OFFLINE = "offline"


class LegacySend(frames.Send, frozen=True):
    """
    A message to a user or to a group.

    @ivar extra: its other fields (L{wsmsg.legacy.extra}).
    """

    extra: str = ""


class LegacyAcknowledgement(frames.Frame, frozen=True):
    """
    The acknowledgement of one message that the client has shown to its user.
    """

    message_id: int


class LegacyHeartbeat(frames.Frame, frozen=True):
    """
    A sign that the client is alive: a heartbeat, or a message about its connection,
    which has no other effect.
    """


LegacyFrame = LegacySend | LegacyAcknowledgement | LegacyHeartbeat


def decode_message(data: bytes) -> LegacyFrame:
    """
    Decode a message of a legacy client.

    @raise BadFrame: the message is not valid; the reason names the field.
    """
    try:
        message: Any = WSMessage.FromString(data)
    except DecodeError:
        raise BadFrame("not a protobuf WSMessage") from None
    kind = message.message_type
    if kind == TEXT or (kind == UNSET and (message.to or message.group_id)):
        return _send(message)
    if kind == ACKNOWLEDGEMENT:
        if message.message_id <= 0:
            raise BadFrame("message_id of an acknowledgement is not positive")
        return LegacyAcknowledgement(message.message_id)
    if kind in (HEARTBEAT, CONNECTION):
        return LegacyHeartbeat()
    raise BadFrame(f"message_type {kind} is not a type that clients send")


def _send(message: Any) -> LegacySend:
    if not 0 <= message.to <= INT64_MAX:
        raise BadFrame("to is negative")
    if not 0 <= message.group_id <= INT64_MAX:
        raise BadFrame("group_id is negative")
    # Where both are set, the group counts, as for the legacy Message.
    to = 0 if message.group_id else message.to
    extra = checked_extra_of(message)
    return LegacySend("", to, message.group_id, message.content, extra=extra)


def encode_message(frame: frames.Deliver, extra: str = "") -> bytes:
    """
    Encode a message; no bytes for its sender, who alone sees the client id, unless the
    sender sent it to themself.

    @param extra: of the message (L{wsmsg.model.Message}).
    """
    if frame.kind >= FIRST_EVENT:
        return b""
    conversation, sender = frame.conversation, frame.sender
    kind, _, rest = conversation.partition(":")
    to = group = 0
    if kind == "g":
        group = int(rest)
    else:
        low, _, high = rest.partition(":")
        to = int(high) if int(low) == sender else int(low)
    if frame.client_id and to != sender:
        return b""
    message = WSMessage(
        message_id=frame.message_id, to=to, group_id=group, content=frame.content
    )
    setattr(message, "from", sender)
    # The kind that other clients gave it would mean something else here.
    write_extra(message, extra, frame.time)
    return message.SerializeToString()


def encode_presence(
    user: int, *, online: bool, to: int, time_s: int, message_id: int = 0
) -> bytes:
    """
    Encode the presence of a user, for a client of the user C{to}.
    """
    message = WSMessage(
        message_id=message_id,
        to=to,
        content=ONLINE if online else OFFLINE,
        timestamp=time_s,
        message_type=PRESENCE,
    )
    setattr(message, "from", user)
    return message.SerializeToString()


class LegacyCodec(ICodec):
    """
    The encoding for clients that offer no subprotocol.  It accepts binary messages, and
    text messages with the same bytes; the server sends binary messages.
    """

    __slots__ = ()

    name = "legacy"
    subprotocol = ""
    binary = True

    def decode(self, data: bytes) -> ClientFrame:
        frame = decode_message(data)
        if isinstance(frame, frames.Send):
            return frame
        raise BadFrame("this message has no counterpart in the client protocol")

    def encode(self, frame: ServerFrame) -> bytes:
        """
        @return: no bytes for a frame that legacy clients do not know.  The C{to} of a
            presence message is still missing.
        """
        if isinstance(frame, frames.Deliver):
            return encode_message(frame)
        if isinstance(frame, frames.Presence):
            time_s = frame.last_seen // 1000
            return encode_presence(frame.user, online=frame.online, to=0, time_s=time_s)
        return b""

    def encode_client(self, frame: ClientFrame) -> bytes:
        if not isinstance(frame, frames.Send):
            raise BadFrame("legacy clients have no such frame")
        return WSMessage(
            to=frame.to, group_id=frame.group, content=frame.content, message_type=TEXT
        ).SerializeToString()

    def decode_server(self, data: bytes) -> ServerFrame:
        raise BadFrame("messages to legacy clients cannot be decoded to frames")


CODEC = LegacyCodec()
