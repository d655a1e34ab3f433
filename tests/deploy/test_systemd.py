"""
Tests of the units in C{deploy/systemd}, and of the notifications to systemd.
"""

from __future__ import annotations

import os
import re
import shutil
import socket
import subprocess
import sys
from pathlib import Path

from twisted.internet.task import Clock
from twisted.trial.unittest import SkipTest, TestCase

from wsmsg.daemon.systemd import Notify
from wsmsg.dependency.state import Dependency
from wsmsg.monitoring.health import Health, required_up
from wsmsg.settings.sources import Sources, load_settings
from wsmsg.settings.values import ConnectSettings, MessageSettings

UNITS = Path(__file__).parent.parent.parent / "deploy" / "systemd"
PREFIX = "/opt/wsmsg/bin"
KEYS = "/etc/wsmsg"
DAEMONS = ("wsmsg-connect@.service", "wsmsg-message@.service")


def analyze() -> str:
    """
    Return the path of systemd's analyzer.
    """
    found = shutil.which("systemd-analyze")
    if found is None:
        raise SkipTest("systemd-analyze is not installed")
    return found


class UnitTests(TestCase):
    """
    The files as an operator copies them.
    """

    def test_verified(self) -> None:
        """
        systemd accepts the target and the units.
        """
        folder = self.units()
        verified = subprocess.run(
            [
                analyze(),
                "verify",
                "wsmsg.target",
                "wsmsg-connect@1.service",
                "wsmsg-connect@1.socket",
                "wsmsg-message@1.service",
                "wsmsg-keys.service",
            ],
            env={**os.environ, "SYSTEMD_UNIT_PATH": f"{folder.absolute()}:"},
            capture_output=True,
            text=True,
            check=False,
        )
        self.assertEqual((verified.returncode, verified.stderr), (0, ""))

    def units(self) -> Path:
        """
        Copy the units, with a program that exists: systemd checks that.
        """
        folder = Path(self.mktemp())
        folder.mkdir()
        for name in ("wsmsg.target", "wsmsg-connect@.socket", "wsmsg-keys.service"):
            shutil.copy(UNITS / name, folder)
        for name in DAEMONS:
            text = (UNITS / name).read_text()
            self.assertIn(f"ExecStart={PREFIX}/twistd ", text)
            text = text.replace(f"{PREFIX}/twistd", sys.executable)
            (folder / name).write_text(text)
        return folder

    def test_systemd_is_hardened_as_shipped(self) -> None:
        """
        Each unit, as it is shipped, has an exposure of at most 2.0 by systemd's own
        measure, without a drop-in.
        """
        folder = self.units()
        self.assertEqual(list(UNITS.glob("*.conf")), [])
        for name in (*DAEMONS, "wsmsg-keys.service"):
            unit = folder / name.replace("@.", "@1.")
            if not unit.exists():
                shutil.copy(folder / name, unit)
            told = subprocess.run(
                [analyze(), "security", "--offline=true", "--no-pager", str(unit)],
                capture_output=True,
                text=True,
                check=False,
            ).stdout
            found = re.search(r"Overall exposure level for .*: ([\d.]+) ", told)
            assert found is not None, told
            self.assertLessEqual(float(found[1]), 2.0, name)

    def test_users_are_apart(self) -> None:
        """
        Each daemon has a user and a state directory of its own, which only that user
        reads; the secret of both comes from the service manager.
        """
        users, folders = set(), set()
        for name in DAEMONS:
            unit = dict(
                line.split("=", 1)
                for line in (UNITS / name).read_text().splitlines()
                if "=" in line and not line.startswith("#")
            )
            users.add(unit["User"])
            folders.add(unit["StateDirectory"])
            self.assertEqual(unit["DynamicUser"], "yes")
            self.assertEqual(unit["StateDirectoryMode"], "0700")
            self.assertEqual(unit["UMask"], "0077")
            credential, _, source = unit["LoadCredential"].partition(":")
            self.assertEqual(credential, "wsmsg.common.peer.secrets")
            self.assertIn(source, f"{KEYS}/peer.key")
        self.assertEqual((len(users), len(folders)), (2, 2))

    def test_secret_is_made(self) -> None:
        """
        The unit for the secret makes one that the daemons accept, readable by its owner
        only, and keeps one that is there.
        """
        folder = Path(self.mktemp()).absolute()
        folder.mkdir()
        text = (UNITS / "wsmsg-keys.service").read_text()
        found = re.search(r"(?m)^ExecStart=/bin/sh -c '(.*)'$", text)
        assert found is not None
        command = f"umask 0077; {found[1].replace(KEYS, str(folder))}"
        secrets = []
        for _ in range(2):
            subprocess.run(["/bin/sh", "-c", command], check=True)
            secrets.append((folder / "peer.key").read_text())
        self.assertEqual(secrets[0], secrets[1])
        self.assertEqual((folder / "peer.key").stat().st_mode & 0o777, 0o600)
        self.assertEqual(os.listdir(folder), ["peer.key"])
        given = folder / "wsmsg.common.peer.secrets"
        shutil.copy(folder / "peer.key", given)
        sources = Sources(environ={"CREDENTIALS_DIRECTORY": str(folder)})
        for kind in (ConnectSettings, MessageSettings):
            settings = load_settings(kind, sources)
            [secret] = settings.peer.secrets
            self.assertEqual(secret.get_secret_value(), secrets[0])

    def test_example_file(self) -> None:
        """
        Both daemons accept the example of a settings file as it is.
        """
        sources = Sources(file=UNITS / "wsmsg.toml.example")
        connect = load_settings(ConnectSettings, sources)
        self.assertEqual(connect.listen, "0.0.0.0:21005")
        load_settings(MessageSettings, sources)

    def test_example_comments(self) -> None:
        """
        Each commented setting of the example file shows the default.
        """
        folder = Path(self.mktemp())
        folder.mkdir()
        lines = (UNITS / "wsmsg.toml.example").read_text().splitlines()
        shown = [
            line.removeprefix("# ") if " = " in line else line
            for line in lines
            if "token.pub" not in line and "0.0.0.0" not in line
        ]
        file = folder / "shown.toml"
        file.write_text("\n".join(shown))
        sources = Sources(file=file)
        self.assertEqual(load_settings(ConnectSettings, sources), ConnectSettings())
        self.assertEqual(load_settings(MessageSettings, sources), MessageSettings())

    def test_example_environment(self) -> None:
        """
        Every variable of the example, also in comments, is a setting.
        """
        lines = (UNITS / "wsmsg.env.example").read_text().splitlines()
        pairs = [
            line.lstrip("#").split("=", 1)
            for line in lines
            if line.lstrip("#").startswith("WSMSG_") and "_FILE=" not in line
        ]
        environ = dict(pairs)
        self.assertIn("WSMSG_CONNECT__LISTEN", environ)
        settings = load_settings(ConnectSettings, Sources(environ=environ))
        self.assertEqual(settings.listen, "127.0.0.1:21105")
        self.assertEqual(settings.log.format, "json")


