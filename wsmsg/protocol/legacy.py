"""
The deployed clients' one kind of message: one C{WSMessage} of
C{protos/wsmsg/rpc/rest.proto} a WebSocket message, without a subprotocol.

A type says what it is::

    from the client   1 a text, 2 a heartbeat, 3 managing the connection,
                      4 an acknowledgement of one message
    to the client     1 a text, 10 somebody came or left

They know no client ids, no numbers and no answers; what of our frames they have no
word for becomes no bytes at all (L{LegacyCodec.encode}).
"""

from __future__ import annotations

from typing import Any

from google.protobuf.message import DecodeError
from zope.interface import implementer

from wsmsg.errors import BadFrame
from wsmsg.model import FIRST_EVENT, INT64_MAX
from wsmsg.protocol import frames
from wsmsg.protocol.codec import ICodec
from wsmsg.protocol.frames import ClientFrame, ServerFrame
from wsmsg.rpc.rest_pb2 import WSMessage

TEXT = 1
HEARTBEAT = 2
MANAGING = 3
ACKNOWLEDGEMENT = 4
PRESENCE = 10

ONLINE = "online"
OFFLINE = "offline"


class LegacyAcknowledgement(frames.Frame, frozen=True):
    """
    The client has shown one message to its user.
    """

    message_id: int


class LegacyHeartbeat(frames.Frame, frozen=True):
    """
    The client is there; or it says something about its connection, which nothing
    follows from.
    """


LegacyFrame = frames.Send | LegacyAcknowledgement | LegacyHeartbeat


def understood(data: bytes) -> LegacyFrame:
    """
    What a deployed client said.

    @raise BadFrame: nothing that anybody could want; the reason names the field.
    """
    try:
        said: Any = WSMessage.FromString(data)
    except DecodeError:
        raise BadFrame("it is no WSMessage") from None
    kind = said.message_type
    if kind == TEXT:
        return _send(said)
    if kind == ACKNOWLEDGEMENT:
        if said.message_id <= 0:
            raise BadFrame("message_id of an acknowledgement is not over zero")
        return LegacyAcknowledgement(said.message_id)
    if kind in (HEARTBEAT, MANAGING):
        return LegacyHeartbeat()
    raise BadFrame(f"message_type {kind} is none that clients send")


def _send(said: Any) -> frames.Send:
    if not 0 <= said.to <= INT64_MAX:
        raise BadFrame("to is below zero")
    if not 0 <= said.group_id <= INT64_MAX:
        raise BadFrame("group_id is below zero")
    return frames.Send("", said.to, said.group_id, said.content)


def _text(frame: frames.Deliver) -> bytes:
    """
    A message; none for whoever sent it (only they see its client id), unless they
    sent it to themself.
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
    # Whatever kind our own clients gave it: here that would mean something else.
    return _spelled(
        sender,
        frame.content,
        TEXT,
        frame.time // 1000,
        to=to,
        group_id=group,
        message_id=frame.message_id,
    )


def _spelled(
    sender: int,
    content: str,
    kind: int,
    time_s: int,
    *,
    to: int,
    group_id: int = 0,
    message_id: int = 0,
) -> bytes:
    said = WSMessage(
        message_id=message_id,
        to=to,
        group_id=group_id,
        content=content,
        timestamp=time_s,
        message_type=kind,
    )
    setattr(said, "from", sender)
    return said.SerializeToString()


def presence(
    user: int, *, online: bool, to: int, time_s: int, message_id: int = 0
) -> bytes:
    """
    That somebody came or left, for the client of the user C{to}.
    """
    content = ONLINE if online else OFFLINE
    return _spelled(user, content, PRESENCE, time_s, to=to, message_id=message_id)


@implementer(ICodec)
class LegacyCodec:
    """
    The spelling of those who offer no subprotocol.  Text messages with the same bytes
    are taken as well as binary ones; what we send is binary.
    """

    __slots__ = ()

    name = "legacy"
    subprotocol = ""
    binary = True

    def decode(self, data: bytes) -> ClientFrame:
        frame = understood(data)
        if isinstance(frame, frames.Send):
            return frame
        raise BadFrame("our own clients have no such frame")

    def encode(self, frame: ServerFrame) -> bytes:
        """
        @return: no bytes for what deployed clients do not know.  That somebody came
            or left is not yet for anybody, as C{to} is missing.
        """
        if isinstance(frame, frames.Deliver):
            return _text(frame)
        if isinstance(frame, frames.Presence):
            time_s = frame.last_seen // 1000
            return presence(frame.user, online=frame.online, to=0, time_s=time_s)
        return b""

    def encode_client(self, frame: ClientFrame) -> bytes:
        if not isinstance(frame, frames.Send):
            raise BadFrame("deployed clients have no such frame")
        return WSMessage(
            to=frame.to, group_id=frame.group, content=frame.content, message_type=TEXT
        ).SerializeToString()

    def decode_server(self, data: bytes) -> ServerFrame:
        raise BadFrame("what deployed clients are told is not of our frames")


CODEC = LegacyCodec()
