"""
The store in a file of this machine: L{IMessageStore} without a server.

It has two threads with a connection each: a read never waits behind a commit, and sees
all that was committed before it was asked for.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from functools import partial
from typing import TypeVar

from twisted.internet.defer import Deferred, succeed
from zope.interface import implementer

from wsmsg.dependency.reopen import KeptOpen
from wsmsg.dependency.retry import RetryPolicy
from wsmsg.dependency.state import Dependency
from wsmsg.dependency.stop import StopOnce
from wsmsg.dependency.worker import IWorker, TimeAndThreads, Worker
from wsmsg.message.store.interface import (
    PAGE_BYTES,
    GroupPage,
    HeadList,
    IMessageStore,
    Marked,
    Outcome,
    PageSpan,
    UnreadList,
)
from wsmsg.message.store.sqlite.consent import SqliteConsent
from wsmsg.message.store.sqlite.file import StoreReader, StoreWriter
from wsmsg.message.store.sqlite.unread import (
    UnreadCounting,
    UnreadLook,
    UnreadSearch,
)
from wsmsg.message.store.sqlite.usage import SqliteUsage
from wsmsg.message.store.sqlite.users import SqliteNames
from wsmsg.model import Cursor, Mark, Message, MessageIdentity

L = TypeVar("L", bound=UnreadLook)


@implementer(IMessageStore)
class SqliteStore:
    """
    The store in the file C{path}.

    @param reactor: for the time, and for calls from the threads.
    @param workers: make the blocking calls, one the writes and one the reads; threads
        unless a test gives others.
    """

    def __init__(
        self,
        path: str,
        reactor: TimeAndThreads,
        *,
        retry: RetryPolicy,
        dependency: Dependency,
        workers: tuple[IWorker, IWorker] | None = None,
    ) -> None:
        self.dependency = dependency
        self.epoch = ""
        self._writer = StoreWriter(path)
        self._reader = StoreReader(path)
        writing, reading = workers or (
            Worker("wsmsg-store", reactor),
            Worker("wsmsg-store-reads", reactor),
        )
        self._writing: IWorker = writing
        self._reading: IWorker = reading
        self._kept = KeptOpen(
            lambda: Deferred.fromCoroutine(self._open()), reactor, retry, dependency
        )
        self.usage = SqliteUsage(
            self._kept,
            writing,
            reading,
            writer=self._writer.usage,
            reader=self._reader.usage,
        )
        self._stopping = StopOnce(self._stop)
        self.consent = SqliteConsent(
            self._kept,
            reading,
            self._reader.consent,
            self._writer.consent,
            dependency,
        )
        self.topics = None
        self.names = SqliteNames(
            self._reader.names,
            self._writer.names,
            read=partial(self._kept.run, self._reading),
            write=partial(self._kept.run, self._writing),
        )

    def start(self) -> None:
        self._kept.start()

    def stop(self) -> Deferred[None]:
        return self._stopping()

    def insert(
        self, messages: Sequence[Message], stored_ms: int, shards: Sequence[int]
    ) -> Deferred[list[Outcome]]:
        if not messages:
            return succeed([])
        return self._kept.run(self._writing, self._writer.insert, messages, stored_ms)

    def find(
        self, identities: Sequence[MessageIdentity]
    ) -> Deferred[dict[MessageIdentity, Message]]:
        return self._kept.run(self._reading, self._reader.find, identities)

    def by_ids(self, message_ids: Sequence[int]) -> Deferred[dict[int, Message]]:
        return self._kept.run(self._reading, self._reader.by_ids, message_ids)

    def heads(self, conversations: Sequence[str]) -> Deferred[dict[str, int]]:
        return self._kept.run(self._reading, self._reader.heads, conversations)

    def page(
        self,
        conversation: str,
        after: int,
        limit: int,
        *,
        before: int = 0,
        reader: int = 0,
        limit_bytes: int = PAGE_BYTES,
    ) -> Deferred[tuple[list[Message], int]]:
        span = PageSpan(after, before, limit, limit_bytes, reader)
        return self._kept.run(
            self._reading, self._reader.pages.page, conversation, span
        )

    def forget_shards(self) -> None:
        """
        Do nothing: no other process writes the file, and it numbers all changes.
        """

    def conversations_of(
        self,
        user: int,
        position: str,
        limit: int,
        *,
        witness: str = "",
        anew: bool = False,
    ) -> Deferred[HeadList]:
        listing = self._reader.lists.conversations_of
        asked = (user, position, limit, witness, anew)
        return self._kept.run(self._reading, listing, *asked)

    def read_epoch(self) -> Deferred[str]:
        return self._kept.run(self._reading, self._reader.lists.epoch)

    def position_now(self) -> Deferred[str]:
        return self._kept.run(self._reading, self._reader.lists.position_now)

    def reserve_ids(self, node_number: int, until_ms: int) -> Deferred[int]:
        return self._kept.run(
            self._writing, self._writer.reserve_ids, node_number, until_ms
        )

    def revoke(self, user: int, before_ms: int) -> Deferred[int]:
        revoke = self._writer.revocations.revoke
        return self._kept.run(self._writing, revoke, user, before_ms)

    def revocations(self) -> Deferred[dict[int, int]]:
        return self._kept.run(self._writing, self._writer.revocations.all)

    def revocations_changed(self) -> Deferred[int]:
        # No other process writes.
        return succeed(self._writer.revocations.changes)

    def forget_revocations(self, until_ms: int) -> Deferred[None]:
        forget = self._writer.revocations.forget
        return self._kept.run(self._writing, forget, until_ms)

    def renew_epoch(self, known: str) -> Deferred[str]:
        renewing = self._kept.run(self._writing, self._writer.history.renew, known)
        return renewing.addCallback(self._named)

    def witness(self) -> dict[int, str]:
        return self._writer.witness()

    def behind(self, witness: Mapping[int, str]) -> Deferred[str]:
        return self._kept.run(self._reading, self._reader.lists.behind, witness)

    def passes_head(self, conversation: str, user: int) -> Deferred[str]:
        passes = self._reader.lists.passes_head
        return self._kept.run(self._reading, passes, conversation, user)

    def adopt_epoch(self, epoch: str, secret: str = "") -> Deferred[str]:
        take_over = self._writer.history.take_over
        taking = self._kept.run(self._writing, take_over, epoch, secret)
        return taking.addCallback(self._named)

    def _named(self, epoch: str) -> str:
        self.epoch = epoch
        return epoch

    def move_cursors(self, cursors: Sequence[Cursor]) -> Deferred[list[Cursor]]:
        return self._kept.run(self._writing, self._writer.move_cursors, cursors)

    def cursors(
        self, keys: Sequence[tuple[str, int]]
    ) -> Deferred[dict[tuple[str, int], Cursor]]:
        return self._kept.run(self._reading, self._reader.cursors, keys)

    def apply(self, events: Sequence[Message]) -> Deferred[None]:
        return self._kept.run(self._writing, self._writer.apply, events)

    def members(
        self, conversations: Sequence[str]
    ) -> Deferred[dict[str, frozenset[int]]]:
        return self._kept.run(self._reading, self._reader.groups.members, conversations)

    def members_at(
        self, places: Sequence[tuple[str, int]]
    ) -> Deferred[dict[tuple[str, int], frozenset[int]]]:
        return self._kept.run(self._reading, self._reader.groups.members_at, places)

    def readable_from(
        self, keys: Sequence[tuple[str, int]]
    ) -> Deferred[dict[tuple[str, int], int]]:
        return self._kept.run(self._reading, self._reader.groups.readable_from, keys)

    def group(
        self, conversation: str, after: int, limit: int
    ) -> Deferred[GroupPage | None]:
        return self._kept.run(
            self._reading, self._reader.groups.group, conversation, after, limit
        )

    def mark(self, marks: Sequence[Mark]) -> Deferred[Marked]:
        if not marks:
            return succeed(Marked([], []))
        return self._kept.run(self._writing, self._writer.mark, marks)

    def unread(
        self, user: int, places: Sequence[tuple[str, int]], limit: int
    ) -> Deferred[UnreadList]:
        unread = self._reader.unread
        return self._kept.run(self._reading, unread.unread, user, places, limit)

    def unread_counts(
        self, user: int, conversations: Sequence[str]
    ) -> Deferred[dict[str, int]]:
        return Deferred.fromCoroutine(self._count_unread(user, conversations))

    async def _count_unread(
        self, user: int, conversations: Sequence[str]
    ) -> dict[str, int]:
        counting = UnreadCounting(user, conversations)
        await self._look(self._reader.unread.count_on, counting)
        return counting.counts

    def located(
        self, user: int, message_ids: Sequence[int]
    ) -> Deferred[dict[int, tuple[str, int]]]:
        return Deferred.fromCoroutine(self._locate(user, message_ids))

    async def _locate(
        self, user: int, message_ids: Sequence[int]
    ) -> dict[int, tuple[str, int]]:
        search = UnreadSearch(user, message_ids)
        await self._look(self._reader.unread.search_on, search)
        return search.places

    async def _look(self, step: Callable[[L], None], look: L) -> None:
        # A piece at a time: others use the thread in between.
        while look:
            await self._kept.run(self._reading, step, look)

    async def _open(self) -> None:
        # The reader opens last and closes first: the writer creates the file.
        await self._reading.do(self._reader.close)
        await self._writing.do(self._writer.open)
        await self._reading.do(self._reader.open)
        self.epoch = await self._reading.do(self._reader.lists.epoch)

    async def _stop(self) -> None:
        await self._kept.stop()
        await self._reading.do(self._reader.close)
        await self._writing.do(self._writer.close)
        await self._reading.quit()
        await self._writing.quit()
        self.dependency.stopped()
