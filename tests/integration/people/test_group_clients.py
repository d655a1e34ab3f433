"""
Tests of groups and recall with the Python client and the command line.
"""

from __future__ import annotations

import asyncio
import json
import shutil
import sys
from pathlib import Path
from tempfile import mkdtemp
from typing import Any, TypeVar

from tests.asyncio_case import listed
from tests.integration.cases import IntegrationTestCase, eventually, with_daemons
from tests.integration.device import PATIENCE_S
from wsmsg.client import (
    Client,
    GroupChanged,
    MessageRecalled,
    MessageReceived,
    Reconnect,
    Stored,
)
from wsmsg.errors import Forbidden, WsmsgError
from wsmsg.model import group_conversation

S = TypeVar("S", bound=Stored)


class Person:
    """
    A user with a client that records every event.
    """

    def __init__(self, client: Client) -> None:
        self.client = client
        self.told: list[Stored] = []
        self._came = asyncio.Event()
        self._listening = asyncio.create_task(self._listen())

    async def _listen(self) -> None:
        async for event in self.client.events():
            if isinstance(event, Stored):
                self.told.append(event)
                self._came.set()

    async def expect(self, kind: type[S], **fields: Any) -> S:
        """
        Wait for the first event of this type with these fields, or return one that has
        arrived.
        """
        async with asyncio.timeout(PATIENCE_S):
            while True:
                for event in self.told:
                    if isinstance(event, kind) and all(
                        getattr(event, name) == value for name, value in fields.items()
                    ):
                        return event
                self._came.clear()
                await self._came.wait()

    def said(self, group: int) -> list[str]:
        """
        Return the messages of a group that the client has.
        """
        name = group_conversation(group)
        return [
            e.content
            for e in self.told
            if isinstance(e, MessageReceived) and e.conversation == name
        ]

    def numbers(self, group: int) -> list[int]:
        """
        Return the numbers of all messages of a group that the client received.
        """
        name = group_conversation(group)
        return [e.seq for e in self.told if e.conversation == name]

    async def close(self) -> None:
        """
        Disconnect.
        """
        await self.client.close()
        await self._listening


class PeopleTestCase(IntegrationTestCase):
    """
    Base class with users of the Python client.
    """

    async def comes(self, user: int, **more: Any) -> Person:
        """
        Return a connected user.
        """
        url = self.installation.url
        client = Client(
            url,
            self.installation.token(user),
            more.pop("device", "phone"),
            reconnect=Reconnect(url, first_s=0.05),
            **more,
        )
        person = Person(client)
        self.at_end(person.close)
        client.start()
        await client.connect()
        return person

    def folder(self) -> Path:
        """
        Return an empty folder, which is removed after the test.
        """
        folder = Path(mkdtemp(prefix="wsmsg-test-"))
        self.addCleanup(shutil.rmtree, folder)
        return folder


