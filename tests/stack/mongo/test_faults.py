"""
Tests of the store with a MongoDB that is slow, gone, protected or shared.
"""

from __future__ import annotations

from typing import Any

from twisted.internet.defer import Deferred, gatherResults
from twisted.internet.threads import deferToThread
from twisted.trial.unittest import TestCase

from tests.doubles import up
from tests.message.store.cursor_contract import said
from tests.message.store.group_contract import changed, made
from tests.message.store.inserts import changed_conversations, insert_into
from tests.stack.mongo.places import client, drop, mongo_store_at
from tests.stack.servers import (
    GUEST,
    PASSWORD,
    USER,
    mongo_url,
    needs,
    own_mongo,
    unique,
)
from wsmsg.dependency.cause import Cause
from wsmsg.dependency.state import State
from wsmsg.errors import Unavailable
from wsmsg.message.store.interface import HeadRow, Outcome
from wsmsg.message.store.mongo.connection import MongoConnection
from wsmsg.message.store.mongo.store import MongoStore
from wsmsg.model import Message
from wsmsg.settings.urls.mongo import MongoUrl, read_mongo_url

LIMIT_S = 30


def becomes(store: MongoStore, up: bool) -> Deferred[None]:
    """
    Wait for the store.

    @return: a Deferred that fires when the store is up, or down.
    """
    told: Deferred[None] = Deferred()

    def look(_: object = None) -> None:
        if store.dependency.up is up and not told.called:
            told.callback(None)

    store.dependency.on_change(look)
    look()
    return told


def fails(store: MongoStore) -> Deferred[str]:
    """
    Wait for a failed attempt.

    @return: a Deferred that fires with the reason.
    """
    told: Deferred[str] = Deferred()
    failed = store.dependency.failed

    def noted(reason: str, delay_s: float | None, cause: Cause) -> None:
        failed(reason, delay_s, cause)
        if not told.called:
            told.callback(reason)

    store.dependency.failed = noted  # type: ignore[method-assign, assignment]
    return told


class Stores(TestCase):
    """
    Base class with stores that stop with the test.
    """

    timeout = LIMIT_S

    def store_at(self, url: MongoUrl) -> MongoStore:
        store = mongo_store_at(url)
        self.addCleanup(store.stop)
        return store

    async def reason(self, url: MongoUrl) -> str:
        """
        Return the reason why a store at this URL does not come up.
        """
        store = self.store_at(url)
        failed = fails(store)
        store.start()
        told = await failed
        self.assertFalse(store.dependency.up)
        self.assertIn(told, store.dependency.snapshot().last_error)
        return told


