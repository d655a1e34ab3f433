"""
Groups and their members in MongoDB.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence

from wsmsg.dependency.gather import gather_lists
from wsmsg.errors import Unavailable
from wsmsg.events.group_change import GROUP
from wsmsg.message.store.interface import GroupPage, MemberRow
from wsmsg.message.store.membership import (
    Changes,
    Membership,
    ReadRight,
    carried_out,
    changes_in,
)
from wsmsg.message.store.mongo.connection import MongoConnection
from wsmsg.message.store.mongo.documents import (
    BRANCHES,
    Document,
    change,
    check_errors,
    chunks,
    find,
    insert,
    member_key,
    storable,
    to_message,
    update,
)
from wsmsg.model import INT64_MAX, Message, storable_values

_TRIES = 20
# With at most so many changes a command stays within its limit of time.
_AT_ONCE = 2000

_Key = tuple[str, int]


class MongoGroups:
    """
    The collections of groups and of their members.
    """

    def __init__(self, connection: MongoConnection) -> None:
        self._connection = connection

    async def change_members(self, events: Sequence[Message]) -> None:
        """
        Apply group changes, in a few round trips however many there are.
        """
        changes = list(changes_in(events))
        await self._make([(e, c) for e, c in changes if c.created])
        if changes:
            made = await self._made({e.conversation for e, _ in changes})
            await self._change(
                [
                    (e, c)
                    for e, c in changes
                    if e.conversation in made
                    and (not c.created or made[e.conversation]["made"] == e.seq)
                ]
            )

    async def members(self, conversations: Sequence[str]) -> dict[str, frozenset[int]]:
        names = [c for c in dict.fromkeys(conversations) if storable(c)]
        if not names:
            return {}
        groups, members = (
            find("groups", {"_id": {"$in": names}}, projection={"_id": 1}),
            find(
                "members",
                {"conversation": {"$in": names}, "joined": {"$gt": 0}},
                projection={"_id": 0, "conversation": 1, "user": 1},
            ),
        )
        users: dict[str, list[int]] = {}
        there = []
        for d in await self._both(groups, members):
            if "user" in d:
                users.setdefault(d["conversation"], []).append(int(d["user"]))
            else:
                there.append(d["_id"])
        return {name: frozenset(users.get(name, ())) for name in there}

    async def members_at(self, places: Sequence[_Key]) -> dict[_Key, frozenset[int]]:
        lowest: dict[str, int] = {}
        for name, seq in places:
            if storable(name) and storable_values((seq,)):
                lowest[name] = min(seq, lowest.get(name, seq))
        if not lowest:
            return {}
        branches = [
            {
                "conversation": name,
                "$or": [{"joined": {"$gt": 0}}, {"changed": {"$gt": seq}}],
            }
            for name, seq in lowest.items()
        ]
        found = await self._both(
            find("groups", {"_id": {"$in": list(lowest)}}, projection={"_id": 1}),
            find("members", {"$or": branches}),
        )
        members: dict[str, list[tuple[int, Membership]]] = {
            d["_id"]: [] for d in found if "user" not in d
        }
        for d in found:
            if "user" in d and d["conversation"] in members:
                standing = (int(d["user"]), _membership(d))
                members[d["conversation"]].append(standing)
        return {
            (name, seq): frozenset(u for u, m in members[name] if m.at(seq))
            for name, seq in places
            if name in members
        }

    async def leaving(self, events: Sequence[Message]) -> None:
        """
        Note that changes that remove members are about to be inserted; see L{rights}.
        """
        updates = [
            {
                "q": {
                    "_id": {"$in": [member_key(e.conversation, u) for u in c.remove]},
                    "joined": {"$gt": 0},
                    "changed": {"$lt": e.seq},
                },
                "u": {"$addToSet": {"leaving": e.seq}},
                "multi": True,
            }
            for e, c in changes_in(events)
            if c.remove
        ]
        if updates:
            await write_updates(self._connection, "members", updates)

    async def readable_from(self, keys: Sequence[_Key]) -> dict[_Key, int]:
        return {
            key: right.first
            for key, right in (await self.rights(keys)).items()
            if right.last == INT64_MAX
        }

    async def rights(self, keys: Sequence[_Key]) -> dict[_Key, ReadRight]:
        """
        Return what members may read, judged by all changes that were inserted before
        this call.

        A change that removes a member is noted in the member's document before it is
        inserted, and the note stays until the change is applied.  A note alone decides
        nothing, as the number may have gone to another message: only a stored change
        with that number counts.
        """
        keys = [k for k in keys if storable(k[0]) and storable_values(k[1:])]
        if not keys:
            return {}
        groups, members = (
            find("groups", {"_id": {"$in": list({name for name, _ in keys})}}),
            find(
                "members",
                {"_id": {"$in": [member_key(*k) for k in keys]}, "joined": {"$gt": 0}},
            ),
        )
        found = await self._both(groups, members)
        history = {d["_id"]: d["history"] for d in found if "history" in d}
        standings = {
            (d["conversation"], int(d["user"])): _membership(d).settled()
            for d in found
            if d.get("conversation") in history
        }
        last = await self._removals(
            {key: m.leaving for key, m in standings.items() if m.leaving}
        )
        return {
            key: ReadRight(1 if history[key[0]] else m.joined, last.get(key, INT64_MAX))
            for key, m in standings.items()
        }

    async def _removals(
        self, noted: Mapping[_Key, tuple[int, ...]]
    ) -> Mapping[_Key, int]:
        branches = [
            {"conversation": name, "seq": {"$in": list(numbers)}, "kind": GROUP}
            for (name, _), numbers in noted.items()
        ]
        found = await gather_lists(
            self._connection.documents(find("messages", {"$or": some}))
            for some in chunks(branches, BRANCHES)
        )
        last: dict[_Key, int] = {}
        for event, content in changes_in([to_message(d) for d in found]):
            for user in content.remove:
                key = (event.conversation, user)
                if event.seq in noted.get(key, ()):
                    last[key] = min(event.seq, last.get(key, event.seq))
        return last

    async def group(
        self, conversation: str, after: int, limit: int
    ) -> GroupPage | None:
        if not storable(conversation) or not storable_values((after,)):
            return None
        now = {"conversation": conversation, "joined": {"$gt": 0}}
        page = find(
            "members",
            {**now, "user": {"$gt": after}},
            projection={"_id": 0, "user": 1, "joined": 1},
            sort={"user": 1},
            limit=max(limit, 1),
        )
        found = await self._both(find("groups", {"_id": conversation}), page)
        row = next((d for d in found if "owner" in d), None)
        if row is None:
            return None
        reply = await self._connection.run({"count": "members", "query": now})
        members = [
            MemberRow(int(d["user"]), int(d["joined"])) for d in found if "user" in d
        ]
        return GroupPage(
            conversation,
            row["name"],
            int(row["owner"]),
            row["history"],
            int(reply["n"]),
            members[: max(limit, 0)],
            key=row.get("key", ""),
        )

    async def _both(self, one: Document, other: Document) -> list[Document]:
        ask = self._connection.documents
        return await gather_lists([ask(one), ask(other)])

    async def _make(self, changes: Changes) -> None:
        updates = [
            change(
                {"_id": e.conversation},
                {
                    "$setOnInsert": {
                        "name": c.name,
                        "owner": e.sender,
                        "history": c.history,
                        "made": e.seq,
                        **({"key": c.key} if c.key else {}),
                    }
                },
                upsert=True,
            )
            for e, c in changes
        ]
        if updates:
            # On a duplicate key another process has just created the group.
            await write_updates(self._connection, "groups", updates)

    async def _made(self, conversations: Iterable[str]) -> Mapping[str, Document]:
        groups = find("groups", {"_id": {"$in": list(conversations)}})
        return {d["_id"]: d for d in await self._connection.documents(groups)}

    async def _change(self, changes: Changes) -> None:
        keys = {
            (e.conversation, user) for e, c in changes for user in (*c.add, *c.remove)
        }
        for _ in range(_TRIES):
            if not keys:
                return
            before = await self._standings(keys)
            after = carried_out(changes, before, keys)
            if await self._stand(before, after):
                return
        raise Unavailable("other Messages keep changing the members of the same groups")

    async def _stand(
        self, before: Mapping[_Key, Membership], after: Mapping[_Key, Membership]
    ) -> bool:
        # Returns False if another process wrote between the read and the write.
        named = [_named(key, now) for key, now in after.items() if key not in before]
        # Users that change alike share one statement; ten thousand make a few.
        alike: dict[tuple[int, Membership], list[str]] = {}
        for key, now in after.items():
            if key in before and now != before[key]:
                way = (before[key].changed, now)
                alike.setdefault(way, []).append(member_key(*key))
        updates = [_moved(keys, *way) for way, keys in alike.items()]
        written = 0
        for some in chunks(named, _AT_ONCE):
            reply = await self._connection.run(
                {**insert("members", some), "ordered": False}
            )
            check_errors(reply.get("writeErrors", ()))
            written += reply["n"]
        for some in chunks(updates, _AT_ONCE):
            written += await write_updates(self._connection, "members", some)
        return written == len(named) + sum(map(len, alike.values()))

    async def _standings(self, keys: Iterable[_Key]) -> dict[_Key, Membership]:
        wanted = {"_id": {"$in": [member_key(*key) for key in keys]}}
        return {
            (d["conversation"], d["user"]): _membership(d)
            for d in await self._connection.documents(find("members", wanted))
        }


def _named(key: _Key, now: Membership) -> Document:
    conversation, user = key
    return {
        "_id": member_key(conversation, user),
        "conversation": conversation,
        "user": user,
        "joined": now.joined,
        "changed": now.changed,
        "past": [list(ended) for ended in now.past],
    }


def _membership(d: Document) -> Membership:
    return Membership(
        int(d["joined"]),
        int(d["changed"]),
        tuple(int(n) for n in d.get("leaving", ())),
        tuple((int(joined), int(removed)) for joined, removed in d.get("past", ())),
    )


def _moved(keys: Sequence[str], changed: int, now: Membership) -> Document:
    # Matches only if no other process changed it; else it is read and decided again.
    fields = {
        "joined": now.joined,
        "changed": now.changed,
        "past": [list(ended) for ended in now.past],
    }
    return {
        "q": {"_id": {"$in": keys}, "changed": changed},
        "u": {"$set": fields, "$pull": {"leaving": {"$lte": now.changed}}},
        "multi": True,
    }


async def write_updates(
    connection: MongoConnection, collection: str, updates: Sequence[Document]
) -> int:
    """
    Run an C{update} command.

    @return: how many documents matched.
    """
    reply = await connection.run(update(collection, updates))
    check_errors(reply.get("writeErrors", ()))
    found: int = reply["n"]
    return found
