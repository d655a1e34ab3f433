"""
The lifecycle that all servers of the stack share: install, start, use, stop.
"""

from __future__ import annotations

import shutil
import socket
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import ClassVar

from tools.stack.packages import Say, StackError
from tools.stack.process import Process

HOST = "127.0.0.1"

#: A user with all permissions, one without any, and the password of both, in every
#: server that has users.
USER, GUEST, PASSWORD = "wsmsg", "guest", "pass-of-the-test-stack"


class Server:
    """
    One server with a directory of its own.  All methods block.

    @cvar PORTS: the listeners and their default ports.
    @cvar FIRST: the listener that needs neither a password nor a certificate.
    @param cache: directory of the installed files.
    @param folder: directory for data, log and pid file; created if it is missing.
    @param ports: by listener.
    @param options: further options, in the program's own form.
    """

    name: ClassVar[str]
    PORTS: ClassVar[dict[str, int]]
    FIRST: ClassVar[str]

    def __init__(
        self,
        cache: Path,
        folder: Path,
        ports: Mapping[str, int],
        options: Sequence[str] = (),
    ) -> None:
        self.cache = cache
        self.folder = folder
        self.ports = dict(ports)
        self.options = list(options)
        self.log = folder / f"{self.name}.log"
        self.process = Process(folder / f"{self.name}.pid", self.log)

    # Each kind of server implements these.

    @classmethod
    def lacking(cls, cache: Path) -> list[str]:
        """
        Return the parts that are not installed; empty if the server can start.
        """
        raise NotImplementedError

    @classmethod
    def install(cls, cache: Path, say: Say) -> None:
        """
        Install whatever the server needs.

        @raise StackError: a part cannot be installed.
        """
        raise NotImplementedError

    def command(self) -> list[str]:
        """
        Return the command line.
        """
        raise NotImplementedError

    def prepare(self) -> None:
        """
        Make the files that the server needs; called before every start.
        """

    def operate(self, limit_s: float) -> None:
        """
        Write something as a client.

        @raise Exception: the server did not acknowledge the write.
        """
        raise NotImplementedError

    # All servers share these.

    @property
    def port(self) -> int:
        return self.ports[self.FIRST]

    @property
    def address(self) -> str:
        return f"{HOST}:{self.port}"

    @property
    def running(self) -> bool:
        return self.process.pid is not None

    def start(self, *, detached: bool = True) -> None:
        """
        Start the server unless it runs; do not wait until it is ready.
        """
        if self.running:
            return
        lacking = self.lacking(self.cache)
        if lacking:
            what = ", ".join(lacking)
            raise StackError(
                f"{self.name} is not installed: {what}; make stack-install"
            )
        self._refuse_taken_ports()
        self.folder.mkdir(parents=True, exist_ok=True)
        self.prepare()
        self.process.start(self.command(), cwd=self.folder, detached=detached)

    def wait_ready(self, limit_s: float = 60) -> None:
        """
        Wait until a write by a client succeeds.

        @raise StackError: the server ended, or is not ready in time; has the end of its
            log.
        """
        due = time.monotonic() + limit_s
        reason = "never answered"
        while time.monotonic() < due:
            try:
                socket.create_connection((HOST, self.port), 1).close()
                self.operate(min(5, limit_s))
                return
            except ImportError as e:
                raise StackError(f"{self.name}: {e}; make setup")
            except Exception as e:  # noqa: BLE001
                reason = str(e) or type(e).__name__
            if self.process.ended(within_s=0.03):
                raise StackError(f"{self.name} ended:\n{self.process.log_end()}")
        end = self.process.log_end()
        raise StackError(f"{self.name} is not ready: {reason}; its log ends:\n{end}")

    def up(self, *, detached: bool = True, limit_s: float = 60) -> None:
        """
        Start the server and wait until it is ready.
        """
        self.start(detached=detached)
        self.wait_ready(limit_s)

    def stop(self) -> None:
        self.process.stop()

    def kill(self) -> None:
        """
        Send SIGKILL; the data stays.
        """
        self.process.kill()

    def wipe(self) -> None:
        """
        Stop the server and remove its directory.
        """
        self.process.stop()
        shutil.rmtree(self.folder, ignore_errors=True)

    def _refuse_taken_ports(self) -> None:
        for listener, port in self.ports.items():
            with socket.socket() as s:
                s.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
                try:
                    s.bind((HOST, port))
                except OSError as e:
                    raise StackError(
                        f"{self.name}: port {port} ({listener}): {e.strerror}; another"
                        " stack? `ss -tlnp` shows whose it is, --free-ports avoids it"
                    )
