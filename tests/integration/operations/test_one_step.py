"""
A Message whose store is the log: what an earlier version left in its journal, a store
that cannot be written, and a push that is lost with Message.
"""

from __future__ import annotations

import asyncio
import json
import sqlite3
import sys
from contextlib import closing
from pathlib import Path
from typing import Any

from tests.conformance.contract import DEBUG_TOKEN
from tests.conformance.peer_client import ScriptedClient
from tests.integration.cases import IntegrationTestCase, eventually, with_daemons
from tests.integration.installation import (
    DaemonProcess,
    Installation,
    free_ports,
    http_post,
)
from wsmsg.message.journal.record import encode
from wsmsg.message.journal.sqlite.file import JournalFile
from wsmsg.model import Message, conversation_of
from wsmsg.protocol import client_pb2 as pb
from wsmsg.prove.clients.raw import RawClient
from wsmsg.prove.faults.proxy import Proxy


class OldJournalTests(IntegrationTestCase):
    """
    The first start after an upgrade from a version with an embedded journal.
    """

    alone = True

    def left(self, sender: int, to: int, n: int, *more: bytes) -> Path:
        """
        Leave a journal with messages that were accepted, and with further records.
        """
        data = self.installation.folder / "data"
        data.mkdir()
        file = data / "journal.db"
        conversation = conversation_of(sender, to)
        records = [
            encode(Message(conversation, sender, f"old-{i}", i + 1, f"{i}", 1, 1000))
            for i in range(n)
        ]
        journal = JournalFile(str(file))
        journal.open()
        journal.append(records, 0)
        journal.append(more, 0) if more else None
        journal.close()
        return file

    def contents(self, client: RawClient, other: int) -> list[str]:
        taken = client.taken[conversation_of(client.user, other)]
        return [message.content for message in taken]

    async def command(self, *arguments: str) -> Any:
        """
        Run C{wsmsg dead-letters}, and return what it prints as JSON.
        """
        admin = f"http://127.0.0.1:{self.installation.message.port('admin_listen')}"
        ran = await asyncio.create_subprocess_exec(
            *(str(Path(sys.executable).parent / "wsmsg"), "dead-letters", *arguments),
            *("--message-admin", admin, "--json"),
            *("--key-file", str(self.installation.message.admin_key)),
            stdout=asyncio.subprocess.PIPE,
        )
        out, _ = await ran.communicate()
        return json.loads(out)

    @with_daemons
    async def test_drained(self) -> None:
        """
        Messages that were accepted into the journal come first, in their order, and new
        ones after them.  The file is gone when Message has stopped.
        """
        one, two = self.user(), self.user()
        file = self.left(one, two, 300)
        message = self.installation.message
        await self.installation.start()
        person, sender = self.person(two), await self.device(one)
        await sender.send_until_accepted(two, "new", "new")
        await person.until_taken(conversation_of(one, two), 301)
        wanted = [*map(str, range(300)), "new"]
        self.assertEqual(self.contents(person, one), wanted)
        self.assertEqual(person.problems, [])
        # A repeat from before the upgrade is still the same message.
        answer = await sender.send(two, "old-7", "7")
        self.assertEqual(answer.time, 1000)
        answer = await sender.send(two, "old-7", "another")
        self.assertEqual(answer.code, "conflict")
        self.assertEqual(await message.terminate(), 0)
        self.assertEqual(list(file.parent.glob("journal.db*")), [])
        await message.start()
        await message.ready()
        await sender.send_until_accepted(two, "later", "later")
        await person.until_taken(conversation_of(one, two), 302)
        self.assertEqual(list(file.parent.glob("journal.db*")), [])

    @with_daemons
    async def test_killed(self) -> None:
        """
        A Message that is killed while it empties the journal loses nothing, and stores
        nothing twice.
        """
        one, two = self.user(), self.user()
        self.left(one, two, 4000)
        message = self.installation.message
        store = self.installation.folder / "data" / "store.db"

        def some_are_stored() -> bool:
            try:
                with closing(sqlite3.connect(f"file:{store}?mode=ro", uri=True)) as db:
                    [(n,)] = db.execute("SELECT count(*) FROM messages")
            except sqlite3.Error:
                return False
            return bool(n)

        await message.start()
        await eventually("stored", some_are_stored)
        await message.kill()
        await self.installation.start()
        person = self.person(two)
        await person.until_taken(conversation_of(one, two), 4000)
        self.assertEqual(self.contents(person, one), [str(i) for i in range(4000)])
        self.assertEqual(person.problems, [])

    @with_daemons
    async def test_dead_letters(self) -> None:
        """
        Its dead letters are listed and replayed as before, and keep the file.
        """
        one, two = self.user(), self.user()
        text = Message(conversation_of(one, two), one, "x", 9, "said", 1, 1000)
        letter = encode(text).replace(b"\x08\x01", b"\x08\x02", 1)  # a newer version
        file = self.left(one, two, 1, letter)
        message = self.installation.message
        await self.installation.start()

        async def listed() -> bool:
            return bool((await self.command("list"))["dead_letters"])

        await eventually("a dead letter", listed)
        [found] = (await self.command("list"))["dead_letters"]
        self.assertIn("version 2", found["reason"])
        self.assertEqual(await message.terminate(), 0)
        self.assertTrue(file.exists())
        # An operator repairs it; a newer version would read it as it is.
        with closing(sqlite3.connect(file)) as db:
            db.execute("UPDATE dead_letters SET value = ?", (encode(text),))
            db.commit()
        await message.start()
        await message.ready()
        person = self.person(two)
        self.assertEqual((await self.command("replay", "--all"))["missing"], [])
        await person.until_taken(conversation_of(one, two), 2)
        self.assertEqual(self.contents(person, one), ["0", "said"])
        self.assertEqual(await message.terminate(), 0)
        self.assertFalse(file.exists())