@needs("mongo")
class LossTests(Stores):
    """
    A server that dies, or does not answer.
    """

    async def test_killed_under_load(self) -> None:
        """
        A server is killed while messages are stored, and restarted: no message reported
        as stored is missing, no number is skipped, and the store goes down and up
        without a restart.
        """
        own = await own_mongo(self)
        store = self.store_at(read_mongo_url(f"mongodb://{own.address}/db"))
        await up(store)
        stored: list[Message] = []
        dead: Deferred[None] = Deferred()
        writing = Deferred.fromCoroutine(self._write(store, stored, dead))
        await dead
        own.kill()
        await becomes(store, False)
        with self.assertRaises(Unavailable):
            await store.heads(["u:1:2"])
        await own.start()
        await becomes(store, True)
        await writing
        messages, head = await store.page("u:1:2", 0, 100_000)
        self.assertEqual([m.seq for m in messages], list(range(1, head + 1)))
        self.assertEqual(messages[: len(stored)], stored)
        self.assertGreater(len(stored), 100)
        self.assertGreaterEqual(store.dependency.snapshot().losses, 1)
        more = said(head + 1)
        self.assertEqual(await insert_into(store, [more], 9), [Outcome.INSERTED])

    async def _write(
        self, store: MongoStore, stored: list[Message], dead: Deferred[None]
    ) -> None:
        # Send until a call fails; its messages may be stored or not.
        while True:
            first = len(stored) + 1
            batch = [said(i) for i in range(first, first + 20)]
            try:
                outcomes = await insert_into(store, batch, 5)
            except Unavailable:
                return
            if outcomes[0] is Outcome.REPEATED:
                # Stored by the first of two attempts, whose answer was lost.
                self.assertTrue(dead.called)
                return
            self.assertEqual(outcomes, [Outcome.INSERTED] * 20)
            stored += batch
            if len(stored) > 100 and not dead.called:
                dead.callback(None)

    async def test_restarted(self) -> None:
        """
        After a quick restart of the server the next call succeeds, or the store is up
        again soon.
        """
        own = await own_mongo(self)
        store = self.store_at(read_mongo_url(f"mongodb://{own.address}/db"))
        await up(store)
        await insert_into(store, [said(1)], 5)
        own.kill()
        await own.start()
        await becomes(store, True)
        try:
            heads = await store.heads(["u:1:2"])
        except Unavailable:
            await becomes(store, True)
            heads = await store.heads(["u:1:2"])
        self.assertEqual(heads, {"u:1:2": 1})

    async def test_silent(self) -> None:
        """
        A server that accepts connections and never answers is reported as such, for a
        call in progress and for a store that starts; both come up when it answers
        again.
        """
        own = await own_mongo(self)
        url = read_mongo_url(f"mongodb://{own.address}/db?timeoutMS=700")
        store = self.store_at(url)
        await up(store)
        own.suspend()
        with self.assertRaises(Unavailable) as caught:
            await insert_into(store, [said(1)], 5)
        self.assertIn("within 0.7 s", caught.exception.reason)
        self.assertFalse(store.dependency.up)
        self.assertIn("0.7 s", await self.reason(url))
        own.resume()
        await becomes(store, True)
        outcome = await insert_into(store, [said(1)], 5)
        self.assertIn(outcome, ([Outcome.INSERTED], [Outcome.REPEATED]))

    async def test_nobody_there(self) -> None:
        """
        A refused connection is reported at once, with the address.
        """
        told = await self.reason(read_mongo_url("mongodb://127.0.0.1:1/db"))
        self.assertRegex(told, "127.0.0.1:1/db.*refused")

    async def test_stop_while_it_is_away(self) -> None:
        """
        A store whose server never answered stops at once.
        """
        own = await own_mongo(self)
        own.suspend()
        store = self.store_at(read_mongo_url(f"mongodb://{own.address}/db"))
        store.start()
        await store.stop()
        self.assertIs(store.dependency.state, State.STOPPED)


@needs("mongo")
class LoginTests(Stores):
    """
    Authentication and rights.
    """

    async def test_users(self) -> None:
        """
        A user with rights is served; a wrong password, an unknown user, a missing login
        and missing rights are reported as different problems, with the user's name and
        without the password.
        """
        own = await own_mongo(self, with_users=True)

        def at(login: str) -> MongoUrl:
            return read_mongo_url(f"mongodb://{login}{own.address}/db?authSource=admin")

        store = self.store_at(at(f"{USER}:{PASSWORD}@"))
        await up(store)
        self.assertEqual(await insert_into(store, [said(1)], 5), [Outcome.INSERTED])
        for login, reason in (
            (f"{USER}:wr0ng@", f"refuses the login of '{USER}'"),
            (f"stranger:{PASSWORD}@", "refuses the login of 'stranger'"),
            (f"{GUEST}:{PASSWORD}@", f"{GUEST} has no right to update meta"),
            ("", "nobody has no right to update meta"),
        ):
            told = await self.reason(at(login))
            self.assertIn(reason, told)
            self.assertNotIn("wr0ng", told)
            self.assertNotIn(PASSWORD, told.replace(login.partition(":")[0], ""))

    async def test_no_right_to_indexes(self) -> None:
        """
        A user without the right to create indexes is told so, and the store comes up
        without a restart once the right is given.
        """
        denied = True
        say = MongoConnection._send

        async def said_no(way: Any, pool: Any, command: Any, *more: Any) -> Any:
            # The test server has no such rights, so this is MongoDB's own error.
            if denied and "createIndexes" in command:
                told = "not authorized on db to execute command"
                reply = {"ok": 0.0, "code": 13, "errmsg": told}
                way._check(command, reply)
            return await say(way, pool, command, *more)

        self.patch(MongoConnection, "_send", said_no)
        own = await own_mongo(self, with_users=True)
        login = f"{USER}:{PASSWORD}@{own.address}"
        store = self.store_at(read_mongo_url(f"mongodb://{login}/db?authSource=admin"))
        failed = fails(store)
        store.start()
        self.assertIn(f"{USER} has no right to createIndexes messages", await failed)
        with self.assertRaises(Unavailable):
            await insert_into(store, [said(1)], 5)
        denied = False
        await becomes(store, True)
        self.assertEqual(await insert_into(store, [said(1)], 5), [Outcome.INSERTED])

    async def test_tls(self) -> None:
        """
        With TLS the store trusts only the authority in its URL.
        """
        own = await own_mongo(self, with_tls=True)
        store = self.store_at(read_mongo_url(own.server.url))
        await up(store)
        self.assertEqual(await insert_into(store, [said(1)], 5), [Outcome.INSERTED])
        told = await self.reason(read_mongo_url(f"mongodb://{own.address}/?tls=true"))
        self.assertIn("certificate verify failed", told)


