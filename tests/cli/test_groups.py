"""
Tests for C{wsmsg groups}: its command line and its output.
"""

from __future__ import annotations

import asyncio
import subprocess
import sys
from typing import Any

import click
from click.shell_completion import ShellComplete
from click.testing import CliRunner, Result
from twisted.trial.unittest import SynchronousTestCase

from tests.asyncio_case import AsyncioCase
from tests.client.doubles import FakeLink, FakeServer, welcome
from wsmsg.cli.groups import groups, one_task
from wsmsg.cli.main import main
from wsmsg.client import Client, Reconnect
from wsmsg.protocol import frames

URL = "ws://server.example/"


def run(*arguments: str) -> Result:
    return CliRunner().invoke(main, arguments)


class LineTests(SynchronousTestCase):
    """
    The command line.
    """

    def test_help(self) -> None:
        """
        Every command has a help with its arguments and C{--json}.
        """
        for name in groups.commands:
            result = run("groups", name, "--help")
            self.assertEqual((name, result.exit_code), (name, 0))
            for word in ("--user", "--json", "--token-file", "--timeout"):
                self.assertIn(word, result.output)

    def test_mistakes(self) -> None:
        """
        Mistakes have status 2, and no connection is made.
        """
        for arguments, word in (
            (("create", "Us"), "--user"),
            (("create", "--user", "1"), "NAME"),
            (("create", "--user", "1", "Us", "0"), "'0' is neither a user id"),
            (("create", "--user", "1", "Us", "x "), "'x ' is neither a user id nor"),
            (("add", "--user", "1", "5"), "MEMBERS"),
            (("add", "--user", "1", "0", "5"), "'0' is no group"),
            (("leave", "--user", "1", "-5"), "-5"),
            (("leave", "--user", "1", "g 5 "), "'g 5 ' is no group"),
            (("members", "--user", "0", "5"), "'0' is neither a user id"),
            (("list", "--user", "1", "--url", "http://x"), "http://x"),
            (("list", "--user", "1", "--token", "a", "--token-file", "b"), "exclude"),
            (("list", "--user", "1", "--token", "a b"), "the token has a space"),
        ):
            result = run("groups", *arguments)
            self.assertEqual((arguments, result.exit_code), (arguments, 2))
            self.assertIn(word, result.output)

    def test_chat(self) -> None:
        """
        A chat is either with a user or in a group.
        """
        for arguments in ((), ("--target", "2", "--group", "5")):
            result = run("chat", "--user", "1", *arguments)
            self.assertEqual(result.exit_code, 2)
            self.assertIn("--target USER or --group GROUP", result.output)

    def test_completion(self) -> None:
        """
        A shell completes the commands and their options.
        """
        complete = ShellComplete(main, {}, "wsmsg", "_WSMSG_COMPLETE")
        found = {item.value for item in complete.get_completions(["groups"], "")}
        self.assertEqual(found, set(groups.commands))
        found = {
            item.value for item in complete.get_completions(["groups", "create"], "--")
        }
        self.assertLessEqual({"--history", "--id", "--json", "--user"}, found)

    def test_nobody_there(self) -> None:
        """
        Without an answer, the command fails in time with the reason.
        """
        # In a process of its own, which may end its event loop.
        ran = subprocess.run(
            (
                *(sys.executable, "-c", "from wsmsg.cli.main import main; main()"),
                *("groups", "list", "--user", "1", "--token", "t"),
                *("--url", "ws://127.0.0.1:1", "--timeout", "1s"),
            ),
            capture_output=True,
            text=True,
            check=False,
        )
        self.assertEqual(ran.returncode, 1)
        self.assertIn("no result within 1 s", ran.stderr)


class TaskTests(AsyncioCase):
    """
    One task of a client.
    """

    async def asyncSetUp(self) -> None:
        self.server = FakeServer()

    def client(self) -> Client:
        reconnect = Reconnect(URL, first_s=0.0)
        return Client(URL, "t", dial=self.server.dial, reconnect=reconnect)

    async def begun(
        self, which: str, **more: Any
    ) -> tuple[asyncio.Task[Any], FakeLink]:
        """
        A command whose client is connected.
        """
        made = groups.commands[which].callback
        assert made is not None
        task = made.__wrapped__(user=1, **more)  # type: ignore[attr-defined]
        running = asyncio.create_task(one_task(self.client, task, 20.0))
        return running, await self.server.connection(welcome())

    async def test_refused(self) -> None:
        """
        A refusal of the server is a failure with its code.
        """
        running, link = await self.begun("add", group=5, members=(7,))
        frame = await link.next(frames.ChangeGroup)
        link.give(frames.Rejected(frame.client_id, "forbidden", "not the owner"))
        with self.assertRaises(click.ClickException) as caught:
            await running
        self.assertEqual(caught.exception.message, "forbidden: not the owner")

    async def test_connection_breaks(self) -> None:
        """
        A lost connection in between does not fail the task.
        """
        running, link = await self.begun(
            "create", name="Us", members=(7,), history=False, client_id="a"
        )
        await link.next(frames.CreateGroup)
        link.lose()
        link = await self.server.connection(welcome())
        frame = await link.next(frames.CreateGroup)
        again = frames.CreateGroup("a", "Us", (7,), False, repeat=True)
        self.assertEqual(frame, again)
        link.give(frames.Accepted("a", 7, "g:5"))
        told = {"group": 5, "conversation": "g:5"}
        self.assertEqual(await running, ("5", told))

    async def test_list(self) -> None:
        """
        The list has only groups, with their names safe for a terminal.
        """
        running, link = await self.begun("list")
        asked = await link.next(frames.Conversations)
        while not asked.id.startswith("q"):
            link.give(frames.Heads(asked.id, ()))
            asked = await link.next(frames.Conversations)
        heads = (frames.Head("u:1:2", 9), frames.Head("g:5", 4), frames.Head("g:6", 1))
        link.give(frames.Heads(asked.id, heads))
        members = await link.next(frames.Members)
        self.assertEqual((members.group, members.limit), (5, 1))
        one = (frames.Member(1, 1),)
        link.give(frames.Group(members.id, 5, "U\x1bs", 1, False, 3, one, True))
        members = await link.next(frames.Members)
        link.give(frames.Error("forbidden", "not any more", members.id))
        text, told = await running
        self.assertEqual(text, "5 4 3 U\u241bs")
        self.assertEqual([one["group"] for one in told], [5])
