"""
Tests for the commands of L{wsmsg.cli.main}, as a shell runs them.
"""

from __future__ import annotations

import importlib
import json
import os
import pkgutil
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

import click
import jwt
from click.testing import CliRunner, Result
from twisted.trial.unittest import SynchronousTestCase

import wsmsg.cli
from wsmsg.cli.main import COMMANDS, main
from wsmsg.cli.status import shown
from wsmsg.cli.token.check import check

#: Nobody listens on port 1.
NOBODY = "http://127.0.0.1:1"


def _below(command: click.Command) -> Iterator[click.Command]:
    yield command
    if isinstance(command, click.Group):
        context = click.Context(command)
        for name in command.list_commands(context):
            found = command.get_command(context, name)
            assert found is not None
            yield from _below(found)


def run(*arguments: str) -> Result:
    return CliRunner().invoke(main, arguments)


class OverviewTests(SynchronousTestCase):
    """
    The overview of the commands.
    """

    def test_every_command_helps(self) -> None:
        """
        Each command of the overview has a help.
        """
        overview = run("--help").output
        for name in COMMANDS:
            self.assertIn(f"  {name} ", overview)
            result = run(name, "--help")
            self.assertEqual((name, result.exit_code), (name, 0))
            self.assertIn("Usage: ", result.output)

    def test_no_command_is_left_out(self) -> None:
        """
        Each command that a module of the package defines can be called.
        """
        # C{token} looks for the word C{check} itself, as a user may have any name.
        commands = [*_below(main), check]
        for module in pkgutil.walk_packages(wsmsg.cli.__path__, "wsmsg.cli."):
            for name, value in vars(importlib.import_module(module.name)).items():
                if isinstance(value, click.Command):
                    self.assertIn(value, commands, f"{module.name}.{name}")

    def test_full_output(self) -> None:
        """
        Output that cannot be written ends a command with one line; a pipe that nobody
        reads ends it silently.
        """
        code = "from wsmsg.cli.main import main; main()"
        reader, writer = os.pipe()
        os.close(reader)
        with open("/dev/full", "wb") as full, open(writer, "wb") as unread:
            for arguments in (["--help"], ["token", "--help"], ["completion", "bash"]):
                for output, said in (
                    (full, "Error: the output cannot be written: No space left"),
                    (unread, ""),
                ):
                    ran = subprocess.run(
                        [sys.executable, "-c", code, *arguments],
                        stdout=output,
                        stderr=subprocess.PIPE,
                        text=True,
                        check=False,
                    )
                    self.assertEqual(ran.returncode, 1)
                    self.assertEqual(ran.stderr[: len(said) or None], said)
                    self.assertEqual(ran.stderr.count("\n"), bool(said))

    def test_overview_is_quick(self) -> None:
        """
        The overview loads no daemon, no client and no command.
        """
        code = (
            "import sys, wsmsg.cli.main\n"
            "heavy = ('twisted', 'grpc', 'autobahn', 'pydantic', 'websockets')\n"
            "print(*(m for m in heavy if m in sys.modules))"
        )
        ran = subprocess.run(
            [sys.executable, "-c", code], capture_output=True, text=True, check=True
        )
        self.assertEqual(ran.stdout.strip(), "")

    def test_unknown_command(self) -> None:
        """
        An unknown command is a mistake of the command line.
        """
        result = run("chatt")
        self.assertEqual(result.exit_code, 2)
        self.assertIn("chatt", result.output)

    def test_completion(self) -> None:
        """
        Each shell has a completion script.
        """
        for shell in ("bash", "zsh", "fish"):
            result = run("completion", shell)
            self.assertEqual(result.exit_code, 0)
            self.assertIn("_WSMSG_COMPLETE", result.output)


class TokenTests(SynchronousTestCase):
    """
    C{wsmsg token}.
    """

    def setUp(self) -> None:
        self.folder = Path(tempfile.mkdtemp(prefix="wsmsg-test-"))
        self.addCleanup(shutil.rmtree, self.folder)

    def test_token(self) -> None:
        """
        The token is for that user and time, signed with the folder's key.
        """
        more = ("--expires", "2h", "--json", "--data-dir", str(self.folder))
        result = run("token", "1001", *more)
        told = json.loads(result.output)
        key = (self.folder / "token.key").read_text().strip()
        claims = jwt.decode(told["token"], key, algorithms=["HS256"])
        self.assertEqual(claims["sub"], "1001")
        self.assertEqual(claims["exp"] - claims["iat"], 7200)

    def test_mistakes(self) -> None:
        """
        The mistake about an invalid user or time has status 2, and no key is made.
        """
        place = ("--data-dir", str(self.folder))
        for arguments in (("0",), ("x ",), (), ("1", "--user", "1"), ("9" * 19,)):
            result = run("token", *arguments, *place)
            self.assertEqual((arguments, result.exit_code), (arguments, 2))
        result = run("token", "1", "--expires", "soon", *place)
        self.assertEqual(result.exit_code, 2)
        self.assertIn("'soon' is not like 90s", result.output)
        self.assertEqual(list(self.folder.iterdir()), [])

    def test_readable_key(self) -> None:
        """
        A key that other users can read is refused, and the reason names the file.
        """
        path = self.folder / "token.key"
        path.write_text("x" * 64)
        path.chmod(0o644)
        result = run("token", "1", "--data-dir", str(self.folder))
        self.assertEqual(result.exit_code, 1)
        self.assertIn(str(path), result.output)


