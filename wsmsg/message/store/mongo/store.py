"""
The store in MongoDB: L{IMessageStore} for many Messages.

This module has the simple reads; the other roles are in modules of their own.  All
reads are from the primary with read concern I{local}: that includes all that a majority
acknowledged, whereas I{majority} may show less for a moment after an election.
Importing this module imports the reactor.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from twisted.internet.defer import Deferred, succeed
from zope.interface import implementer

from wsmsg.dependency.alarms import Alarms
from wsmsg.dependency.retry import Backoff, RetryPolicy
from wsmsg.dependency.state import Dependency
from wsmsg.errors import Unavailable
from wsmsg.events import member_change
from wsmsg.message.store.durability import StoreDurabilityWatch
from wsmsg.message.store.history import above_head, epoch_of
from wsmsg.message.store.interface import (
    IMPORTS,
    PAGE_BYTES,
    GroupPage,
    HeadList,
    IMessageStore,
    Marked,
    Outcome,
    PageSpan,
    UnreadList,
)
from wsmsg.message.store.mongo.bulk_raise import MongoUsage
from wsmsg.message.store.mongo.connection import MongoConnection, Run
from wsmsg.message.store.mongo.consent import FIRST_BLOCK, MongoConsent
from wsmsg.message.store.mongo.cursors import MongoCursors, MongoNames, MongoTopics
from wsmsg.message.store.mongo.documents import (
    DROPPED,
    INDEXES,
    PLACES,
    VERSION,
    Document,
    change,
    find,
    update,
)
from wsmsg.message.store.mongo.events import apply
from wsmsg.message.store.mongo.groups import MongoGroups
from wsmsg.message.store.mongo.heads import MongoHeads, MongoLists
from wsmsg.message.store.mongo.marks import MongoMarks
from wsmsg.message.store.mongo.messages import MongoInserts, MongoPages
from wsmsg.message.store.mongo.shards import MongoShards, epoch_query, first_epoch
from wsmsg.message.store.mongo.unread import MongoUnread
from wsmsg.model import (
    Cursor,
    Mark,
    Message,
    MessageIdentity,
)
from wsmsg.settings.urls.mongo import MongoUrl

# The limit of building an index; after that the command is sent again, and a server
# that is still building continues.
_INDEX_S = 600.0
# The most conversations that are changed at once when a database is opened.
_AT_ONCE = 5000


@implementer(IMessageStore)
class MongoStore:
    """
    The store in one database.

    @param reactor: the time, and threads for DNS; the connections are made by the
        installed reactor.
    @param strict: refuse a deployment that may lose stored messages.
    """

    def __init__(
        self,
        url: MongoUrl,
        reactor: Any,
        *,
        retry: RetryPolicy,
        backoff: Backoff,
        dependency: Dependency,
        alarms: Alarms | None = None,
        strict: bool = False,
    ) -> None:
        self.dependency = dependency
        self._connection = MongoConnection(
            url,
            reactor,
            retry=retry,
            backoff=backoff,
            dependency=dependency,
            prepare=self._prepare,
        )
        ask, do = self._connection.ask, self._connection.do
        self._watch = StoreDurabilityWatch(
            ask, do, alarms or Alarms(), reactor, strict=strict
        )
        self.usage = MongoUsage(self._connection)
        self.names = MongoNames(self._connection)
        self.topics = MongoTopics(self._connection)
        self._shards = MongoShards(self._connection)
        self._heads = MongoHeads(self._connection, self._shards)
        self._lists = MongoLists(self._connection, self._shards)
        self._groups = MongoGroups(self._connection)
        self.consent = consent = MongoConsent(self._connection, self._heads, dependency)
        self._pages = MongoPages(self._connection, self._groups, self._heads, consent)
        self._inserts = MongoInserts(self._connection, self._heads, self._groups)
        self._cursors = MongoCursors(self._connection, self._heads, consent)
        self._marks = MongoMarks(self._connection, self._groups, self._cursors)
        self._unread = MongoUnread(
            self._connection, self._groups, self._cursors, self._heads
        )

    @property
    def epoch(self) -> str:
        return epoch_of(self._shards.name.full)

    def start(self) -> None:
        self._watch.start()
        self._connection.start()

    def stop(self) -> Deferred[None]:
        self._watch.stop()
        return self._connection.stop()

    def insert(
        self, messages: Sequence[Message], stored_ms: int, shards: Sequence[int]
    ) -> Deferred[list[Outcome]]:
        if not messages:
            return succeed([])
        return self._connection.do(
            lambda: self._inserts.insert(messages, stored_ms, shards)
        )

    def find(
        self, identities: Sequence[MessageIdentity]
    ) -> Deferred[dict[MessageIdentity, Message]]:
        return self._connection.do(lambda: self._pages.find(identities))

    def by_ids(self, message_ids: Sequence[int]) -> Deferred[dict[int, Message]]:
        return self._connection.do(lambda: self._unread.by_ids(message_ids))

    def heads(self, conversations: Sequence[str]) -> Deferred[dict[str, int]]:
        return self._connection.do(lambda: self._heads.heads(conversations))

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
        return self._connection.do(lambda: self._pages.page(conversation, span))

    def forget_shards(self) -> None:
        self._shards.forget()

    def conversations_of(
        self,
        user: int,
        position: str,
        limit: int,
        *,
        witness: str = "",
        anew: bool = False,
    ) -> Deferred[HeadList]:
        asked = (user, position, limit, witness, anew)
        return self._connection.do(lambda: self._lists.conversations_of(*asked))

    def read_epoch(self) -> Deferred[str]:
        return self._connection.do(self._shards.read_epoch)

    def position_now(self) -> Deferred[str]:
        return self._connection.do(self._shards.position_now)

    def reserve_ids(self, node_number: int, until_ms: int) -> Deferred[int]:
        shards = self._shards
        return self._connection.do(lambda: shards.reserve_ids(node_number, until_ms))

    def revoke(self, user: int, before_ms: int) -> Deferred[int]:
        return self._connection.do(lambda: self._shards.revoke(user, before_ms))

    def revocations(self) -> Deferred[dict[int, int]]:
        return self._connection.do(self._shards.revocations)

    def revocations_changed(self) -> Deferred[int]:
        return self._connection.do(self._shards.revocations_changed)

    def forget_revocations(self, until_ms: int) -> Deferred[None]:
        return self._connection.do(lambda: self._shards.forget_revocations(until_ms))

    def renew_epoch(self, known: str) -> Deferred[str]:
        return self._connection.do(lambda: self._shards.renew_epoch(known))

    def witness(self) -> dict[int, str]:
        return self._shards.witness()

    def behind(self, witness: Mapping[int, str]) -> Deferred[str]:
        return self._connection.do(lambda: self._shards.behind(witness))

    def passes_head(self, conversation: str, user: int) -> Deferred[str]:
        return self._connection.do(lambda: self._passes_head(conversation, user))

    def adopt_epoch(self, epoch: str, secret: str = "") -> Deferred[str]:
        return self._connection.do(lambda: self._shards.adopt_epoch(epoch, secret))

    def apply(self, events: Sequence[Message]) -> Deferred[None]:
        return self._connection.do(lambda: self._apply(events))

    def members(
        self, conversations: Sequence[str]
    ) -> Deferred[dict[str, frozenset[int]]]:
        return self._connection.do(lambda: self._groups.members(conversations))

    def members_at(
        self, places: Sequence[tuple[str, int]]
    ) -> Deferred[dict[tuple[str, int], frozenset[int]]]:
        return self._connection.do(lambda: self._groups.members_at(places))

    def readable_from(
        self, keys: Sequence[tuple[str, int]]
    ) -> Deferred[dict[tuple[str, int], int]]:
        return self._connection.do(lambda: self._groups.readable_from(keys))

    def group(
        self, conversation: str, after: int, limit: int
    ) -> Deferred[GroupPage | None]:
        return self._connection.do(
            lambda: self._groups.group(conversation, after, limit)
        )

    def move_cursors(self, cursors: Sequence[Cursor]) -> Deferred[list[Cursor]]:
        return self._connection.do(lambda: self._marks.move(cursors))

    def cursors(
        self, keys: Sequence[tuple[str, int]]
    ) -> Deferred[dict[tuple[str, int], Cursor]]:
        return self._connection.do(lambda: self._cursors.cursors(keys))

    def mark(self, marks: Sequence[Mark]) -> Deferred[Marked]:
        return self._connection.do(lambda: self._marks.mark(marks))

    def unread(
        self, user: int, places: Sequence[tuple[str, int]], limit: int
    ) -> Deferred[UnreadList]:
        return self._connection.do(lambda: self._unread.unread(user, places, limit))

    def unread_counts(
        self, user: int, conversations: Sequence[str]
    ) -> Deferred[dict[str, int]]:
        return self._connection.do(lambda: self._unread.counts(user, conversations))

    def located(
        self, user: int, message_ids: Sequence[int]
    ) -> Deferred[dict[int, tuple[str, int]]]:
        return self._connection.do(lambda: self._unread.located(user, message_ids))

    async def _prepare(self, run: Run) -> None:
        await self._watch.check()
        await prepare(run)
        self._shards.opened(await run(epoch_query()))
        self.consent.looked(await run(FIRST_BLOCK))

    async def _apply(self, events: Sequence[Message]) -> None:
        await apply(self._connection, events)
        self.consent.applied(events)
        # Who joins is told of the group; the change was noted with the message, before
        # the user was a member.
        await self._heads.changed_again(
            {e.conversation for e in events if member_change(e) is not None}
        )

    async def _passes_head(self, name: str, user: int) -> str:
        await self._shards.read_epoch()
        found = await self._cursors.cursors([(name, user)])
        if self._shards.name.renewed or not found:
            return ""
        # Read after the cursor, which was not above the head when it was stored.
        head = (await self._heads.heads([name]))[name]
        cursor = found[name, user]
        return above_head(name, user, max(cursor.delivered, cursor.read), head)


async def prepare(run: Run) -> None:
    """
    Check that this version can use the database and may write to it, and create the
    indexes.

    @raise Unavailable: in one sentence, what is missing.
    """
    opened = change(
        {"_id": "store"},
        {"$setOnInsert": {"version": VERSION}, "$currentDate": {"opened": True}},
        upsert=True,
    )
    await _write(run, update("meta", [opened]))
    meta = await run(find("meta", {"_id": "store"}))
    for row in meta["cursor"]["firstBatch"]:
        if row["version"] == 1:
            await _migrate(run)
        elif row["version"] != VERSION:
            raise Unavailable(
                f"the database is of another version of wsmsg: its documents are of"
                f" version {row['version']}, here they are of {VERSION}"
            )
    await _write(run, update("conversations", first_epoch()))
    for collection in INDEXES:
        await _index(run, collection)
    await _place(run)


async def _write(run: Run, command: Document) -> None:
    written = await run(command)
    for error in written.get("writeErrors", ()):
        # Another Message may be preparing the same new database.
        if error["code"] != 11000:
            raise Unavailable(f"MongoDB: cannot write: {error.get('errmsg')}")


async def _migrate(run: Run) -> None:
    """
    Give conversations of version 1 a change number below all others.
    """
    numbered = {
        "q": {"head": {"$exists": True}, "shard": {"$exists": False}},
        "u": {"$set": {"shard": IMPORTS, "change": 0}},
        "multi": True,
    }
    await _write(run, update("conversations", [numbered]))
    done = change({"_id": "store", "version": 1}, {"$set": {"version": VERSION}})
    await _write(run, update("meta", [done]))


async def _place(run: Run) -> None:
    """
    Give conversations of two the fields of the indexes, where an earlier wsmsg has made
    them.
    """
    # The first condition is a piece of an index; groups are in it as well.
    lacking = {PLACES[0]: None, "members": {"$exists": True}}
    size = {"limit": _AT_ONCE, "batchSize": _AT_ONCE, "singleBatch": True}
    asked = find("conversations", lacking, projection={"_id": 1}, **size)
    users: Document = {
        place: {"$arrayElemAt": ["$members", i]} for i, place in enumerate(PLACES)
    }
    while found := (await run(asked))["cursor"]["firstBatch"]:
        these = {"_id": {"$in": [d["_id"] for d in found]}}
        placed: Document = {"q": these, "u": [{"$set": users}], "multi": True}
        await _write(run, update("conversations", [placed]))


async def _index(run: Run, collection: str) -> None:
    reply = await run({"listIndexes": collection})
    there = reply.get("cursor", {}).get("firstBatch", ())
    made = {(tuple(i["key"]), bool(i.get("unique"))) for i in there}
    missing = [
        {"key": dict.fromkeys(keys, 1), "name": name, "unique": unique}
        for name, keys, unique in INDEXES[collection]
        if (keys, unique) not in made
    ]
    if missing:
        await run(
            {
                "createIndexes": collection,
                "indexes": missing,
                "writeConcern": {"w": "majority"},
            },
            _INDEX_S,
        )
    dropped = DROPPED.get(collection, ())
    for name in [i["name"] for i in there if i["name"] in dropped]:
        await run({"dropIndexes": collection, "index": name})
