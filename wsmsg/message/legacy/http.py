"""
The HTTP contract of the legacy Message: its routes.
"""

from __future__ import annotations

import time
import uuid
from collections.abc import Callable, Sequence

import attrs

from wsmsg.auth.scopes import Scope
from wsmsg.errors import BadRequest
from wsmsg.http.access import AccessLevel
from wsmsg.http.errors import PLAIN
from wsmsg.http.forms import parse_int
from wsmsg.http.routes import Answering, Call, Reply, Route
from wsmsg.message.http.messages import check_text, conversation_for
from wsmsg.message.ingress.interface import ISubmit, SendRequest
from wsmsg.message.legacy.history import History
from wsmsg.message.legacy.http_forms import (
    PAGE,
    READ,
    UNREAD,
    LegacyHealthView,
    LegacyHistoryForm,
    LegacyHistoryView,
    LegacyMarkedRead,
    LegacyMarkReadForm,
    LegacySendForm,
    LegacySent,
    LegacyUnreadForm,
    LegacyUnreadView,
    extra_in,
    mark_in,
    reader_of,
    view,
)
from wsmsg.message.queries.interface import IQueries, Marking
from wsmsg.message.store.id_order import id_order
from wsmsg.message.store.interface import IReadMarks
from wsmsg.model import (
    FIRST_EVENT,
    INT64_MAX,
    TEXT,
    Message,
)
from wsmsg.stream.contract import SIGNAL_TYPES

LEGACY = attrs.evolve(PLAIN, tag="legacy")

_MOST = 1000
_MARKS = 10_000
# Contents of one answer of unread, in characters.
_ANSWER_CHARACTERS = 4 * 2**20


