"""
Commands that look where a settings file says, and no proxy in the environment keeps
them from it.
"""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
import tempfile
import threading
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path

from twisted.trial.unittest import SynchronousTestCase

from tests.cli.test_commands import run
from wsmsg.cli.operator.ask import NoAnswer
from wsmsg.cli.operator.listener import admin_url
from wsmsg.settings.values import ConnectSettings, MessageSettings

READY = Path(__file__).parents[2] / "deploy" / "compose" / "ready"


class _Handler(BaseHTTPRequestHandler):
    def do_GET(self) -> None:
        assert isinstance(self.server, AdminServer)
        self.server.paths.append(self.path)
        self.server.keys.append(self.headers.get("Authorization", ""))
        wanted = self.server.wanted
        if wanted and self.server.keys[-1] != f"Bearer {wanted}":
            self.send_response(401)
            self.end_headers()
            self.wfile.write(b'{"detail": "this call needs the key"}')
            return
        self.send_response(200 if self.server.ready else 503)
        self.end_headers()
        document = {"ready": self.server.ready, "reason": "waits", "dead_letters": []}
        self.wfile.write(json.dumps({**document, "more": False}).encode())

    def log_message(self, format: str, *args: object) -> None:
        pass


class AdminServer(HTTPServer):
    """
    The admin listener of a daemon, which is ready or not.

    @ivar wanted: the key that it asks for; empty: none.
    @ivar keys: what requests had as C{Authorization}.
    """

    def __init__(self, *, ready: bool = True) -> None:
        super().__init__(("127.0.0.1", 0), _Handler)
        self.ready = ready
        self.paths: list[str] = []
        self.wanted = ""
        self.keys: list[str] = []
        threading.Thread(target=self.serve_forever, args=(0.01,), daemon=True).start()

    def end(self) -> None:
        self.shutdown()
        self.server_close()


class ConfigTests(SynchronousTestCase):
    """
    C{--config FILE}.
    """

    def setUp(self) -> None:
        self.folder = Path(tempfile.mkdtemp(prefix="wsmsg-test-"))
        self.addCleanup(shutil.rmtree, self.folder)
        self.config = self.folder / "wsmsg.toml"
        self.connect, self.message = AdminServer(), AdminServer()
        text = f'[common]\ndata_dir = "{self.folder}/data"\n'
        text += 'trust_network = ["admin_listen"]\n'
        for name, server in (("connect", self.connect), ("message", self.message)):
            self.addCleanup(server.end)
            text += f'[{name}]\nadmin_listen = "0.0.0.0:{server.server_port}"\n'
        self.config.write_text(text)

    def test_status(self) -> None:
        """
        The status is that of the daemons in the file.
        """
        told = run("status", "--config", str(self.config))
        self.assertEqual(told.exit_code, 0, told.output)
        self.assertEqual(self.connect.paths, ["/status"])
        self.assertEqual(self.message.paths, ["/status"])

    def test_mistakes(self) -> None:
        """
        Commands that look for what is wrong do so in spite of mistakes in settings that
        they do not need, which they show: a certificate that cannot be read, a value, a
        misspelt key.  A mistake in what they need ends them.
        """
        good = self.config.read_text()
        cert = "tls.listen.cert = '/nowhere.pem'\ntls.listen.key = '/nowhere.key'\n"
        for wrong, reason in (
            (cert, "/nowhere.pem cannot be read"),
            ("drain.lead_s = 'x'\n", "must be a number"),
            ("drain.led_s = 1\n", "drain.led_s: is not a setting"),
        ):
            self.config.write_text(good.replace("[common]\n", f"[common]\n{wrong}"))
            told = run("status", "--config", str(self.config))
            self.assertEqual(told.exit_code, 0, told.output)
            self.assertIn("warning: ", told.stderr)
            self.assertIn(reason, told.stderr)
            told = run("doctor", "--config", str(self.config))
            self.assertEqual(told.exit_code, 1)
            self.assertIn("PROBLEM  settings: ", told.stdout)
            self.assertIn(reason, told.stdout)
            self.assertIn("message: ready", told.stdout)
            told = run("token", "--config", str(self.config), "1001")
            self.assertEqual(told.exit_code, 0, told.output)
            self.assertIn(reason, told.stderr)
        self.config.write_text(good.replace('admin_listen = "0', 'admin_listen = "0:'))
        told = run("status", "--config", str(self.config))
        self.assertEqual((told.exit_code, told.stdout), (1, ""))
        self.assertIn("admin_listen: ", told.stderr)
        told = run("status", "--config", str(self.folder / "none.toml"))
        self.assertEqual((told.exit_code, told.stdout), (1, ""))
        self.assertIn("cannot be read: No such file", told.stderr)

    def test_doctor(self) -> None:
        """
        The doctor looks at the daemons and at the data directory of the file.
        """
        told = run("doctor", "--config", str(self.config)).output
        self.assertIn("connect: ready", told)
        self.assertIn("message: ready", told)
        self.assertIn(f"data directory: {self.folder}/data does not exist yet", told)

    def test_dead_letters(self) -> None:
        """
        The dead letters are those of the Message in the file.
        """
        told = run("dead-letters", "list", "--config", str(self.config))
        self.assertEqual(told.output, "There are no dead letters.\n")
        self.assertEqual(len(self.message.paths), 1)

    def test_address(self) -> None:
        """
        A listener on all addresses is asked on this machine; without one there is
        nobody to ask.
        """
        for listen, url in (
            ("0.0.0.0:5", "http://127.0.0.1:5"),
            ("[::]:5", "http://[::1]:5"),
            ("10.1.2.3:5", "http://10.1.2.3:5"),
        ):
            self.assertEqual(admin_url(ConnectSettings(admin_listen=listen)), url)
        error = self.assertRaises(NoAnswer, admin_url, MessageSettings(admin_listen=""))
        self.assertIn("message.admin_listen is empty", str(error))


class ReadyTests(SynchronousTestCase):
    """
    The health check of the containers.
    """

    def checked(self, *, ready: bool) -> subprocess.CompletedProcess[str]:
        server = AdminServer(ready=ready)
        self.addCleanup(server.end)
        proxy = {f"{name}_proxy": "http://127.0.0.1:1" for name in ("http", "all")}
        return subprocess.run(
            [sys.executable, str(READY), str(server.server_port)],
            env={**os.environ, **proxy, "no_proxy": ""},
            capture_output=True,
            text=True,
            timeout=60,
            check=False,
        )

    def test_ready(self) -> None:
        """
        The status is 0 only if the daemon is ready, whatever proxy the environment
        names; otherwise standard error has the reason.
        """
        self.assertEqual(self.checked(ready=True).returncode, 0)
        waiting = self.checked(ready=False)
        self.assertEqual(waiting.returncode, 1)
        self.assertIn("waits", waiting.stderr)
