"""
What the deployed Message says and is told over HTTP, field by field.

C{id} is opaque there; ours says where the message is, so that marking it takes no
look-up: the conversation and the number in URL-safe base64.  An id can only mark what
the user may read, whoever made it.  A message id in decimal digits is taken as well.
"""

from __future__ import annotations

from base64 import urlsafe_b64decode, urlsafe_b64encode
from datetime import UTC, datetime

import msgspec

from wsmsg.http.forms import Answer, Id
from wsmsg.model import (
    INT64_MAX,
    RECALLED,
    TEXT,
    InvalidName,
    Mark,
    Message,
    group_in,
    is_group,
    members_of,
)

UNREAD, READ, TAKEN_BACK = 0, 1, 2

#: The messages on a page of history, where nothing else is said.
PAGE = 20
_ID_CHARACTERS = 128


class Asking(msgspec.Struct, kw_only=True):
    """
    What a deployed peer says; more fields than these do no harm.
    """


class LegacySendForm(Asking):
    """
    A message to send.

    @ivar sender: who sends it.
    @ivar to: a user; 0: it is for the group.
    @ivar message_type: 1: text.
    @ivar ack_id: is not kept.
    """

    sender: Id = msgspec.field(name="from", default=0)
    to: Id = 0
    group_id: Id = 0
    content: str = ""
    message_type: int = 0
    ack_id: str | None = None


class LegacySent(Answer):
    """
    It is durable, and will be delivered.
    """

    success: bool
    message: str


class LegacyHistoryForm(Asking):
    """
    Which page of a user's messages, or of a group's.

    @ivar group_id: 0: all that the user said and was told.
    @ivar page: from 1.
    @ivar size: messages on a page; at most 1000.
    """

    user_id: Id = 0
    group_id: Id = 0
    page: int = 1
    size: int = PAGE


class LegacyMessageView(Answer):
    """
    A message, as the contract has it.

    @ivar id: for C{mark-read}.
    @ivar status: 0 unread, 1 read, 2 taken back.
    """

    id: str
    message_id: int
    sender: int = msgspec.field(name="from")
    to: int
    group_id: int
    content: str
    msg_type: int
    status: int
    created_at: str
    updated_at: str


class LegacyHistoryView(Answer):
    """
    A page of messages, oldest first.

    @ivar total: how many places there are on all pages.
    """

    messages: list[LegacyMessageView] | None
    total: int
    page: int
    size: int


class LegacyUnreadForm(Asking):
    """
    Of whom.
    """

    user_id: Id = 0


class LegacyUnreadView(Answer):
    """
    What a user has not read, oldest first.

    @ivar messages: null: nothing.
    @ivar total: how many in all, though not all may be given at once.
    """

    messages: list[LegacyMessageView] | None
    total: int


class LegacyMarkReadForm(Asking):
    """
    What a user has read.

    @ivar message_ids: each the C{id} of a message, or its C{message_id}.
    """

    user_id: Id = 0
    message_ids: list[Id] | None = None


class LegacyMarkedRead(Answer):
    """
    What became of it.

    @ivar failed: ids that are of no message to the user; they were skipped.
    """

    success: bool
    message: str
    failed: list[Id]


class LegacyHealthView(Answer):
    """
    The daemon answers.

    @ivar time: unix seconds.
    """

    status: str
    time: int


def reader_of(message: Message, user: int) -> int:
    """
    Whom a message is for; in a group, C{user}.
    """
    if is_group(message.conversation):
        return user
    others = [u for u in members_of(message.conversation) if u != message.sender]
    return others[0] if others else message.sender


def view(message: Message, status: int) -> LegacyMessageView:
    """
    A message, as the contract has it.
    """
    conversation, sender = message.conversation, message.sender
    group = group_in(conversation) if is_group(conversation) else 0
    recalled = message.kind == RECALLED
    return LegacyMessageView(
        id=id_of(message),
        message_id=message.message_id,
        sender=sender,
        to=0 if group else reader_of(message, sender),
        group_id=group,
        content=message.content,
        msg_type=TEXT if recalled else message.kind,
        status=TAKEN_BACK if recalled else status,
        created_at=_date(message.time_ms - message.time_ms % 1000),
        updated_at=_date(message.time_ms),
    )


def _date(time_ms: int) -> str:
    seconds, ms = divmod(time_ms, 1000)
    text = datetime.fromtimestamp(seconds, UTC).strftime("%Y-%m-%dT%H:%M:%S")
    return f"{text}.{ms:03}".rstrip("0") + "Z" if ms else text + "Z"


def id_of(message: Message) -> str:
    """
    The id that a message has in the contract.
    """
    text = f"{message.conversation}/{message.seq}"
    return urlsafe_b64encode(text.encode()).decode().rstrip("=")


def mark_in(user: int, given: Id) -> Mark | None:
    """
    The mark that an id asks for; L{None}, if it can be of no message.
    """
    text = str(given)
    if text.isascii() and text.isdecimal():
        number = int(text[:20])
        return Mark(user, number) if 0 < number <= INT64_MAX else None
    if not text.isascii() or len(text) > _ID_CHARACTERS:
        return None
    try:
        where = urlsafe_b64decode(text + "=" * (-len(text) % 4)).decode("ascii")
    except ValueError:
        return None
    conversation, _, digits = where.partition("/")
    if not _is_conversation(conversation) or not digits.isdecimal():
        return None
    seq = int(digits[:20])
    if not 0 < seq <= INT64_MAX or digits != str(seq):
        return None
    return Mark(user, 0, conversation, seq)


def _is_conversation(name: str) -> bool:
    try:
        return bool(group_in(name) if is_group(name) else members_of(name))
    except InvalidName:
        return False
