"""
Reads a store as records, in batches of bounded size.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterator, Sequence

from wsmsg.message.store.archive import IStoreArchive, Span, StoreExtent
from wsmsg.message.store.interface import GroupPage, MemberRow
from wsmsg.message.store.read_ranges import ReadRanges, advance
from wsmsg.model import INT64_MAX, Cursor, Message, is_group
from wsmsg.transfer.records import (
    CursorLine,
    GroupLine,
    Key,
    MemberLine,
    MessageLine,
    NameLine,
    Record,
    RevocationLine,
)
from wsmsg.transfer.retrying import RetryUntil

#: Conversations, messages, members or cursors in one answer of the store.
LIMIT = 500


class Dump:
    """
    Reads all records of a store.

    @param archive: open.
    """

    def __init__(
        self, archive: IStoreArchive, retrying: RetryUntil, *, limit: int = LIMIT
    ) -> None:
        self._archive = archive
        self._call = retrying.call
        self._limit = limit

    async def records(self, last: Key = ("", 0, 0)) -> AsyncIterator[list[Record]]:
        """
        Return all records, in the order of their keys.

        @param last: only records with greater keys.
        """
        name, archive = last[0], self._archive
        if not name:
            revoked = await self._call(archive.revocations)
            lines = [RevocationLine(*pair) for pair in sorted(revoked.items())]
            new: list[Record] = [line for line in lines if line.key > last]
            for first in range(0, len(new), self._limit):
                yield new[first : first + self._limit]
            async for some in self._names(last):
                yield some
        # A text that sorts before the name, with little between the two.
        after = name[:-1]
        while extents := await self._call(archive.conversations, after, self._limit):
            wanted = [extent for extent in extents if extent.conversation >= name]
            for group in packed(wanted, self._limit):
                async for part in self._of(group):
                    yield [record for record in part if record.key > last]
            after = extents[-1].conversation

    async def _names(self, last: Key) -> AsyncIterator[list[Record]]:
        after = last[2] if last[1] else 0
        while found := await self._call(self._archive.names, after, self._limit):
            yield [NameLine(user, name) for name, user in found]
            after = found[-1][1]

    async def _of(self, extents: list[StoreExtent]) -> AsyncIterator[list[Record]]:
        if len(extents) > 1:
            yield await self._small(extents)
            return
        (extent,) = extents
        name, head = extent
        for first in range(0, head, self._limit):
            last = min(first + self._limit, head)
            yield await self._messages([Span(name, first, last)])
        if is_group(name):
            async for some in self._group(name):
                yield some
        async for cursors in self._cursors(extents):
            yield cursors

    async def _small(self, extents: list[StoreExtent]) -> list[Record]:
        found = await self._messages([Span(name, 0, head) for name, head in extents])
        async for cursors in self._cursors(extents):
            found += cursors
        # Conversations of two users: at most two cursors for each.
        return sorted(found, key=lambda record: record.key)

    async def _messages(self, spans: list[Span]) -> list[Record]:
        found = await self._call(self._archive.messages, spans)
        return [message_line(m) for m in found]

    async def _group(self, name: str) -> AsyncIterator[list[Record]]:
        after, begun = 0, False
        while page := await self._call(self._archive.group, name, after, self._limit):
            if not begun:
                yield [group_line(page)]
            if not page.members:
                return
            yield [member_line(name, member) for member in page.members]
            after, begun = page.members[-1].user, True

    async def _cursors(self, extents: list[StoreExtent]) -> AsyncIterator[list[Record]]:
        heads = dict(extents)
        names, after = list(heads), ("", 0)
        call, archive, limit = self._call, self._archive, self._limit
        while found := await call(archive.cursors_in, names, after, limit):
            # In a store in use, a cursor may have passed the head that was read.
            yield [cursor_line(c, heads[c.conversation]) for c in found]
            if len(found) < limit:
                return
            after = (found[-1].conversation, found[-1].user)


def packed(extents: Sequence[StoreExtent], limit: int) -> Iterator[list[StoreExtent]]:
    """
    Group neighbouring conversations that have at most C{limit} messages together.  A
    longer conversation, and each group, is alone.
    """
    some: list[StoreExtent] = []
    size = 0
    for extent in extents:
        alone = is_group(extent.conversation) or extent.head > limit
        if some and (alone or size + extent.head > limit):
            yield some
            some, size = [], 0
        some.append(extent)
        size += limit if alone else extent.head
    if some:
        yield some


def message_line(m: Message) -> MessageLine:
    """
    Return a message as a record.
    """
    return MessageLine(
        m.conversation,
        m.seq,
        m.sender,
        m.client_id,
        m.message_id,
        m.kind,
        m.time_ms,
        m.content,
        m.extra,
        m.withheld,
    )


def group_line(page: GroupPage) -> GroupLine:
    """
    Return a group as a record.
    """
    return GroupLine(
        page.conversation, page.name, page.owner, page.history, page.count, page.key
    )


def member_line(conversation: str, member: MemberRow) -> MemberLine:
    """
    Return a member as a record.
    """
    return MemberLine(conversation, member.user, member.joined)


def cursor_line(c: Cursor, head: int = INT64_MAX) -> CursorLine:
    """
    Return a cursor as a record, cut off at the head.
    """
    # The ranges may overlap what the cursor has reached meanwhile.
    read, seen = advance(ReadRanges(c.read), c.seen) if c.seen else (c.read, ())
    return CursorLine(
        c.conversation,
        c.user,
        min(c.delivered, head),
        min(read, head),
        tuple((first, min(last, head)) for first, last in seen if first <= head),
    )
