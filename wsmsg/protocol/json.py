"""
The client protocol as JSON: one object a text message, C{{"type": "send", ...}}.

A browser's numbers are exact up to 2^53.  So an integer that may be larger is
spelled as a string when it is, and both spellings are read.  Fields that we do not
know are ignored; a field given twice counts as given last, but not C{type}.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, cast

import msgspec
from zope.interface import implementer

from wsmsg.errors import BadFrame
from wsmsg.protocol import frames
from wsmsg.protocol.codec import ICodec
from wsmsg.protocol.frames import ClientFrame, ServerFrame
from wsmsg.protocol.validation import checked

_EXACT = 2**53
_REASON = 200

_encode = msgspec.json.Encoder().encode
_client: Callable[[bytes], ClientFrame] = msgspec.json.Decoder(
    cast(Any, ClientFrame), strict=False
).decode
_server: Callable[[bytes], ServerFrame] = msgspec.json.Decoder(
    cast(Any, ServerFrame), strict=False
).decode


def _spelled(value: Any) -> Any:
    """
    The frame with its large numbers as strings.  Structs do not check the types of
    their fields when they are made, so the frame can hold them.
    """
    if isinstance(value, bool):
        return value
    if isinstance(value, int):
        return str(value) if value > _EXACT or value < -_EXACT else value
    if isinstance(value, tuple):
        return tuple(map(_spelled, value))
    if isinstance(value, msgspec.Struct):
        return type(value)(
            *(_spelled(getattr(value, name)) for name in value.__struct_fields__)
        )
    return value


def _spelled_deliver(frame: frames.Deliver) -> Any:
    """
    L{_spelled} for the one frame that is sent the most.
    """
    if frame.message_id <= _EXACT and frame.sender <= _EXACT:
        return frame
    made: Any = frames.Deliver
    return made(
        frame.conversation,
        frame.seq,
        str(frame.message_id) if frame.message_id > _EXACT else frame.message_id,
        str(frame.sender) if frame.sender > _EXACT else frame.sender,
        frame.content,
        frame.kind,
        frame.time,
        frame.client_id,
    )


#: Frames without a number that gets large: times and numbers in a conversation
#: would take millennia.
_SMALL = frozenset({frames.Accepted, frames.Rejected, frames.Pong, frames.Error})


def _bytes(frame: ServerFrame | ClientFrame) -> bytes:
    if isinstance(frame, frames.Deliver):
        return _encode(_spelled_deliver(frame))
    if type(frame) in _SMALL:
        return _encode(frame)
    return _encode(_spelled(frame))


def _reason(error: Exception) -> str:
    """
    What a client's author needs: msgspec names the field, as C{$.to}.  It may quote
    the frame, so it is cut.
    """
    if isinstance(error, RecursionError):
        return "the JSON is nested too deeply"
    if isinstance(error, UnicodeError):
        return "a string is not valid UTF-8"
    if str(error).startswith("Invalid value") and "$.type" in str(error)[-20:]:
        return f"unknown frame: {error}"[:_REASON]
    return str(error)[:_REASON]


@implementer(ICodec)
class JsonCodec:
    """
    C{wsmsg.v1.json}.
    """

    __slots__ = ()

    name = "json"
    subprotocol = "wsmsg.v1.json"
    binary = False

    def decode(self, data: bytes) -> ClientFrame:
        try:
            frame = _client(data)
        except (ValueError, RecursionError) as e:
            raise BadFrame(_reason(e)) from None
        return checked(frame)

    def encode(self, frame: ServerFrame) -> bytes:
        return _bytes(frame)

    def encode_client(self, frame: ClientFrame) -> bytes:
        return _bytes(frame)

    def decode_server(self, data: bytes) -> ServerFrame:
        try:
            return _server(data)
        except (ValueError, RecursionError) as e:
            raise BadFrame(_reason(e)) from None


CODEC = JsonCodec()