class NotifyTests(TestCase):
    """
    Tests of L{Notify}.
    """

    def setUp(self) -> None:
        # Not below the test's folder: a socket's path has at most 107 characters.
        self.socket = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        self.addCleanup(self.socket.close)
        self.socket.bind("")
        self.socket.setblocking(False)
        name = self.socket.getsockname()[1:].decode()
        self.environ = {"NOTIFY_SOCKET": f"@{name}"}
        self.clock = Clock()
        self.health = Health(self.clock, required_up)
        self.dependency = Dependency("journal", self.clock)
        self.health.add(self.dependency)

    def notify(self) -> Notify:
        notify = Notify(
            self.clock,
            self.health,
            self.environ,
            pid=lambda: 7,
            monotonic_ns=lambda: 5_000_000,
        )
        notify.start()
        self.addCleanup(notify.stop)
        return notify

    def told(self) -> list[str]:
        messages = []
        while True:
            try:
                messages.append(self.socket.recv(1000).decode())
            except BlockingIOError:
                return messages

    def test_ready(self) -> None:
        """
        systemd receives READY when all required dependencies are up, and not before.
        """
        self.notify()
        self.health.started()
        self.assertEqual(self.told(), ["STATUS=starting"])
        self.dependency.succeeded()
        self.assertEqual(self.told(), ["READY=1\nSTATUS=ready"])

    def test_lost(self) -> None:
        """
        A lost dependency appears in the unit's status, and READY is not sent twice.
        """
        self.health.started()
        self.notify()
        self.dependency.succeeded()
        self.told()
        self.dependency.lost("gone")
        self.assertEqual(self.told(), ["STATUS=waiting for journal"])
        self.dependency.succeeded()
        self.assertEqual(self.told(), ["STATUS=ready"])

    def test_watchdog(self) -> None:
        """
        The watchdog is notified at half of its interval while the reactor runs.
        """
        self.environ["WATCHDOG_USEC"] = "4000000"
        notify = self.notify()
        self.told()
        self.clock.advance(1.9)
        self.assertEqual(self.told(), [])
        self.clock.advance(0.1)
        self.assertEqual(self.told(), ["WATCHDOG=1"])
        notify.stop()
        self.assertEqual(self.clock.getDelayedCalls(), [])

    def test_watchdog_of_another(self) -> None:
        """
        The watchdog of another process is not notified.
        """
        self.environ.update(WATCHDOG_USEC="4000000", WATCHDOG_PID="8")
        self.notify()
        self.assertEqual(self.clock.getDelayedCalls(), [])

    def test_reload_and_stop(self) -> None:
        """
        systemd is notified when a reload begins and ends, and when a stop begins, with
        the time that it may take.
        """
        self.health.started()
        notify = self.notify()
        self.dependency.succeeded()
        self.told()
        notify.reloading()
        notify.reloaded()
        notify.stopping(25)
        self.assertEqual(
            self.told(),
            [
                "RELOADING=1\nMONOTONIC_USEC=5000",
                "READY=1\nSTATUS=ready",
                "STOPPING=1\nSTATUS=stopping\nEXTEND_TIMEOUT_USEC=30000000",
            ],
        )

    def test_no_systemd(self) -> None:
        """
        Without systemd nothing is sent and nothing is scheduled.
        """
        self.environ.clear()
        self.environ["WATCHDOG_USEC"] = "4000000"
        self.notify().stopping(25)
        self.assertEqual(self.told(), [])
        self.assertEqual(self.clock.getDelayedCalls(), [])

    def test_no_listener(self) -> None:
        """
        A notification socket without a reader does not stop the daemon.
        """
        self.environ["NOTIFY_SOCKET"] = "/nonexistent/notify"
        self.notify().stopping(25)
