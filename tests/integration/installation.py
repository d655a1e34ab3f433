"""
Real daemons for tests: C{twistd} processes on free ports, with a folder of their own.
"""

from __future__ import annotations

import asyncio
import json
import os
import shutil
import signal
import socket
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

import jwt

from wsmsg.token_key import local_key

#: A daemon that was killed is given so long to be ready again.
READY_S = 30.0
_PORTS = (
    "message.listen",
    "message.rpc_listen",
    "message.admin_listen",
    "connect.listen",
    "connect.rpc_listen",
    "connect.admin_listen",
)


class NotReady(AssertionError):
    """
    A daemon did not do what it was to do; has the end of its log.
    """


def free_ports(n: int) -> list[int]:
    """
    Ports of loopback that nobody has now.
    """
    sockets = [socket.socket() for _ in range(n)]
    try:
        for s in sockets:
            s.bind(("127.0.0.1", 0))
        return [s.getsockname()[1] for s in sockets]
    finally:
        for s in sockets:
            s.close()


class DaemonProcess:
    """
    One daemon, which may die and come back any number of times.

    @param extra: further settings, as C{--set} takes them.
    """

    def __init__(
        self,
        name: str,
        folder: Path,
        ports: dict[str, int],
        extra: dict[str, Any] | None = None,
    ) -> None:
        self.name = name
        self.log = folder / f"{name}.log"
        self._folder = folder
        self._ports = ports
        self._extra = extra or {}
        self._process: asyncio.subprocess.Process | None = None

    @property
    def pid(self) -> int:
        assert self._process is not None
        return self._process.pid

    @property
    def running(self) -> bool:
        return self._process is not None and self._process.returncode is None

    def _command(self) -> list[str]:
        settings = {
            key.partition(".")[2]: f"127.0.0.1:{port}"
            for key, port in self._ports.items()
            if key.startswith(f"{self.name}.")
        }
        if self.name == "connect":
            settings["discovery"] = f"static:127.0.0.1:{self._ports['upstream']}"
        command = [str(Path(sys.executable).parent / "twistd"), "-n", "--pidfile="]
        command += [self.name, "--data-dir", str(self._folder / "data")]
        for key, value in {**settings, **self._extra}.items():
            command += ["--set", f"{key}={value}"]
        return command

    async def start(self) -> None:
        """
        Start it; it may not be ready when this returns.
        """
        assert not self.running
        with self.log.open("ab") as log:
            self._process = await asyncio.create_subprocess_exec(
                *self._command(),
                stdin=asyncio.subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                cwd=self._folder,
            )

    async def signal(self, number: int) -> None:
        """
        Send it a signal.
        """
        assert self._process is not None
        self._process.send_signal(number)

    async def wait(self) -> int:
        """
        Its exit status, once it has ended.
        """
        assert self._process is not None
        return await asyncio.wait_for(self._process.wait(), READY_S)

    async def kill(self) -> None:
        """
        SIGKILL.
        """
        if self.running:
            await self.signal(signal.SIGKILL)
            await self.wait()

    async def terminate(self) -> int:
        """
        SIGTERM, and its exit status.
        """
        await self.signal(signal.SIGTERM)
        return await self.wait()

    async def get(self, path: str) -> tuple[int, Any]:
        """
        Ask its admin listener.

        @return: the HTTP status and the document; 0 where nobody answers.
        """
        port = self._ports[f"{self.name}.admin_listen"]
        return await http_get(port, path)

    async def ready(self, wanted: bool = True) -> None:
        """
        Wait until C{/readyz} says so.
        """
        end = time.monotonic() + READY_S
        while time.monotonic() < end:
            status, _ = await self.get("/readyz")
            if (status == 200) is wanted and status:
                return
            if not self.running:
                break
            await asyncio.sleep(0.02)  # there is no event across processes
        raise NotReady(f"{self.name} not ready={wanted}:\n{self.tail()}")

    def tail(self) -> str:
        """
        The end of its log.
        """
        return "\n".join(self.log.read_text("utf-8", "replace").splitlines()[-40:])


class Installation:
    """
    One Message and one Connect.
    """

    def __init__(
        self,
        *,
        message: dict[str, Any] | None = None,
        connect: dict[str, Any] | None = None,
        upstream: int = 0,
    ) -> None:
        self.folder = Path(tempfile.mkdtemp(prefix="wsmsg-test-"))
        self.ports = dict(zip(_PORTS, free_ports(len(_PORTS)), strict=True))
        self.ports["upstream"] = upstream or self.ports["message.rpc_listen"]
        self.message = DaemonProcess("message", self.folder, self.ports, message)
        self.connect = DaemonProcess("connect", self.folder, self.ports, connect)

    @property
    def url(self) -> str:
        return f"ws://127.0.0.1:{self.ports['connect.listen']}/api/v1/connect/ws"

    def token(self, user: int, **claims: Any) -> str:
        """
        A token that Connect believes.
        """
        body = {"sub": str(user), "exp": int(time.time()) + 3600, **claims}
        return jwt.encode(body, local_key(self.folder / "data"), "HS256")

    async def start(self) -> None:
        """
        Start both, and wait until both are ready.
        """
        await asyncio.gather(self.message.start(), self.connect.start())
        await asyncio.gather(self.message.ready(), self.connect.ready())

    async def stop(self) -> None:
        """
        End what runs, and remove the folder.
        """
        for daemon in (self.connect, self.message):
            if daemon.running:
                os.kill(daemon.pid, signal.SIGCONT)  # it may have been stopped
                await daemon.kill()
        shutil.rmtree(self.folder, ignore_errors=True)

    def logged(self, text: str) -> list[str]:
        """
        The lines of both logs that contain this.
        """
        return [
            line
            for daemon in (self.message, self.connect)
            if daemon.log.exists()
            for line in daemon.log.read_text("utf-8", "replace").splitlines()
            if text in line
        ]


async def http_get(port: int, path: str) -> tuple[int, Any]:
    """
    @return: the HTTP status and the JSON document (text, if it is none); 0 where
        nobody answers.
    """
    try:
        reader, writer = await asyncio.open_connection("127.0.0.1", port)
        writer.write(f"GET {path} HTTP/1.0\r\nHost: x\r\n\r\n".encode())
        answer = await asyncio.wait_for(reader.read(), 5)
        writer.close()
    except (OSError, TimeoutError):
        return 0, None
    head, _, body = answer.partition(b"\r\n\r\n")
    if not head:
        return 0, None
    try:
        document = json.loads(body)
    except ValueError:
        document = body.decode("utf-8", "replace")
    return int(head.split()[1]), document
