"""
Blocks, invitations and withheld messages in MongoDB.

A document stays when its block or invitation ends: C{changed} is the number of the
event that decided it last, so that an event that is applied again, after later ones,
has no effect.  Blocks are ordered by the seq in the user's own conversation,
invitations by message ids, as their events are in several conversations.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence

from twisted.internet.defer import Deferred
from zope.interface import implementer

from wsmsg.dependency.gather import gather_lists
from wsmsg.dependency.state import Dependency
from wsmsg.events.block import BLOCK, decode_block
from wsmsg.events.invitation import decode_invitation
from wsmsg.events.kind import InvalidContent
from wsmsg.message.store.consent import (
    BlockRow,
    ConsentKey,
    IConsent,
    InvitationRow,
    ShownHead,
)
from wsmsg.message.store.membership import changes_in
from wsmsg.message.store.mongo.connection import MongoConnection
from wsmsg.message.store.mongo.documents import (
    BRANCHES,
    Document,
    change,
    check_errors,
    chunks,
    find,
    member_key,
    storable,
    update,
)
from wsmsg.message.store.mongo.heads import MongoHeads
from wsmsg.model import Message, conversation_of, other_of, storable_values

# The most keys in one command.
_KEYS = 5000

#: Finds out whether there has ever been a block.
FIRST_BLOCK = find("blocks", {}, projection={"_id": 1}, limit=1, singleBatch=True)

_Key = tuple[str, int]


@implementer(IConsent)
class MongoConsent:
    """
    L{IConsent}.
    """

    def __init__(
        self, connection: MongoConnection, heads: MongoHeads, dependency: Dependency
    ) -> None:
        self.dependency = dependency
        self.may_withhold = True
        self._found = False
        self._connection = connection
        self._heads = heads

    def looked(self, reply: Document) -> None:
        """
        Take the answer to L{FIRST_BLOCK}.
        """
        self._found = self._found or bool(reply["cursor"]["firstBatch"])
        self.may_withhold = self._found

    def applied(self, events: Iterable[Message]) -> None:
        """
        Note that these events were applied.
        """
        if any(event.kind == BLOCK for event in events):
            self._found = self.may_withhold = True

    def look_for_blocks(self) -> Deferred[None]:
        return self._connection.do(self._look)

    def blocked(self, keys: Sequence[ConsentKey]) -> Deferred[frozenset[ConsentKey]]:
        ids = {block_key(*key): key for key in keys if _is_storable(key)}
        return self._connection.do(lambda: self._active("blocks", ids, {}))

    def blocks(self, user: int, after: str, limit: int) -> Deferred[list[BlockRow]]:
        return self._connection.do(lambda: self._blocks(user, after, limit))

    def block_counts(self, users: Sequence[int]) -> Deferred[dict[int, int]]:
        return self._connection.do(lambda: self._counts("blocks", users, {}))

    def shown_heads(self, keys: Sequence[_Key]) -> Deferred[dict[_Key, ShownHead]]:
        return self._connection.do(lambda: self.ends(keys))

    def acquainted(
        self, pairs: Sequence[tuple[int, int]]
    ) -> Deferred[frozenset[tuple[int, int]]]:
        return self._connection.do(lambda: self._acquainted(pairs))

    def invited(
        self, keys: Sequence[ConsentKey], since_ms: int
    ) -> Deferred[frozenset[ConsentKey]]:
        open_ = {"time_ms": {"$gte": since_ms}}
        ids = {member_key(g, u): (u, g) for u, g in keys if _is_storable((u, g))}
        return self._connection.do(lambda: self._active("invitations", ids, open_))

    def invitations(
        self, user: int, after: str, limit: int, since_ms: int
    ) -> Deferred[list[InvitationRow]]:
        return self._connection.do(
            lambda: self._invitations(user, after, limit, since_ms)
        )

    def invitation_counts(
        self, users: Sequence[int], since_ms: int
    ) -> Deferred[dict[int, int]]:
        open_ = {"time_ms": {"$gte": since_ms}}
        return self._connection.do(lambda: self._counts("invitations", users, open_))

    # ------------------------------------------------------------------- commands

    async def ends(self, keys: Sequence[_Key]) -> dict[_Key, ShownHead]:
        """
        As L{IConsent.shown_heads}.
        """
        keys = [k for k in keys if storable(k[0]) and storable_values(k[1:])]
        if not keys:
            return {}
        heads = await self._heads.heads({name for name, _ in keys})
        last = await self._at({n: head for n, head in heads.items() if head})
        withheld = {
            name: d for name, d in last.items() if int(d.get("withheld") or 0) > 0
        }
        shown = {name: int(d["withheld"]) - 1 for name, d in withheld.items()}
        times = await self._at({n: seq for n, seq in shown.items() if seq})
        return {
            (name, user): ShownHead(
                shown[name],
                int(times[name]["stored_ms"]) if name in times else 0,
                int(times[name]["message_id"]) if name in times else 0,
            )
            for name, user in keys
            if name in withheld and int(withheld[name]["sender"]) != user
        }

    async def _look(self) -> None:
        if self._found:
            return  # what is withheld stays so, whatever becomes of the blocks
        self.looked(await self._connection.run(FIRST_BLOCK))

    async def _at(self, seqs: Mapping[str, int]) -> dict[str, Document]:
        branches = [{"conversation": name, "seq": s} for name, s in seqs.items()]
        fields = {"_id": 0, "conversation": 1, "sender": 1, "withheld": 1}
        projection = {**fields, "stored_ms": 1, "message_id": 1}
        found = await gather_lists(
            self._connection.documents(
                find("messages", {"$or": some}, projection=projection)
            )
            for some in chunks(branches, BRANCHES)
        )
        return {d["conversation"]: d for d in found}

    async def _active(
        self, collection: str, ids: Mapping[str, ConsentKey], also: Document
    ) -> frozenset[ConsentKey]:
        found = await gather_lists(
            self._connection.documents(
                find(
                    collection,
                    {"_id": {"$in": some}, "active": True, **also},
                    projection={"_id": 1},
                )
            )
            for some in chunks(list(ids), _KEYS)
        )
        return frozenset(ids[d["_id"]] for d in found)

    async def _acquainted(
        self, pairs: Sequence[tuple[int, int]]
    ) -> frozenset[tuple[int, int]]:
        pairs = [pair for pair in pairs if storable_values(pair)]
        groups: dict[int, list[str]] = {}
        for user in {user for user, _ in pairs}:
            groups[user] = [
                d["conversation"]
                for d in await self._connection.documents(
                    find("members", {"user": user, "joined": {"$gt": 0}})
                )
            ]
        ids = {
            member_key(group, other): (user, other)
            for user, other in pairs
            for group in groups[user]
        }
        found = await gather_lists(
            self._connection.documents(
                find("members", {"_id": {"$in": some}, "joined": {"$gt": 0}})
            )
            for some in chunks(list(ids), _KEYS)
        )
        there = {d["_id"] for d in found}
        return frozenset(
            (user, other)
            for user, other in pairs
            if any(member_key(group, other) in there for group in groups[user])
        )

    async def _counts(
        self, collection: str, users: Sequence[int], also: Document
    ) -> dict[int, int]:
        counts = {}
        for user in users:
            if storable_values((user,)):
                query = {"user": user, "active": True, **also}
                reply = await self._connection.run(
                    {"count": collection, "query": query}
                )
                counts[user] = int(reply["n"])
        return counts

    async def _blocks(self, user: int, after: str, limit: int) -> list[BlockRow]:
        if not storable_values((user, after)):
            return []
        found = await self._connection.documents(
            find(
                "blocks",
                {"user": user, "active": True, "target": {"$gt": after}},
                sort={"target": 1},
                limit=max(limit, 1),
            )
        )
        rows = [BlockRow(d["target"], int(d["time_ms"])) for d in found]
        return rows[: max(limit, 0)]

    async def _invitations(
        self, user: int, after: str, limit: int, since_ms: int
    ) -> list[InvitationRow]:
        if not storable_values((user, after)):
            return []
        found = await self._connection.documents(
            find(
                "invitations",
                {
                    "user": user,
                    "active": True,
                    "group": {"$gt": after},
                    "time_ms": {"$gte": since_ms},
                },
                sort={"group": 1},
                limit=max(limit, 1),
            )
        )
        found = found[: max(limit, 0)]
        groups = {"_id": {"$in": [d["group"] for d in found]}}
        named = await self._connection.documents(find("groups", groups))
        names = {d["_id"]: d["name"] for d in named}
        return [
            InvitationRow(
                d["group"], names[d["group"]], int(d["inviter"]), int(d["time_ms"])
            )
            for d in found
            if d["group"] in names
        ]


def _is_storable(key: ConsentKey) -> bool:
    return storable(key[1]) and storable_values(key[:1])


# ---------------------------------------------------------------- events


def block_key(user: int, target: str) -> str:
    """
    Return the key of a block; it begins with the user's own conversation.
    """
    return f"{conversation_of(user, user)}/{target}"


async def apply_blocks(connection: MongoConnection, events: Sequence[Message]) -> None:
    """
    Apply blocks.
    """
    changes = []
    for event in events:
        try:
            block = decode_block(event.content)
        except InvalidContent:
            continue
        fields = {
            "user": event.sender,
            "target": block.target,
            "active": block.on,
            "time_ms": event.time_ms,
        }
        key = block_key(event.sender, block.target)
        changes.append(_to(key, event.seq, fields))
    await _write(connection, "blocks", changes)


async def apply_invitations(
    connection: MongoConnection, events: Sequence[Message]
) -> None:
    """
    Apply invitations that are not withheld from the users who are invited.
    """
    changes = []
    for event, group in _groups_of(events):
        invited = other_of(event.conversation, event.sender)
        if invited and not event.withheld:
            fields = {
                "user": invited,
                "group": group,
                "inviter": event.sender,
                "active": True,
                "time_ms": event.time_ms,
            }
            key = member_key(group, invited)
            changes.append(_to(key, event.message_id, fields))
    await _write(connection, "invitations", changes)


async def apply_declines(
    connection: MongoConnection, events: Sequence[Message]
) -> None:
    """
    Apply refusals of invitations.
    """
    closed = (
        _closed([member_key(group, event.sender)], event.message_id)
        for event, group in _groups_of(events)
    )
    await _write(connection, "invitations", closed)


async def close_accepted(
    connection: MongoConnection, events: Sequence[Message]
) -> None:
    """
    Close the invitations of users who became members of the groups.
    """
    closed = (
        _closed([member_key(event.conversation, u) for u in c.add], event.message_id)
        for event, c in changes_in(events)
        if c.add and not c.created
    )
    await _write(connection, "invitations", closed)


def _groups_of(events: Iterable[Message]) -> Iterator[tuple[Message, str]]:
    for event in events:
        try:
            yield event, decode_invitation(event.content)
        except InvalidContent:
            continue


def _to(key: str, number: int, fields: Document) -> Document:
    # Where a later event was applied, the condition fails, and so does the insert.
    return change(
        {"_id": key, "changed": {"$lt": number}},
        {"$set": {**fields, "changed": number}},
        upsert=True,
    )


def _closed(keys: Sequence[str], message_id: int) -> Document:
    return {
        "q": {"_id": {"$in": keys}, "changed": {"$lt": message_id}},
        "u": {"$set": {"active": False, "changed": message_id}},
        "multi": True,
    }


async def _write(
    connection: MongoConnection, collection: str, changes: Iterable[Document]
) -> None:
    # One after another: of several events that name one document, the last one counts.
    if some := list(changes):
        reply = await connection.run(update(collection, some))
        check_errors(reply.get("writeErrors", ()))