class StatusTests(SynchronousTestCase):
    """
    The text of C{wsmsg status}.
    """

    def test_counts(self) -> None:
        """
        Zeros among many counts are left out and counted; a few counts are all shown,
        and false values always.
        """
        many = {"pushes": 3, **{f"count_{i}": 0 for i in range(9)}, "open": False}
        told = {
            "ready": True,
            "in_words": "Ready: x.",
            "connect": {"users": 0, "upstream": many},
        }
        lines = list(shown("connect", told))
        self.assertEqual(
            lines,
            [
                "connect  Ready: x.",
                "  connect: users 0",
                "    upstream: pushes 3, open False, 9 more are 0",
            ],
        )
        nothing = {f"count_{i}": 0 for i in range(9)}
        *_, line = shown("connect", {"ready": True, "upstream": nothing})
        self.assertEqual(line, "  upstream: 9 counts, all 0")

    def test_nodes(self) -> None:
        """
        Each node has a line, and so has each kind of refusals; where nothing was
        refused, that is said.
        """
        gone = {
            "node": "connect-2",
            "kind": "connect",
            "up": False,
            "since": "12:00",
            "about": "its stream ended",
        }
        told = {
            "in_words": "Ready.",
            "message": {"nodes": [gone, {**gone, "node": "c1", "up": True}]},
            "refusals": {"logins": {"stale": 2}},
        }
        self.assertEqual(
            list(shown("message", told)),
            [
                "message  Ready.",
                "  message:",
                "    connect connect-2: does not answer since 12:00, its stream ended",
                "    connect c1: answers since 12:00, its stream ended",
                "  refusals:",
                "    logins: stale 2",
            ],
        )
        *_, line = shown("message", {**told, "refusals": {}})
        self.assertEqual(line, "  refusals: none")

    def test_words(self) -> None:
        """
        The readiness is in the words of the daemon; an older daemon has only a reason.
        """
        words = "Not ready: the store cannot be reached: disk full; next try in 2 s."
        told = {"ready": False, "in_words": words, "reason": "waiting for store"}
        self.assertEqual(list(shown("message", told)), [f"message  {words}"])
        del told["in_words"]
        self.assertEqual(
            list(shown("message", told)), ["message  Not ready: waiting for store"]
        )


class UnreachableTests(SynchronousTestCase):
    """
    Commands for a daemon that does not run.
    """

    def test_status(self) -> None:
        """
        The status names the daemon that does not answer and its address, and ends with
        1.
        """
        place = ("--connect-admin", NOBODY, "--message-admin", NOBODY)
        result = run("status", *place)
        self.assertEqual(result.exit_code, 1)
        self.assertIn(f"{NOBODY}/status: Connection refused", result.output)
        told = json.loads(run("status", "--json", *place).output)
        self.assertEqual(told["connect"]["phase"], "unreachable")

    def test_dead_letters(self) -> None:
        """
        Without Message, C{dead-letters} prints one line on stderr and ends with 1.
        """
        for command in (("list",), ("show", "3"), ("replay", "3"), ("replay", "--all")):
            result = run("dead-letters", *command, "--message-admin", NOBODY)
            self.assertEqual((command, result.exit_code), (command, 1))
            self.assertEqual(len(result.stderr.splitlines()), 1)

    def test_replay_what(self) -> None:
        """
        A replay needs numbers, or C{--all}.
        """
        self.assertEqual(run("dead-letters", "replay").exit_code, 2)
        self.assertEqual(run("dead-letters", "replay", "1", "--all").exit_code, 2)

    def test_chat_from_a_pipe(self) -> None:
        """
        Lines that are not accepted in time lead to status 1 and the reason, after a
        line that says why there is no connection.
        """
        arguments = ["chat", "--user", "1", "--target", "2", "--token", "t"]
        arguments += ["--url", "ws://127.0.0.1:1", "--timeout", "1s"]
        code = "from wsmsg.cli.main import main; main()"
        ran = subprocess.run(
            [sys.executable, "-c", code, *arguments],
            input="one\ntwo\n",
            capture_output=True,
            text=True,
            timeout=60,
            check=False,
        )
        self.assertEqual(ran.returncode, 1)
        self.assertIn("2 lines not accepted within 1 s", ran.stderr)
        why, problem = ran.stderr.splitlines()
        self.assertIn("connection refused", why)
        self.assertIn("connection refused", problem)

    def test_chat_mistakes(self) -> None:
        """
        Mistakes of the command line are reported before any connection.
        """
        chat = ("chat", "--user", "1", "--target", "2")
        self.assertEqual(run(*chat, "--url", "http://x").exit_code, 2)
        self.assertEqual(run(*chat, "--url", "ws://x:y").exit_code, 2)
        both = run(*chat, "--token", "t", "--token-file", "/f")
        self.assertEqual(both.exit_code, 2)
        missing = run(*chat, "--token-file", "/nowhere/t.jwt")
        self.assertEqual(missing.exit_code, 1)
        self.assertIn("/nowhere/t.jwt: No such file", missing.output)
        long = run(*chat, "--token", "t", "--device", "x" * 65)
        self.assertEqual(long.exit_code, 1)
        self.assertIn("hello.device has 65 bytes", long.output)
