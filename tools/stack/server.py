"""
The life of any server of the stack: installed, started, used, ended.
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

#: Who may do all, who may do nothing, and the password of both, in every server that
#: knows users.
USER, GUEST, PASSWORD = "wsmsg", "guest", "pass-of-the-test-stack"


class Server:
    """
    One server with a folder of its own.  All its methods block.

    @cvar PORTS: its listeners, with the ports that they have by default.
    @cvar FIRST: the listener that needs neither password nor certificate.
    @param cache: where what was installed is.
    @param folder: for its data, its log and its pid; made when it is missing.
    @param ports: of its listeners.
    @param options: further options for the program, of its own spelling.
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

    # What each kind says of itself.

    @classmethod
    def lacking(cls, cache: Path) -> list[str]:
        """
        What is not installed; empty: it can be started.
        """
        raise NotImplementedError

    @classmethod
    def install(cls, cache: Path, say: Say) -> None:
        """
        Have all that it needs.

        @raise StackError: what is missing and cannot be had.
        """
        raise NotImplementedError

    def command(self) -> list[str]:
        """
        How it is started.
        """
        raise NotImplementedError

    def prepare(self) -> None:
        """
        What must be there before it starts; called before every start.
        """

    def operate(self, limit_s: float) -> None:
        """
        One write of a client.

        @raise Exception: where it was not acknowledged.
        """
        raise NotImplementedError

    # What all have in common.

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
        Start it where it does not run; it is not ready when this returns.
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
        Wait until a client's operation succeeds.

        @raise StackError: it died, or is not ready in time; has the end of its log.
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
        Start it and wait until it is ready.
        """
        self.start(detached=detached)
        self.wait_ready(limit_s)

    def stop(self) -> None:
        self.process.stop()

    def kill(self) -> None:
        """
        SIGKILL; the data stays.
        """
        self.process.kill()

    def wipe(self) -> None:
        """
        End it and remove its folder.
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
