"""
Tests of the store in MongoDB.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

import attrs
import msgspec
from twisted.trial.unittest import TestCase

from tests.contracts import make_store_tests
from tests.message.sqlite_paths import REACTOR, NamesPlace, soon
from tests.message.store.cursor_contract import said
from tests.message.store.group_contract import made
from tests.message.store.inserts import insert_into
from tests.message.store.name_contract import make_name_tests
from tests.stack.mongo.places import mongo_store
from tests.stack.servers import needs
from wsmsg.dependency.state import Dependency
from wsmsg.message.store.archive import Span
from wsmsg.message.store.interface import HeadRow, Outcome
from wsmsg.message.store.mongo.archive import MongoArchive
from wsmsg.message.store.mongo.connection import MongoConnection
from wsmsg.model import Cursor, Message


def mongo_names(test: TestCase) -> NamesPlace:
    """
    Return the place of the names in a database.
    """
    return NamesPlace(mongo_store(test), shared=True)


@needs("mongo")
class MongoStoreTests(make_store_tests(mongo_store)):  # type: ignore[misc]
    """
    The store in MongoDB.
    """


@needs("mongo")
class MongoNamesTests(make_name_tests(mongo_names)):  # type: ignore[misc]
    """
    The names in MongoDB.
    """


@needs("mongo")
class RoundTripTests(TestCase):
    """
    The number of round trips to the server.
    """

    async def setUp(self) -> None:  # type: ignore[override]
        self.store = await mongo_store(self).open()
        self.asked: list[tuple[str, int]] = []
        say = MongoConnection._send

        async def counted(way: Any, pool: Any, command: Any, *more: Any) -> Any:
            if "ping" not in command:
                statements = len(command.get("updates", ()))
                self.asked.append((next(iter(command)), statements))
            return await say(way, pool, command, *more)

        self.patch(MongoConnection, "_send", counted)
        self.names = [f"u:{i}:{i + 1}" for i in range(1, 301)]

    def batch(self, *numbers: int) -> list[Message]:
        """
        Return a message of each number in each of three hundred conversations.
        """
        return [said(n, conversation=name) for name in self.names for n in numbers]

    async def test_new_conversations(self) -> None:
        """
        Messages that begin conversations are stored in three round trips, for any
        number of conversations; the first batch of a shard begins its generation, in
        two more.
        """
        await insert_into(self.store, self.batch(1), 5)
        first, then, *rest = [what for what, _ in self.asked]
        self.assertEqual((first, then), ("insert", "findAndModify"))
        self.assertEqual(rest, ["update", "insert", "update"])

    async def test_new_messages(self) -> None:
        """
        Messages that continue conversations are stored in two round trips, with one
        commit for a hundred conversations.
        """
        await insert_into(self.store, self.batch(1), 5)
        self.asked.clear()
        await insert_into(self.store, self.batch(2, 3), 6)
        # The last of the four statements is the number of the shard.
        self.assertEqual(self.asked, [("insert", 0), ("update", 4)])
        page = await self.store.conversations_of(1, "", 9)
        self.assertEqual(page.rows, [HeadRow(self.names[0], 3, 6, 103)])

    async def test_both(self) -> None:
        """
        A batch in which some begin and some continue takes three after each other.
        """
        await insert_into(self.store, self.batch(1)[:100], 5)
        self.asked.clear()
        batch = [*self.batch(2)[:100], *self.batch(1)[100:]]
        await insert_into(self.store, batch, 6)
        self.assertEqual(self.asked[0], ("insert", 0))
        self.assertEqual(sorted(self.asked[1:3]), [("insert", 0), ("update", 1)])
        self.assertEqual(self.asked[3:], [("update", 1)])

    async def test_unknown(self) -> None:
        """
        Conversations that begin after number 1 take two more, to find that they are not
        stored yet.
        """
        await insert_into(self.store, self.batch(5), 6)
        self.assertEqual(
            [what for what, _ in self.asked[3:]],
            ["update", "update", "find", "insert", "update"],
        )
        page = await self.store.conversations_of(1, "", 9)
        self.assertEqual(page.rows, [HeadRow(self.names[0], 5, 6, 105)])

    async def test_stored_batch(self) -> None:
        """
        A batch that is partly stored already, in hundreds of conversations, takes a
        fixed number more.
        """
        batch = self.batch(1, 2)
        await insert_into(self.store, batch[:400], 5)
        self.asked.clear()
        outcomes = await insert_into(self.store, batch, 6)
        self.assertEqual(outcomes[:400], [Outcome.REPEATED, Outcome.SKIPPED] * 200)
        self.assertEqual(outcomes[400:], [Outcome.INSERTED] * 200)
        self.assertLessEqual(len(self.asked), 11)

    async def test_cursors(self) -> None:
        """
        Cursors take three, two of them at once, with one commit for a hundred cursors.
        """
        await insert_into(self.store, self.batch(1, 2), 5)
        for number, written in ((1, ("insert", 0)), (2, ("update", 3))):
            self.asked.clear()
            moves = [Cursor(name, 1, number, 0) for name in self.names]
            self.assertEqual(await self.store.move_cursors(moves), moves)
            self.assertEqual(self.asked, [("find", 0), ("find", 0), written])
            found = await self.store.cursors([(name, 1) for name in self.names])
            self.assertEqual(list(found.values()), moves)

    async def test_cursors_too_far(self) -> None:
        """
        Cursors beyond the known messages take one more.
        """
        await insert_into(self.store, self.batch(1), 5)
        self.asked.clear()
        moves = [Cursor(name, 1, 7, 0) for name in self.names]
        await self.store.move_cursors(moves)
        self.assertEqual([what for what, _ in self.asked], [*["find"] * 3, "insert"])
        keys = [(self.names[0], 1)]
        cursor = Cursor(self.names[0], 1, 1, 0)
        self.assertEqual(await self.store.cursors(keys), {keys[0]: cursor})


@needs("mongo")
class PlainTests(TestCase):
    """
    The number types that the store returns.
    """

    async def test_plain(self) -> None:
        """
        Everything that the store returns can be encoded as JSON and MessagePack,
        however large its numbers are.
        """
        store = await mongo_store(self).open()
        big = 2**40
        group = f"g:{big}"
        texts = [
            Message(f"u:{big}:{big + 1}", big, "c1", 2**60, "x", big, big, big),
            msgspec.structs.replace(
                made(1, 2), conversation=group, sender=big, seq=big
            ),
        ]
        await insert_into(store, texts, big)
        await store.apply(texts[1:])
        two = texts[0].conversation
        keys = [(two, big), (group, big)]
        moves = [Cursor(*key, big, big) for key in keys]
        page = await store.group(group, 0, 9)
        given = [
            await store.move_cursors(moves),
            await store.cursors(keys),
            await store.find([m.identity for m in texts]),
            await store.page(two, big - 1, 9),
            await store.heads([two, group, "u:8:9"]),
            (await store.conversations_of(big, "", 9)).rows,
            await store.members([group]),
            await store.readable_from([(group, 1)]),
            page,
            await self.archived(store, [two, group]),
        ]
        for found in given:
            self.assertTrue(found)
            kinds = {type(n) for n in numbers(found)}
            self.assertEqual(kinds, {int}, found)
            msgspec.json.encode(list(leaves(found)))
            msgspec.msgpack.encode(list(leaves(found)))

    async def archived(self, store: Any, names: list[str]) -> list[Any]:
        """
        Return everything that an export reads.
        """
        archive = MongoArchive(
            store._connection._url,
            REACTOR,
            retry=soon,
            backoff=soon,
            dependency=Dependency("archive", REACTOR),
        )
        self.addCleanup(archive.close)
        await archive.open()
        extents = await archive.conversations("", 9)
        spans = [Span(name, 0, 2**50) for name in names]
        return [
            extents,
            await archive.messages(spans),
            await archive.cursors_in(names, ("", 0), 9),
            await archive.group(names[1], 0, 9),
        ]


def leaves(found: Any) -> Iterator[Any]:
    """
    Yield all texts and numbers in some values.
    """
    if isinstance(found, Mapping):
        found = [*found, *found.values()]
    elif isinstance(found, msgspec.Struct):
        found = msgspec.structs.astuple(found)
    elif attrs.has(type(found)):
        found = [getattr(found, a.name) for a in attrs.fields(type(found))]
    if isinstance(found, (list, tuple, frozenset)):
        for item in found:
            yield from leaves(item)
    else:
        yield found


def numbers(found: Any) -> Iterator[int]:
    """
    Return all numbers in some values.
    """
    for leaf in leaves(found):
        if isinstance(leaf, int) and not isinstance(leaf, bool):
            yield leaf


@needs("mongo")
class OpeningTests(TestCase):
    """
    A new database.
    """

    async def test_indexes_take_long(self) -> None:
        """
        Building an index on existing data may take minutes, whatever the time limit of
        an operation; no other operation may.
        """
        limits: dict[str, float] = {}
        say = MongoConnection._send

        async def noted(
            way: Any, pool: Any, command: Any, limit_s: float, *more: Any
        ) -> Any:
            limits[next(iter(command))] = limit_s
            return await say(way, pool, command, limit_s, *more)

        self.patch(MongoConnection, "_send", noted)
        await mongo_store(self).open()
        self.assertGreaterEqual(limits.pop("createIndexes"), 600)
        self.assertEqual(set(limits.values()), {5.0})
