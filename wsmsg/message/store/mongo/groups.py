"""
Groups and their members in MongoDB.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence

import attrs

from wsmsg.dependency.gather import gather_lists
from wsmsg.errors import Unavailable
from wsmsg.events.group_change import GroupChange, decode_change
from wsmsg.events.kind import InvalidContent
from wsmsg.message.store.interface import GroupPage, MemberRow
from wsmsg.message.store.mongo.connection import MongoConnection
from wsmsg.message.store.mongo.documents import (
    Document,
    change,
    check_errors,
    chunks,
    find,
    insert,
    member_key,
    storable,
    storable_values,
    update,
)
from wsmsg.model import Message

_TRIES = 20
# With at most so many changes a command stays within its limit of time.
_AT_ONCE = 2000

_Changes = Sequence[tuple[Message, GroupChange]]
_Key = tuple[str, int]


@attrs.frozen
class Membership:
    """
    The membership of a user in a group.

    @ivar joined: the number of the event with which the user joined; 0: not a member.
    @ivar changed: the highest number of the events that name the user.
    """

    joined: int = 0
    changed: int = 0


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
        changes = list(_changes(events))
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

    async def readable_from(self, keys: Sequence[_Key]) -> dict[_Key, int]:
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
        return {
            (d["conversation"], int(d["user"])): 1
            if history[d["conversation"]]
            else int(d["joined"])
            for d in found
            if d.get("conversation") in history
        }

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
        )

    async def _both(self, one: Document, other: Document) -> list[Document]:
        ask = self._connection.documents
        return await gather_lists([ask(one), ask(other)])

    async def _make(self, changes: _Changes) -> None:
        updates = [
            change(
                {"_id": e.conversation},
                {
                    "$setOnInsert": {
                        "name": c.name,
                        "owner": e.sender,
                        "history": c.history,
                        "made": e.seq,
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

    async def _change(self, changes: _Changes) -> None:
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
            (d["conversation"], d["user"]): Membership(d["joined"], d["changed"])
            for d in await self._connection.documents(find("members", wanted))
        }


def carried_out(
    changes: _Changes, before: Mapping[_Key, Membership], keys: Iterable[_Key]
) -> dict[_Key, Membership]:
    """
    Return the memberships after some changes: each follows the events above the highest
    one that was applied to it before.

    @param before: the memberships before; users that were never named are missing.
    """
    now = {key: before.get(key, Membership()) for key in keys}
    for event, content in changes:
        for user in content.add:
            key = (event.conversation, user)
            if event.seq > now[key].changed:
                now[key] = Membership(now[key].joined or event.seq, event.seq)
        for user in content.remove:
            key = (event.conversation, user)
            if event.seq > now[key].changed:
                now[key] = Membership(0, event.seq)
    return now


def _named(key: _Key, now: Membership) -> Document:
    conversation, user = key
    return {
        "_id": member_key(conversation, user),
        "conversation": conversation,
        "user": user,
        "joined": now.joined,
        "changed": now.changed,
    }


def _moved(keys: Sequence[str], changed: int, now: Membership) -> Document:
    # Matches only if no other process changed it; else it is read and decided again.
    return {
        "q": {"_id": {"$in": keys}, "changed": changed},
        "u": {"$set": {"joined": now.joined, "changed": now.changed}},
        "multi": True,
    }


def _changes(events: Sequence[Message]) -> Iterator[tuple[Message, GroupChange]]:
    for event in events:
        try:
            yield event, decode_change(event.content)
        except InvalidContent:
            continue


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
