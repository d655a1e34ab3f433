"""
The HTTP contract of the legacy Message: its bodies.

C{id} is opaque to clients.  It holds the place of the message, so that marking needs no
look-up: the conversation and the seq in URL-safe base64.  An id, even a forged one, can
only mark a message that the user may read.  C{mark-read} also accepts a message id in
decimal digits.
"""

from __future__ import annotations

from base64 import urlsafe_b64decode, urlsafe_b64encode
from datetime import datetime, timedelta
from typing import Annotated

import msgspec

from wsmsg.http.forms import Answer, Id
from wsmsg.legacy.extra import (
    TEXT,
    UNSET,
    LegacyExtra,
    checked_extra_of,
    read_extra,
)
from wsmsg.model import (
    INT64_MAX,
    RECALLED,
    InvalidName,
    Mark,
    Message,
    group_in,
    is_group,
    members_of,
)

UNREAD, READ, RECALLED_STATUS = 0, 1, 2

#: The default size of a page of history.
PAGE = 20
_ID_CHARACTERS = 128
_EPOCH = datetime(1970, 1, 1)

_Int64 = Annotated[int, msgspec.Meta(ge=-INT64_MAX - 1, le=INT64_MAX)]


class LegacyForm(msgspec.Struct, kw_only=True):
    """
    The body of a request.  Unknown fields are ignored.
    """


class LegacySendForm(LegacyForm):
    """
    A message to send.

    @ivar sender: the user who sends the message.
    @ivar to: the recipient; 0, or missing: the message is for the group.
    @ivar timestamp: the time that legacy recipients get, in unix seconds; missing: that
        of acceptance.
    @ivar message_type: 1: text, as if it is missing; 0: a text, which legacy recipients
        get as type 0.
    @ivar ack_id: passed on to legacy recipients; at most 1024 bytes.
    """

    sender: Id = msgspec.field(name="from", default=0)
    to: Id | None = None
    group_id: Id | None = None
    content: str = ""
    timestamp: _Int64 | None = None
    message_type: int | None = None
    ack_id: str | None = None


class LegacySent(Answer):
    """
    The message is durable, and will be delivered.
    """

    success: bool
    message: str


class LegacyHistoryForm(LegacyForm):
    """
    A page of the messages of a user, or of a group.

    @ivar group_id: 0, or missing: all messages to and from the user.
    @ivar page: from 1; missing: 1.
    @ivar size: messages on a page; at most 1000; 0: as many as that; missing: 20.
    """

    user_id: Id = 0
    group_id: Id | None = None
    page: int | None = None
    size: int | None = None


class LegacyMessageView(Answer):
    """
    A message.

    @ivar id: the id for C{mark-read}.
    @ivar msg_type: 1, or 0 if a legacy sender gave it this type.
    @ivar status: 0 unread, 1 read, 2 recalled.
    @ivar created_at: the time that a legacy sender wrote in the message, or the second
        in which Message accepted it.
    @ivar updated_at: when Message accepted it.
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

    @ivar total: the number of messages on all pages, hidden ones included.
    """

    messages: list[LegacyMessageView] | None
    total: int
    page: int
    size: int


class LegacyUnreadForm(LegacyForm):
    """
    The user whose unread messages are listed.
    """

    user_id: Id = 0


class LegacyUnreadView(Answer):
    """
    The unread messages of a user, oldest first.

    @ivar messages: null: there are none.
    @ivar total: the number of all unread messages; C{messages} may have fewer.
    """

    messages: list[LegacyMessageView] | None
    total: int


class LegacyMarkReadForm(LegacyForm):
    """
    The messages that a user has read.

    @ivar message_ids: each is the C{id} of a message, or its C{message_id}.
    """

    user_id: Id = 0
    message_ids: list[Id] | None = None


class LegacyMarkedRead(Answer):
    """
    The result of C{mark-read}.

    @ivar failed: ids of no message to the user; they are skipped.
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
    Return the recipient of a message; in a group, C{user}.
    """
    if is_group(message.conversation):
        return user
    others = [u for u in members_of(message.conversation) if u != message.sender]
    return others[0] if others else message.sender


def view(message: Message, status: int) -> LegacyMessageView:
    """
    Return the view of a message.
    """
    conversation, sender = message.conversation, message.sender
    group = group_in(conversation) if is_group(conversation) else 0
    recalled = message.kind == RECALLED
    written = read_extra(message.extra) or LegacyExtra(None)
    kind = written.message_type if message.kind == TEXT else message.kind
    return LegacyMessageView(
        id=id_of(message),
        message_id=message.message_id,
        sender=sender,
        to=0 if group else reader_of(message, sender),
        group_id=group,
        content=message.content,
        msg_type=TEXT if recalled else kind,
        status=RECALLED_STATUS if recalled else status,
        created_at=_created(written.timestamp) or _date(message.time_ms // 1000),
        updated_at=_date(*divmod(message.time_ms, 1000)),
    )


def extra_in(form: LegacySendForm) -> str:
    """
    Return the C{extra} of the message in a form; empty if it has nothing of it.
    """
    kind = UNSET if form.message_type == UNSET else TEXT
    written = LegacyExtra(form.timestamp, kind, form.ack_id or "")
    return "" if written == LegacyExtra(None) else checked_extra_of(written)


def _created(timestamp: int | None) -> str:
    """
    Return the date of a sender's time; empty if a date cannot have it.
    """
    try:
        return "" if timestamp is None else _date(timestamp)
    except OverflowError:
        return ""


def _date(seconds: int, ms: int = 0) -> str:
    text = (_EPOCH + timedelta(seconds=seconds)).isoformat()
    return f"{text}.{ms:03}".rstrip("0") + "Z" if ms else text + "Z"


def id_of(message: Message) -> str:
    """
    Return the C{id} of a message.
    """
    text = f"{message.conversation}/{message.seq}"
    return urlsafe_b64encode(text.encode()).decode().rstrip("=")


def mark_in(user: int, given: Id) -> Mark | None:
    """
    Return the mark that an id stands for; L{None} if the id is invalid.
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
