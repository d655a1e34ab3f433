"""
Reads of Message, and marks: many items in a call, few calls at a time.

Items that arrive while the limit of calls is in flight leave together in the next call.
Message answers as many of them as fit into a response, and the others are asked again.
When one Message fails, Connect asks another one once.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Sequence
from typing import Any

import attrs
from twisted.internet.defer import Deferred, fail
from twisted.python.failure import Failure
from zope.interface import implementer

from wsmsg.connect.upstream.convert import group_view_of
from wsmsg.connect.upstream.interface import (
    BlocksView,
    ComparedHeads,
    GroupView,
    HeadsView,
    InvitationsView,
    InvitationView,
    IUpstreamReads,
    PageView,
    UnreadView,
)
from wsmsg.connect.upstream.presence import WatchedPresence
from wsmsg.errors import Internal, Overloaded, Unavailable, WsmsgError, from_code
from wsmsg.model import Mark, UserPresence
from wsmsg.rpc import rest_pb2
from wsmsg.stream.convert import head_of, message_of, presence_of

#: Queries one Message; the Deferred fails with L{WsmsgError}.
Query = Callable[[rest_pb2.QueryRequest], "Deferred[rest_pb2.QueryResponse]"]

_RETRY_MS = 500


@attrs.frozen
class _Waiting:
    item: rest_pb2.QueryItem
    answered: Deferred[Any]


@implementer(IUpstreamReads)
class UpstreamReads:
    """
    The reads that wait and those in flight.

    @param streams: returns the query methods of the streams that are up, best first.
    @param on_epoch: called with a reason when the store has another epoch than before.
    @param watching: corrects the answers about presence.
    @param calls: the most calls in flight.
    @param items: the most reads in a call.
    @param limit: the most reads that wait; more are refused as C{overloaded}.
    """

    def __init__(
        self,
        streams: Callable[[], Sequence[Query]],
        watching: WatchedPresence,
        *,
        on_epoch: Callable[[str], object],
        calls: int = 4,
        items: int = 64,
        limit: int = 10_000,
    ) -> None:
        self.asked = self.failed = 0
        # Until a Message has said otherwise.
        self.judges = True
        self._on_epoch = on_epoch
        self._streams = streams
        self._watching = watching
        self._calls = calls
        self._items = items
        self._limit = limit
        self._epoch = ""
        self._waiting: deque[_Waiting] = deque()
        self._in_flight = 0

    def page(
        self, user: int, conversation: str, after: int, limit: int
    ) -> Deferred[PageView]:
        query = rest_pb2.PageQuery(
            user=user, conversation=conversation, after=after, limit=limit
        )
        return self._enqueue(rest_pb2.QueryItem(page=query))

    def heads(
        self,
        user: int,
        position: str,
        limit: int,
        *,
        continued: bool,
        witness: str = "",
    ) -> Deferred[HeadsView]:
        query = rest_pb2.HeadsQuery(
            user=user,
            position=position,
            limit=limit,
            continued=continued,
            witness=witness,
        )
        return self._enqueue(rest_pb2.QueryItem(heads=query))

    def compare(
        self, pushed: Sequence[tuple[int, str, int]]
    ) -> Deferred[ComparedHeads]:
        query = rest_pb2.CompareQuery(
            pushed=[
                rest_pb2.PushedNumber(user=user, conversation=name, seq=seq)
                for user, name, seq in pushed
            ],
            epoch=self._epoch,
        )
        return self._enqueue(rest_pb2.QueryItem(compare=query))

    def presence(
        self, users: Sequence[int], asker: int = 0
    ) -> Deferred[list[UserPresence]]:
        found = self.query_presence(users, asker)
        return found.addCallbacks(
            self._watching.query_answered, self._presence_failed, errbackArgs=(users,)
        )

    def _presence_failed(self, failure: Failure, users: Sequence[int]) -> Failure:
        self._watching.query_failed(users)
        return failure

    def query_presence(
        self, users: Sequence[int], asker: int = 0
    ) -> Deferred[list[UserPresence]]:
        """
        Return the presence of users as one Message has it, without the reports of the
        streams since.
        """
        query = rest_pb2.PresenceQuery(users=users, asker=asker)
        found = self._enqueue(rest_pb2.QueryItem(presence=query))
        return found.addCallback(self._presence_found)

    def _presence_found(self, answer: rest_pb2.PresenceAnswer) -> list[UserPresence]:
        self.judges = answer.judged
        return [presence_of(p) for p in answer.presence]

    def group(
        self, user: int, conversation: str, after: int, limit: int
    ) -> Deferred[GroupView]:
        query = rest_pb2.GroupQuery(
            user=user, conversation=conversation, after=after, limit=limit
        )
        return self._enqueue(rest_pb2.QueryItem(group=query))

    def blocks(self, user: int, after: str, limit: int) -> Deferred[BlocksView]:
        query = rest_pb2.BlocksQuery(user=user, after=after, limit=limit)
        return self._enqueue(rest_pb2.QueryItem(blocks=query))

    def invitations(
        self, user: int, after: str, limit: int
    ) -> Deferred[InvitationsView]:
        query = rest_pb2.InvitationsQuery(user=user, after=after, limit=limit)
        return self._enqueue(rest_pb2.QueryItem(invitations=query))

    def mark(self, user: int, marks: Sequence[Mark]) -> Deferred[list[bool]]:
        query = rest_pb2.MarkQuery(
            user=user,
            marks=[
                rest_pb2.Mark(
                    message_id=m.message_id, conversation=m.conversation, seq=m.seq
                )
                for m in marks
            ],
        )
        return self._enqueue(rest_pb2.QueryItem(mark=query))

    def unread(self, user: int, position: str, limit: int) -> Deferred[UnreadView]:
        query = rest_pb2.UnreadQuery(user=user, position=position, limit=limit)
        return self._enqueue(rest_pb2.QueryItem(unread=query))

    def names(
        self, names: Sequence[str], users: Sequence[int], claim: bool
    ) -> Deferred[dict[str, int]]:
        """
        Look up names of users both ways.

        @param claim: give a number to each name that has none.
        @return: a Deferred that fires with the numbers of those that are known, by
            name.
        """
        query = rest_pb2.NamesQuery(names=names, users=users, claim=claim)
        return self._enqueue(rest_pb2.QueryItem(names=query))

    def connects(self) -> Deferred[list[rest_pb2.ConnectLoad]]:
        """
        Read the load of the Connects that Message knows.

        @return: a Deferred that fires with those that have told it.
        """
        query = rest_pb2.ConnectsQuery()
        return self._enqueue(rest_pb2.QueryItem(connects=query))

    def stats(self) -> dict[str, int]:
        """
        Return the counters since the start, by name.
        """
        return {"reads": self.asked, "reads_failed": self.failed}

    def _enqueue(self, item: rest_pb2.QueryItem) -> Deferred[Any]:
        if not self._streams():
            return fail(Unavailable("no Message is connected", _RETRY_MS))
        if len(self._waiting) >= self._limit:
            return fail(Overloaded("too many reads wait for an answer", _RETRY_MS))
        waiting = _Waiting(item, Deferred())
        self._waiting.append(waiting)
        self.asked += 1
        self._call_message()
        return waiting.answered

    def _call_message(self) -> None:
        while self._waiting and self._in_flight < self._calls:
            n = min(len(self._waiting), self._items)
            batch = [self._waiting.popleft() for _ in range(n)]
            self._in_flight += 1
            Deferred.fromCoroutine(self._answer(batch))

    async def _answer(self, batch: list[_Waiting]) -> None:
        try:
            request = rest_pb2.QueryRequest(items=[w.item for w in batch])
            response = await self._response(request)
            results = [_result(answer) for answer in response.answers]
            if not 0 < len(results) <= len(batch):
                raise Internal("Message did not answer the reads")
            # Message answers no more than fits into a response.
            self._waiting.extendleft(reversed(batch[len(results) :]))
        except WsmsgError as e:
            results = [Failure(e)] * len(batch)
        except Exception:  # noqa: BLE001 - a guard: a session waits for each answer
            results = [Failure()] * len(batch)
        finally:
            self._in_flight -= 1
        for waiting, result in zip(batch, results, strict=False):
            self.failed += isinstance(result, Failure)
            if isinstance(result, HeadsView | ComparedHeads):
                self._note_epoch(result.epoch)
            waiting.answered.callback(result)
        self._call_message()

    def _note_epoch(self, epoch: str) -> None:
        before, self._epoch = self._epoch, epoch or self._epoch
        if before and before != self._epoch:
            self._on_epoch("the store has another history")

    async def _response(self, request: rest_pb2.QueryRequest) -> rest_pb2.QueryResponse:
        streams = self._streams()
        if not streams:
            raise Unavailable("no Message is connected", _RETRY_MS)
        try:
            return await streams[0](request)
        except Unavailable:
            others = [query for query in self._streams() if query != streams[0]]
            if not others:
                raise
        return await others[0](request)


def _result(answer: rest_pb2.QueryAnswer) -> Any:
    match answer.WhichOneof("answer"):
        case "page":
            page = answer.page
            messages = [message_of(m) for m in page.messages]
            return PageView(messages, page.head, page.more, page.epoch)
        case "heads":
            part = answer.heads
            heads = [head_of(h) for h in part.heads]
            return HeadsView(heads, part.more, part.position, part.epoch)
        case "compare":
            found = answer.compare
            return ComparedHeads(list(found.heads), found.epoch, found.witness)
        case "presence":
            return answer.presence
        case "group":
            return group_view_of(answer.group)
        case "unread":
            unread = answer.unread
            messages = [message_of(m) for m in unread.messages]
            return UnreadView(messages, unread.more, unread.position)
        case "mark":
            return list(answer.mark.known)
        case "blocks":
            rows = [(row.target, row.time_ms) for row in answer.blocks.blocks]
            return BlocksView(rows, answer.blocks.more)
        case "invitations":
            some = answer.invitations
            invited = [
                InvitationView(i.conversation, i.by, i.name, i.time_ms, i.expires_ms)
                for i in some.invitations
            ]
            return InvitationsView(invited, some.next)
        case "connects":
            return list(answer.connects.connects)
        case "names":
            return dict(answer.names.users)
        case "error":
            e = answer.error
            return Failure(from_code(e.code, e.reason, e.retry_after_ms))
        case _:
            return Failure(Internal("Message gave no answer to a read"))
