"""
Tests for L{wsmsg.message.store.sqlite.archive}.
"""

from __future__ import annotations

import sqlite3

from twisted.trial.unittest import TestCase

from tests.doubles import up
from tests.message.sqlite_paths import REACTOR, path_for, sqlite_store_at
from tests.message.store.archive_contract import make_archive_tests
from tests.message.store.cursor_contract import said
from tests.message.store.inserts import insert_into
from wsmsg.dependency.worker import Worker
from wsmsg.errors import Unavailable
from wsmsg.message.store.archive import StoreExtent
from wsmsg.message.store.sqlite.archive import SqliteArchive
from wsmsg.message.store.sqlite.store import SqliteStore


class SqliteArchivePlace:
    """
    A file.
    """

    def __init__(self, test: TestCase) -> None:
        self._test = test
        self.path = path_for(test)

    async def store(self) -> SqliteStore:
        store = sqlite_store_at(self.path)
        self._test.addCleanup(store.stop)
        await up(store)
        return store

    async def archive(self) -> SqliteArchive:
        archive = SqliteArchive(self.path, Worker("archive", REACTOR))
        self._test.addCleanup(archive.close)
        await archive.open()
        return archive


class SqliteArchiveTests(make_archive_tests(SqliteArchivePlace)):  # type: ignore[misc]
    """
    The embedded store.
    """


class MomentTests(TestCase):
    """
    An archive is a snapshot, while a Message uses the file.
    """

    def setUp(self) -> None:
        self.place = SqliteArchivePlace(self)

    async def test_one_moment(self) -> None:
        """
        Messages that are stored after the archive was opened are not in it.
        """
        store = await self.place.store()
        await insert_into(store, [said(1)], 5)
        archive = await self.place.archive()
        await insert_into(store, [said(2), said(1, conversation="u:1:3")], 6)
        self.assertEqual(await archive.conversations("", 9), [StoreExtent("u:1:2", 1)])

    async def test_nothing_there(self) -> None:
        """
        A store that does not exist is named by its path, and is not created.
        """
        with self.assertRaises(Unavailable) as caught:
            await self.place.archive()
        self.assertIn(f"there is no store {self.place.path}", str(caught.exception))

    async def test_other_version(self) -> None:
        """
        A store that another version of wsmsg uses is refused with the reason.
        """
        await self.place.store()
        with sqlite3.connect(self.place.path) as db:
            db.execute("PRAGMA user_version = 99")
        db.close()
        with self.assertRaises(Unavailable) as caught:
            await self.place.archive()
        self.assertIn("schema is 99", str(caught.exception))
