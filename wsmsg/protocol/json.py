"""
The client protocol as JSON: one object a text message, C{{"type": "send", ...}}.

A browser's numbers are exact up to 2^53.  So an integer above that is written as a
string, and both forms are read.  Unknown fields are ignored.  Of a field that is given
twice the last value counts, except for C{type}.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, cast

import msgspec

from wsmsg.errors import BadFrame, json_problem
from wsmsg.protocol import frames
from wsmsg.protocol.codec import INamingCodec
from wsmsg.protocol.frames import ClientFrame, ServerFrame
from wsmsg.protocol.validation import check_frame

_EXACT = 2**53
_REASON = 200

#: The fields that are left out if they are empty: those of names and traces, so that
#: frames without are what they are for servers and clients that know none.
_LEFT_OUT = frozenset(
    {
        (frames.Send, "to_name"),
        (frames.Send, "traceparent"),
        (frames.Watch, "names"),
        (frames.CreateGroup, "member_names"),
        (frames.ChangeGroup, "add_names"),
        (frames.ChangeGroup, "remove_names"),
        (frames.Block, "user_name"),
        (frames.Invite, "user_name"),
        (frames.Group, "key"),
    }
)

_encode = msgspec.json.Encoder().encode
_client: Callable[[bytes], ClientFrame] = msgspec.json.Decoder(
    cast(Any, ClientFrame), strict=False
).decode
_server: Callable[[bytes], ServerFrame] = msgspec.json.Decoder(
    cast(Any, ServerFrame), strict=False
).decode


class _Names(msgspec.Struct):
    names: dict[str, str] = {}


_names = msgspec.json.Decoder(_Names).decode


def _with_string_ids(value: Any) -> Any:
    """
    Return the frame with its large numbers as strings.  Structs do not check the types
    of their fields when they are created, so the frame can hold strings.
    """
    if isinstance(value, bool):
        return value
    if isinstance(value, int):
        return str(value) if value > _EXACT or value < -_EXACT else value
    if isinstance(value, tuple):
        return tuple(map(_with_string_ids, value))
    if isinstance(value, msgspec.Struct):
        kind, names = type(value), value.__struct_fields__
        return kind(*(_field(kind, name, getattr(value, name)) for name in names))
    return value


def _field(kind: type, name: str, value: Any) -> Any:
    if not value and (kind, name) in _LEFT_OUT:
        return msgspec.UNSET
    return _with_string_ids(value)


def _deliver_with_string_ids(frame: frames.Deliver) -> Any:
    """
    L{_with_string_ids} for the most frequent frame.
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
        frame.ack_ms,
    )


#: Frames without a number that gets large: times and seqs would take millennia.
_SMALL = frozenset({frames.Accepted, frames.Rejected, frames.Pong, frames.Error})


def _encoded(frame: ServerFrame | ClientFrame) -> bytes:
    if isinstance(frame, frames.Deliver):
        return _encode(_deliver_with_string_ids(frame))
    if type(frame) in _SMALL:
        return _encode(frame)
    return _encode(_with_string_ids(frame))


def _reason(error: Exception, data: bytes) -> str:
    """
    Return a reason for the author of a client: msgspec names the field, as C{$.to}.
    The text may quote the frame, so it is cut.
    """
    if isinstance(error, RecursionError):
        return "the JSON is nested too deeply"
    if isinstance(error, UnicodeError):
        return "a string is not valid UTF-8"
    if str(error).startswith("Invalid value") and "$.type" in str(error)[-20:]:
        return f"unknown frame: {error}"[:_REASON]
    return json_problem(error, data)[:_REASON]


class JsonCodec(INamingCodec):
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
            raise BadFrame(_reason(e, data)) from None
        return check_frame(frame)

    def encode(self, frame: ServerFrame) -> bytes:
        return _encoded(frame)

    def encode_client(self, frame: ClientFrame) -> bytes:
        return _encoded(frame)

    def decode_server(self, data: bytes) -> ServerFrame:
        try:
            return _server(data)
        except (ValueError, RecursionError) as e:
            raise BadFrame(_reason(e, data)) from None

    def encode_named(self, frame: ServerFrame, names: Mapping[int, str]) -> bytes:
        # A frame has its type at least, so a comma is due.
        return _encoded(frame)[:-1] + b',"names":' + _encode(names) + b"}"

    def decode_named(self, data: bytes) -> tuple[ServerFrame, dict[int, str]]:
        frame = self.decode_server(data)
        try:
            named = _names(data).names.items()
            return frame, {int(user[:20]): name for user, name in named}
        except (ValueError, RecursionError) as e:
            raise BadFrame(_reason(e, data)) from None


CODEC = JsonCodec()
