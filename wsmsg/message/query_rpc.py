"""
The gRPC method C{Query}: queries in protobuf, many in one call.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence

from twisted.internet.defer import CancelledError
from twisted.logger import Logger

from wsmsg.dependency.gather import gather
from wsmsg.errors import Internal, NotFound, WsmsgError
from wsmsg.message.queries.interface import IQueries, PushedNumber
from wsmsg.message.store.interface import PAGE_BYTES
from wsmsg.model import ConversationHead, Mark
from wsmsg.rpc import rest_pb2
from wsmsg.stream.convert import write_message
from wsmsg.stream.options import MESSAGE_BYTES

#: The most queries in one call.
MOST_ITEMS = 1000
#: The most bytes of the answers in one response, unless one answer alone has more.
ANSWER_BYTES = MESSAGE_BYTES // 2


class QueryAdapter:
    """
    Translates queries and answers between protobuf and values.
    """

    _log = Logger()

    def __init__(
        self,
        queries: IQueries,
        connects: Callable[[], Sequence[rest_pb2.ConnectLoad]] = tuple,
        life: Callable[[rest_pb2.LifeQuery], rest_pb2.LifeAnswer] | None = None,
    ) -> None:
        """
        @param connects: returns the load of the Connects.
        @param life: returns what this Message remembers of a message.
        """
        self._life = life
        self._queries = queries
        self._connects = connects

    async def answer(self, request: rest_pb2.QueryRequest) -> rest_pb2.QueryResponse:
        """
        Answer queries of a request, in their order; a query that fails is answered
        with its error.

        The answers have at most L{ANSWER_BYTES} together, or one of them is longer
        alone.  Connect asks the queries that are left without an answer again.
        """
        if len(request.items) > MOST_ITEMS:
            error = NotFound(f"{len(request.items)} queries, the limit is {MOST_ITEMS}")
            return rest_pb2.QueryResponse(
                answers=[_error(error) for _ in request.items]
            )
        answers: list[rest_pb2.QueryAnswer] = []
        size = 0
        for some in _waves(request.items):
            for answer in await gather(self._one(item) for item in some):
                size += answer.ByteSize()
                if answers and size > ANSWER_BYTES:
                    return rest_pb2.QueryResponse(answers=answers)
                answers.append(answer)
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
                case "compare":
                    return await self._compare(item.compare)
                case "presence":
                    return await self._presence(item.presence)
                case "unread":
                    return await self._unread(item.unread)
                case "mark":
                    return await self._mark(item.mark)
                case "blocks":
                    return await self._blocks(item.blocks)
                case "invitations":
                    return await self._invitations(item.invitations)
                case "names":
                    return await self._names(item.names)
                case "connects":
                    found = rest_pb2.ConnectsAnswer(connects=self._connects())
                    return rest_pb2.QueryAnswer(connects=found)
                case "life" if self._life is not None:
                    return rest_pb2.QueryAnswer(life=self._life(item.life))
                case _:
                    raise NotFound("no such query")
        except WsmsgError as e:
            return _error(e)
        except CancelledError:
            raise  # the caller is gone
        except Exception:  # noqa: BLE001 - a guard
            self._log.failure("answering a query")
            return _error(Internal("the query failed"))

    async def _page(self, query: rest_pb2.PageQuery) -> rest_pb2.QueryAnswer:
        page = await self._queries.page(
            query.user, query.conversation, query.after, query.limit
        )
        found = rest_pb2.PageAnswer(head=page.head, more=page.more, epoch=page.epoch)
        answer = rest_pb2.QueryAnswer(page=found)
        for message in page.messages:
            write_message(answer.page.messages.add(), message)
        return answer

    async def _heads(self, query: rest_pb2.HeadsQuery) -> rest_pb2.QueryAnswer:
        page = await self._queries.heads(
            query.user,
            query.position,
            query.limit,
            continued=query.continued,
            witness=query.witness,
        )
        found = rest_pb2.HeadsAnswer(
            more=page.more, position=page.position, epoch=page.epoch
        )
        answer = rest_pb2.QueryAnswer(heads=found)
        for head in page.heads:
            _write_head(answer.heads.heads.add(), head)
        return answer

    async def _compare(self, query: rest_pb2.CompareQuery) -> rest_pb2.QueryAnswer:
        pushed = [PushedNumber(p.user, p.conversation, p.seq) for p in query.pushed]
        found = await self._queries.compare(query.epoch, pushed)
        answer = rest_pb2.CompareAnswer(
            heads=found.heads, epoch=found.epoch, witness=found.witness
        )
        return rest_pb2.QueryAnswer(compare=answer)

    async def _group(self, query: rest_pb2.GroupQuery) -> rest_pb2.QueryAnswer:
        page = await self._queries.group(
            query.user, query.conversation, query.after, query.limit
        )
        answer = rest_pb2.GroupAnswer(
            name=page.name,
            owner=page.owner,
            history=page.history,
            count=page.count,
            more=page.more,
            key=page.key,
        )
        for member in page.members:
            answer.members.add(user=member.user, joined=member.joined)
        return rest_pb2.QueryAnswer(group=answer)

    async def _unread(self, query: rest_pb2.UnreadQuery) -> rest_pb2.QueryAnswer:
        page = await self._queries.unread(
            query.user, query.position, query.limit, after=query.after
        )
        found = rest_pb2.UnreadAnswer(more=page.more, position=page.position)
        answer = rest_pb2.QueryAnswer(unread=found)
        for message in page.messages:
            write_message(answer.unread.messages.add(), message)
        return answer

    async def _mark(self, query: rest_pb2.MarkQuery) -> rest_pb2.QueryAnswer:
        marks = [
            Mark(query.user, m.message_id, m.conversation, m.seq) for m in query.marks
        ]
        known = await self._queries.mark(query.user, marks)
        return rest_pb2.QueryAnswer(mark=rest_pb2.MarkAnswer(known=known))

    async def _blocks(self, query: rest_pb2.BlocksQuery) -> rest_pb2.QueryAnswer:
        rows, more = await self._queries.blocks(query.user, query.after, query.limit)
        answer = rest_pb2.BlocksAnswer(more=more)
        for row in rows:
            answer.blocks.add(target=row.target, time_ms=row.time_ms)
        return rest_pb2.QueryAnswer(blocks=answer)

    async def _invitations(
        self, query: rest_pb2.InvitationsQuery
    ) -> rest_pb2.QueryAnswer:
        rows, next_ = await self._queries.invitations(
            query.user, query.after, query.limit
        )
        answer = rest_pb2.InvitationsAnswer(next=next_)
        for row in rows:
            answer.invitations.add(**row._asdict())
        return rest_pb2.QueryAnswer(invitations=answer)

    async def _names(self, query: rest_pb2.NamesQuery) -> rest_pb2.QueryAnswer:
        found = await self._queries.names(
            list(query.names), list(query.users), claim=query.claim
        )
        return rest_pb2.QueryAnswer(names=rest_pb2.NamesAnswer(users=found))

    async def _presence(self, query: rest_pb2.PresenceQuery) -> rest_pb2.QueryAnswer:
        known = await self._queries.presence(list(query.users), query.asker)
        answer = rest_pb2.PresenceAnswer(judged=self._queries.hides_presence)
        for p in known:
            answer.presence.add(
                user=p.user,
                online=p.online,
                last_seen_ms=p.last_seen_ms,
                hidden=p.hidden,
            )
        return rest_pb2.QueryAnswer(presence=answer)


def _waves(
    items: Sequence[rest_pb2.QueryItem],
) -> Iterator[Sequence[rest_pb2.QueryItem]]:
    """
    Cut queries into sequences whose answers usually fit into one response, so that
    Message does not read much more than it can send.
    """
    first = size = 0
    for i, item in enumerate(items):
        long = item.WhichOneof("query") in ("page", "unread")
        size += PAGE_BYTES if long else 0
        if size > ANSWER_BYTES:
            yield items[first:i]
            first, size = i, PAGE_BYTES
    yield items[first:]


def _write_head(to: rest_pb2.Head, head: ConversationHead) -> None:
    to.conversation = head.conversation
    to.head = head.head
    to.time_ms = head.time_ms
    to.delivered = head.delivered
    to.read = head.read
    to.unread = head.unread
    to.message_id = head.message_id
    for other in head.others:
        to.others.add(
            conversation=other.conversation,
            user=other.user,
            delivered=other.delivered,
            read=other.read,
        )


def _error(error: WsmsgError) -> rest_pb2.QueryAnswer:
    return rest_pb2.QueryAnswer(
        error=rest_pb2.QueryError(
            code=error.code, reason=error.reason, retry_after_ms=error.retry_after_ms
        )
    )
