"""
The programs of the tutorials work as they stand.
"""

from __future__ import annotations

import re
import shutil
from unittest import SkipTest

from twisted.trial.unittest import SynchronousTestCase

from tests.integration.documents.pages import ROOT
from tests.integration.documents.table import TYPED
from tests.integration.documents.terminal import Machine

_TUTORIAL = ROOT / "docs" / "tutorial"
#: By page, the folder with the files that the page shows.
_EXAMPLES = {
    "backend.md": ROOT / "examples" / "own-backend",
    "bot.md": ROOT / "examples" / "bots",
}
#: A file: its name in backquotes in one paragraph, then its text in a block.
_FILE = re.compile(
    r"^`([\w/.]+\.\w+)`(?:[^\n]|\n(?!\n))*\n\n```\w+\n(.*?)^```", re.M | re.S
)


class TutorialTests(SynchronousTestCase):
    """
    The tutorials, on a machine of its own.
    """

    def setUp(self) -> None:
        self.machine = Machine()
        self.addCleanup(self.machine.close)
        if not self.machine.usable:
            raise SkipTest("the daemons' ports are in use, and unshare is not allowed")

    def write_files(self, page: str) -> set[str]:
        """
        Write the files that a page shows, which are those of an example, and return
        their names.
        """
        names = set()
        for name, text in _FILE.findall((_TUTORIAL / page).read_text()):
            self.assertEqual(text, (_EXAMPLES[page] / name).read_text(), name)
            (self.machine.folder / name).parent.mkdir(parents=True, exist_ok=True)
            (self.machine.folder / name).write_text(text)
            names.add(name)
        return names

    def typed(self, command: str) -> str:
        done = self.machine.type(command)
        told = f"{command}: {done.stdout}{done.stderr}\n{self.machine.logs()}"
        self.assertEqual(done.returncode, 0, told)
        return done.stdout

    def test_backends(self) -> None:
        """
        Connect accepts the tokens of the backends in Python and in Node, and both serve
        the page.
        """
        found = self.write_files("backend.md")
        wanted = {"wsmsg.toml", "backend.py", "backend.mjs", "public/index.html"}
        self.assertEqual(found, wanted)
        generate, publish, message, connect, python, node, check = _page("backend")
        self.typed(generate)
        self.typed(publish)
        self.machine.start(message)
        self.machine.start(connect)
        self.machine.ready("message", "connect")
        backends = [python] if shutil.which("node") is None else [python, node]
        for backend in backends:
            self.machine.start(backend)
            up = "until curl -sf 127.0.0.1:8000/ > /dev/null; do sleep 0.05; done"
            self.typed(f"timeout 60 bash -c '{up}'")
            self.assertIn("Connect: accepts it as user 1001", self.typed(check))
            self.assertIn("./client/index.js", self.typed("curl -sf 127.0.0.1:8000/"))
            refused = "curl -s -w '%{http_code}' '127.0.0.1:8000/token?user=x'"
            self.assertTrue(self.typed(refused).endswith("403"))
            token = check.partition(" | wsmsg")[0]
            chat = "wsmsg chat --user 1001 --target 1002 --token-file token.jwt"
            self.typed(f"{token} > token.jwt && echo hello | {chat}")
            self.machine.stop(backend)

    def test_bots(self) -> None:
        """
        The echo answers with what it is told, and the bot for groups where it is asked:
        alone, and in a group.
        """
        self.assertEqual(self.write_files("bot.md"), {"echo.py", "dice.py"})
        url, token, echo, group, position, dice, ask = _page("bot")
        for daemon in ("message", "connect"):
            self.machine.start(f"twistd -n {daemon}")
        self.machine.ready("message", "connect")
        environment = f"{url}; {token}; ".replace("export ", "").replace(";", "")
        self.machine.start(f"{environment}{echo}")
        self.typed("echo hello | wsmsg chat --user 1001 --target 4001")
        self.answered("u:1001:4001", "hello")
        self.machine.stop(f"{environment}{echo}")
        self.machine.start(f"{environment}{position.removeprefix('export ')} {dice}")
        self.assertIn("accepted", self.typed(ask))
        self.answered("u:1001:4001", "[1-6]")
        say = "echo /roll | wsmsg chat --user 1001 --group $group; echo $group"
        made = self.typed(f"{group}; {say}").split()[-1]
        self.answered(f"g:{made}", "[1-6]")

    def answered(self, conversation: str, content: str) -> None:
        """
        Wait until the bot has said this in a conversation.
        """
        api = f"http://127.0.0.1:21004/api/v1/conversations/{conversation}/messages"
        said = f'"from":4001,[^}}]*"content":"{content}"'
        wait = (
            f"until curl -s '{api}?user=1001' | grep -Eq '{said}'; do sleep 0.1; done"
        )
        (self.machine.folder / "wait").write_text(wait)
        self.typed("timeout 60 bash wait")


def _page(name: str) -> tuple[str, ...]:
    return TYPED[f"docs/tutorial/{name}.md"]
