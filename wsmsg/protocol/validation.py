"""
Validation of client frames, whatever codec decoded them.

The checks bound the fields of a frame: ids, names, numbers.  The reader of the frame
has checked its size.  Whether the user B{may} do what the frame asks for is checked
elsewhere.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from typing import Any, TypeVar

from wsmsg.errors import BadFrame
from wsmsg.model import INT64_MAX
from wsmsg.names import MOST_NAMES, NAME_BYTES
from wsmsg.protocol.frames import (
    Block,
    Blocks,
    ClientFrame,
    Conversations,
    Delivered,
    Hello,
    Invitations,
    Invite,
    Members,
    Names,
    Ping,
    Read,
    Refresh,
    Send,
    Submission,
    Sync,
    Typing,
    Watch,
)

INT32_MAX = 2**31 - 1

T = TypeVar("T")

#: The most users that a C{watch} may name, whatever the limits of the node.
WATCH_MAX = 10000

#: The most users that a frame about a group may name, whatever the limit of a change.
CHANGE_MAX = 10000

_ID_BYTES = 64
_NAME_BYTES = 64
_TOKEN_BYTES = 16384
_CLIENT_BYTES = 256
_POSITION_BYTES = 16_384

_CONTROL = re.compile("[\x00-\x1f\x7f-\x9f]")


def _text(value: str, name: str, limit: int, least: int = 0) -> None:
    """
    Check the length of a text in UTF-8, and that it has no control characters.

    @raise BadFrame: it is too short or too long, or has control characters.
    """
    size = len(value)
    if size > limit or not value.isascii():
        size = len(value.encode("utf-8"))
    if not least <= size <= limit:
        has = "1 byte" if size == 1 else f"{size} bytes"
        raise BadFrame(f"{name} has {has}, and must have {least} to {limit}")
    # isprintable() is quick and true of most texts; the pattern decides about the rest.
    if not value.isprintable() and _CONTROL.search(value):
        raise BadFrame(f"{name} has control characters")


def _number(value: int, name: str, least: int, most: int) -> None:
    if not least <= value <= most:
        raise BadFrame(f"{name} is not between {least} and {most}")


def _hello(frame: Hello) -> None:
    _text(frame.token, "hello.token", _TOKEN_BYTES)
    _text(frame.device, "hello.device", _ID_BYTES)
    _text(frame.client, "hello.client", _CLIENT_BYTES)
    _text(frame.position, "hello.position", _POSITION_BYTES)
    _text(frame.witness, "hello.witness", _POSITION_BYTES)


def _send(frame: Send) -> None:
    client_id = frame.client_id
    # The most frequent frame: valid values are recognized without a call.
    if not (
        0 < len(client_id) <= _ID_BYTES
        and client_id.isascii()
        and client_id.isprintable()
    ):
        _text(client_id, "send.client_id", _ID_BYTES, 1)
    if not 0 <= frame.to <= INT64_MAX:
        _number(frame.to, "send.to", 0, INT64_MAX)
    if frame.group:
        _number(frame.group, "send.group", 0, INT64_MAX)
    if not 0 <= frame.kind <= INT32_MAX:
        _number(frame.kind, "send.kind", 0, INT32_MAX)
    if frame.to_name:
        _text(frame.to_name, "send.to_name", NAME_BYTES)
        if frame.to or frame.group:
            raise BadFrame("send.to_name is set beside to or group")


def _delivered(frame: Delivered) -> None:
    _text(frame.conversation, "delivered.conversation", _NAME_BYTES, 1)
    _number(frame.seq, "delivered.seq", 1, INT64_MAX)


def _read(frame: Read) -> None:
    _text(frame.conversation, "read.conversation", _NAME_BYTES, 1)
    _number(frame.message_id, "read.message_id", 0, INT64_MAX)
    _number(frame.seq, "read.seq", 0 if frame.message_id else 1, INT64_MAX)


def _sync(frame: Sync) -> None:
    _text(frame.id, "sync.id", _ID_BYTES, 1)
    _text(frame.conversation, "sync.conversation", _NAME_BYTES, 1)
    _number(frame.after, "sync.after", 0, INT64_MAX)
    _number(frame.limit, "sync.limit", 0, INT32_MAX)


def _conversations(frame: Conversations) -> None:
    _text(frame.id, "conversations.id", _ID_BYTES, 1)
    _number(frame.limit, "conversations.limit", 0, INT32_MAX)
    _text(frame.position, "conversations.position", _POSITION_BYTES)


def _typing(frame: Typing) -> None:
    _text(frame.conversation, "typing.conversation", _NAME_BYTES, 1)
    _number(frame.user, "typing.user", 0, INT64_MAX)


def check_count(users: Sequence[T], name: str, limit: int) -> Sequence[T]:
    """
    Return these users, or names of users.

    @raise BadFrame: there are too many.
    """
    if len(users) > limit:
        raise BadFrame(f"{name} has more than {limit} users")
    return users


def _users(users: Sequence[int], name: str, limit: int) -> None:
    check_count(users, name, limit)
    if users:
        _number(min(users), name, 1, INT64_MAX)
        _number(max(users), name, 1, INT64_MAX)


def _of_users(names: Sequence[str], field: str, limit: int) -> None:
    check_count(names, field, limit)
    for name in names:
        _text(name, field, NAME_BYTES, 1)


def _watch(frame: Watch) -> None:
    _users(frame.users, "watch.users", WATCH_MAX)
    _of_users(frame.names, "watch.names", WATCH_MAX)


def _names(frame: Names) -> None:
    _text(frame.id, "names.id", _ID_BYTES, 1)
    _of_users(frame.names, "names.names", MOST_NAMES)
    _users(frame.users, "names.users", MOST_NAMES - len(frame.names))
    _of_users(frame.keys, "names.keys", MOST_NAMES)


def _members(frame: Members) -> None:
    _text(frame.id, "members.id", _ID_BYTES, 1)
    _number(frame.group, "members.group", 1, INT64_MAX)
    _number(frame.after, "members.after", 0, INT64_MAX)
    _number(frame.limit, "members.limit", 0, INT32_MAX)


def _listing(frame: Blocks | Invitations) -> None:
    tag = type(frame).__struct_config__.tag
    _text(frame.id, f"{tag}.id", _ID_BYTES, 1)
    _text(frame.after, f"{tag}.after", _NAME_BYTES)
    _number(frame.limit, f"{tag}.limit", 0, INT32_MAX)


def _block(frame: Block) -> None:
    _text(frame.client_id, "block.client_id", _ID_BYTES, 1)
    _number(frame.user, "block.user", 0, INT64_MAX)
    _number(frame.group, "block.group", 0, INT64_MAX)
    if frame.user_name:
        _text(frame.user_name, "block.user_name", NAME_BYTES)
        if frame.user or frame.group:
            raise BadFrame("block.user_name is set beside user or group")


def _invite(frame: Invite) -> None:
    _text(frame.client_id, "invite.client_id", _ID_BYTES, 1)
    _number(frame.user, "invite.user", 0 if frame.user_name else 1, INT64_MAX)
    _number(frame.group, "invite.group", 1, INT64_MAX)
    if frame.user_name:
        _text(frame.user_name, "invite.user_name", NAME_BYTES)
        if frame.user:
            raise BadFrame("invite.user_name is set beside user")


def _ping(frame: Ping) -> None:
    _text(frame.nonce, "ping.nonce", _ID_BYTES)


def _refresh(frame: Refresh) -> None:
    _text(frame.token, "refresh.token", _TOKEN_BYTES)
    _text(frame.id, "refresh.id", _ID_BYTES)


# The fields that submissions have in common.  What else an event's frame says is
# validated where the event is made (L{wsmsg.events}).
_FIELDS: dict[str, Callable[[Any, str], None]] = {
    "client_id": lambda value, name: _text(value, name, _ID_BYTES, 1),
    "conversation": lambda value, name: _text(value, name, _NAME_BYTES, 1),
    "seq": lambda value, name: _number(value, name, 1, INT64_MAX),
    "user": lambda value, name: _number(value, name, 1, INT64_MAX),
    "group": lambda value, name: _number(value, name, 1, INT64_MAX),
    "members": lambda value, name: _users(value, name, CHANGE_MAX),
    "add": lambda value, name: _users(value, name, CHANGE_MAX),
    "remove": lambda value, name: _users(value, name, CHANGE_MAX),
    "member_names": lambda value, name: _of_users(value, name, CHANGE_MAX),
    "add_names": lambda value, name: _of_users(value, name, CHANGE_MAX),
    "remove_names": lambda value, name: _of_users(value, name, CHANGE_MAX),
}


def _by_fields(kind: type[Any]) -> Callable[[Any], None]:
    tag = kind.__struct_config__.tag
    checks = [
        (field, f"{tag}.{field}", _FIELDS[field])
        for field in kind.__struct_fields__
        if field in _FIELDS
    ]

    def check(frame: Any) -> None:
        for field, name, check_field in checks:
            check_field(getattr(frame, field), name)

    return check


_CHECKS: dict[type[Any], Callable[[Any], None]] = {
    **{k: _by_fields(k) for k in ClientFrame.__args__ if issubclass(k, Submission)},
    Hello: _hello,
    Send: _send,
    Delivered: _delivered,
    Read: _read,
    Sync: _sync,
    Conversations: _conversations,
    Typing: _typing,
    Watch: _watch,
    Ping: _ping,
    Members: _members,
    Block: _block,
    Invite: _invite,
    Blocks: _listing,
    Invitations: _listing,
    Refresh: _refresh,
    Names: _names,
}


def check_frame(frame: ClientFrame) -> ClientFrame:
    """
    Return the frame, if its fields are valid.

    @raise BadFrame: a field is not valid; the reason names it.
    """
    _CHECKS[type(frame)](frame)
    return frame
