"""
What clients read: pages of a conversation, heads of conversations, groups, presence,
what is unread; and what they have seen.
"""

from __future__ import annotations

from typing import Any, TypeVar

from twisted.internet.defer import (
    CancelledError,
    Deferred,
    DeferredList,
    gatherResults,
)
from twisted.logger import Logger

from wsmsg.errors import Forbidden, Internal, NotFound, Unavailable, WsmsgError
from wsmsg.message.links.interface import IRoutes
from wsmsg.message.presence.interface import IPresence
from wsmsg.message.queries.interface import Marking
from wsmsg.message.store.interface import HeadRow, IMessageStore
from wsmsg.model import (
    Cursor,
    InvalidName,
    Mark,
    Message,
    UserPresence,
    group_in,
    is_group,
    members_of,
)
from wsmsg.rpc import rest_pb2
from wsmsg.settings.values import MessageSettings
from wsmsg.stream.convert import write_message

#: How far back heads reach beyond what was asked: clocks of several machines differ,
#: and a message is visible a moment after the time that it bears.
OVERLAP_MS = 60_000

A = TypeVar("A")
B = TypeVar("B")

_ITEMS = 1000
_USERS = 10_000


class Queries:
    """
    Answers queries, many in one call.

    @param page: the most messages or heads in one answer.
    @param mark: stores what a user has seen; L{wsmsg.message.queries.marks.Marks.mark};
        without it marks are refused.
    """

    _log = Logger()

    def __init__(
        self,
        store: IMessageStore,
        presence: IPresence,
        routes: IRoutes,
        *,
        page: int,
        mark: Marking | None = None,
    ) -> None:
        self.answered = 0
        self._store = store
        self._presence = presence
        self._routes = routes
        self._marking = mark
        self.page_limit = page

    def apply_settings(self, settings: MessageSettings) -> None:
        """
        Apply the limit of an answer.
        """
        self.page_limit = settings.page

    async def answer(self, request: rest_pb2.QueryRequest) -> rest_pb2.QueryResponse:
        """
        One answer an item, in their order; what fails is an answer too.
        """
        if len(request.items) > _ITEMS:
            error = NotFound(f"{len(request.items)} queries, the limit is {_ITEMS}")
            return rest_pb2.QueryResponse(
                answers=[_error(error) for _ in request.items]
            )
        self.answered += len(request.items)
        answers = await gatherResults(
            [Deferred.fromCoroutine(self._one(item)) for item in request.items],
            consumeErrors=True,
        )
        return rest_pb2.QueryResponse(answers=answers)

    async def _one(self, item: rest_pb2.QueryItem) -> rest_pb2.QueryAnswer:
        try:
            match item.WhichOneof("query"):
                case "page":
                    return await self._page(item.page)
                case "heads":
                    return await self._heads(item.heads)
                case "group":
                    return await self._group(item.group)
                case "presence":
                    return await self._look_up(item.presence)
                case "unread":
                    return await self._unread(item.unread)
                case "mark":
                    return await self._mark(item.mark)
                case _:
                    raise NotFound("no such query")
        except WsmsgError as e:
            return _error(e)
        except CancelledError:
            raise  # who asked is gone
        except Exception:  # noqa: BLE001 - a guard
            self._log.failure("answering a query")
            return _error(Internal("the query failed"))

    async def _page(self, query: rest_pb2.PageQuery) -> rest_pb2.QueryAnswer:
        limit = min(query.limit or self.page_limit, self.page_limit)
        messages, head = await self._read(
            query.user, query.conversation, max(query.after, 0), limit
        )
        answer = rest_pb2.QueryAnswer()
        answer.page.head = head
        for message in messages:
            write_message(answer.page.messages.add(), message)
        answer.page.more = bool(messages) and messages[-1].seq < head
        answer.page.SetInParent()
        return answer

    async def _read(
        self, user: int, conversation: str, after: int, limit: int
    ) -> tuple[list[Message], int]:
        if not is_group(conversation):
            _check_member(user, conversation)
            return await self._store.page(conversation, after, limit)
        # Most who ask are members and begin where they may: both at the same time.
        first, (messages, head) = await both(
            self._first(user, conversation),
            self._store.page(conversation, after, limit),
        )
        if after + 1 < first:
            return await self._store.page(conversation, first - 1, limit)
        return messages, head

    async def _group(self, query: rest_pb2.GroupQuery) -> rest_pb2.QueryAnswer:
        conversation = query.conversation
        limit = min(query.limit or self.page_limit, self.page_limit)
        _, page = await both(
            self._first(query.user, conversation),
            self._store.group(conversation, max(query.after, 0), limit),
        )
        if page is None:
            raise NotFound(f"there is no {conversation}")
        answer = rest_pb2.QueryAnswer()
        group = answer.group
        group.name = page.name
        group.owner = page.owner
        group.history = page.history
        group.count = page.count
        for member in page.members:
            group.members.add(user=member.user, joined=member.joined)
        return answer

    def _first(self, user: int, conversation: str) -> Deferred[int]:
        # The number from which on a member of a group may read.
        key = (check_group(conversation), user)

        def found(readable: dict[tuple[str, int], int]) -> int:
            if key not in readable:
                raise Forbidden(f"{user} is not in {conversation}")
            return readable[key]

        return self._store.readable_from([key]).addCallback(found)

    async def _heads(self, query: rest_pb2.HeadsQuery) -> rest_pb2.QueryAnswer:
        limit = min(query.limit or self.page_limit, self.page_limit)
        since_ms, after = query.since_ms, query.after
        if not after:  # else it goes on where a list ended, which reached back already
            since_ms = max(since_ms - OVERLAP_MS, 0)
        rows = await self._store.conversations_of(
            query.user, since_ms, limit + 1, after
        )
        answer = rest_pb2.QueryAnswer()
        answer.heads.SetInParent()
        answer.heads.more = len(rows) > limit
        rows = rows[:limit]
        keys = [
            (r.conversation, u)
            for r in rows
            for u in _with_cursors(r.conversation, query.user)
        ]
        cursors = await self._store.cursors(keys) if keys else {}
        for row in rows:
            _write_head(answer.heads.heads.add(), row, query.user, cursors)
        return answer

    async def _unread(self, query: rest_pb2.UnreadQuery) -> rest_pb2.QueryAnswer:
        limit = min(query.limit or self.page_limit, self.page_limit)
        messages, total = await self._store.unread(query.user, query.after, limit + 1)
        answer = rest_pb2.QueryAnswer()
        answer.unread.total = total
        answer.unread.more = len(messages) > limit
        for message in messages[:limit]:
            write_message(answer.unread.messages.add(), message)
        answer.unread.SetInParent()
        return answer

    async def _mark(self, query: rest_pb2.MarkQuery) -> rest_pb2.QueryAnswer:
        if self._marking is None:
            raise NotFound("no marks are taken here")
        if len(query.marks) > _ITEMS:
            raise NotFound(f"{len(query.marks)} marks, the limit is {_ITEMS}")
        marks = [
            Mark(query.user, m.message_id, m.conversation, m.seq) for m in query.marks
        ]
        answer = rest_pb2.QueryAnswer()
        answer.mark.known.extend(await self._marking(query.user, marks))
        answer.mark.SetInParent()
        return answer

    async def _look_up(self, query: rest_pb2.PresenceQuery) -> rest_pb2.QueryAnswer:
        if len(query.users) > _USERS:
            raise NotFound(f"{len(query.users)} users, the limit is {_USERS}")
        answer = rest_pb2.QueryAnswer()
        answer.presence.SetInParent()
        users = list(query.users)
        try:
            known = await self._presence.look_up(users)
        except Unavailable:
            # Its dependency says so; who is connected to our Connects we know anyway.
            known = [UserPresence(user, online=False) for user in users]
        for p in known:
            # Who is connected is known best by the streams themselves.
            online = bool(self._routes.of(p.user)) or p.online
            answer.presence.presence.add(
                user=p.user, online=online, last_seen_ms=p.last_seen_ms
            )
        return answer


