"""
Values that both daemons share: messages, conversations, cursors.

A conversation of two users is named C{u:<low>:<high>}, that of a group C{g:<group>}.  A
user may have a conversation with themself: C{u:7:7}.  The ids of users and groups are
positive int64.  Messages of a conversation are numbered 1, 2, 3 ...; the number is the
message's I{seq}.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from functools import lru_cache
from hashlib import sha256
from typing import Any, NamedTuple

import msgspec

INT64_MAX = 2**63 - 1

#: The kind of a message that is plain text.
TEXT = 1
#: Kinds from here on are events (L{wsmsg.events}), which a client cannot just send.
FIRST_EVENT = 1000
#: The kind of a message that its sender recalled; its content is gone.
RECALLED = 1003


class MessageIdentity(NamedTuple):
    """
    The identity of a message: a repeated send has the same one.
    """

    conversation: str
    sender: int
    client_id: str


class Message(msgspec.Struct, frozen=True, gc=False):
    """
    A message of a user, or an event.

    @ivar message_id: positive and unique; it rises with the time of acceptance.
    @ivar time_ms: the time of acceptance, in unix milliseconds.
    @ivar seq: the number in the conversation; 0: not numbered yet.
    @ivar extra: what the sender's peer wrote beside the content, for peers of its kind;
        opaque to all others, and part of neither the identity nor the body.
    @ivar withheld: 0: everybody in the conversation receives it.  Else the recipient
        had blocked the sender when it was stored, and never receives it: the seq of the
        first of the messages withheld one after another, of which this is one.
    @ivar connect: the node of the Connect that it came through, in the journal; empty:
        none, or not known.
    @ivar traceparent: of a message that is traced, the span that comes before what is
        done next, as in the header of W3C; empty: it is not traced.
    """

    conversation: str
    sender: int
    client_id: str
    message_id: int
    content: str
    kind: int
    time_ms: int
    seq: int = 0
    extra: str = ""
    withheld: int = 0
    connect: str = ""
    traceparent: str = ""

    @property
    def identity(self) -> MessageIdentity:
        return MessageIdentity(self.conversation, self.sender, self.client_id)

    def same_body(self, other: Message) -> bool:
        """
        Return whether C{other}, of the same identity, has the same content and kind.
        If one of them was recalled, its content is unknown, and they count as the same.
        """
        if RECALLED in (self.kind, other.kind):
            return True
        return self.content == other.content and self.kind == other.kind

    def numbered(self, seq: int, withheld: int = 0) -> Message:
        """
        Return this message with its number in the conversation.
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
            self.extra,
            withheld,
            "",
            self.traceparent,
        )

    def is_withheld_from(self, user: int) -> bool:
        """
        Return whether a user of the conversation never receives this message.
        """
        return bool(self.withheld) and user != self.sender


class Cursor(msgspec.Struct, frozen=True, gc=False):
    """
    A user's position in a conversation.  Both seqs are cumulative and never decrease.

    @ivar delivered: all messages up to this seq are on a device of the user.
    @ivar read: the user has seen all messages up to this seq.
    @ivar seen: the ranges of seqs above C{read} that the user has seen: the first and
        last seq of each.  Set only by export and import.
    """

    conversation: str
    user: int
    delivered: int = 0
    read: int = 0
    seen: tuple[tuple[int, int], ...] = ()


class Mark(msgspec.Struct, frozen=True, gc=False):
    """
    The acknowledgement that a user has seen one message, but not those before it.

    @ivar message_id: 0 if C{conversation} and C{seq} name the message.
    @ivar conversation: empty if unknown, as C{seq} is 0 then; the message is looked up
        by its id.
    """

    user: int
    message_id: int
    conversation: str = ""
    seq: int = 0


class ConversationHead(msgspec.Struct, frozen=True):
    """
    The end of a conversation, and the cursors in it, for one of its members.

    @ivar head: the last seq.
    @ivar time_ms: when that message was stored, in unix milliseconds.
    @ivar others: the cursor of the other member, in a conversation of two.
    @ivar unread: the number of unread messages of the member.
    @ivar message_id: of the last message; 0: not known.
    """

    conversation: str
    head: int
    time_ms: int
    delivered: int = 0
    read: int = 0
    others: tuple[Cursor, ...] = ()
    unread: int = 0
    message_id: int = 0


