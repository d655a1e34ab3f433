"""
Tests of raising numbers in many documents at once, each to its own values.
"""

from __future__ import annotations

from typing import Any

from twisted.trial.unittest import TestCase

from tests.message.sqlite_paths import REACTOR, soon
from tests.stack.mongo.places import drop
from tests.stack.servers import mongo_url, needs, unique
from wsmsg.dependency.state import Dependency
from wsmsg.dependency.wait import up
from wsmsg.message.store.mongo.bulk_raise import raise_all
from wsmsg.message.store.mongo.connection import MongoConnection, Run
from wsmsg.message.store.mongo.documents import find
from wsmsg.settings.urls.mongo import read_mongo_url

NAMES = ("a", "$b", "c.d", "e")


async def nothing(run: Run) -> None:
    """
    Prepare nothing.
    """


class Opened:
    """
    A connection with its dependency, as C{up} needs it.
    """

    def __init__(self, test: TestCase) -> None:
        url = read_mongo_url(mongo_url(unique("raising")))
        test.addCleanup(drop, url)
        self.dependency = Dependency("mongo", REACTOR)
        self.connection = MongoConnection(
            url,
            REACTOR,
            retry=soon,
            backoff=soon,
            dependency=self.dependency,
            prepare=nothing,
        )
        test.addCleanup(self.connection.stop)

    def start(self) -> None:
        self.connection.start()


def documents(*values: int, at: int = 0) -> dict[str, dict[str, Any]]:
    """
    Return one document for each name, in their order.
    """
    return {
        name: {"_id": name, "n": value, "at": at, "kept": value}
        for name, value in zip(NAMES, values, strict=False)
    }


@needs("mongo")
class RaisingTests(TestCase):
    """
    Raising on a real server.
    """

    async def setUp(self) -> None:  # type: ignore[override]
        opened = Opened(self)
        await up(opened)
        self.connection = opened.connection

    async def raised(
        self, wanted: dict[str, dict[str, Any]], **more: Any
    ) -> list[tuple[int, int, int]]:
        """
        Raise the documents, and return (n, at, kept) of each name afterwards.
        """
        await raise_all(self.connection, "things", wanted, ("n", "at"), **more)
        found = await self.connection.documents(find("things", {}))
        there = {d["_id"]: (d["n"], d["at"], d["kept"]) for d in found}
        return [there[name] for name in NAMES if name in there]

    async def test_raised(self) -> None:
        """
        Each document rises to its own value, whatever its name is, and none falls;
        fields that are not raised stay.
        """
        await self.raised(documents(5, 2**40, 5, 5), new=NAMES)
        self.assertEqual(
            await self.raised(documents(7, 2**41, 3, 6, at=9)),
            [(7, 9, 5), (2**41, 9, 2**40), (5, 9, 5), (6, 9, 5)],
        )

    async def test_believed_new(self) -> None:
        """
        A document that was assumed missing, and that another client has created, is
        raised.
        """
        await self.raised(documents(5), new=NAMES)
        self.assertEqual(
            await self.raised(documents(7, 8, at=9), new=NAMES),
            [(7, 9, 5), (8, 9, 8)],
        )

    async def test_believed_there(self) -> None:
        """
        A document that was assumed present, and is missing, is created.
        """
        await self.raised(documents(5), new=NAMES)
        self.assertEqual(
            await self.raised(documents(7, 8, at=9)), [(7, 9, 5), (8, 9, 8)]
        )

    async def test_also(self) -> None:
        """
        A further field may follow from the document as it was and from what is wanted.
        """

        def kept(wanted: Any) -> dict[str, Any]:
            rises = {"$lt": ["$n", wanted("n")]}
            return {"kept": {"$cond": [rises, wanted("kept"), "$kept"]}}

        await self.raised(documents(5, 5, 5), new=NAMES)
        self.assertEqual(
            await self.raised(documents(4, 5, 6, 6, at=9), also=kept),
            [(5, 9, 5), (5, 9, 5), (6, 9, 6), (6, 9, 6)],
        )

    async def test_nothing(self) -> None:
        """
        An empty batch changes nothing.
        """
        self.assertEqual(await self.raised({}), [])
