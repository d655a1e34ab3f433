"""
Old messages by page and size, as the legacy contract has them.

Pages of one conversation follow its seqs.  Pages of a user merge all conversations of
the user, both sides of each, by message id, oldest first.  A page counts seqs, so
events and recalled messages make a page shorter, but never move a message to another
page.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from heapq import heapify, heappop, heapreplace

import attrs

from wsmsg.dependency.gather import gather
from wsmsg.errors import BadRequest, Forbidden, NotFound, TooLarge
from wsmsg.message.store.id_order import id_order
from wsmsg.message.store.interface import IConversations
from wsmsg.model import (
    FIRST_EVENT,
    INT64_MAX,
    Message,
    group_conversation,
    is_group,
)
from wsmsg.settings.legacy import MessageLegacySettings

_CONVERSATIONS = 500
_CHUNK = 200
# The most characters of contents on a page.
_BYTES = 16 * 2**20


@attrs.frozen
class HistoryPage:
    """
    A page of old messages.

    @ivar messages: oldest first.
    @ivar total: the number of seqs on all pages.
    """

    messages: Sequence[Message]
    total: int


@attrs.define
class _Source:
    """
    The part of a conversation that a user may read.

    @ivar first: the first seq.
    @ivar head: the last seq.
    @ivar reader: the user who reads; 0: the peer itself.
    """

    conversation: str
    first: int
    head: int
    reader: int


class History:
    """
    Reads pages.

    @param check_stored: raises L{wsmsg.errors.Unavailable} if a group may not be stored
        yet, or its member; L{wsmsg.message.queries.interface.IQueries.check_stored}.
    @ivar depth: the most messages of several conversations up to the end of a page,
        all of which have to be read.
    """

    def __init__(
        self,
        store: IConversations,
        check_stored: Callable[[str, int], Awaitable[None]],
        *,
        depth: int,
    ) -> None:
        self.depth = depth
        self._store = store
        self._check_stored = check_stored

    def apply_settings(self, settings: MessageLegacySettings) -> None:
        """
        Apply the depth.
        """
        self.depth = settings.history_depth

    async def of_user(self, user: int, page: int, size: int) -> HistoryPage:
        """
        Read a page of all conversations of a user.

        @param page: from 1.
        @raise WsmsgError: there is no such page, or the store is down.
        """
        _check_id(user, "user_id")
        begin = _begin(page, size)
        sources = await self._sources(user)
        total = sum(max(0, s.head - s.first + 1) for s in sources)
        if begin >= total:
            return HistoryPage([], total)
        if len(sources) == 1:
            messages = await self._slice(sources[0], begin, size)
        elif begin + size > self.depth:
            raise TooLarge(
                f"page {page} of {size} ends after {begin + size} messages; the limit"
                f" is {self.depth} for a user with several conversations"
            )
        else:
            messages = await self._merged(sources, begin, size)
        return HistoryPage([m for m in messages if m.kind < FIRST_EVENT], total)

    async def of_group(
        self, group: int, user: int, page: int, size: int
    ) -> HistoryPage:
        """
        Read a page of a group.

        @param user: a member, who reads; 0: the peer itself, which may read all.
        @raise WsmsgError: the user may not read the group, the group may not be stored
            yet, or the store is down.
        """
        _check_id(group, "group_id")
        begin = _begin(page, size)
        conversation, first = group_conversation(group), 1
        if user:
            _check_id(user, "user_id")
            key = (conversation, user)
            readable = await self._store.readable_from([key])
            if key not in readable:
                await self._check_stored(*key)
                raise Forbidden(f"user {user} is not in group {group}")
            first = readable[key]
        head = (await self._store.heads([conversation]))[conversation]
        if not head:
            await self._check_stored(conversation, 0)
            raise NotFound(f"there is no group {group}")
        source = _Source(conversation, first, head, user)
        messages = await self._slice(source, begin, size)
        visible = [m for m in messages if m.kind < FIRST_EVENT]
        return HistoryPage(visible, max(0, head - first + 1))

    async def _sources(self, user: int) -> list[_Source]:
        sources: list[_Source] = []
        position = ""
        while True:
            page = await self._store.conversations_of(user, position, _CONVERSATIONS)
            rows = page.rows
            groups = [(r.conversation, user) for r in rows if is_group(r.conversation)]
            readable = await self._store.readable_from(groups) if groups else {}
            for row in rows:
                first = readable.get((row.conversation, user), 1)
                if row.head >= first:
                    sources.append(_Source(row.conversation, first, row.head, user))
            if not page.more:
                return sources
            if len(sources) > self.depth:
                raise TooLarge(f"{user} has over {self.depth} conversations")
            position = page.position

    async def _slice(self, source: _Source, begin: int, size: int) -> list[Message]:
        after = source.first - 1 + begin
        found: list[Message] = []
        length = 0
        while len(found) < size:
            messages, head = await self._page(source, after, size - len(found))
            found += messages
            length += sum(len(m.content) for m in messages)
            if length > _BYTES:
                raise TooLarge(
                    f"{size} messages are over {_BYTES} bytes: ask for smaller pages"
                )
            if not messages or messages[-1].seq >= head:
                break
            after = messages[-1].seq
        return found

    async def _page(
        self, source: _Source, after: int, limit: int
    ) -> tuple[list[Message], int]:
        return await self._store.page(
            source.conversation, after, limit, reader=source.reader
        )

    async def _merged(
        self, sources: Sequence[_Source], begin: int, size: int
    ) -> list[Message]:
        chunk = min(_CHUNK, begin + size)
        readers = [self._read(source, chunk) for source in sources]
        firsts = await gather(_next(reader) for reader in readers)
        heap = [(id_order(m.message_id), i, m) for i, m in enumerate(firsts) if m]
        heapify(heap)
        found: list[Message] = []
        for rank in range(begin + size):
            if not heap:
                break
            _, i, message = heap[0]
            if rank >= begin:
                found.append(message)
            following = await anext(readers[i])
            if following is None:
                heappop(heap)
            else:
                heapreplace(heap, (id_order(following.message_id), i, following))
        return found

    async def _read(self, source: _Source, chunk: int) -> AsyncIterator[Message | None]:
        after = source.first - 1
        while after < source.head:
            try:
                messages, _ = await self._page(source, after, chunk)
            except Forbidden:
                break  # the user was removed from the group meanwhile
            if not messages:
                break
            for message in messages:
                yield message
            after = messages[-1].seq
        while True:
            yield None


async def _next(reader: AsyncIterator[Message | None]) -> Message | None:
    return await anext(reader)


def _begin(page: int, size: int) -> int:
    if page < 1:
        raise BadRequest(f"page is {page}, the first is 1")
    if size < 1:
        raise BadRequest(f"size is {size}, and must be 1 or more")
    return (page - 1) * size


def _check_id(number: int, name: str) -> None:
    if not 0 < number <= INT64_MAX:
        raise BadRequest(f"{name} is {number}, which is not a valid id")