class LockedStoreTests(IntegrationTestCase):
    """
    Another program has locked the file of the store.
    """

    alone = True

    @with_daemons
    async def test_locked(self) -> None:
        """
        Sends are refused with the reason and a hint, the log and the health say why,
        and all goes on when the lock is gone; nothing that was refused is delivered
        twice.
        """
        message = self.installation.message
        await self.installation.start()
        one, two = self.user(), self.user()
        device, person = await self.device(one), self.person(two)
        await device.send_until_accepted(two, "before", "before")
        store = self.installation.folder / "data" / "store.db"
        with closing(sqlite3.connect(store, isolation_level=None)) as other:
            other.execute("BEGIN IMMEDIATE")
            for n in range(3):
                answer = await device.send(two, f"id-{n}", f"text {n}")
                assert isinstance(answer, pb.Rejected)
                self.assertEqual(answer.code, "unavailable")
                self.assertGreater(answer.retry_after_ms, 0)
            await message.ready(wanted=False)
            await message.until_logged("database is locked")
            other.execute("ROLLBACK")
        await message.ready()
        for n in range(3):
            await device.send_until_accepted(two, f"id-{n}", f"text {n}")
        taken = await person.until_taken(conversation_of(one, two), 4)
        self.assertEqual(
            [m.content for m in taken], ["before", "text 0", "text 1", "text 2"]
        )
        self.assertEqual(person.problems, [])


class TwoConnects(Installation):
    """
    One Message, and two Connects that reach it by a proxy.

    @ivar second: the other Connect.
    """

    def __init__(self, upstream: int, message: int) -> None:
        super().__init__(connect={"token.debug_token": DEBUG_TOKEN}, upstream=upstream)
        self.ports["message.rpc_listen"] = message
        ports = free_ports(3)
        names = ("listen", "rpc_listen", "admin_listen")
        others = {f"connect-2.{n}": p for n, p in zip(names, ports, strict=True)}
        others["upstream"] = upstream
        extra = {"token.debug_token": DEBUG_TOKEN, "node": "connect-2"}
        self.second = DaemonProcess("connect-2", self.folder, others, extra)

    @property
    def daemons(self) -> list[DaemonProcess]:
        return [self.message, self.connect, self.second]

    @property
    def urls(self) -> list[str]:
        port = self.second.port("listen")
        return [self.url, f"ws://127.0.0.1:{port}/api/v1/connect/ws"]


class LostPushTests(IntegrationTestCase):
    """
    A Message that dies between the store and the push.
    """

    alone = True

    @with_daemons
    async def test_sessions_sync(self) -> None:
        """
        The message is not pushed again, and every session of every Connect has it soon
        all the same, also one that speaks the legacy protocol: the next Message is
        another incarnation, so they sync.
        """
        [rpc] = free_ports(1)
        proxy = await Proxy.open(rpc)
        self.at_end(proxy.close)
        self.installation = installation = TwoConnects(proxy.port, rpc)
        await installation.start()
        one, two, three = self.user(), self.user(), self.user()
        people = []
        for url in installation.urls:
            client = RawClient([url], installation.token(two), two, f"at {url}")
            client.start()
            self.at_end(client.stop)
            people.append(client)
        old = ScriptedClient(three, installation.second.port("listen"))
        self.at_end(old.drop)
        await old.login()
        await self.say(one, two, "first")
        await self.say(one, three, "first")
        for client in people:
            await client.until_taken(conversation_of(one, two), 1)
        await old.expect("first")
        proxy.swallow()
        await self.say(one, two, "lost")
        await self.say(one, three, "lost")
        await installation.message.kill()
        proxy.reset_clients()
        proxy.forward()
        await installation.message.start()
        for client in people:
            taken = await client.until_taken(conversation_of(one, two), 2)
            self.assertEqual([m.content for m in taken], ["first", "lost"])
            self.assertEqual(client.problems, [])
        await old.expect("lost")
        self.assertEqual(old.texts(), ["first", "lost"])

    async def say(self, sender: int, to: int, content: str) -> None:
        """
        Have a message accepted by HTTP.
        """
        status, told = await http_post(
            self.installation.message.port("listen"),
            "/api/v1/messages",
            {
                "from": sender,
                "to": to,
                "client_id": f"{content}-{to}",
                "content": content,
            },
        )
        self.assertEqual(status, 201, told)
