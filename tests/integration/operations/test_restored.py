"""
Tests of an older copy of the data, which is restored below clients that have more.
"""

from __future__ import annotations

import asyncio
import shutil
import sys
from pathlib import Path

from tests.asyncio_case import listed
from tests.integration.cases import IntegrationTestCase, eventually, with_daemons
from tests.integration.device import PATIENCE_S
from wsmsg.client import Client, HistoryReplaced, MessageReceived
from wsmsg.model import conversation_of


def put_back(copy: Path, data: Path) -> None:
    """
    Put the copy in the place of the store.
    """
    for path in data.glob("store.db*"):
        path.unlink()
    shutil.copy(copy / "store.db", data / "store.db")


class Person:
    """
    A user with the Python client.

    @ivar texts: the contents that the program was given, in order.
    @ivar replaced: how often the history was replaced.
    """

    def __init__(self, client: Client) -> None:
        self.client = client
        self.texts: list[str] = []
        self.replaced = 0
        self._changed = asyncio.Condition()
        self._task = asyncio.get_event_loop().create_task(self._follow())

    async def _follow(self) -> None:
        async with self.client:
            async for event in self.client.events():
                if isinstance(event, MessageReceived):
                    self.texts.append(event.content)
                elif isinstance(event, HistoryReplaced):
                    self.replaced += 1
                async with self._changed:
                    self._changed.notify_all()

    async def has(self, *texts: str) -> None:
        """
        Wait until the program was given these messages.
        """
        async with asyncio.timeout(PATIENCE_S), self._changed:
            await self._changed.wait_for(lambda: set(texts) <= set(self.texts))

    async def noticed(self) -> None:
        """
        Wait until the program was told that the history was replaced.
        """
        async with asyncio.timeout(PATIENCE_S), self._changed:
            await self._changed.wait_for(lambda: self.replaced)

    async def end(self) -> None:
        self._task.cancel()
        await asyncio.gather(self._task, return_exceptions=True)


class RestoredTests(IntegrationTestCase):
    """
    Clients that have more than the store miss nothing of what comes next.
    """

    alone = True

    def person_of(self, user: int) -> Person:
        """
        Return a user with a client that connects again by itself.
        """
        installation = self.installation
        person = Person(
            Client(installation.url, installation.token(user), device=f"d{user}")
        )
        self.at_end(person.end)
        return person

    async def say(self, one: Person, to: int, *texts: str) -> None:
        """
        Have messages accepted.
        """
        for text in texts:
            await one.client.send(to, text)

    async def copied(self) -> tuple[Path, Path]:
        """
        Copy the data while Message is stopped, and return both folders.
        """
        data = self.installation.folder / "data"
        copy = self.installation.folder / "copy"
        await self.installation.message.terminate()
        shutil.copytree(data, copy)
        await self.installation.message.start()
        await self.installation.message.ready()
        return data, copy

    async def check(self, *, declared: bool) -> None:
        """
        Restore an older copy, say so or restart Connect too, and send on.
        """
        installation = self.installation
        await installation.start()
        first, second = self.user(), self.user()
        one, two = self.person_of(first), self.person_of(second)
        await self.say(one, second, "a1", "a2")
        await two.has("a1", "a2")
        data, copy = await self.copied()
        await self.say(one, second, "b1", "b2", "b3", "b4")
        await two.has("b4")
        await one.has("b4")
        if not declared:
            await installation.connect.terminate()
        await installation.message.terminate()
        put_back(copy, data)
        if declared:
            command = [str(Path(sys.executable).parent / "wsmsg"), "store", "restored"]
            ran = await asyncio.create_subprocess_exec(
                *command,
                "--data-dir",
                str(data),
                stdout=asyncio.subprocess.PIPE,
                stderr=asyncio.subprocess.STDOUT,
            )
            told, _ = await ran.communicate()
            self.assertEqual(ran.returncode, 0, told)
            self.assertIn(b"new epoch", told)
        await installation.message.start()
        await installation.message.ready()
        if not declared:
            await installation.connect.start()
            await installation.connect.ready()
        new = [f"c{n}" for n in range(1, 7)]
        await self.say(one, second, *new)
        await two.has(*new)
        await one.has(*new)
        # The sender's own messages are in the store again, as new messages.
        for text in ("a1", "a2", *new):
            self.assertEqual(two.texts.count(text), 1)
        self.assertEqual((one.replaced, two.replaced), (1, 1))
        conversation = conversation_of(first, second)
        wanted = ["a1", "a2", "b1", "b2", "b3", "b4", *new]

        async def all_stored() -> bool:
            stored = await listed(two.client.history(conversation))
            there = [m.content for m in stored if isinstance(m, MessageReceived)]
            return sorted(there) == wanted

        await eventually("the sender's messages are stored again", all_stored)

    @with_daemons
    async def test_connect_lives(self) -> None:
        """
        An older copy of the store is restored without a word, below clients that check
        nothing by themselves.  A Connect that outlived that has pushed what the copy
        lacks: Message begins a new epoch, and the clients are asked to move, and told
        of it.
        """
        installation = self.installation
        await installation.start()
        one, two = await self.device(self.user()), await self.device(self.user())
        await one.send_until_accepted(two.user, "a", "a")
        await two.expect("deliver", content="a")
        data, copy = await self.copied()
        for content in ("b1", "b2"):
            await one.send_until_accepted(two.user, content, content)
            await two.expect("deliver", content=content)
        await installation.message.terminate()
        put_back(copy, data)
        await installation.message.start()
        line = await installation.message.until_logged("begins a new epoch")
        self.assertIn("message 3 of", line)
        for device in (one, two):
            await device.expect("goaway", reason="the store has another history")

    @with_daemons
    async def test_declared(self) -> None:
        """
        After C{wsmsg store restored}, clients sync anew, and see all that follows.
        """
        await self.check(declared=True)

    @with_daemons
    async def test_undeclared(self) -> None:
        """
        Clients notice by themselves that the store lacks their newest message.
        """
        await self.check(declared=False)
