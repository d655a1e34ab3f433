"""
An upgrade from an earlier version, and the way back, with real daemons of both.
"""

from __future__ import annotations

import asyncio
import shutil
import sqlite3
import subprocess
from collections.abc import Sequence
from contextlib import closing
from pathlib import Path
from unittest import SkipTest

from tests.asyncio_case import AsyncioCase
from tests.integration.cases import eventually
from tests.integration.installation import DaemonProcess, Installation
from tests.test_packaging import server
from tests.wheels import Environment, environ, environment, wheels_at
from wsmsg_client import Client, MessageReceived, Reconnect

#: Version 0.1.0, whose files are those of this version.
RELEASE = "20fa262aaa2b5786faa170f3fac343c864062cb7"
#: A version of which this one upgrades the store.
OLDER_STORE = "f998dbc99e5a9730526e8773692cfeca65bf7110"

ANNA, BEN = 1001, 1002
_BOTH = f"u:{ANNA}:{BEN}"


class Talk:
    """
    Two users who write to each other, whatever becomes of the daemons.

    @ivar heard: what Ben was given of Anna's, in order.
    @ivar sent: what Anna sent, in order.
    """

    def __init__(self, installation: Installation) -> None:
        self.heard: list[str] = []
        self.sent: list[str] = []
        self._total = 0
        reconnect = Reconnect(installation.url, first_s=0.1, cap_s=0.2)
        self.anna, self.ben = (
            Client(
                installation.url,
                installation.token(user),
                "phone",
                reconnect=reconnect,
            )
            for user in (ANNA, BEN)
        )
        self.anna.start()
        self._hearing = asyncio.create_task(self._hear())

    async def say(self, what: str, count: int = 40) -> None:
        """
        Have both send messages, and wait until all are accepted.
        """
        own = [f"{what} {n}" for n in range(count)]
        self.sent += own
        self._total += 2 * count
        async with asyncio.timeout(90):
            await asyncio.gather(
                *(self.anna.send(BEN, text) for text in own),
                *(self.ben.send(ANNA, f"{text} of Ben") for text in own),
            )

    async def stored(self) -> None:
        """
        Wait until everything is stored.
        """

        async def all_there() -> bool:
            return len(await self.contents()) >= self._total

        await eventually("stored", all_there)

    async def contents(self) -> list[str]:
        """
        Return all texts that the server has, of both.
        """
        return [
            message.content
            async for message in self.anna.history(_BOTH)
            if isinstance(message, MessageReceived)
        ]

    async def close(self) -> None:
        """
        Close both clients.
        """
        await asyncio.gather(self.anna.close(), self.ben.close())
        await self._hearing

    async def _hear(self) -> None:
        self.ben.start()
        async for event in self.ben.events():
            if isinstance(event, MessageReceived) and not event.mine:
                self.heard.append(event.content)


class UpgradeCase(AsyncioCase):
    """
    An installation that runs an earlier version at first.
    """

    async def begin(self, commit: str) -> None:
        """
        Start both daemons as they were at a commit, and two users.
        """
        # The event loop is not kept waiting by pip.
        earlier = await asyncio.to_thread(wheels_at, commit)
        if not earlier:
            raise SkipTest(f"the history has no commit {commit}")
        name = f"old-{commit[:8]}"
        self.old = await asyncio.to_thread(environment, name, *earlier)
        self.new = await asyncio.to_thread(server)
        self.installation = Installation()
        self.addAsyncCleanup(self.installation.stop)
        self.message, self.connect = self.installation.daemons
        for daemon in self.installation.daemons:
            daemon.commands, daemon.environ = self.old.commands, environ()
            daemon.extra.pop("ready.turn_s", None)  # which no earlier version knows
        await self.installation.start()
        self.talk = Talk(self.installation)
        self.addAsyncCleanup(self.talk.close)

    async def exchange(
        self, daemon: DaemonProcess, to: Environment, *, killed: bool = False
    ) -> None:
        """
        Stop a daemon, and start it in another version.
        """
        if killed:
            await daemon.kill()
        else:
            self.assertEqual(await daemon.terminate(), 0)
        daemon.commands = to.commands
        await daemon.start()
        await daemon.ready()

    async def nothing_lost(self) -> None:
        """
        Check that each message is in the history once, and that Ben was given Anna's
        once each, in order.
        """
        await self.talk.stored()
        found = await self.talk.contents()
        self.assertEqual(len(found), len(set(found)))
        self.assertEqual([t for t in found if "of Ben" not in t], self.talk.sent)
        await eventually("heard", lambda: len(self.talk.heard) >= len(self.talk.sent))
        self.assertEqual(self.talk.heard, self.talk.sent)
        self.assertEqual(self.installation.tracebacks(), [])


