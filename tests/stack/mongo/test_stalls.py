"""
A MongoDB that hangs.
"""

from __future__ import annotations

from typing import Any

from twisted.internet import reactor
from twisted.internet.task import deferLater

from tests.doubles import up
from tests.message.store.cursor_contract import said
from tests.message.store.inserts import insert_into
from tests.stack.mongo.test_faults import Stores, becomes
from tests.stack.servers import needs, own_mongo
from wsmsg.errors import Unavailable
from wsmsg.settings.urls.mongo import read_mongo_url

#: An alias with a type, which mypy cannot see in a module.
REACTOR: Any = reactor


@needs("mongo")
class StallTests(Stores):
    """
    Suspension of the server.
    """

    timeout = 120  # a server is started five times

    async def test_suspended(self) -> None:
        """
        A MongoDB that is suspended is not up within two seconds, and is up again, on
        the same connections, as soon as it goes on.
        """
        own = await own_mongo(self)
        store = self.store_at(read_mongo_url(f"mongodb://{own.address}/db"))
        await up(store)
        await insert_into(store, [said(1)], 5)
        begun_s = REACTOR.seconds()
        own.suspend()
        await becomes(store, False)
        self.assertLess(REACTOR.seconds() - begun_s, 2)
        self.assertIn("no answer within 1.25 s", store.dependency.snapshot().last_error)
        own.resume()
        await becomes(store, True)
        self.assertEqual(store.dependency.snapshot().attempts, 0)
        self.assertEqual(await store.heads(["u:1:2"]), {"u:1:2": 1})

    async def test_back_before_the_ping(self) -> None:
        """
        A ping that waits for a server that was killed says nothing of the server that
        came after it.
        """
        own = await own_mongo(self)
        store = self.store_at(read_mongo_url(f"mongodb://{own.address}/db"))
        await up(store)
        await insert_into(store, [said(1)], 5)
        for after_s in (0.1, 0.3, 0.5, 0.7, 0.9):
            # A ping a second is sent: before the kill, or in the second after it.
            await deferLater(REACTOR, after_s)
            own.kill()
            asked = store.heads(["u:1:2"])
            asked.addErrback(lambda failure: failure.trap(Unavailable))
            await asked
            await own.start()
            await becomes(store, True)
            await deferLater(REACTOR, 1.5)  # longer than that ping may take
            await becomes(store, True)
