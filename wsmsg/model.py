"""
What both daemons talk about: messages, conversations, cursors.

A conversation of two users is named C{u:<low>:<high>} (a user may talk to
themself: C{u:7:7}), that of a group C{g:<group>}.  Users and groups are positive
int64.  Within a conversation messages are numbered 1, 2, 3 ... (I{seq}).
"""

from __future__ import annotations

from functools import lru_cache
from hashlib import sha256
from typing import NamedTuple

import msgspec

INT64_MAX = 2**63 - 1

#: The kind of a message that is plain text.
TEXT = 1
#: Kinds from here on are made by the server; a client cannot send them.
FIRST_EVENT = 1000
#: What a message is once it was taken back; it has no content any more.
RECALLED = 1003


class MessageIdentity(NamedTuple):
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
    def identity(self) -> MessageIdentity:
        return MessageIdentity(self.conversation, self.sender, self.client_id)

    def same_body(self, other: Message) -> bool:
        """
        Whether C{other}, of the same identity, says the same thing, or did before it
        was taken back: what it said is not known any more.
        """
        if RECALLED in (self.kind, other.kind):
            return True
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
    @ivar seen: what was seen above C{read}: (first, last) seq of each range.  Only
        where a whole store is moved; elsewhere it is not told.
    """

    conversation: str
    user: int
    delivered: int = 0
    read: int = 0
    seen: tuple[tuple[int, int], ...] = ()


class Mark(msgspec.Struct, frozen=True, gc=False):
    """
    A user has seen one message, whatever is before it.

    @ivar message_id: 0, if C{conversation} and C{seq} say which it is.
    @ivar conversation: with C{seq}, where they are known; else they are looked up.
    """

    user: int
    message_id: int
    conversation: str = ""
    seq: int = 0


class ConversationHead(msgspec.Struct, frozen=True):
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


class UserPresence(msgspec.Struct, frozen=True, gc=False):
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


def group_of(creator: int, client_id: str) -> int:
    """
    The number of the group that this request makes: the same for a repeated request,
    and unlike that of any other as far as 63 bits of SHA-256 can tell.
    """
    digest = sha256(b"%d:%s" % (creator, client_id.encode())).digest()
    return int.from_bytes(digest[:8], "big") >> 1 or 1


def group_conversation(group: int) -> str:
    """
    The name of a group's conversation.
    """
    return f"g:{group}"


def is_group(conversation: str) -> bool:
    """
    Whether it can only be the name of a group's conversation; see L{group_in}.
    """
    return conversation.startswith("g:")


def group_in(conversation: str) -> int:
    """
    The group whose conversation has this name.

    @raise InvalidName: it is not that of a group.
    """
    digits = conversation[2:]
    if is_group(conversation) and digits.isascii() and digits.isdecimal():
        group = int(digits[:20])
        if 0 < group <= INT64_MAX and digits == str(group):
            return group
    raise InvalidName(f"{conversation!r} is no conversation of a group")


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
