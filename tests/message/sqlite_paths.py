"""
Paths of the embedded journal and the embedded store in tests.
"""

from __future__ import annotations

import os
import shutil
import sqlite3
from contextlib import closing
from typing import Any

from twisted.internet import reactor
from twisted.trial.unittest import SynchronousTestCase, TestCase

from tests.doubles import up
from tests.message.store.cursor_contract import said
from wsmsg.dependency.state import Dependency
from wsmsg.message.journal.sqlite.journal import SqliteJournal
from wsmsg.message.store.sqlite.store import SqliteStore

#: With the types that mypy cannot see in a module.
REACTOR: Any = reactor


def soon(failures: int) -> float:
    """
    A retry policy that does not wait long.
    """
    return 0.01


def sqlite_journal_at(path: str, **more: Any) -> SqliteJournal:
    """
    A journal on the test's reactor, not yet started.
    """
    dependency = Dependency("journal", REACTOR)
    return SqliteJournal(path, REACTOR, retry=soon, dependency=dependency, **more)


def sqlite_store_at(path: str, **more: Any) -> SqliteStore:
    """
    A store on the test's reactor, not yet started.
    """
    dependency = Dependency("store", REACTOR)
    return SqliteStore(path, REACTOR, retry=soon, dependency=dependency, **more)


class SqlitePlace:
    """
    A file, and what a kill leaves of it: SQLite's files as they are at that moment,
    with none of what closing them would have done.
    """

    def __init__(self, test: TestCase, make: Any) -> None:
        self._test = test
        self._make = make
        self.path = path_for(test)

    async def open(self) -> Any:
        backend = self._make(self.path)
        self._test.addCleanup(backend.stop)
        await up(backend)
        return backend

    async def kill(self) -> Any:
        killed, self.path = self.path, path_for(self._test)
        copy(killed, self.path)
        return await self.open()

    async def lose_messages(self) -> None:
        with closing(sqlite3.connect(self.path)) as file:
            file.execute("DELETE FROM messages WHERE seq > 1")
            file.commit()


def path_for(test: SynchronousTestCase) -> str:
    """
    Return the path of a file that does not exist, in a folder of its own.
    """
    folder = test.mktemp()
    os.makedirs(folder)
    return os.path.join(folder, "file.db")


def copy(path: str, to: str) -> None:
    """
    Copy a SQLite file that is in use, with what is in its write-ahead log only.
    """
    for more in ("", "-wal"):
        if os.path.exists(path + more):
            shutil.copyfile(path + more, to + more)


def sqlite_journal(test: TestCase) -> SqlitePlace:
    """
    A place for a journal.
    """
    return SqlitePlace(test, sqlite_journal_at)


def sqlite_store(test: TestCase) -> SqlitePlace:
    """
    A place for a store.
    """
    return SqlitePlace(test, sqlite_store_at)


class NamesPlace:
    """
    The names of a store at a place.

    @ivar store: the store that was opened last.
    """

    def __init__(self, place: Any, *, shared: bool) -> None:
        self._place = place
        self._shared = shared
        self.store: Any = None

    async def first(self) -> Any:
        """
        Open the store.
        """
        self.store = await self._place.open()
        return self.store.names

    async def second(self) -> Any:
        """
        Return the names as another Message has them, where the store allows several.
        """
        return (await self._place.open() if self._shared else self.store).names

    async def killed(self) -> Any:
        """
        Return the names after a kill.
        """
        self.store = await self._place.kill()
        return self.store.names

    async def use(self, user: int) -> None:
        """
        Give a user a conversation.
        """
        message = said(1, conversation=f"u:1:{user}")
        await self.store.insert([message], 0, [0])


def sqlite_names(test: TestCase) -> NamesPlace:
    """
    Return the place of the names in an embedded store.
    """
    return NamesPlace(sqlite_store(test), shared=False)
