"""
Places for the store in MongoDB: a database for each test.
"""

from __future__ import annotations

from typing import Any

from pymongo import MongoClient
from twisted.internet.threads import deferToThread
from twisted.trial.unittest import TestCase

from tests.doubles import up
from tests.message.sqlite_paths import REACTOR, soon
from tests.stack.servers import mongo_url, unique
from wsmsg.dependency.state import Dependency
from wsmsg.message.store.mongo.connection import MongoConnection
from wsmsg.message.store.mongo.store import MongoStore
from wsmsg.settings.urls.mongo import MongoUrl, read_mongo_url


class MongoPlace:
    """
    A database of the shared server, which is dropped when the test ends. A kill ends
    the connections, as the server keeps acknowledged data.
    """

    def __init__(self, test: TestCase) -> None:
        self._test = test
        self.url = read_mongo_url(mongo_url(unique("store")))
        test.addCleanup(drop, self.url)

    async def open(self) -> Any:
        store = mongo_store_at(self.url)
        self._test.addCleanup(store.stop)
        await up(store)
        return store

    async def kill(self) -> Any:
        return await self.open()

    async def lose_messages(self) -> None:
        def losing() -> None:
            with client(self.url) as asked:
                database = asked[self.url.database]
                database["messages"].delete_many({"seq": {"$gt": 1}})
                database["conversations"].update_many(
                    {"head": {"$gt": 1}}, {"$set": {"head": 1}}
                )

        await deferToThread(losing)


def mongo_store_at(url: MongoUrl, **more: Any) -> MongoStore:
    """
    Return a store on the test's reactor, not started.
    """
    dependency = Dependency("store", REACTOR)
    options = {"retry": soon, "backoff": soon, "dependency": dependency, **more}
    return MongoStore(url, REACTOR, **options)


def mongo_store(test: TestCase) -> MongoPlace:
    """
    Return a place for a store.
    """
    return MongoPlace(test)


async def drop(url: MongoUrl) -> None:
    """
    Drop a database.
    """

    def dropping() -> None:
        with client(url) as asked:
            asked.drop_database(url.database)

    await deferToThread(dropping)


def noted_commands(test: TestCase) -> list[Any]:
    """
    Note the commands that stores send from now on, but pings.
    """
    asked: list[Any] = []
    send = MongoConnection._send

    async def noted(way: Any, pool: Any, command: Any, *more: Any) -> Any:
        if "ping" not in command:
            asked.append(command)
        return await send(way, pool, command, *more)

    test.patch(MongoConnection, "_send", noted)
    return asked


def client(url: MongoUrl) -> MongoClient[dict[str, Any]]:
    """
    Return a blocking client, for operations that the store does not have.
    """
    ((host, port),) = url.hosts
    login = f"{url.user}:{url.password}@" if url.user else ""
    return MongoClient(f"mongodb://{login}{host}:{port}/?serverSelectionTimeoutMS=5000")
