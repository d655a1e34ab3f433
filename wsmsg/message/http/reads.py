"""
What HTTP reads, by the same queries as Connect, so that the same people may.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from wsmsg.errors import from_code
from wsmsg.message.queries.queries import Queries
from wsmsg.model import Message, UserPresence
from wsmsg.rpc import rest_pb2
from wsmsg.stream.convert import message_of, presence_of


class Reads:
    """
    One query at a time.
    """

    def __init__(self, queries: Queries) -> None:
        self._queries = queries

    @property
    def page_limit(self) -> int:
        """
        The most messages or conversations in one answer.
        """
        return self._queries.page_limit

    async def page(
        self, user: int, conversation: str, after: int, limit: int
    ) -> tuple[list[Message], int]:
        """
        @return: messages with greater numbers, and the conversation's head.
        @raise WsmsgError: the user may not read there.
        """
        query = rest_pb2.PageQuery(
            user=user, conversation=conversation, after=after, limit=limit
        )
        page = (await self._ask(rest_pb2.QueryItem(page=query))).page
        return [message_of(m) for m in page.messages], page.head

    async def heads(self, user: int, since_ms: int, after: str, limit: int) -> Any:
        """
        @return: a C{HeadsAnswer}.
        """
        query = rest_pb2.HeadsQuery(
            user=user, since_ms=since_ms, after=after, limit=limit
        )
        return (await self._ask(rest_pb2.QueryItem(heads=query))).heads

    async def presence(self, users: Sequence[int]) -> list[UserPresence]:
        """
        @return: one a user, in their order.
        """
        query = rest_pb2.PresenceQuery(users=users)
        found = (await self._ask(rest_pb2.QueryItem(presence=query))).presence
        return [presence_of(p) for p in found.presence]

    async def _ask(self, item: rest_pb2.QueryItem) -> rest_pb2.QueryAnswer:
        response = await self._queries.answer(rest_pb2.QueryRequest(items=[item]))
        answer = response.answers[0]
        if answer.HasField("error"):
            error = answer.error
            raise from_code(error.code, error.reason, error.retry_after_ms)
        return answer
