"""
Tests of a database that is restored from an older copy below everybody, with a new
journal, so that only clients know of it.
"""

from __future__ import annotations

import asyncio
from typing import Any

from twisted.internet.defer import Deferred
from twisted.trial.unittest import TestCase

from tests.integration.device import Device
from tests.integration.letter_client import LetterClient
from tests.stack.cluster import Cluster
from tests.stack.mongo.places import client
from tests.stack.servers import kafka_address, needs, unique
from wsmsg.settings.urls.mongo import read_mongo_url

_SPEAKER, _READER = 1001, 1002
_NEW = [f"c{n}" for n in range(1, 7)]

_Copy = dict[str, list[dict[str, Any]]]


@needs("kafka", "mongo", "redis")
class RestoredTests(TestCase):
    """
    Two Messages on a database of which nobody said that it is an older copy.
    """

    timeout = 300

    def test_position(self) -> Deferred[None]:
        """
        The position of one client proves it after 15 s, though others have stored on
        meanwhile: a new epoch begins once, and nothing of what follows is missed.
        """
        return Deferred.fromFuture(asyncio.ensure_future(self.run_restored()))

    async def run_restored(self) -> None:
        cluster = self.cluster = Cluster(connects=1)
        reader = LetterClient(_READER)
        try:
            await cluster.start()
            await reader.connect(await self.dial(_READER))
            await self.say("a1", "a2")
            await reader.shows("a2")
            copy = await asyncio.to_thread(self.copied)
            await self.say("b1", "b2", "b3", "b4")
            await reader.shows("b4")
            await reader.close()
            await reader.connect(await self.dial(_READER))
            await reader.close()
            for daemon in cluster.daemons:
                await daemon.terminate()
            await asyncio.to_thread(self.restore, copy)
            self.begin_journal()
            await cluster.start()
            await self.say(*_NEW[:3])
            await reader.connect(await self.dial(_READER))
            await self.until_proved()
            await reader.close()
            await reader.connect(await self.dial(_READER))
            await self.say(*_NEW[3:])
            await reader.shows(*_NEW)
            texts = list(reader.shown.values())
            self.assertEqual([texts.count(text) for text in _NEW], [1] * 6)
            await reader.close()
            self.assertEqual(len(cluster.logged("begins a new epoch")), 1)
            self.assertEqual(cluster.tracebacks(), [])
        except BaseException:
            for daemon in cluster.daemons:
                print(f"--- {daemon.name}\n{daemon.tail()}")
            raise
        finally:
            await cluster.stop()

    async def dial(self, user: int) -> Device:
        """
        Return a connection.
        """
        return await Device.dial(self.cluster.url, self.cluster.token(user), user)

    async def say(self, *texts: str) -> None:
        """
        Have messages to the reader accepted.
        """
        device = await self.dial(_SPEAKER)
        await device.greet()
        for text in texts:
            await device.send_until_accepted(_READER, f"{text}-id", text)
        await device.close()

    async def until_proved(self) -> None:
        """
        Wait until one of the Messages says that the position proves it.
        """
        said = "as the position of a client proves"
        waiting = [
            asyncio.ensure_future(message.until_logged(said))
            for message in self.cluster.messages
        ]
        done, others = await asyncio.wait(waiting, return_when=asyncio.FIRST_COMPLETED)
        for other in others:
            other.cancel()
        for one in done:
            self.assertIn("begins a new epoch", one.result())

    def copied(self) -> _Copy:
        """
        Return all documents of the database.
        """
        url = read_mongo_url(self.cluster.store)
        with client(url) as asked:
            database = asked[url.database]
            names = database.list_collection_names()
            return {name: list(database[name].find()) for name in names}

    def restore(self, copy: _Copy) -> None:
        """
        Put these documents in the place of all.
        """
        url = read_mongo_url(self.cluster.store)
        with client(url) as asked:
            database = asked[url.database]
            for name in database.list_collection_names():
                database[name].delete_many({})
                if copy.get(name):
                    database[name].insert_many(copy[name])

    def begin_journal(self) -> None:
        """
        Give the Messages a topic that knows nothing of the earlier one.
        """
        name = unique("restored")
        for message in self.cluster.messages:
            message.extra["journal"] = f"kafka://{kafka_address()}/{name}"
            message.extra["kafka.group"] = name
            message.extra["kafka.dead_letters"] = f"{name}.dead-letters"
