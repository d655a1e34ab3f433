"""
Deployments of one's own: one Message and one Connect with embedded files, or several
of them on servers.
"""

from __future__ import annotations

import asyncio
import os
import shutil
import signal
import tempfile
import time
from pathlib import Path
from typing import Any

import jwt

from wsmsg.auth.local_key import local_key
from wsmsg.prove.deployment.daemons import DaemonProcess, free_ports

_PORTS = (
    "message.listen",
    "message.rpc_listen",
    "message.admin_listen",
    "connect.listen",
    "connect.rpc_listen",
    "connect.admin_listen",
)

_OF_CONNECT = tuple(f"connect-2.{name.partition('.')[2]}" for name in _PORTS[3:])


class Installation:
    """
    One Message and one Connect.

    @ivar url: the URL at which clients connect.
    @ivar urls: the URLs of all Connects.
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

    @property
    def urls(self) -> list[str]:
        return [self.url]

    @property
    def daemons(self) -> list[DaemonProcess]:
        """
        Return all daemons, the Messages first.
        """
        return [self.message, self.connect]

    def spares(self) -> list[DaemonProcess]:
        """
        Return daemons that may join the others, and are not started.
        """
        ports = dict(zip(_OF_CONNECT, free_ports(len(_OF_CONNECT)), strict=True))
        ports["upstream"] = self.ports["upstream"]
        return [DaemonProcess("connect-2", self.folder, ports, self.connect.extra)]

    def token(self, user: int | str, **claims: Any) -> str:
        """
        Return a token that Connect accepts.
        """
        body = {"sub": str(user), "exp": int(time.time()) + 3600, **claims}
        return jwt.encode(body, local_key(self.folder / "data"), "HS256")

    def lasting_token(self, user: int, lifetime_s: int) -> str:
        """
        Return a token that Connect accepts for so long.
        """
        return self.token(user, exp=int(time.time()) + lifetime_s)

    async def start(self) -> None:
        """
        Start all daemons, and wait until all are ready.
        """
        await asyncio.gather(*(daemon.start() for daemon in self.daemons))
        await asyncio.gather(*(daemon.ready() for daemon in self.daemons))

    async def stop(self) -> None:
        """
        Stop the running daemons, and remove the folder.
        """
        for daemon in reversed(self.daemons):
            if daemon.running:
                os.kill(daemon.pid, signal.SIGCONT)  # the test may have stopped it
                await daemon.kill()
        shutil.rmtree(self.folder, ignore_errors=True)

    def end(self) -> None:
        """
        Do the same as L{stop}, where nothing can be awaited.
        """
        for daemon in reversed(self.daemons):
            if daemon.running:
                os.kill(daemon.pid, signal.SIGKILL)
                try:
                    # The child is not reaped here: asyncio does that.
                    os.waitid(os.P_PID, daemon.pid, os.WEXITED | os.WNOWAIT)
                except ChildProcessError:
                    pass
        shutil.rmtree(self.folder, ignore_errors=True)

    def tracebacks(self) -> list[str]:
        """
        Return every traceback in the logs, with the log line that it belongs to.
        """
        found = []
        for daemon in self.daemons:
            for i, line in enumerate(lines := daemon.lines()):
                if "Traceback" in line:
                    found.append("\n".join(lines[max(0, i - 1) : i + 40]))
        return found

    def logged(self, text: str) -> list[str]:
        """
        Return the lines of all logs that contain this text.
        """
        return [line for d in self.daemons for line in d.lines() if text in line]