class ReleaseTests(UpgradeCase):
    """
    Version 0.1.0 and this one.
    """

    async def test_there_and_back(self) -> None:
        """
        Message is exchanged first, then Connect, while users write; both versions work
        with each other meanwhile.  The way back is to restart Connect, then Message, as
        the files are the same.  A Message that is killed, with what was accepted in its
        journal, goes on in the other version.  Nothing is lost or doubled.
        """
        await self.begin(RELEASE)
        await self.talk.say("old Message, old Connect")
        for what, daemon, to, killed in (
            ("new Message, old Connect", self.message, self.new, False),
            ("new Message, new Connect", self.connect, self.new, False),
            ("new Message, old Connect again", self.connect, self.old, False),
            ("old Message, old Connect again", self.message, self.old, False),
            ("new Message after a crash", self.message, self.new, True),
            ("old Message after a crash", self.message, self.old, True),
        ):
            exchange = self.exchange(daemon, to, killed=killed)
            await asyncio.gather(exchange, self.talk.say(f"until {what}"))
            await self.talk.say(what)
        await self.nothing_lost()


class OlderStoreTests(UpgradeCase):
    """
    A version whose store this one upgrades.
    """

    async def test_there(self) -> None:
        """
        The store is upgraded when the new Message opens it, and has everything.
        """
        await self.begin(OLDER_STORE)
        await self.talk.say("before")
        await asyncio.gather(
            self.exchange(self.message, self.new), self.talk.say("meanwhile")
        )
        await self.exchange(self.connect, self.new)
        await self.talk.say("after")
        await self.nothing_lost()

    async def test_there_after_a_crash(self) -> None:
        """
        A Message that is killed leaves messages that it accepted in its journal.  The
        new one, which has none, stores them first, and removes the file when it stops.
        """
        await self.begin(OLDER_STORE)
        await self.talk.say("before")
        crash = self.exchange(self.message, self.new, killed=True)
        await asyncio.gather(crash, self.talk.say("meanwhile"))
        await self.exchange(self.connect, self.new)
        await self.talk.say("after")
        await self.nothing_lost()
        data = self.installation.folder / "data"
        self.assertTrue((data / "journal.db").exists())
        self.assertEqual(await self.message.terminate(), 0)
        self.assertEqual([*data.glob("journal.db*")], [])

    async def test_back(self) -> None:
        """
        The older version refuses the upgraded files with a line that says why.  With
        the backup and C{wsmsg store restored} it serves again, and the clients bring
        back their messages since then, once each.
        """
        await self.begin(OLDER_STORE)
        await self.talk.say("before")
        await self.talk.stored()
        data = self.installation.folder / "data"
        backup = self.installation.folder / "backup"
        _back_up(data, backup)
        await self.exchange(self.message, self.new)
        await self.exchange(self.connect, self.new)
        await self.talk.say("after")
        await self.talk.stored()

        await self.connect.terminate()
        await self.message.terminate()
        self.message.commands = self.connect.commands = self.old.commands
        await self.message.start()
        self.assertNotEqual(await self.message.wait(), 0)
        await self.message.until_logged("was written by a newer wsmsg")

        at = ("--data-dir", str(data))
        export = self.installation.folder / "store.jsonl"
        _wsmsg(self.new, "export", *at, str(export))
        self.assertIn("after 39 of Ben", export.read_text())
        for left in [*data.glob("*.db-wal"), *data.glob("*.db-shm")]:
            left.unlink()
        for copy in backup.iterdir():
            shutil.copy(copy, data)
        _wsmsg(self.old, "store", "restored", *at)
        await self.message.start()
        await self.connect.start()
        await self.talk.stored()
        found = await self.talk.contents()
        self.assertEqual(len(found), len(set(found)))
        self.assertEqual({t for t in found if "of Ben" not in t}, {*self.talk.sent})


def _back_up(data: Path, backup: Path) -> None:
    """
    Copy both databases while Message runs, as the how-to says.
    """
    backup.mkdir()
    for name in ("journal.db", "store.db"):
        with (
            closing(sqlite3.connect(data / name)) as source,
            closing(sqlite3.connect(backup / name)) as copy,
        ):
            source.backup(copy)


def _wsmsg(version: Environment, *arguments: str) -> Sequence[str]:
    done = subprocess.run(
        [str(version.commands / "wsmsg"), *arguments],
        check=False,
        env=environ(),
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=120,
    )
    if done.returncode:
        raise AssertionError(f"{arguments}: {done.stdout}{done.stderr}")
    return done.stdout.splitlines()
