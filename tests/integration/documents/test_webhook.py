"""
The example that sends a line of text from a script.
"""

from __future__ import annotations

import json
import re
import shutil
import subprocess
from unittest import SkipTest

from twisted.trial.unittest import SynchronousTestCase

from tests.integration.documents.pages import ROOT
from tests.integration.documents.terminal import Machine

_EXAMPLE = ROOT / "examples" / "webhook"


class WebhookTests(SynchronousTestCase):
    """
    C{examples/webhook}, on a machine of its own.
    """

    def setUp(self) -> None:
        for program in ("curl", "jq"):
            if shutil.which(program) is None:
                raise SkipTest(f"there is no {program}")
        self.machine = Machine()
        self.addCleanup(self.machine.close)
        if not self.machine.usable:
            raise SkipTest("the daemons' ports are in use, and unshare is not allowed")
        shutil.copy(_EXAMPLE / "notify.sh", self.machine.folder)
        page = (_EXAMPLE / "README.md").read_text()
        start, send, mistake = re.findall(r"```sh\n(.*?)```", page, re.S)
        key, *daemons = start.splitlines()
        self.user, self.send = send.splitlines()
        self.mistake = mistake.strip()
        done = self.machine.type(f"{key}; echo $WSMSG_API_KEY")
        self.secret = done.stdout.strip()
        self.assertTrue(self.secret, done.stderr)
        self.reader = self.machine.type("wsmsg key new tests --scopes read").stdout
        for command in daemons:
            self.machine.start(command)
        self.machine.ready("message", "connect")

    def typed(self, command: str) -> subprocess.CompletedProcess[str]:
        """
        Type a command in the terminal with the key.
        """
        return self.machine.type(f"{self.user}; {command}", WSMSG_API_KEY=self.secret)

    def test_once(self) -> None:
        """
        The message is there once, however often the command is typed, with the text as
        it stands.
        """
        said = [self.typed(self.send) for _ in range(3)]
        self.assertEqual([done.returncode for done in said], [0, 0, 0], said)
        ids = {json.loads(done.stdout)["message_id"] for done in said}
        self.assertEqual(len(ids), 1)
        hostile = self.typed("./notify.sh two to=1001 $'a \"b\" \\\\ $(c)\\n\\u00e9'")
        self.assertEqual(hostile.returncode, 0, hostile)
        self.assertEqual(
            self.contents(), ['The build 17 of "main" failed', 'a "b" \\ $(c)\n\u00e9']
        )

    def test_mistakes(self) -> None:
        """
        A mistake has a status that is not 0, and its reason.
        """
        done = self.typed(self.mistake)
        self.assertNotEqual(done.returncode, 0)
        self.assertIn("to", json.loads(done.stdout)["detail"])
        done = self.typed("./notify.sh two to=1001")
        self.assertEqual(done.returncode, 2)
        self.assertIn("usage: notify.sh", done.stderr)
        done = self.machine.type(f"{self.user}; {self.send}")
        self.assertNotEqual(done.returncode, 0)
        self.assertIn("wsmsg key new NAME --scopes send", done.stderr)
        done = self.machine.type(f"{self.user}; {self.send}", WSMSG_API_KEY="wrong")
        self.assertNotEqual(done.returncode, 0)
        self.assertEqual(json.loads(done.stdout)["code"], "unauthenticated")

    def contents(self) -> list[str]:
        """
        Return the contents of the messages of the conversation.
        """
        url = "http://127.0.0.1:21004/api/v1/conversations/u:1001:4002/messages"
        header = f"Authorization: Bearer {self.reader.strip()}"
        asked = f'curl -sS "{url}?user=1001" -H "{header}"'
        page = json.loads(self.machine.type(asked).stdout)
        return [message["content"] for message in page["messages"]]
