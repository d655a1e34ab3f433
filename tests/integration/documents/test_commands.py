"""
The commands of README and of the pages in C{docs/} work as they stand.
"""

from __future__ import annotations

import json
import os
import re
import shutil
from typing import Any

from twisted.trial.unittest import SkipTest, SynchronousTestCase

from tests.integration.documents.pages import ROOT, commands, inline_commands
from tests.integration.documents.table import TYPED, TYPED_PAGES
from tests.integration.documents.terminal import Machine

_README = TYPED["README.md"]
_MS = re.M | re.S
_READ = (
    "curl -sf http://127.0.0.1:21004/api/v1/users/{}/read "
    """--json '{{"conversation": "u:1001:1002", "seq": 40}}'"""
)


class TypedTests(SynchronousTestCase):
    """
    The commands, typed on a machine of its own.
    """

    def setUp(self) -> None:
        self.machine = Machine()
        self.addCleanup(self.machine.close)
        if not self.machine.usable:
            raise SkipTest("the daemons' ports are in use, and unshare is not allowed")

    def typed(self, command: str, status: int = 0, **more: str) -> str:
        done = self.machine.type(command, **more)
        told = f"{command}: {done.stdout}{done.stderr}\n{self.machine.logs()}"
        self.assertEqual(done.returncode, status, told)
        return done.stdout

    def leave_pid_files(self) -> None:
        """
        Leave pid files whose daemons were killed, and whose number another process has.
        """
        for name in ("twistd", "connect", "message"):
            (self.machine.folder / f"{name}.pid").write_text(str(os.getpid()))

    def with_daemons(self, *commands: str) -> None:
        self.leave_pid_files()
        for command in commands:
            self.machine.start(command)
        self.machine.ready("connect", "message")

    def test_readme(self) -> None:
        """
        README's commands work in one folder, Connect started first.
        """
        to_1002, to_1001, message, connect, status, pipe = _README
        self.with_daemons(connect, message)
        self.assertIn("connect  Ready", self.typed(status))
        self.assertEqual(self.typed(pipe).splitlines()[-1], "accepted")
        for chat in (to_1002, to_1001):
            self.typed(f"echo hello | {chat}")
        self.assertEqual(self.machine.stop_daemons(), [0, 0])

    def test_operations(self) -> None:
        """
        The commands of the pages for operators work, one page after another.
        """
        message, connect, doctor, status, pipe = _page("how-to/install")
        self.with_daemons(message, connect)
        self.assertNotIn("PROBLEM", self.typed(doctor))
        self.typed(status)
        self.assertEqual(self.typed(pipe).splitlines()[-1], "accepted")
        (token,) = _page("reference/tokens")
        self.assertIn("accepts it as user 1001", self.typed(token))
        (stack,) = _page("how-to/test-stack")
        self.assertIn("restart", self.typed(stack))
        (asked,) = _page("reference/access")
        self.assertTrue(json.loads(self.typed(asked))["ready"])
        status, doctor, letters, replay = _page("how-to/incidents")
        self.typed(status)
        self.typed(doctor)
        self.assertIn("no dead letters", self.typed(letters))
        self.typed(replay, status=1)
        new, shown, revoke = _page("how-to/keys")
        self.typed("wsmsg key new billing --scopes send")
        self.typed(new)
        self.assertIn("billing-2", self.typed(shown))
        self.typed(revoke)
        for command in _page("how-to/upgrade"):
            self.typed(command)
        self.back_up_and_move()

    def back_up_and_move(self) -> None:
        """
        Type the commands of the pages that stop the daemons.
        """
        copy, look, remove, put, restored = _page("how-to/backup")
        folder = self.machine.folder
        data = folder / ".local" / "state" / "wsmsg"
        named = {"DATA_DIR": str(data), "BACKUP": str(folder / "copy")}
        if shutil.which("sqlite3"):
            (folder / "copy").mkdir()
            self.typed(copy, 0, **named)
            self.assertEqual(self.typed(look, 0, **named).split(), ["ok", "2"])
        self.assertEqual(self.machine.stop_daemons(), [0, 0])
        if shutil.which("sqlite3"):
            self.typed(remove, 0, **named)
            self.typed(put, 0, **named)
        self.assertIn("new epoch", self.typed(restored, 0, **named))
        store = f'[message]\nstore = "sqlite://{folder}/many.db"\n'
        (folder / "many.toml").write_text(store)
        for command in _page("how-to/move-store"):
            self.typed(command)

    def test_background(self) -> None:
        """
        Both daemons go to the background in one folder, beside pid files of processes
        that are others now, and each has a pid file and a log of its name.
        """
        self.leave_pid_files()
        folder = self.machine.folder
        for name in ("message", "connect"):
            self.typed(f"twistd {name}")
            pid = int((folder / f"{name}.pid").read_text())
            self.addCleanup(_kill, pid)
        self.machine.ready("connect", "message")
        for name in ("message", "connect"):
            self.assertIn("#info] ready", (folder / f"{name}.log").read_text())
        self.typed("wsmsg status")

    def test_migration(self) -> None:
        """
        The checks of the migration guide work with its settings.
        """
        page = ROOT / "docs" / "how-to" / "legacy" / "migrate.md"
        message, connect, *_ = re.findall(r"^```toml\n(.*?)^```", page.read_text(), _MS)
        (self.machine.folder / "wsmsg.toml").write_text(f"{message}\n{connect}")
        for daemon in ("message", "connect"):
            self.typed(f"twistd {daemon} --config wsmsg.toml")
            pid = (self.machine.folder / f"{daemon}.pid").read_text()
            self.addCleanup(_kill, int(pid))
        self.machine.ready("connect", "message")
        asked = [c.text for c in inline_commands(page) if c.text.startswith("curl ")]
        self.assertEqual(len(asked), 6)
        # The first call of the legacy contract makes its metrics appear.
        for command in sorted(asked, key=lambda text: "unread" not in text):
            self.typed(command)
        self.typed("wsmsg status --config wsmsg.toml")

    def test_bench_help(self) -> None:
        """
        The help of the benchmark names the options of its page.
        """
        told = self.typed(TYPED["docs/explanation/benchmarks.md"][0])
        for option in ("--only", "--stack", "--journal", "--store", "--profile"):
            self.assertIn(option, told)

    def test_http(self) -> None:
        """
        The calls of the HTTP page are answered as it shows, with values of their own.
        """
        names = "--set users.names=true"  # as the section about names has them
        self.with_daemons(f"twistd -n message {names}", f"twistd -n connect {names}")
        self.typed("seq 41 | wsmsg chat --user 1002 --target 1001")
        for user in (1001, 1002):
            self.typed(_READ.format(user))
        for command in commands():
            if command.page in TYPED_PAGES:
                if "messages/unread" in command.text:
                    self.typed("echo hello | wsmsg chat --user 1001 --target 1002")
                answer = self.typed(command.text)
                if command.text.startswith("wsmsg key "):
                    lines = command.output.splitlines()
                    self.assertEqual(len(answer.splitlines()), len(lines))
                    continue
                shown = _shape(_document(command.output))
                told = f"{command.text}\n{answer}"
                self.assertEqual(_shape(_document(answer)), shown, told)


def _page(name: str) -> tuple[str, ...]:
    return TYPED[f"docs/{name}.md"]


def _kill(pid: int) -> None:
    try:
        os.kill(pid, 9)
    except ProcessLookupError:
        pass


def _document(text: str) -> Any:
    return json.loads(text) if text.strip() else None


def _shape(document: Any) -> Any:
    """
    Reduce a document to what the page promises of it: the names, and the kinds of the
    values.  An id is a number or a string.
    """
    if isinstance(document, dict):
        if all(re.fullmatch(r"\d+", name) for name in document):
            return dict.fromkeys(document, "of a user")
        return {name: _shape(value) for name, value in document.items()}
    if isinstance(document, list):
        return [_shape(each) for each in document[:1]]
    return "nothing" if document is None else "something"
