"""
Tests of a daemon under twistd: in the background, with mistakes, and with a reload.
"""

from __future__ import annotations

import asyncio
import os
import shutil
import signal
import socket
import sys
import tempfile
from functools import partial
from pathlib import Path

import jwt
from websockets.exceptions import InvalidStatus

from tests.integration.cases import IntegrationTestCase, eventually, with_daemons
from tests.integration.installation import free_ports, http_get
from wsmsg.protocol import client_pb2 as pb

_LISTENERS = ("listen", "rpc_listen", "admin_listen")


class TwistdTests(IntegrationTestCase):
    """
    One daemon at a time, started as from a shell.
    """

    alone = True

    def setUp(self) -> None:
        self.folder = Path(tempfile.mkdtemp(prefix="wsmsg-life-"))
        self.addCleanup(shutil.rmtree, self.folder, ignore_errors=True)
        self.ports = dict(zip(_LISTENERS, free_ports(3), strict=True))

    async def twistd(
        self, daemon: str, *options: str, before: tuple[str, ...] = ("-n", "--pidfile=")
    ) -> tuple[int, str]:
        """
        Run twistd until it ends or has gone to the background.

        @return: its exit status and all its output.
        """
        command = [str(Path(sys.executable).parent / "twistd"), *before, daemon]
        command += ["--data-dir", str(self.folder / "data")]
        for key, port in self.ports.items():
            command += ["--set", f"{key}=127.0.0.1:{port}"]
        process = await asyncio.create_subprocess_exec(
            *command,
            *options,
            stdin=asyncio.subprocess.DEVNULL,
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.STDOUT,
            cwd=self.folder,
        )
        try:
            async with asyncio.timeout(30):
                output, _ = await process.communicate()
        except TimeoutError:
            process.kill()
            raise
        assert process.returncode is not None
        return process.returncode, output.decode()

    async def refused(self, status: int, daemon: str, *options: str) -> list[str]:
        """
        Start a daemon that cannot start.

        @return: the lines that it printed, which have no traceback.
        """
        ended, output = await self.twistd(daemon, *options)
        self.assertEqual(ended, status, output)
        self.assertNotIn("Traceback", output)
        lines = output.splitlines()
        self.assertTrue(lines[0].startswith(f"wsmsg {daemon}: "), output)
        return lines

    @with_daemons
    async def test_daemonized(self) -> None:
        """
        In the background both daemons serve, each with its pid file and its log;
        SIGTERM ends them and removes the pid files.
        """
        for daemon in ("message", "connect"):
            pidfile, log = self.folder / f"{daemon}.pid", self.folder / f"{daemon}.log"
            before = (f"--pidfile={pidfile}", f"--logfile={log}")
            self.assertEqual(await self.twistd(daemon, before=before), (0, ""))
            pid = int(pidfile.read_text())
            self.addCleanup(_kill, pid)
            port = self.ports["admin_listen"]
            path = "/readyz" if daemon == "message" else "/healthz"
            await eventually("serving", partial(_serves, port, path), 20)
            os.kill(pid, signal.SIGTERM)
            await eventually("ended", partial(_ended, pidfile, log))
            self.assertNotIn("Traceback", log.read_text())

    @with_daemons
    async def test_port_in_use(self) -> None:
        """
        If another process has the port, the daemon ends with status 1 and one line that
        names the port, the setting and the remedy.
        """
        for daemon, key in (("connect", "listen"), ("message", "rpc_listen")):
            with socket.create_server(("127.0.0.1", self.ports[key])):
                [line] = await self.refused(1, daemon)
            self.assertIn(f"127.0.0.1:{self.ports[key]} ({key})", line)
            self.assertIn("address already in use", line)

    @with_daemons
    async def test_data_in_use(self) -> None:
        """
        A second Message on the same data directory ends with status 1 and a line for
        the locked file that names the owner; the first Message is not disturbed.
        """
        message = self.installation.message
        await message.start()
        await message.ready()
        folder = str(self.installation.folder / "data")
        [line] = await self.refused(1, "message", "--data-dir", folder)
        self.assertIn(f"{folder}/store.db is in use by process {message.pid}", line)
        self.assertEqual((await message.get("/readyz"))[0], 200)

    @with_daemons
    async def test_unwritable_folder(self) -> None:
        """
        If the data directory cannot be written, the daemon ends with status 1 and one
        line that names it.
        """
        file = self.folder / "file"
        file.write_text("")
        for daemon in ("connect", "message"):
            for folder in (str(file / "below"), "/proc/wsmsg"):
                [line] = await self.refused(1, daemon, "--data-dir", folder)
                self.assertIn(folder, line)

    @with_daemons
    async def test_mistakes(self) -> None:
        """
        Mistakes in the settings end the daemon with status 2 before anything starts;
        each is reported with its key, its source and the reason.
        """
        file = self.folder / "settings.toml"
        file.write_text(
            "[connect]\nheartbeat_s = 0\nlimits = { window = 'many', windows = 3 }\n"
            "[common]\nlog = { level = 'loud' }\n"
        )
        lines = await self.refused(
            2, "connect", "--config", str(file), "--set", "stop_s=soon"
        )
        text = "\n".join(lines)
        for key in ("heartbeat_s", "limits.window", "limits.windows", "log.level"):
            self.assertIn(key, text)
        self.assertIn("--set stop_s", text)
        self.assertEqual(text.count(str(file)), 4, text)
        self.assertFalse((self.folder / "data").exists())

    @with_daemons
    async def test_open_listeners(self) -> None:
        """
        P8: a listener that trusts its callers is not opened beyond loopback unless
        C{trust_network} allows it: status 2.
        """
        for daemon, key in (
            ("connect", "rpc_listen"),
            ("connect", "admin_listen"),
            ("message", "listen"),
            ("message", "rpc_listen"),
            ("message", "admin_listen"),
        ):
            setting = f"{key}=0.0.0.0:{self.ports[key]}"
            lines = await self.refused(2, daemon, "--set", setting)
            self.assertIn("trust_network", "\n".join(lines))
            self.assertIn(key, "\n".join(lines))

    @with_daemons
    async def test_another_reactor(self) -> None:
        """
        C{twistd --reactor=epoll} is reported as a mistake, with the remedy.
        """
        before = ("-n", "--pidfile=", "--reactor=epoll")
        status, output = await self.twistd("connect", before=before)
        self.assertEqual((status, len(output.splitlines())), (2, 1), output)
        self.assertIn("--reactor=asyncio", output)