class GroupClientTests(PeopleTestCase):
    """
    Groups with the Python client.
    """

    @with_daemons
    async def test_life(self) -> None:
        """
        Three users are in a group: one joins later, one is removed, added again and
        leaves; each receives exactly the messages of the time in the group, once and in
        order.
        """
        users = [self.user() for _ in range(3)]
        one, two, three = [await self.comes(user) for user in users]
        group = await one.client.create_group("crew", [two.client.user])
        await one.client.send(group=group, content="a")
        await two.expect(MessageReceived, content="a")
        await one.client.add_members(group, [three.client.user])
        joined = await three.expect(GroupChanged, added=(three.client.user,))
        await three.client.send(group=group, content="b")
        await one.client.remove_members(group, [two.client.user])
        await two.expect(GroupChanged, removed=(two.client.user,))
        await one.client.send(group=group, content="c")
        await three.expect(MessageReceived, content="c")
        with self.assertRaises(Forbidden):
            await two.client.send(group=group, content="still here?")
        await one.client.add_members(group, [two.client.user])
        await two.expect(GroupChanged, added=(two.client.user,))
        await one.client.send(group=group, content="d")
        await two.expect(MessageReceived, content="d")
        await two.client.leave(group)
        await one.client.send(group=group, content="e")
        for person in (one, three):
            await person.expect(MessageReceived, content="e")
        self.assertEqual(one.said(group), ["a", "b", "c", "d", "e"])
        self.assertEqual(three.said(group), ["b", "c", "d", "e"])
        self.assertEqual(two.said(group), ["a", "b", "d"])
        self.assertEqual(one.numbers(group), list(range(1, 11)))
        self.assertEqual(three.numbers(group), list(range(joined.seq, 11)))
        self.assertEqual(two.numbers(group), [1, 2, 3, 4, 5, 7, 8, 9])
        found = await three.client.members(group)
        self.assertEqual((found.name, found.owner, found.count), ("crew", users[0], 2))
        self.assertEqual([m.user for m in found.members], [users[0], users[2]])

    @with_daemons
    async def test_away(self) -> None:
        """
        P5: a member who was away, and was removed and added again meanwhile, gets every
        message of the time in the group, once and in order.
        """
        folder = self.folder()
        one, two = await self.comes(self.user()), await self.comes(self.user())
        user, file = self.user(), folder / "p.json"
        three = await self.comes(user, position_file=file)
        group = await one.client.create_group("crew", [two.client.user, user])
        await two.client.send(group=group, content="a")
        await three.expect(MessageReceived, content="a")
        await three.close()
        before = three.numbers(group)
        for n in range(5):
            await two.client.send(group=group, content=f"away {n}")
        await one.client.remove_members(group, [user])
        await one.client.send(group=group, content="not for them")
        await one.client.add_members(group, [user])
        await one.client.send(group=group, content="back")
        three = await self.comes(user, position_file=file)
        await three.expect(MessageReceived, content="back")
        await three.client.caught_up()
        self.assertEqual(before, [1, 2])
        self.assertEqual(three.numbers(group), [10, 11])
        self.assertEqual(three.said(group), ["back"])

    @with_daemons
    async def test_removed_while_away(self) -> None:
        """
        A member who was removed while away reconnects without a delay, and gets no
        further messages.
        """
        folder = self.folder()
        one, user = await self.comes(self.user()), self.user()
        two = await self.comes(user, position_file=folder / "p.json")
        group = await one.client.create_group("crew", [user])
        await two.expect(GroupChanged, created=True)
        await two.close()
        await one.client.send(group=group, content="a")
        await one.client.remove_members(group, [user])
        two = await self.comes(user, position_file=folder / "p.json")
        await two.client.caught_up()
        self.assertEqual(two.numbers(group), [])
        self.assertEqual(await two.client.conversations(), [])

    @with_daemons
    async def test_history(self) -> None:
        """
        A member who joins later reads from the first message on if the group is made
        with history.
        """
        one, late = await self.comes(self.user()), await self.comes(self.user())
        group = await one.client.create_group("open", history=True)
        await one.client.send(group=group, content="early")
        await one.client.add_members(group, [late.client.user])
        await late.expect(MessageReceived, content="early")
        await late.expect(GroupChanged, added=(late.client.user,))
        self.assertEqual(late.numbers(group), [1, 2, 3])

    @with_daemons
    async def test_recall(self) -> None:
        """
        Connected users are notified of a recalled message, and users who connect later
        find it empty, in groups and in direct conversations.
        """
        one, two = await self.comes(self.user()), await self.comes(self.user())
        group = await one.client.create_group("crew", [two.client.user])
        for to, into in ((0, group), (two.client.user, 0)):
            await one.client.send(to, "oh", group=into)
            said = await two.expect(MessageReceived, content="oh", recalled=False)
            two.told.remove(said)
            with self.assertRaises(Forbidden):
                await two.client.recall(said.conversation, said.seq)
            await one.client.recall(said.conversation, said.seq)
            told = await two.expect(MessageRecalled, conversation=said.conversation)
            self.assertEqual(told.recalled, said.seq)
            late = await self.comes(two.client.user, device="tablet")
            gone = await late.expect(MessageReceived, conversation=said.conversation)
            self.assertEqual(
                (gone.seq, gone.content, gone.recalled), (said.seq, "", True)
            )

    @with_daemons
    async def test_hostile(self) -> None:
        """
        An impossible request is refused with a reason, and the client continues.
        """
        one = await self.comes(self.user())
        group = await one.client.create_group("crew", [self.user()])
        stranger = await self.comes(self.user())
        for asked in (
            stranger.client.send(group=group, content="x"),
            stranger.client.add_members(group, [stranger.client.user]),
            stranger.client.leave(group),
            stranger.client.members(group),
            listed(stranger.client.history(group_conversation(group))),
            stranger.client.recall(group_conversation(group), 1),
            stranger.client.send(group=group + 1, content="x"),
            one.client.recall(group_conversation(group), 1),
            one.client.recall(group_conversation(group), 99),
            one.client.recall("u:1:2", 1),
            one.client.send(stranger.client.user, "x", kind=1001),
            one.client.send(stranger.client.user, "x", group=group),
            one.client.send(content="x"),
        ):
            with self.assertRaises(WsmsgError):
                await asked
        await one.client.send(group=group, content="fine")
        await one.expect(MessageReceived, content="fine")
        self.assertEqual(one.numbers(group), [1, 2])


