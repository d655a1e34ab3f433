"""
Tests of exports and imports of the store in MongoDB.
"""

from __future__ import annotations

from twisted.internet.defer import Deferred
from twisted.trial.unittest import TestCase

from tests.doubles import up
from tests.message.sqlite_paths import REACTOR, path_for, sqlite_store_at
from tests.message.store.archive_contract import make_archive_tests
from tests.message.store.cursor_contract import said
from tests.message.store.group_contract import changed, made, recalled
from tests.message.store.inserts import changed_conversations, insert_into
from tests.stack.mongo.places import MongoPlace
from tests.stack.servers import needs, own_mongo
from tests.transfer.cases import batches_of, file_of, lines_for, no_retries, talk
from wsmsg.dependency.state import Dependency
from wsmsg.dependency.worker import Worker
from wsmsg.errors import Unavailable
from wsmsg.events.group_change import GROUP
from wsmsg.events.recall import RECALL
from wsmsg.message.store.archive import IStoreArchive
from wsmsg.message.store.mongo.archive import MongoArchive
from wsmsg.message.store.mongo.store import MongoStore
from wsmsg.message.store.sqlite.archive import SqliteArchive
from wsmsg.model import Cursor
from wsmsg.settings.urls.mongo import read_mongo_url
from wsmsg.settings.values import RetrySettings
from wsmsg.transfer.dump import Dump
from wsmsg.transfer.load import Importer
from wsmsg.transfer.records import Record
from wsmsg.transfer.retrying import RetryUntil
from wsmsg.transfer.stores import reopening


class MongoArchivePlace(MongoPlace):
    """
    A database.
    """

    async def store(self) -> MongoStore:
        store: MongoStore = await self.open()
        return store

    async def archive(self) -> MongoArchive:
        archive = MongoArchive(
            self.url,
            REACTOR,
            retry=lambda failures: None,
            backoff=float,
            dependency=Dependency("store", REACTOR),
        )
        self._test.addCleanup(archive.close)
        await archive.open()
        return archive


@needs("mongo")
class MongoArchiveTests(make_archive_tests(MongoArchivePlace)):  # type: ignore[misc]
    """
    The store in MongoDB.
    """


@needs("mongo")
class ThereAndBackTests(TestCase):
    """
    From the embedded store to MongoDB and back.
    """

    def setUp(self) -> None:
        self.place = MongoArchivePlace(self)

    async def test_nothing_there(self) -> None:
        """
        A database without a store is reported by name, and not created.
        """
        with self.assertRaises(Unavailable) as caught:
            await self.place.archive()
        self.assertIn("there is no store of wsmsg in", str(caught.exception))
        self.assertIn(self.place.url.database, str(caught.exception))

    async def test_moved(self) -> None:
        """
        Messages, cursors, groups and recalls are the same in both stores, also after a
        second import.
        """
        records = await self.embedded()
        store = await self.place.store()
        for written in (len(_TALKS), 0):
            importer = Importer(store, no_retries(), lambda: 50)
            for batch in batches_of(*records):
                await importer.write_batch(batch)
            self.assertEqual(importer.written, written)
            archive = await self.place.archive()
            self.assertEqual(await walked(archive, 500), records)
            self.assertEqual(file_of(*await walked(archive, 500)), file_of(*records))
        self.assertEqual(await walked(archive, 7), records)
        found, _ = await changed_conversations(store, 2)
        self.assertEqual(found, ["g:77", "u:1:2"])

    async def embedded(self) -> list[Record]:
        """
        Return the records of an embedded store.
        """
        path = path_for(self)
        store = sqlite_store_at(path)
        self.addCleanup(store.stop)
        await up(store)
        await insert_into(store, _TALKS, 5)
        await store.apply([m for m in _TALKS if m.kind in (GROUP, RECALL)])
        cursors = [Cursor("u:1:2", 1, 9, 3), Cursor("g:77", _MANY, 2, 2)]
        await store.move_cursors(cursors)
        archive = SqliteArchive(path, Worker("archive", REACTOR))
        self.addCleanup(archive.close)
        await archive.open()
        return await walked(archive, 500)


class AwayTests(TestCase):
    """
    A server that fails during an import.
    """

    async def test_killed_and_back(self) -> None:
        """
        An import waits for a server that was killed, and continues when it is back.
        """
        own = await own_mongo(self)
        url = read_mongo_url(f"mongodb://{own.address}/moved")
        dependency = Dependency("store", REACTOR)
        store = MongoStore(
            url,
            REACTOR,
            retry=reopening(dependency, RetrySettings()),
            backoff=float,
            dependency=dependency,
        )
        self.addCleanup(store.stop)
        await up(store)
        lost: Deferred[str] = Deferred()
        importer = Importer(
            store,
            RetryUntil(REACTOR, 60, lost.callback, backoff=lambda failures: 0.5),
            lambda: 50,
        )
        talks = talk(1200)
        first, *rest = batches_of(*lines_for(talks))
        await importer.write_batch(first)
        own.kill()
        importing = Deferred.fromCoroutine(importer.write_batch(rest[0]))
        self.assertIn("waiting for the store", await lost)
        await own.start()
        await importing
        for batch in rest[1:]:
            await importer.write_batch(batch)
        page, head = await store.page("u:1:2", 0, 2000)
        self.assertEqual((page, head), (talks, 1200))

    async def test_never_there(self) -> None:
        """
        A server that never answers is given up soon, with the reason.
        """
        dependency = Dependency("store", REACTOR)
        url = read_mongo_url("mongodb://127.0.0.1:1/moved")
        archive = MongoArchive(
            url,
            REACTOR,
            retry=reopening(dependency, RetrySettings()),
            backoff=float,
            dependency=dependency,
        )
        self.addCleanup(archive.close)
        with self.assertRaises(Unavailable) as caught:
            await archive.open()
        self.assertIn("127.0.0.1:1/moved", str(caught.exception))


#: A user id that MongoDB's library returns as its own number type.
_MANY = 2**60

_TALKS = [
    *talk(30),
    recalled(31, 7),
    *talk(3, "u:1:10"),
    made(2, 3),
    changed(2, add=[*range(10, 40), _MANY]),
    said(3, conversation="g:77", content="ß\0", time_ms=2**50),
    changed(4, remove=(10,)),
]


async def walked(archive: IStoreArchive, limit: int) -> list[Record]:
    """
    Return all records of a store.
    """
    walk = Dump(archive, no_retries(), limit=limit)
    return [record async for some in walk.records() for record in some]