class UserPresence(msgspec.Struct, frozen=True, gc=False):
    """
    A user's presence, as other users see it.

    @ivar last_seen_ms: unix milliseconds; 0: none is known, or the user is online.
    @ivar hidden: whether the one who asked must not know it.
    """

    user: int
    online: bool
    last_seen_ms: int = 0
    hidden: bool = False

    def shown(self) -> UserPresence:
        """
        Return what the one who asked may know: of a hidden user, as of one who was
        never seen.
        """
        return UserPresence(self.user, online=False) if self.hidden else self


class InvalidName(ValueError):
    """
    The name of a conversation is not valid.
    """


def conversation_of(user: int, other: int) -> str:
    """
    Return the name of the conversation of two users.
    """
    return f"u:{user}:{other}" if user <= other else f"u:{other}:{user}"


def other_of(conversation: str, user: int) -> int:
    """
    Return the other user of a conversation of two; 0: it is a group, or that of the
    user with themself, or not the name of a conversation.
    """
    try:
        pair = () if is_group(conversation) else members_of(conversation)
    except InvalidName:
        return 0
    return sum(pair) - user if user in pair and len(pair) == 2 else 0


def group_of(creator: int, client_id: str) -> int:
    """
    Return the number of the group that a request creates.  A repeated request has the
    same number; other requests have other numbers, as far as 63 bits of SHA-256 can
    tell them apart.
    """
    digest = sha256(b"%d:%s" % (creator, client_id.encode())).digest()
    return int.from_bytes(digest[:8], "big") >> 1 or 1


def group_conversation(group: int) -> str:
    """
    Return the name of a group's conversation.
    """
    return f"g:{group}"


def is_group(conversation: str) -> bool:
    """
    Return whether a name begins like that of a group's conversation; L{group_in} checks
    the rest.
    """
    return conversation.startswith("g:")


def group_in(conversation: str) -> int:
    """
    Return the number of the group whose conversation has this name.

    @raise InvalidName: this is not the name of a group's conversation.
    """
    digits = conversation[2:]
    if is_group(conversation) and digits.isascii() and digits.isdecimal():
        group = int(digits[:20])
        if 0 < group <= INT64_MAX and digits == str(group):
            return group
    raise InvalidName(f"{conversation!r} is not the conversation of a group")


@lru_cache(maxsize=65536)
def members_of(conversation: str) -> tuple[int, ...]:
    """
    Return the users of a conversation of two, the lower id first; only one user if the
    conversation is with themself.

    @raise InvalidName: this is not the name of a conversation of two.
    """
    kind, _, rest = conversation.partition(":")
    low, _, high = rest.partition(":")
    # isdecimal() takes digits of other scripts as well; names are compared as text.
    if kind != "u" or not (low + high).isascii() or not (low + high).isdecimal():
        raise InvalidName(f"{conversation!r} is not a conversation of two users")
    if not 0 < len(low) <= len(high) < 20:
        raise InvalidName(f"{conversation!r} is not a conversation of two users")
    a, b = int(low), int(high)
    if not 0 < a <= b <= INT64_MAX or conversation != f"u:{a}:{b}":
        raise InvalidName(f"{conversation!r} is not a conversation of two users")
    return (a,) if a == b else (a, b)


def ack_pace_ms(recipients: int) -> int:
    """
    Return how often each recipient at a Connect is to acknowledge the messages of a
    group, in milliseconds; 0: at once.

    Only the last acknowledgement of a conversation counts, and it costs a Connect more
    than the delivery that it is for.  So all recipients together send it about a
    thousand a second for a group, however large that is and however often somebody
    writes in it.
    """
    return 0 if recipients <= 50 else min(10_000, recipients)


def storable_values(values: Iterable[Any]) -> bool:
    """
    Return L{True} if a store can hold these texts and integers: UTF-8, and 64 bits.
    """
    for value in values:
        if isinstance(value, int):
            if not -INT64_MAX <= value <= INT64_MAX:
                return False
        elif not value.isascii():
            try:
                value.encode()
            except UnicodeEncodeError:
                return False
    return True


def unix_ms(unix_s: Callable[[], float]) -> Callable[[], int]:
    """
    Return a function that gives the unix time in whole milliseconds.
    """
    return lambda: int(unix_s() * 1000)