class SharedStores(Stores):
    """
    Several stores with one database.
    """

    def setUp(self) -> None:
        self.url = read_mongo_url(mongo_url(unique("store")))
        self.addCleanup(drop, self.url)

    async def two(self) -> tuple[MongoStore, MongoStore]:
        stores = self.store_at(self.url), self.store_at(self.url)
        for store in stores:
            await up(store)
        return stores

    async def in_database(self, collection: str, **command: Any) -> None:
        """
        Change the database without the store.
        """

        def run() -> None:
            with client(self.url) as asked:
                asked[self.url.database][collection].update_one(
                    command["q"], command["u"]
                )

        await deferToThread(run)


@needs("mongo")
class SharedTests(SharedStores):
    """
    Several Messages with one database, and the unfinished work of one that died.
    """

    async def test_race(self) -> None:
        """
        Two Messages that number the same conversation at once store all messages of
        both, with no number skipped and each in its order.
        """
        stores = await self.two()
        await gatherResults(
            [
                Deferred.fromCoroutine(self._fill(store, name))
                for store, name in zip(stores, "ab", strict=True)
            ]
        )
        messages, head = await stores[0].page("u:1:2", 0, 1000)
        self.assertEqual(head, 200)
        self.assertEqual([m.seq for m in messages], list(range(1, 201)))
        for name in "ab":
            mine = [m.client_id for m in messages if m.client_id[0] == name]
            self.assertEqual(mine, [f"{name}{i}" for i in range(100)])

    async def _fill(self, store: MongoStore, name: str) -> None:
        done = 0
        while done < 100:
            head = (await store.heads(["u:1:2"]))["u:1:2"]
            some = range(done, min(done + 10, 100))
            batch = [said(head + n, f"{name}{i}") for n, i in enumerate(some, 1)]
            outcomes = await insert_into(store, batch, 5)
            count = outcomes.count(Outcome.INSERTED)
            self.assertEqual(outcomes[:count], [Outcome.INSERTED] * count)
            done += count

    async def test_groups_race(self) -> None:
        """
        Two Messages that apply the same events at once store the same members.
        """
        stores = await self.two()
        events = [made(2, 3), changed(2, add=[4], remove=[2]), changed(3, add=[2])]
        await insert_into(stores[0], events, 5)
        await gatherResults([s.apply(events) for s in stores for _ in range(3)])
        keys = [("g:77", user) for user in range(1, 5)]
        self.assertEqual(
            await stores[1].readable_from(keys),
            {("g:77", 1): 1, ("g:77", 2): 3, ("g:77", 3): 1, ("g:77", 4): 2},
        )

    async def test_died_between_two_writes(self) -> None:
        """
        If a process died after it stored messages and before it updated their
        conversation, the head is right at once; when the records are read again, the
        conversation has changed again.
        """
        store, _ = await self.two()
        batch = [said(i) for i in (1, 2, 3)]
        await insert_into(store, batch[:1], 5)
        await insert_into(store, batch[1:], 6)
        await self.in_database(
            "conversations", q={"_id": "u:1:2"}, u={"$set": {"head": 1, "updated": 5}}
        )
        self.assertEqual(await store.heads(["u:1:2"]), {"u:1:2": 3})
        self.assertEqual((await store.page("u:1:2", 0, 2))[1], 3)
        _, position = await changed_conversations(store, 1)
        again = [m.numbered(m.seq + 2) for m in batch[1:]]
        outcomes = await insert_into(store, again, 50)
        self.assertEqual(outcomes, [Outcome.REPEATED, Outcome.SKIPPED])
        row = HeadRow("u:1:2", 3, 50, 103)
        page = await store.conversations_of(1, position, 9)
        self.assertEqual(page.rows, [row])
        await insert_into(store, again, 90)
        page = await store.conversations_of(1, page.position, 9)
        self.assertEqual(page.rows, [row])

    async def test_newer_database(self) -> None:
        """
        A database of a newer version is left untouched.
        """
        await self.two()
        await self.in_database("meta", q={"_id": "store"}, u={"$set": {"version": 3}})
        self.assertIn("another version of wsmsg", await self.reason(self.url))
