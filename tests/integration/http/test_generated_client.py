"""
A client that a generator makes of C{docs/openapi.json}, used with real daemons.
"""

from __future__ import annotations

import subprocess
import sys
from importlib import import_module
from pathlib import Path
from typing import Any

from tests.integration.cases import with_daemons
from tests.integration.http.cases import HttpTestCase

DESCRIPTION = Path(__file__).resolve().parents[3] / "docs" / "openapi.json"
NAME = "wsmsg_http"


class GeneratedClientTests(HttpTestCase):
    """
    The client that openapi-python-client makes.
    """

    def setUp(self) -> None:
        """
        Generate the client; a part that the generator skips is a failure.
        """
        folder = Path(self.mktemp()).absolute()
        folder.mkdir()
        (folder / "settings.yaml").write_text("post_hooks: []\n")
        command = [sys.executable, "-m", "openapi_python_client", "generate"]
        command += ["--path", str(DESCRIPTION), "--output-path", NAME]
        command += ["--config", "settings.yaml", "--meta", "none", "--fail-on-warning"]
        done = subprocess.run(
            command, capture_output=True, text=True, check=False, cwd=folder
        )
        self.assertEqual(done.returncode, 0, done.stdout + done.stderr)
        sys.path.insert(0, str(folder))
        self.addCleanup(sys.path.remove, str(folder))

    def call(self, name: str, **arguments: Any) -> Any:
        """
        Make a call with the client, and return its answer, parsed.

        @param name: the module of the call.
        """
        return import_module(f"{NAME}.api.{name}").asyncio(**arguments)

    @with_daemons
    async def test_used(self) -> None:
        """
        The client sends a message and reads it back, and sees why a call fails.
        """
        client_at = import_module(f"{NAME}.client").Client
        models = import_module(f"{NAME}.models")
        client = client_at(f"http://127.0.0.1:{self.port}")
        anna, ben = self.user(), self.user()
        phone = await self.device(ben)
        message = models.NewMessage(
            client_id="c", from_=anna, to=ben, content="good morning"
        )
        sent = await self.call("wsmsg.message_send", client=client, body=message)
        received = await phone.expect("deliver", content="good morning")
        self.assertEqual(received.message_id, int(sent.message_id))
        page = await self.call(
            "wsmsg.message_page",
            conversation=sent.conversation,
            client=client,
            user=ben,
        )
        self.assertEqual(
            [(m.seq, m.from_, m.content) for m in page.messages],
            [(1, anna, "good morning")],
        )
        refused = await self.call(
            "wsmsg.message_page",
            conversation=sent.conversation,
            client=client,
            user=self.user(),
        )
        self.assertIsInstance(refused, models.Problem)
        self.assertEqual((refused.status, refused.code), (403, "forbidden"))
        connect = client_at(
            f"http://127.0.0.1:{self.installation.connect.port('listen')}"
        )
        online = await self.call(
            "plain.edge_online_status",
            client=connect,
            body=models.OnlineStatusForm(user_ids=[anna, ben]),
        )
        self.assertEqual(
            online.status.additional_properties, {str(anna): False, str(ben): True}
        )
