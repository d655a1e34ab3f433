"""
The durability of a real server, as it tells of it, and of each write.
"""

from __future__ import annotations

from typing import Any

from twisted.internet.defer import Deferred
from twisted.logger import capturedLogs
from twisted.trial.unittest import TestCase

from tests.doubles import up
from tests.message.sqlite_paths import REACTOR
from tests.message.store.cursor_contract import said
from tests.message.store.group_contract import changed, made
from tests.message.store.inserts import insert_into
from tests.stack.mongo.places import MongoPlace, mongo_store_at
from tests.stack.servers import needs
from wsmsg.dependency.alarms import Alarms
from wsmsg.message.store.durability import STORE_DURABILITY, look_up_deployment
from wsmsg.message.store.mongo.connection import MongoConnection
from wsmsg.model import Cursor, Mark

_WRITES = {"insert", "update", "delete", "findAndModify"}


@needs("mongo")
class DurabilityTests(TestCase):
    """
    The shared server, a replica set of one member.
    """

    def setUp(self) -> None:
        self.alarms = Alarms()
        self.place = MongoPlace(self)

    def reason(self) -> str:
        named = {a.name: a.reason for a in self.alarms.current}
        return named.get(STORE_DURABILITY, "")

    async def test_one_member(self) -> None:
        """
        A store on one server is used, and the alarm says what is wanted.
        """
        store = mongo_store_at(self.place.url, alarms=self.alarms)
        self.addCleanup(store.stop)
        await up(store)
        self.assertIn("wanted 2 members or more", self.reason())
        self.assertEqual(await insert_into(store, [], 5), [])

    async def test_strict(self) -> None:
        """
        With C{mongo.strict}, the store stays away, with the reason.
        """
        failed: Deferred[None] = Deferred()

        def retry(failures: int) -> float:
            if failures == 1:
                REACTOR.callLater(0, failed.callback, None)
            return 0.01

        place, alarms = self.place.url, self.alarms
        store = mongo_store_at(place, alarms=alarms, strict=True, retry=retry)
        self.addCleanup(store.stop)
        store.start()
        await failed
        self.assertFalse(store.dependency.up)
        why = store.dependency.snapshot().last_error
        self.assertIn("mongo.strict refuses: the majority", why)

    async def test_unknown_commands(self) -> None:
        """
        A command that the server does not know is a refusal, and loses nothing.
        """
        store = mongo_store_at(self.place.url)
        self.addCleanup(store.stop)
        await up(store)
        connection = store._connection

        async def ask(command: dict[str, Any]) -> Any:
            if "hello" not in command:
                command = {f"{next(iter(command))}Unknown": 1}
            return await connection.ask(command)

        with capturedLogs() as logs:
            found = await look_up_deployment(ask)
        self.assertEqual(len(found.untold), 2)
        self.assertTrue(found.hello["setName"])
        self.assertTrue(store.dependency.up)
        self.assertEqual(logs, [])

    async def test_every_write(self) -> None:
        """
        Each write asks for a majority and its journals, whatever the defaults are.
        """
        asked: list[dict[str, Any]] = []
        say = MongoConnection._send

        async def noted(way: Any, pool: Any, command: Any, *more: Any) -> Any:
            asked.append(command)
            return await say(way, pool, command, *more)

        self.patch(MongoConnection, "_send", noted)
        store = await self.place.open()
        group = [made(2, 3), changed(2, add=(4,)), changed(3, remove=(3,))]
        await insert_into(store, [said(1), said(2), *group], 5)
        await insert_into(store, [said(2), said(3)], 5)
        await store.apply(group)
        await store.move_cursors([Cursor("u:1:2", 2, 1, 1)])
        await store.mark([Mark(2, 0, "u:1:2", 3)])
        await store.renew_epoch(store.epoch)
        writes = [c for c in asked if next(iter(c)) in _WRITES]
        self.assertGreater(len(writes), 5)
        for command in writes:
            safe = {"w": "majority", "j": True}
            self.assertEqual(command.get("writeConcern"), safe, command)