class ReloadTests(IntegrationTestCase):
    """
    SIGHUP while users are connected.
    """

    alone = True

    def write(self, text: str) -> None:
        """
        Write Connect's settings file.
        """
        self.file.write_text(text)

    async def begin(self, text: str) -> None:
        """
        Start both daemons, Connect with a settings file.
        """
        self.file = self.installation.folder / "connect.toml"
        self.write(text)
        self.installation.connect.arguments = ["--config", str(self.file)]
        await self.installation.start()

    async def reload(self, text: str, says: str) -> str:
        """
        Change the file, send SIGHUP, and wait for the result in the log.
        """
        self.write(text)
        await self.installation.connect.signal(signal.SIGHUP)
        return await self.installation.connect.until_logged(says)

    @with_daemons
    async def test_live(self) -> None:
        """
        The log level, a limit and the key of the tokens change at once, and no
        connection ends.
        """
        await self.begin("")
        connect = self.installation.connect
        one, two = self.user(), self.user()
        device = await self.device(one)
        new_key = "k" * 40
        said = await self.reload(
            f'[connect]\nlog.level = "debug"\nlimits.content_bytes = 5\n'
            f'token.secret = "{new_key}"\n',
            "settings reloaded",
        )
        for key in ("log.level", "limits.content_bytes", "token.secret"):
            self.assertIn(key, said)
        self.assertNotIn(new_key, "\n".join(connect.lines()))
        rejected = await device.send(two, "id-1", "longer")
        self.assertEqual(rejected.code, "too_large")
        self.assertTrue((await device.send(two, "id-2", "short")).time)
        with self.assertRaises(InvalidStatus):
            await self.dial(two)
        token = jwt.encode({"sub": str(two), "exp": 2**33}, new_key, "HS256")
        friend = await self.dial(two, token=token)
        await friend.greet()
        await device.send_frame(ping=pb.Ping(nonce="there"))
        await device.expect("pong", nonce="there")
        self.assertEqual(len(device.all("welcome")), 1)

    @with_daemons
    async def test_mistakes(self) -> None:
        """
        A file with mistakes changes nothing: each mistake is logged, and so are the
        keys that need a restart.
        """
        await self.begin("[connect]\nlimits.content_bytes = 5\n")
        connect = self.installation.connect
        one, two = self.user(), self.user()
        device = await self.device(one)
        await self.reload(
            "[connect]\nlimits.content_bytes = 50\nheartbeat_s = -1\nnonsense = 1\n",
            "the settings were not reloaded",
        )
        told = [line for line in connect.lines() if "#error] settings: " in line]
        self.assertEqual(len(told), 2, told)
        for key in ("heartbeat_s", "nonsense"):
            self.assertTrue([line for line in told if key in line], told)
        rejected = await device.send(two, "id-1", "longer")
        self.assertEqual(rejected.code, "too_large")
        await self.reload(
            '[connect]\nlimits.content_bytes = 50\nnode = "other"\n',
            "node changes only with a restart",
        )
        await connect.until_logged("changed: limits.content_bytes")
        self.assertTrue((await device.send(two, "id-1", "longer")).time)
        self.assertEqual((await connect.get("/readyz"))[0], 200)


async def _serves(port: int, path: str) -> bool:
    return (await http_get(port, path))[0] == 200


def _ended(pidfile: Path, log: Path) -> bool:
    return not pidfile.exists() and "Server Shut Down" in log.read_text()


def _kill(pid: int) -> None:
    try:
        os.kill(pid, signal.SIGKILL)
    except ProcessLookupError:
        pass
