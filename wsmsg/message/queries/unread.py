"""
The unread messages of a user, page by page.

A list goes through the user's conversations in the order of
L{wsmsg.message.store.interface.IMessages.conversations_of}, and through each of them by
number.  A page looks at a bounded number of conversations and of messages, so its work
does not grow with what the user has besides.  Its end is a place: a position in the
list of conversations and, where a page ended within a conversation, the last number.
A conversation that changes while it is listed may come once more.
"""

from __future__ import annotations

from collections.abc import Sequence

import attrs

from wsmsg.message.queries.interface import UnreadPage
from wsmsg.message.store.interface import PAGE_BYTES, IMessageStore
from wsmsg.model import Message

#: The most conversations that are looked at in one step of a page.
STEP = 500
#: The most steps of a page; after them it may have no messages, and there is more.
STEPS = 10


@attrs.frozen
class UnreadPlace:
    """
    A place in the list.

    @ivar position: of the list of conversations.
    @ivar conversation: the one in which the last page ended, after number C{seq};
        empty: the last page ended with a conversation.
    """

    position: str = ""
    conversation: str = ""
    seq: int = 0

    def encode(self) -> str:
        """
        Return the text for the reader.
        """
        return f"{self.seq}/{self.conversation}/{self.position}"

    def behind(self, conversation: str) -> int:
        """
        Return the number behind which to begin in a conversation.
        """
        return self.seq if conversation == self.conversation else 0


def decode_place(text: str) -> UnreadPlace:
    """
    Return the place; the beginning, if the text is none.
    """
    seq, _, rest = text.partition("/")
    conversation, _, position = rest.partition("/")
    try:
        return UnreadPlace(position, conversation, int(seq))
    except ValueError:
        return UnreadPlace()


class UnreadReader:
    """
    Reads the lists.
    """

    def __init__(self, store: IMessageStore) -> None:
        self._store = store

    async def page(self, user: int, position: str, limit: int) -> UnreadPage:
        """
        As L{wsmsg.message.queries.interface.IQueries.unread}.

        @param limit: above 0.
        """
        place: UnreadPlace | None = decode_place(position)
        messages: Sequence[Message] = []
        for _ in range(STEPS):
            assert place is not None
            messages, place = await self._step(user, place, limit)
            if messages or place is None:
                break
        return UnreadPage(messages, place.encode() if place else "", place is not None)

    async def behind(self, user: int, message_id: int, limit: int) -> UnreadPage:
        """
        Read the page behind a message, for a Connect that knows no positions.  If the
        message is not unread any more, the list begins again: the reader has marked
        what it has had.
        """
        first = page = await self.page(user, "", limit)
        while True:
            ids = [m.message_id for m in page.messages]
            if message_id in ids:
                rest = page.messages[ids.index(message_id) + 1 :]
                if rest or not page.more:
                    return attrs.evolve(page, messages=rest)
                return await self.page(user, page.position, limit)
            if not page.more:
                return first
            page = await self.page(user, page.position, limit)

    async def total(self, user: int) -> int:
        """
        Count all unread messages.  The work goes with the user's conversations and
        what is unread in them, in steps between which others are served.
        """
        total, position, more = 0, "", True
        while more:
            found = await self._store.conversations_of(user, position, STEP)
            names = [row.conversation for row in found.rows]
            total += sum((await self._store.unread_counts(user, names)).values())
            position, more = found.position, found.more
        return total

    async def _step(
        self, user: int, place: UnreadPlace, limit: int
    ) -> tuple[Sequence[Message], UnreadPlace | None]:
        rows = await self._store.conversations_of(user, place.position, STEP)
        names = [row.conversation for row in rows.rows]
        found = await self._store.unread(
            user, [(name, place.behind(name)) for name in names], limit
        )
        messages, end = _fitting(found.messages), found.end
        if len(messages) < len(found.messages):
            end = (messages[-1].conversation, messages[-1].seq)
        if end is None:
            return messages, UnreadPlace(rows.position) if rows.more else None
        passed = names.index(end[0])
        if not passed:
            return messages, UnreadPlace(place.position, *end)
        before = await self._store.conversations_of(user, place.position, passed)
        if [row.conversation for row in before.rows] == names[:passed]:
            return messages, UnreadPlace(before.position, *end)
        # The list changed in between: what it has from here on comes once more.
        return messages, UnreadPlace(place.position, *end)


def _fitting(messages: Sequence[Message]) -> Sequence[Message]:
    size = 0
    for i, message in enumerate(messages):
        size += len(message.content.encode())
        if i and size > PAGE_BYTES:
            return messages[:i]
    return messages
