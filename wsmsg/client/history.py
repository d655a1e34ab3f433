"""
Stored messages and conversations, read page by page.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable
from functools import partial

from wsmsg.client.state.events import Stored, received
from wsmsg.client.state.queries import Answer, Request
from wsmsg.errors import Internal
from wsmsg.model import INT64_MAX
from wsmsg.protocol import frames

#: Messages that are asked for at once, and the most numbers among which a page is
#: looked for in a conversation with gaps.
_PAGE = 200
_WINDOW = 10_000

#: Sends a query, made for an id, and waits for the answer.
Ask = Callable[[Callable[[str], Request]], Awaitable[Answer]]


class HistoryReader:
    """
    Reads pages with queries, each when its messages are wanted.

    @param user: returns the id of this user, to recognize the user's own messages.
    """

    def __init__(self, ask: Ask, user: Callable[[], int]) -> None:
        self._ask = ask
        self._user = user

    async def oldest_first(
        self, conversation: str, after: int, before: int, limit: int
    ) -> AsyncIterator[Stored]:
        """
        Read the first messages between two numbers.
        """
        while limit > 0:
            most = min(limit, _PAGE)
            page = await self._page(conversation, after, most)
            for message in page.messages[:most]:
                if message.seq >= before:
                    return
                yield received(message, self._user())
            if not page.messages or not page.more:
                return
            last = page.messages[:most][-1].seq
            if last <= after or last >= before - 1:
                return
            after, limit = last, limit - min(most, len(page.messages))

    async def newest_first(
        self, conversation: str, after: int, before: int | None, limit: int
    ) -> AsyncIterator[Stored]:
        """
        Read the last messages between two numbers, backwards; C{before} is L{None}: up
        to the end.
        """
        if before is None:
            before = (await self._page(conversation, 0, 1)).head + 1
        window = min(limit, _PAGE)
        while limit > 0 and before - 1 > after:
            start = max(after, before - 1 - window)
            reading = self.oldest_first(conversation, start, before, window)
            found = [message async for message in reading]
            for message in reversed(found[-limit:]):
                yield message
            limit -= len(found)
            if found:
                window = min(limit, _PAGE)
            elif await self._begins_at(conversation, after) >= before:
                return
            else:
                # In a group the numbers skip what the user may not read.
                window = min(window * 2, _WINDOW)
            before = start + 1

    async def _begins_at(self, conversation: str, after: int) -> int:
        page = await self._page(conversation, after, 1)
        return page.messages[0].seq if page.messages else INT64_MAX

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