class KilledTests(PeopleTestCase):
    """
    Daemons that are killed between group requests.
    """

    @with_daemons
    async def test_killed(self) -> None:
        """
        P1, P2: groups that are created and changed while Connect and Message are killed
        in turn are created and changed once.
        """
        one, two = await self.comes(self.user()), await self.comes(self.user())
        for daemon in (self.installation.connect, self.installation.message):
            made = [
                asyncio.create_task(
                    one.client.create_group(f"crew {n}", [two.client.user])
                )
                for n in range(20)
            ]
            await asyncio.sleep(0)
            await daemon.kill()
            await daemon.start()
            await daemon.ready()
            groups = await asyncio.gather(*made)
            self.assertEqual(len(set(groups)), 20)
            changes = [
                asyncio.create_task(one.client.change_group(g, add=[n + 1]))
                for n, g in enumerate(groups)
            ]
            says = [
                asyncio.create_task(one.client.send(group=g, content="hi"))
                for g in groups
            ]
            await asyncio.sleep(0)
            await daemon.kill()
            await daemon.start()
            await daemon.ready()
            await asyncio.gather(*changes, *says)
            for group in groups:
                name = group_conversation(group)  # either may come first
                await two.expect(MessageReceived, conversation=name)
                await two.expect(GroupChanged, conversation=name, created=False)
                self.assertEqual(two.numbers(group), [1, 2, 3])
                self.assertEqual((await two.client.members(group)).count, 3)


class CommandTests(PeopleTestCase):
    """
    The commands C{wsmsg groups} and C{wsmsg chat --group}.
    """

    async def wsmsg(
        self, *arguments: str, user: int, said: bytes = b""
    ) -> tuple[int, str, str]:
        """
        Run C{wsmsg} as this user.
        """
        command, *rest = arguments
        words = [command] if command != "groups" else [command, rest.pop(0)]
        process = await asyncio.create_subprocess_exec(
            *(sys.executable, "-c", "from wsmsg.cli.main import main; main()", *words),
            *("--user", str(user), "--url", self.installation.url),
            *("--token", self.installation.token(user), *rest),
            stdin=asyncio.subprocess.PIPE,
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.PIPE,
        )
        out, err = await process.communicate(said)
        assert process.returncode is not None
        return process.returncode, out.decode().strip(), err.decode().strip()

    @with_daemons
    async def test_shell(self) -> None:
        """
        A group can be created, used, changed, listed and left from a shell.
        """
        one, two, three = (self.user() for _ in range(3))
        make = ("groups", "create", "--id", "t-17", "Ticket 17")
        status, group, _ = await self.wsmsg(*make, str(two), user=one)
        self.assertEqual((status, group.isdecimal()), (0, True))
        again = await self.wsmsg(*make, str(two), user=one)
        self.assertEqual(again[:2], (0, group))
        status, told, _ = await self.wsmsg(
            "chat", "--group", group, user=two, said=b"It is down\n"
        )
        self.assertEqual((status, told.split()[0]), (0, "accepted"))
        status, told, _ = await self.wsmsg("groups", "add", group, str(three), user=one)
        self.assertEqual((status, told), (0, "added 1"))
        status, told, _ = await self.wsmsg(
            "groups", "members", "--json", group, user=three
        )
        found = json.loads(told)
        self.assertEqual((found["name"], found["owner"]), ("Ticket 17", one))
        users = [(m["user"], m["joined"]) for m in found["members"]]
        self.assertEqual(users, [(one, 1), (two, 1), (three, 3)])

        async def listed() -> bool:
            status, told, _ = await self.wsmsg("groups", "list", user=three)
            return (status, told) == (0, f"{group} 3 3 Ticket 17")

        await eventually("it is listed", listed)
        status, _, why = await self.wsmsg("groups", "add", group, "7", user=three)
        self.assertEqual(status, 1)
        self.assertIn("forbidden", why)
        status, told, _ = await self.wsmsg("groups", "leave", group, user=three)
        self.assertEqual((status, told), (0, f"left {group}"))
        status, _, why = await self.wsmsg(
            "chat", "--group", group, user=three, said=b"hello?\n"
        )
        self.assertEqual(status, 1)
        self.assertIn("forbidden", why)
        status, told, _ = await self.wsmsg(
            "groups", "remove", "--json", group, str(two), user=one
        )
        self.assertEqual(json.loads(told), {"group": int(group), "removed": [two]})
