"""
Stored messages and conversations, read page by page.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from functools import partial

from wsmsg.client.state.events import Stored, received
from wsmsg.client.state.queries import Answer, Request
from wsmsg.errors import Internal
from wsmsg.model import INT64_MAX
from wsmsg.protocol import frames

#: More than any server returns at once.
_PAGE = 10_000

#: Sends a query, made for an id, and waits for the answer.
Ask = Callable[[Callable[[str], Request]], Awaitable[Answer]]


class HistoryReader:
    """
    Reads pages with queries.

    @param user: returns the id of this user, to recognize the user's own messages.
    """

    def __init__(self, ask: Ask, user: Callable[[], int]) -> None:
        self._ask = ask
        self._user = user

    async def after(
        self, conversation: str, after: int, limit: int, before: int = INT64_MAX
    ) -> list[Stored]:
        """
        Read the first messages after a number, up to C{before}.
        """
        found: list[Stored] = []
        while len(found) < limit:
            most = min(limit - len(found), _PAGE)
            page = await self._page(conversation, after, most)
            found += [received(m, self._user()) for m in page.messages]
            if not page.messages or not page.more:
                break
            after = page.messages[-1].seq
            if after >= before:
                break
        # In a group the numbers may start above 1, and skip.
        return [message for message in found[:limit] if message.seq < before]

    async def before(
        self, conversation: str, before: int | None, limit: int
    ) -> list[Stored]:
        """
        Read the last messages before a number; the last of all if C{before} is L{None}.
        """
        if before is None:
            before = (await self._page(conversation, 0, 1)).head + 1
        first = max(0, before - 1 - limit)
        return await self.after(conversation, first, before - 1 - first, before)

    async def conversations(self) -> list[frames.Head]:
        """
        Read all conversations of the user, least recently changed first.
        """
        found: dict[str, frames.Head] = {}
        position, more = "", True
        while more:
            answer = await self._ask(partial(frames.Conversations, position=position))
            if not isinstance(answer, frames.Heads):
                raise Internal("the server sent an answer of another kind")
            found.update((head.conversation, head) for head in answer.heads)
            position, more = answer.position, answer.more
        return sorted(found.values(), key=lambda head: head.time)

    async def _page(self, conversation: str, after: int, limit: int) -> frames.Page:
        answer = await self._ask(
            lambda i: frames.Sync(i, conversation, after=after, limit=limit)
        )
        if not isinstance(answer, frames.Page):
            raise Internal("the server sent an answer of another kind")
        return answer
