"""
The HTTP of the deployed Message, field by field, and what of it was left to us.

C{id} is opaque there; ours says where the message is, so that marking it takes no
look-up: the conversation and the number in URL-safe base64.  An id can only mark what
the user may read, whoever made it.  A message id in decimal digits is taken as well.
"""

from __future__ import annotations

import uuid
from base64 import urlsafe_b64decode, urlsafe_b64encode
from collections.abc import Callable, Sequence
from datetime import UTC, datetime
from typing import Protocol

import msgspec
from twisted.internet.defer import Deferred
from twisted.internet.interfaces import IReactorTime

from wsmsg.errors import BadRequest
from wsmsg.message.acceptance import Acceptance
from wsmsg.message.history import History
from wsmsg.message.istore import IMessageStore
from wsmsg.message.proposals import Proposal
from wsmsg.message.web_access import Opening
from wsmsg.message.web_api import Call, Reply, Route
from wsmsg.message.web_forms import Answer, Id, whole
from wsmsg.message.web_messages import check_text, place_of
from wsmsg.model import (
    FIRST_EVENT,
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

_UNREAD, _TAKEN_BACK = 0, 2

#: The types of the contract that are no messages to somebody.
_SIGNALS = frozenset({2, 3, 4, 10})
_PAGE = 20
_MOST = 1000
_MARKS = 10_000
_ID_CHARACTERS = 128


class Asking(msgspec.Struct, kw_only=True):
    """
    What a deployed peer says; more fields than these do no harm.
    """


class ContractSend(Asking):
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


class Sent(Answer):
    """
    It is durable, and will be delivered.
    """

    success: bool
    message: str


class ContractHistory(Asking):
    """
    Which page of a user's messages, or of a group's.

    @ivar group_id: 0: all that the user said and was told.
    @ivar page: from 1.
    @ivar size: messages on a page; at most 1000.
    """

    user_id: Id = 0
    group_id: Id = 0
    page: int = 1
    size: int = _PAGE


class ContractMessage(Answer):
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


class HistoryOfContract(Answer):
    """
    A page of messages, oldest first.

    @ivar total: how many places there are on all pages.
    """

    messages: list[ContractMessage] | None
    total: int
    page: int
    size: int


class ContractUnread(Asking):
    """
    Of whom.
    """

    user_id: Id = 0


class UnreadMessages(Answer):
    """
    What a user has not read, oldest first.

    @ivar messages: null: nothing.
    @ivar total: how many in all, though not all may be given at once.
    """

    messages: list[ContractMessage] | None
    total: int


class ContractMarkRead(Asking):
    """
    What a user has read.

    @ivar message_ids: each the C{id} of a message, or its C{message_id}.
    """

    user_id: Id = 0
    message_ids: list[Id] | None = None


class MarkedRead(Answer):
    """
    What became of it.

    @ivar failed: ids that are of no message to the user; they were skipped.
    """

    success: bool
    message: str
    failed: list[Id]


class HealthOfContract(Answer):
    """
    The daemon answers.

    @ivar time: unix seconds.
    """

    status: str
    time: int


class Marking(Protocol):
    """
    What marks messages as seen: L{wsmsg.message.marks.Marks.mark}.
    """

    def __call__(self, user: int, marks: Sequence[Mark]) -> Deferred[list[bool]]: ...


class ContractCalls:
    """
    The calls below C{messages/}, and C{/health}.

    @param most_unread: the most messages in one answer of C{unread}, as it is now.
    """

    def __init__(
        self,
        store: IMessageStore,
        acceptance: Acceptance,
        history: History,
        mark: Marking,
        clock: IReactorTime,
        *,
        most_unread: Callable[[], int],
    ) -> None:
        self._store = store
        self._acceptance = acceptance
        self._history = history
        self._mark = mark
        self._clock = clock
        self._most_unread = most_unread

    def routes(self) -> Sequence[Route]:
        """
        What is served.
        """
        return [
            Route(
                "POST",
                "messages/send",
                self.send,
                body=ContractSend,
                gives={200: Sent},
                contract=True,
            ),
            Route(
                "POST",
                "messages/history",
                self.history,
                body=ContractHistory,
                gives={200: HistoryOfContract},
                contract=True,
            ),
            Route(
                "POST",
                "messages/unread",
                self.unread,
                body=ContractUnread,
                gives={200: UnreadMessages},
                opening=Opening.USERS,
                contract=True,
            ),
            Route(
                "POST",
                "messages/mark-read",
                self.mark_read,
                body=ContractMarkRead,
                gives={200: MarkedRead},
                opening=Opening.USERS,
                contract=True,
            ),
        ]

    def health_routes(self) -> Sequence[Route]:
        """
        What is served below C{/health}.
        """
        return [
            Route(
                "GET",
                "",
                self.health,
                gives={200: HealthOfContract},
                opening=Opening.ANYBODY,
                contract=True,
                root="/health",
            )
        ]

    async def health(self, call: Call) -> Reply:
        """
        Say that the daemon answers.
        """
        now = int(self._clock.seconds())
        return Reply(200, HealthOfContract(status="ok", time=now))

    async def send(self, call: Call) -> Reply:
        """
        Send a message, once for each request.
        """
        form = call.read(ContractSend)
        sender = whole(form.sender, "from")
        kind = form.message_type or TEXT
        if not 0 < kind < FIRST_EVENT or kind in _SIGNALS:
            raise BadRequest(f"message_type {kind} is no message to somebody")
        check_text("content", form.content)
        # With both, as a Connect fills in both, the group counts.
        to = 0 if form.group_id else form.to
        conversation = place_of(sender, to, form.group_id)
        await self._acceptance.say(
            Proposal(0, sender, uuid.uuid4().hex, conversation, form.content, kind)
        )
        return Reply(200, Sent(success=True, message="sent"))

    async def history(self, call: Call) -> Reply:
        """
        Read old messages, by page and size.
        """
        form = call.read(ContractHistory)
        user = whole(form.user_id, "user_id")
        group = whole(form.group_id, "group_id", least=0)
        if form.size > _MOST:
            raise BadRequest(f"size is {form.size}, and must be at most {_MOST}")
        if form.page > INT64_MAX // _MOST:
            raise BadRequest("there are not so many pages")
        if group:
            found = await self._history.of_group(group, user, form.page, form.size)
        else:
            found = await self._history.of_user(user, form.page, form.size)
        read = await self._read(user, found.messages)
        some = [_view(m, int(m.message_id in read)) for m in found.messages]
        page = HistoryOfContract(
            messages=some or None,
            total=found.total,
            page=form.page,
            size=form.size,
        )
        return Reply(200, page)

    async def unread(self, call: Call) -> Reply:
        """
        Tell what a user has not read.
        """
        user = whole(call.read(ContractUnread).user_id, "user_id")
        call.caller.prove(user)
        messages, total = await self._store.unread(user, 0, self._most_unread())
        some = [_view(m, _UNREAD) for m in messages] or None
        return Reply(200, UnreadMessages(messages=some, total=total))

    async def mark_read(self, call: Call) -> Reply:
        """
        Say what a user has read, whatever is before it.
        """
        form = call.read(ContractMarkRead)
        user = whole(form.user_id, "user_id")
        call.caller.prove(user)
        ids = list(dict.fromkeys(form.message_ids or []))
        if len(ids) > _MARKS:
            raise BadRequest(f"{len(ids)} message_ids in one request; at most {_MARKS}")
        marks = [(given, mark_in(user, given)) for given in ids]
        sound = [(given, mark) for given, mark in marks if mark is not None]
        failed = [given for given, mark in marks if mark is None]
        known = await self._mark(user, [mark for _, mark in sound]) if sound else []
        failed += [g for (g, _), good in zip(sound, known, strict=True) if not good]
        n = len(ids) - len(failed)
        word = f"{n} marked as read"
        if failed:
            word += f", {len(failed)} not known"
        return Reply(200, MarkedRead(success=True, message=word, failed=failed))

    async def _read(self, user: int, messages: Sequence[Message]) -> set[int]:
        """
        The ids of those that whoever they are for has seen; in a group, C{user}.
        """
        readers = [(m, _reader(m, user)) for m in messages]
        keys = list({(m.conversation, reader) for m, reader in readers})
        cursors = await self._store.cursors(keys) if keys else {}
        seen: set[int] = set()
        above: dict[int, list[int]] = {}
        for m, reader in readers:
            cursor = cursors.get((m.conversation, reader))
            if cursor is not None and m.seq <= cursor.read:
                seen.add(m.message_id)
            elif m.sender != reader:
                above.setdefault(reader, []).append(m.message_id)
        for reader, ids in above.items():
            unseen = await self._store.located(reader, ids)
            seen.update(i for i in ids if i not in unseen)
        return seen


def _reader(message: Message, user: int) -> int:
    if is_group(message.conversation):
        return user
    others = [u for u in members_of(message.conversation) if u != message.sender]
    return others[0] if others else message.sender


def _view(message: Message, status: int) -> ContractMessage:
    conversation, sender = message.conversation, message.sender
    group = group_in(conversation) if is_group(conversation) else 0
    recalled = message.kind == RECALLED
    return ContractMessage(
        id=id_of(message),
        message_id=message.message_id,
        sender=sender,
        to=0 if group else _reader(message, sender),
        group_id=group,
        content=message.content,
        msg_type=TEXT if recalled else message.kind,
        status=_TAKEN_BACK if recalled else status,
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
