"""
Tests of the topics that took the place of others, in a real database.
"""

from __future__ import annotations

from twisted.internet.defer import gatherResults
from twisted.trial.unittest import TestCase
from zope.interface.verify import verifyObject

from tests.stack.mongo.places import mongo_store
from tests.stack.servers import needs
from wsmsg.errors import Unavailable
from wsmsg.message.store.interface import ITopics


@needs("mongo")
class TopicsTests(TestCase):
    """
    The topics of a store.
    """

    async def setUp(self) -> None:  # type: ignore[override]
        place = mongo_store(self)
        self.topics = (await place.open()).topics
        self.others = (await place.open()).topics
        verifyObject(ITopics, self.topics)

    async def test_followed(self) -> None:
        """
        A topic is followed to the last one that has its place, by every process.
        """
        self.assertEqual(await self.topics.current("t"), "t")
        self.assertEqual(await self.topics.succeed("t", "t.2"), "t.2")
        self.assertEqual(await self.others.succeed("t.2", "t.3"), "t.3")
        self.assertEqual(await self.topics.current("t"), "t.3")
        self.assertEqual(await self.topics.current("t.2"), "t.3")
        self.assertEqual(await self.topics.current("another"), "another")

    async def test_once(self) -> None:
        """
        One of two that put a topic in the same place succeeds, and both are told which.
        """
        named = await gatherResults(
            [self.topics.succeed("t", "a"), self.others.succeed("t", "b")]
        )
        self.assertEqual(len(set(named)), 1)
        self.assertEqual(await self.topics.current("t"), named[0])

    async def test_circle(self) -> None:
        """
        Names that somebody put in a circle by hand are an error, and not an endless
        search.
        """
        await self.topics.succeed("a", "b")
        await self.topics.succeed("b", "a")
        with self.assertRaisesRegex(Unavailable, "follow itself"):
            await self.topics.current("a")
