"""
Reading what is stored: old messages and all conversations, page by page.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from functools import partial

from wsmsg.client.state.events import Stored, received
from wsmsg.client.state.exchange import Answer, Request
from wsmsg.errors import Internal
from wsmsg.model import INT64_MAX
from wsmsg.protocol import frames

#: Puts a question, made from an id, and waits for the answer.
Ask = Callable[[Callable[[str], Request]], Awaitable[Answer]]


class HistoryReader:
    """
    @param user: gives who reads, to know which messages are their own.
    """

    def __init__(self, ask: Ask, user: Callable[[], int]) -> None:
        self._ask = ask
        self._user = user

    async def after(
        self, conversation: str, after: int, limit: int, before: int = INT64_MAX
    ) -> list[Stored]:
        """
        The first messages with higher numbers, and lower ones than C{before}.
        """
        found: list[Stored] = []
        while len(found) < limit:
            page = await self._page(conversation, after, limit - len(found))
            found += [received(m, self._user()) for m in page.messages]
            if not page.messages or not page.more:
                break
            after = page.messages[-1].seq
            if after >= before:
                break
        # In a group the numbers may begin late, and jump.
        return [message for message in found[:limit] if message.seq < before]

    async def before(
        self, conversation: str, before: int | None, limit: int
    ) -> list[Stored]:
        """
        The last messages with lower numbers; of all where C{before} is L{None}.
        """
        if before is None:
            before = (await self._page(conversation, 0, 1)).head + 1
        first = max(0, before - 1 - limit)
        return await self.after(conversation, first, before - 1 - first, before)

    async def conversations(self) -> list[frames.Head]:
        """
        All of the user's, oldest change first.
        """
        found: dict[str, frames.Head] = {}
        since, after, more = 0, "", True
        while more:
            answer = await self._ask(
                partial(frames.Conversations, since=since, after=after)
            )
            if not isinstance(answer, frames.Heads):
                raise Internal("the server answered something else")
            for head in answer.heads:
                found.pop(head.conversation, None)  # it changed again meanwhile
                found[head.conversation] = head
            if answer.heads:
                since, after = answer.heads[-1].time, answer.heads[-1].conversation
            more = answer.more and bool(answer.heads)
        return list(found.values())

    async def _page(self, conversation: str, after: int, limit: int) -> frames.Page:
        answer = await self._ask(
            lambda i: frames.Sync(i, conversation, after=after, limit=limit)
        )
        if not isinstance(answer, frames.Page):
            raise Internal("the server answered something else")
        return answer
