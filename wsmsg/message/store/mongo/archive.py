"""
The store in MongoDB, read from beginning to end.

MongoDB has no snapshot of a whole database that outlives a transaction.  Of each
conversation all messages are read up to the head that it has when the export reaches
it, and no number is missing below that.  Importing this module imports the reactor.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Sequence
from typing import Any

from twisted.internet.defer import Deferred
from zope.interface import implementer

from wsmsg.dependency.gather import gather_lists
from wsmsg.dependency.reopen import Broken
from wsmsg.dependency.retry import Backoff, RetryPolicy
from wsmsg.dependency.state import Dependency
from wsmsg.dependency.wait import up
from wsmsg.message.store.archive import IStoreArchive, Span, StoreExtent
from wsmsg.message.store.interface import GroupPage
from wsmsg.message.store.mongo.connection import MongoConnection, Run
from wsmsg.message.store.mongo.cursors import MongoNames
from wsmsg.message.store.mongo.documents import (
    BRANCHES,
    VERSION,
    Document,
    chunks,
    find,
    to_cursor,
    to_message,
)
from wsmsg.message.store.mongo.groups import MongoGroups
from wsmsg.message.store.mongo.heads import MongoHeads
from wsmsg.message.store.mongo.shards import MongoShards
from wsmsg.model import Cursor, Message
from wsmsg.settings.urls.mongo import MongoUrl


@implementer(IStoreArchive)
class MongoArchive:
    """
    The store in one database; nothing is written to it.
    """

    def __init__(
        self,
        url: MongoUrl,
        reactor: Any,
        *,
        retry: RetryPolicy,
        backoff: Backoff,
        dependency: Dependency,
    ) -> None:
        self.dependency = dependency
        self._connection = MongoConnection(
            url,
            reactor,
            retry=retry,
            backoff=backoff,
            dependency=dependency,
            prepare=_check(url.place),
        )
        self._shards = MongoShards(self._connection)
        self._heads = MongoHeads(self._connection, self._shards)
        self._groups = MongoGroups(self._connection)
        self._names = MongoNames(self._connection)

    def start(self) -> None:
        """
        Open the database and keep it open; failures go to C{dependency} and are
        retried.
        """
        self._connection.start()

    def open(self) -> Deferred[None]:
        return up(self)

    def close(self) -> Deferred[None]:
        return self._connection.stop()

    def epoch(self) -> Deferred[str]:
        return self._connection.do(self._shards.read_epoch)

    def secret(self) -> Deferred[str]:
        return self._connection.do(self._shards.read_secret)

    def revocations(self) -> Deferred[dict[int, int]]:
        return self._connection.do(self._shards.revocations)

    def names(self, after: int, limit: int) -> Deferred[list[tuple[str, int]]]:
        return self._names.after(after, limit)

    def conversations(self, after: str, limit: int) -> Deferred[list[StoreExtent]]:
        return self._connection.do(lambda: self._conversations(after, limit))

    def messages(self, spans: Sequence[Span]) -> Deferred[list[Message]]:
        return self._connection.do(lambda: self._messages(spans))

    def cursors_in(
        self, conversations: Sequence[str], after: tuple[str, int], limit: int
    ) -> Deferred[list[Cursor]]:
        return self._connection.do(
            lambda: self._cursors_in(conversations, after, limit)
        )

    def group(
        self, conversation: str, after: int, limit: int
    ) -> Deferred[GroupPage | None]:
        return self._connection.do(
            lambda: self._groups.group(conversation, after, limit)
        )

    async def _conversations(self, after: str, limit: int) -> list[StoreExtent]:
        found = await self._connection.documents(
            find(
                "conversations",
                {"_id": {"$gt": after}, "head": {"$exists": True}},
                projection={"head": 1},
                sort={"_id": 1},
                limit=limit,
            )
        )
        heads = {d["_id"]: int(d["head"]) for d in found}
        beyond = await self._heads.beyond(heads) if heads else {}
        return [StoreExtent(name, head) for name, head in {**heads, **beyond}.items()]

    async def _messages(self, spans: Sequence[Span]) -> list[Message]:
        branches = [
            {"conversation": name, "seq": {"$gt": after, "$lte": last}}
            for name, after, last in spans
        ]
        found = await gather_lists(
            self._connection.documents(find("messages", {"$or": some}))
            for some in chunks(branches, BRANCHES)
        )
        messages = map(to_message, found)
        return sorted(messages, key=lambda m: (m.conversation, m.seq))

    async def _cursors_in(
        self, conversations: Sequence[str], after: tuple[str, int], limit: int
    ) -> list[Cursor]:
        name, user = after
        whose: list[Document] = [
            {"conversation": {"$in": [c for c in conversations if c > name]}}
        ]
        if name in conversations:
            whose.append({"conversation": name, "user": {"$gt": user}})
        found = await self._connection.documents(
            find(
                "cursors",
                {"$or": whose},
                sort={"conversation": 1, "user": 1},
                limit=limit,
            )
        )
        return [to_cursor(d) for d in found]


def _check(place: str) -> Callable[[Run], Awaitable[None]]:
    async def check(run: Run) -> None:
        reply = await run(find("meta", {"_id": "store"}))
        versions = [d["version"] for d in reply["cursor"]["firstBatch"]]
        if not versions:
            raise Broken(f"there is no store of wsmsg in MongoDB {place}")
        if versions != [VERSION]:
            raise Broken(
                f"the store in MongoDB {place} is of another version of wsmsg: its "
                f"documents have version {versions[0]}, and this wsmsg reads {VERSION}"
            )

    return check
