"""
Both daemons of the demo, as real processes of twistd.
"""

from __future__ import annotations

import asyncio
import os
import signal
import socket
import subprocess
import sys
from collections.abc import Mapping
from contextlib import ExitStack
from pathlib import Path

import attrs

from wsmsg.cli.operator.ask import NoAnswer, ask

#: As the script C{twistd} does it, with this interpreter wherever that script is.
_TWISTD = "import sys; from twisted.scripts.twistd import run; sys.exit(run())"

_READY_S = 30.0
_STOP_S = 15.0


class DaemonFailed(Exception):
    """
    A daemon did not become ready; the text has the end of its log.
    """


@attrs.frozen
class Ports:
    """
    The ports of all listeners, on this machine only.
    """

    client: int = 21005
    connect_rpc: int = 22005
    connect_admin: int = 23005
    http: int = 21004
    rpc: int = 22004
    message_admin: int = 23004

    @classmethod
    def from_base(cls, base: int) -> Ports:
        """
        Return six ports, beginning with this one.
        """
        return cls(*range(base, base + 6))

    @classmethod
    def free(cls) -> Ports:
        """
        Return ports on which nothing listens at this moment.
        """
        with ExitStack() as stack:
            sockets = [stack.enter_context(socket.socket()) for _ in range(6)]
            for each in sockets:
                each.bind(("127.0.0.1", 0))
            return cls(*(each.getsockname()[1] for each in sockets))

    def taken(self) -> list[int]:
        """
        Return the ports that cannot be bound.
        """
        return [port for port in attrs.astuple(self) if not _can_listen(port)]


class DemoDaemon:
    """
    A daemon that can be killed and started again.

    @param settings: of this daemon, by their keys.
    @param admin: the port of its admin listener.
    """

    def __init__(
        self, name: str, settings: Mapping[str, str], folder: Path, admin: int
    ) -> None:
        self.name = name
        self.log = folder / f"{name}.log"
        self._folder = folder
        self._admin = f"http://127.0.0.1:{admin}"
        kept = {k: v for k, v in os.environ.items() if not k.startswith("WSMSG_")}
        prefix = f"WSMSG_{name.upper()}__"
        self._environment = {**kept, **{prefix + k: v for k, v in settings.items()}}
        self._process: subprocess.Popen[bytes] | None = None

    @property
    def pid(self) -> int:
        assert self._process is not None
        return self._process.pid

    @property
    def running(self) -> bool:
        return self._process is not None and self._process.poll() is None

    def start(self) -> None:
        """
        Start the process, without waiting until it is ready.
        """
        command = [sys.executable, "-c", _TWISTD, "--nodaemon", "--pidfile=", self.name]
        with self.log.open("ab") as out:
            self._process = subprocess.Popen(
                command,
                cwd=self._folder,
                env=self._environment,
                stdin=subprocess.DEVNULL,
                stdout=out,
                stderr=subprocess.STDOUT,
                start_new_session=True,  # Ctrl-C is for us; we stop them in order
            )

    async def ready(self) -> None:
        """
        Wait until the daemon reports that it is ready.

        @raise DaemonFailed: it ended, or was not ready in time.
        """
        delay_s, reason = 0.05, ""
        until = asyncio.get_running_loop().time() + _READY_S
        while asyncio.get_running_loop().time() < until:
            if not self.running:
                raise DaemonFailed(f"{self.name} ended:\n{self.last_lines()}")
            try:
                document = await asyncio.to_thread(ask, f"{self._admin}/readyz")
                if document.get("ready"):
                    return
                reason = str(document.get("reason", ""))
            except NoAnswer as error:
                reason = str(error)
            await asyncio.sleep(delay_s)
            delay_s = min(0.5, delay_s * 1.5)
        raise DaemonFailed(f"{self.name} is not ready: {reason}\n{self.last_lines()}")

    async def ended(self) -> str:
        """
        Wait until the process ends.

        @return: how it ended, in words.
        """
        assert self._process is not None
        status = await asyncio.to_thread(self._process.wait)
        if status >= 0:
            return f"(pid {self.pid}) ended with status {status}"
        return f"(pid {self.pid}) was killed ({signal.Signals(-status).name})"

    def kill(self) -> None:
        """
        Send SIGKILL: the daemon cannot save anything.
        """
        if self._process is not None:
            self._process.kill()
            self._process.wait()

    async def stop(self) -> None:
        """
        Send SIGTERM and wait; send SIGKILL if that takes too long.
        """
        if self._process is None:
            return
        if self.running:
            self._process.send_signal(signal.SIGTERM)
        try:
            await asyncio.to_thread(self._process.wait, _STOP_S)
        except subprocess.TimeoutExpired:
            self.kill()

    def last_lines(self) -> str:
        """
        Return the end of the daemon's log.
        """
        return last_lines(self.log)


def last_lines(log: Path, count: int = 12) -> str:
    """
    Return the end of a log, for display.
    """
    try:
        lines = log.read_text("utf-8", "replace").splitlines()
    except OSError:
        return ""
    return "\n".join(f"  | {line}" for line in lines[-count:])


def demo_daemons(
    folder: Path, ports: Ports, secret: str
) -> tuple[DemoDaemon, DemoDaemon]:
    """
    Make Connect and Message for this folder and these ports; neither is started.

    @param secret: the key for tokens; empty: the key in the folder.
    """
    at = "127.0.0.1:{}".format
    connect = {
        "DATA_DIR": str(folder),
        "LISTEN": at(ports.client),
        "RPC_LISTEN": at(ports.connect_rpc),
        "ADMIN_LISTEN": at(ports.connect_admin),
        "DISCOVERY": "static:" + at(ports.rpc),
        "DRAIN__PER_S": "100000",
    }
    if secret:
        connect["TOKEN__SECRET"] = secret
    message = {
        "DATA_DIR": str(folder),
        "LISTEN": at(ports.http),
        "RPC_LISTEN": at(ports.rpc),
        "ADMIN_LISTEN": at(ports.message_admin),
    }
    return (
        DemoDaemon("connect", connect, folder, ports.connect_admin),
        DemoDaemon("message", message, folder, ports.message_admin),
    )


def _can_listen(port: int) -> bool:
    with socket.socket() as trial:
        trial.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            trial.bind(("127.0.0.1", port))
            trial.listen(1)
        except OSError:
            return False
    return True