def check_group(conversation: str) -> str:
    """
    The name of a group's conversation.

    @raise NotFound: there can be none of this name.
    """
    try:
        group_in(conversation)
    except InvalidName as e:
        raise NotFound(str(e)) from e
    return conversation


async def both(one: Deferred[A], other: Deferred[B]) -> tuple[A, B]:
    """
    What two that were asked at the same time answer; the failure of the first counts
    before that of the second.
    """
    asked: list[Deferred[Any]] = [one, other]
    answers = await DeferredList(asked, consumeErrors=True)
    for good, answer in answers:
        if not good:
            answer.raiseException()
    (_, first), (_, second) = answers
    return first, second


def _with_cursors(conversation: str, user: int) -> tuple[int, ...]:
    # How far they are is told of both users of a conversation of two, but not of all
    # members of a group.
    return (user,) if is_group(conversation) else members_of(conversation)


def _check_member(user: int, conversation: str) -> None:
    try:
        members = members_of(conversation)
    except InvalidName as e:
        raise NotFound(str(e)) from e
    if user not in members:
        raise Forbidden(f"{user} is not in {conversation}")


def _write_head(
    head: Any, row: HeadRow, user: int, cursors: dict[tuple[str, int], Cursor]
) -> None:
    head.conversation = row.conversation
    head.head = row.head
    head.time_ms = row.time_ms
    for member in _with_cursors(row.conversation, user):
        cursor = cursors.get((row.conversation, member))
        if cursor is None:
            continue
        if member == user:
            head.delivered, head.read = cursor.delivered, cursor.read
        else:
            head.others.add(
                conversation=row.conversation,
                user=member,
                delivered=cursor.delivered,
                read=cursor.read,
            )


def _error(error: WsmsgError) -> rest_pb2.QueryAnswer:
    answer = rest_pb2.QueryAnswer()
    answer.error.code = error.code
    answer.error.reason = error.reason
    answer.error.retry_after_ms = error.retry_after_ms
    return answer