class LegacyHttpCalls:
    """
    The calls below C{messages/}, and C{/health}.

    @param most_unread: returns the most messages in one answer of C{unread}.
    @param unix_s: returns the unix time.
    """

    def __init__(
        self,
        store: IReadMarks,
        queries: IQueries,
        submit: ISubmit,
        history: History,
        mark: Marking,
        *,
        most_unread: Callable[[], int],
        unix_s: Callable[[], float] = time.time,
    ) -> None:
        self._store = store
        self._queries = queries
        self._submit = submit
        self._history = history
        self._mark = mark
        self._unix_s = unix_s
        self._most_unread = most_unread

    def routes(self) -> Sequence[Route]:
        """
        Return the routes of the legacy HTTP contract.
        """
        users, anybody = AccessLevel.USERS, AccessLevel.ANYBODY
        send, read, mark = Scope.SEND, Scope.READ, Scope.MARK
        page, asked = LegacyHistoryView, LegacyHistoryForm
        unread, of_user = LegacyUnreadView, LegacyUnreadForm
        marked, marking = LegacyMarkedRead, LegacyMarkReadForm
        return [
            _post("send", self.send, LegacySent, LegacySendForm, send),
            _post("history", self.history, page, asked, read),
            _post("unread", self.unread, unread, of_user, read, users),
            _post("mark-read", self.mark_read, marked, marking, mark, users),
            Route(
                "GET health",
                self.health,
                {200: LegacyHealthView},
                access=anybody,
                conventions=LEGACY,
                root="/",
            ),
        ]

    async def health(self, call: Call) -> Reply:
        """
        Return that the daemon answers.
        """
        now = int(self._unix_s())
        return Reply(200, LegacyHealthView(status="ok", time=now))

    async def send(self, call: Call) -> Reply:
        """
        Send a message.  Each request sends one, a repeated request sends another.
        """
        form = call.body_as(LegacySendForm)
        sender = parse_int(form.sender, "from")
        kind = form.message_type or TEXT  # 0 is a text as well
        if not 0 < kind < FIRST_EVENT or kind in SIGNAL_TYPES:
            raise BadRequest(f"message_type {kind} is not a message of a person")
        check_text("content", form.content)
        # A legacy Connect fills in both; the group counts then.
        group = form.group_id or 0
        to = 0 if group else form.to or 0
        conversation = conversation_for(sender, to, group)
        call.concerns(sender=sender, conversation=conversation)
        client_id, extra = uuid.uuid4().hex, extra_in(form)
        await self._submit.submit(
            SendRequest(
                0, sender, client_id, conversation, form.content, kind, extra=extra
            )
        )
        return Reply(200, LegacySent(success=True, message="sent"))

    async def history(self, call: Call) -> Reply:
        """
        Read old messages, by page and size.
        """
        form = call.body_as(LegacyHistoryForm)
        user = parse_int(form.user_id, "user_id")
        group = parse_int(form.group_id or 0, "group_id", least=0)
        number = 1 if form.page is None else form.page
        asked = PAGE if form.size is None else form.size
        if asked > _MOST:
            raise BadRequest(f"size is {asked}, and must be at most {_MOST}")
        if number > INT64_MAX // _MOST:
            raise BadRequest("page is too large")
        size = asked or min(_MOST, self._history.depth)
        if group:
            found = await self._history.of_group(group, user, number, size)
        else:
            found = await self._history.of_user(user, number, size)
        read = await self._read(user, found.messages)
        views = [
            view(m, READ if m.message_id in read else UNREAD) for m in found.messages
        ]
        page = LegacyHistoryView(
            messages=views or None,
            total=found.total,
            page=number,
            size=asked,
        )
        return Reply(200, page)

    async def unread(self, call: Call) -> Reply:
        """
        List the unread messages of a user.
        """
        user = parse_int(call.body_as(LegacyUnreadForm).user_id, "user_id")
        await call.caller.check_user(user)
        found: list[Message] = []
        position, more, most = "", True, self._most_unread()
        while more and len(found) < most and _size(found) < _ANSWER_CHARACTERS:
            page = await self._queries.unread(user, position, most - len(found))
            found += page.messages
            position, more = page.position, page.more
        total = await self._queries.unread_total(user) if more else len(found)
        found.sort(key=lambda m: id_order(m.message_id))
        views = [view(m, UNREAD) for m in found] or None
        return Reply(200, LegacyUnreadView(messages=views, total=total))

    async def mark_read(self, call: Call) -> Reply:
        """
        Mark single messages as read by a user.
        """
        form = call.body_as(LegacyMarkReadForm)
        user = parse_int(form.user_id, "user_id")
        call.concerns(user=user, messages=len(form.message_ids or ()))
        await call.caller.check_user(user)
        ids = list(dict.fromkeys(form.message_ids or []))
        if len(ids) > _MARKS:
            raise BadRequest(f"{len(ids)} message_ids in one request; at most {_MARKS}")
        marks = [(given, mark_in(user, given)) for given in ids]
        valid = [(given, mark) for given, mark in marks if mark is not None]
        failed = [given for given, mark in marks if mark is None]
        known = await self._mark(user, [mark for _, mark in valid]) if valid else []
        failed += [g for (g, _), good in zip(valid, known, strict=True) if not good]
        n = len(ids) - len(failed)
        text = f"{n} marked as read"
        if failed:
            text += f", {len(failed)} not known"
        return Reply(200, LegacyMarkedRead(success=True, message=text, failed=failed))

    async def _read(self, user: int, messages: Sequence[Message]) -> set[int]:
        """
        Return the ids of the messages that their recipient has read; in a group, that
        C{user} has read.
        """
        readers = [(m, reader_of(m, user)) for m in messages]
        keys = list({(m.conversation, reader) for m, reader in readers})
        cursors = await self._store.cursors(keys) if keys else {}
        read: set[int] = set()
        above: dict[int, list[int]] = {}
        for m, reader in readers:
            cursor = cursors.get((m.conversation, reader))
            if cursor is not None and m.seq <= cursor.read:
                read.add(m.message_id)
            elif m.sender != reader:
                above.setdefault(reader, []).append(m.message_id)
        for reader, ids in above.items():
            unread = await self._store.located(reader, ids)
            read.update(i for i in ids if i not in unread)
        return read


def _post(
    name: str,
    answer: Answering,
    view: type,
    form: type,
    scope: Scope,
    access: AccessLevel = AccessLevel.SERVICES,
) -> Route:
    return Route(
        f"POST messages/{name}",
        answer,
        {200: view},
        body=form,
        scope=scope,
        access=access,
        conventions=LEGACY,
    )


def _size(messages: Sequence[Message]) -> int:
    return sum(len(m.content) for m in messages)
