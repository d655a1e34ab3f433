"""
What both daemons talk about: messages, conversations, cursors.

A conversation of two users is named C{u:<low>:<high>} (a user may talk to
themself: C{u:7:7}), that of a group C{g:<group>}.  Users and groups are positive
int64.  Within a conversation messages are numbered 1, 2, 3 ... (I{seq}).
"""

from __future__ import annotations

from functools import lru_cache
from typing import NamedTuple

import msgspec

INT64_MAX = 2**63 - 1

#: The kind of a message that is plain text.
TEXT = 1


class Identity(NamedTuple):
    """
    What makes a message the same message, by whatever route it comes.
    """

    conversation: str
    sender: int
    client_id: str


class Message(msgspec.Struct, frozen=True, gc=False):
    """
    What a person sent.

    @ivar seq: its number in the conversation; 0 while it has none.
    @ivar message_id: positive, unique, rising with the time of acceptance.
    @ivar time_ms: when it was accepted, in unix milliseconds.
    """

    conversation: str
    sender: int
    client_id: str
    message_id: int
    content: str
    kind: int
    time_ms: int
    seq: int = 0

    @property
    def identity(self) -> Identity:
        return Identity(self.conversation, self.sender, self.client_id)

    def same_body(self, other: Message) -> bool:
        """
        Whether C{other}, of the same identity, says the same thing.
        """
        return self.content == other.content and self.kind == other.kind

    def numbered(self, seq: int) -> Message:
        """
        This message at its place in the conversation.
        """
        return Message(
            self.conversation,
            self.sender,
            self.client_id,
            self.message_id,
            self.content,
            self.kind,
            self.time_ms,
            seq,
        )


class Cursor(msgspec.Struct, frozen=True, gc=False):
    """
    How far a user is in a conversation.  Both are cumulative and only rise.

    @ivar delivered: all up to this seq is on a device of the user.
    @ivar read: all up to this seq was seen.
    """

    conversation: str
    user: int
    delivered: int = 0
    read: int = 0


class Head(msgspec.Struct, frozen=True):
    """
    Where a conversation is, for one of its members.

    @ivar head: the last seq there is.
    @ivar time_ms: when it was given.
    @ivar others: in a conversation of two, how far the other member is.
    """

    conversation: str
    head: int
    time_ms: int
    delivered: int = 0
    read: int = 0
    others: tuple[Cursor, ...] = ()


class Presence(msgspec.Struct, frozen=True, gc=False):
    """
    What others may know about a user being there.

    @ivar last_seen_ms: unix milliseconds; 0: never seen.
    """

    user: int
    online: bool
    last_seen_ms: int = 0


class InvalidName(ValueError):
    """
    No conversation can have this name.
    """


def conversation_of(user: int, other: int) -> str:
    """
    The name of the conversation of two users.
    """
    return f"u:{user}:{other}" if user <= other else f"u:{other}:{user}"


@lru_cache(maxsize=65536)
def members_of(conversation: str) -> tuple[int, ...]:
    """
    The users of a conversation of two, low before high; one, if it is with oneself.

    @raise InvalidName: the name is not that of a conversation of two.
    """
    kind, _, rest = conversation.partition(":")
    low, _, high = rest.partition(":")
    # isdecimal() takes digits of other scripts as well; names are compared as text.
    if kind != "u" or not (low + high).isascii() or not (low + high).isdecimal():
        raise InvalidName(f"{conversation!r} is no conversation of two users")
    if not low or not high or len(high) > 19:
        raise InvalidName(f"{conversation!r} is no conversation of two users")
    a, b = int(low), int(high)
    if not 0 < a <= b <= INT64_MAX or conversation != f"u:{a}:{b}":
        raise InvalidName(f"{conversation!r} is no conversation of two users")
    return (a,) if a == b else (a, b)
