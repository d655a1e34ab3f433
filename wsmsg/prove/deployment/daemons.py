"""
Daemons of a deployment of one's own: C{twistd} processes on free ports.
"""

from __future__ import annotations

import asyncio
import os
import random
import signal
import socket
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from wsmsg.auth.local_key import ADMIN_KEY
from wsmsg.bench.load.proc import rss_bytes
from wsmsg.prove.deployment.http import http_get

#: Seconds within which a killed daemon must be ready again.
READY_S = 90.0


class NotReady(AssertionError):
    """
    A daemon did not reach the expected state; the text has the end of its log.
    """


def free_ports(n: int) -> list[int]:
    """
    Return ports of loopback that no process uses.

    The ports are below the kernel's range for outgoing connections. Otherwise a client
    that dials a stopped daemon may get the daemon's port as its own source port.
    """
    sockets: list[socket.socket] = []
    try:
        while len(sockets) < n:
            s = socket.socket()
            try:
                s.bind(("127.0.0.1", random.randrange(10_000, 32_000)))
            except OSError:
                s.close()
            else:
                sockets.append(s)
        return [s.getsockname()[1] for s in sockets]
    finally:
        for s in sockets:
            s.close()


class DaemonProcess:
    """
    One daemon, which may be killed and started again any number of times.

    @param name: C{message} or C{connect}, or one of several: C{message-2}.
    @param extra: further settings, as for C{--set}.
    @ivar arguments: further command-line options, such as C{--config}.
    @ivar twistd: further options of twistd itself, such as C{--logfile}.
    @ivar before_exec: called in the child process before it executes the daemon.
    @ivar passed: further file descriptors that the daemon inherits.
    @ivar commands: the folder with the twistd that runs it.
    @ivar environ: its environment; L{None}: that of this process.
    """

    def __init__(
        self,
        name: str,
        folder: Path,
        ports: dict[str, int],
        extra: dict[str, Any] | None = None,
    ) -> None:
        self.name = name
        self.kind = name.partition("-")[0]
        self.log = folder / f"{name}.log"
        self._folder = folder
        self._ports = ports
        # On a machine that is busy on purpose, long turns are no news.
        usual = {"ready.turn_s": 0} if self.kind == "connect" else {}
        self.extra = {**usual, **(extra or {})}
        self.arguments: list[str] = []
        self.twistd: tuple[str, ...] = ()
        self.before_exec: Callable[[], object] | None = None
        self.passed: tuple[int, ...] = ()
        self.commands = Path(sys.executable).parent
        self.environ: dict[str, str] | None = None
        self._process: asyncio.subprocess.Process | None = None

    @property
    def pid(self) -> int:
        assert self._process is not None
        return self._process.pid

    def port(self, listener: str) -> int:
        """
        Return the port of a listener: C{listen}, C{rpc_listen} or C{admin_listen}.
        """
        return self._ports[f"{self.name}.{listener}"]

    @property
    def client_url(self) -> str:
        """
        The URL at which clients reach a Connect.
        """
        return f"ws://127.0.0.1:{self.port('listen')}/api/v1/connect/ws"

    @property
    def running(self) -> bool:
        return self._process is not None and self._process.returncode is None

    @property
    def _status(self) -> int | None:
        return None if self._process is None else self._process.returncode

    def _command(self) -> list[str]:
        settings = {
            key.partition(".")[2]: f"127.0.0.1:{port}"
            for key, port in self._ports.items()
            if key.startswith(f"{self.name}.")
        }
        if "upstream" in self._ports and self.kind == "connect":
            settings["discovery"] = f"static:127.0.0.1:{self._ports['upstream']}"
        command = [str(self.commands / "twistd"), "-n", "--pidfile="]
        command += [*self.twistd, self.kind, "--data-dir", str(self._folder / "data")]
        for key, value in {**settings, **self.extra}.items():
            command += ["--set", f"{key}={value}"]
        return command + self.arguments

    def prepare(self, before_exec: Callable[[], object], arguments: list[str]) -> None:
        """
        Set what the next start does in the child process, and its further options.
        """
        self.before_exec, self.arguments = before_exec, arguments

    async def start(self) -> None:
        """
        Start the daemon, without waiting until it is ready.
        """
        assert not self.running
        with self.log.open("ab") as log:
            self._process = await asyncio.create_subprocess_exec(
                *self._command(),
                stdin=asyncio.subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                cwd=self._folder,
                env=self.environ,
                preexec_fn=self.before_exec,
                pass_fds=self.passed,
            )

    async def signal(self, number: int) -> None:
        """
        Send a signal to the daemon.
        """
        assert self._process is not None
        self._process.send_signal(number)

    async def wait(self) -> int:
        """
        Wait for the daemon to end, and return its exit status.
        """
        assert self._process is not None
        return await asyncio.wait_for(self._process.wait(), READY_S)

    async def kill(self) -> None:
        """
        Send SIGKILL and wait for the end.
        """
        if self.running:
            await self.signal(signal.SIGKILL)
            await self.wait()

    async def terminate(self) -> int:
        """
        Send SIGTERM and return the exit status.
        """
        await self.signal(signal.SIGTERM)
        return await self.wait()

    async def get(self, path: str) -> tuple[int, Any]:
        """
        Send a request to the admin listener.

        @return: the HTTP status and the document; status 0 if nothing answers.
        """
        key = self.admin_key.read_text().strip() if self.admin_key.exists() else ""
        return await http_get(self.port("admin_listen"), path, key)

    @property
    def admin_key(self) -> Path:
        """
        The file with the key of operators.
        """
        return self._folder / "data" / ADMIN_KEY

    async def ready(self, wanted: bool = True) -> None:
        """
        Wait until C{/readyz} reports ready.
        """
        end = time.monotonic() + READY_S
        while time.monotonic() < end:
            status, _ = await self.get("/readyz")
            if (status == 200) is wanted and status:
                return
            if not self.running:
                break
            await asyncio.sleep(0.02)  # other processes have no event to wait for
        state = "running" if self.running else f"ended with {self._status}"
        raise NotReady(f"{self.name}, {state}, not ready={wanted}:\n{self.tail()}")

    async def until_logged(self, text: str, limit_s: float = READY_S) -> str:
        """
        Wait until a line of the log contains this text.

        @return: the first such line.
        """
        end = time.monotonic() + limit_s
        while time.monotonic() < end:
            for line in self.lines():
                if text in line:
                    return line
            await asyncio.sleep(0.02)  # other processes have no event to wait for
        raise NotReady(f"{self.name} did not log {text!r}:\n{self.tail()}")

    def lines(self) -> list[str]:
        """
        Return the lines of the log so far.
        """
        if not self.log.exists():
            return []
        return self.log.read_text("utf-8", "replace").splitlines()

    def rss_bytes(self) -> int:
        """
        Return the resident memory of the process, in bytes.
        """
        return rss_bytes(self.pid)

    def open_files(self) -> int:
        """
        Return the number of open file descriptors.
        """
        return len(os.listdir(f"/proc/{self.pid}/fd"))

    def tail(self) -> str:
        """
        Return the end of the log.
        """
        return "\n".join(self.lines()[-40:])
