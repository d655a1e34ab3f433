"""
The three servers together: their directories and ports, start and stop.
"""

from __future__ import annotations

import fcntl
import getpass
import json
import os
import shutil
import tempfile
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

from tools.stack.kafka import Kafka
from tools.stack.mongo import Mongo
from tools.stack.packages import Say, StackError
from tools.stack.ports import free_ports
from tools.stack.redis import Redis
from tools.stack.server import HOST, Server

KINDS: dict[str, type[Server]] = {k.name: k for k in (Kafka, Mongo, Redis)}


def default_cache() -> Path:
    """
    Return the directory of the installed files.
    """
    given = os.environ.get("WSMSG_STACK_CACHE")
    base = os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache"
    return Path(given) if given else Path(base) / "wsmsg-stack"


def default_data() -> Path:
    """
    Return the directory of the servers' data.
    """
    given = os.environ.get("WSMSG_STACK_DATA")
    temporary = Path(tempfile.gettempdir())
    return Path(given) if given else temporary / f"wsmsg-stack-{getpass.getuser()}"


def lacking(cache: Path) -> dict[str, list[str]]:
    """
    Return the servers that are not installed, each with its missing parts.
    """
    all_of_them = {name: kind.lacking(cache) for name, kind in KINDS.items()}
    return {name: what for name, what in all_of_them.items() if what}


def install(cache: Path, say: Say) -> None:
    """
    Install all three servers; a second process waits for the first.

    @raise StackError: a server could not be installed; lists each of them.
    """
    cache.mkdir(parents=True, exist_ok=True)
    with _alone(cache):
        problems = []
        for name, kind in KINDS.items():
            began = time.monotonic()
            try:
                kind.install(cache, say)
            except StackError as e:
                problems.append(f"{name}: {e}")
            else:
                say(f"{name}: installed ({time.monotonic() - began:.1f} s)")
    if problems:
        raise StackError("\n".join(problems))


class Stack:
    """
    One set of the three servers.  A file in its data directory has its ports, so that
    all commands use the same servers.
    """

    def __init__(self, cache: Path, data: Path, say: Say) -> None:
        self.data = data
        self._cache = cache
        self._say = say
        self._ports_file = data / "ports.json"
        self._ports = {k: p for kind in KINDS.values() for k, p in kind.PORTS.items()}
        if self._ports_file.exists():
            self._ports |= json.loads(self._ports_file.read_text())

    def take_free_ports(self) -> None:
        """
        Choose free ports, unless this stack has ports already.
        """
        if not self._ports_file.exists():
            self._ports = free_ports(self._ports)

    def server(self, name: str) -> Server:
        kind = KINDS[name]
        ports = {listener: self._ports[listener] for listener in kind.PORTS}
        return kind(self._cache, self.data / name, ports)

    def up(self, names: Sequence[str]) -> None:
        """
        Start servers together and wait until each is ready.

        @raise StackError: a server is not ready; lists each of them.
        """
        self.data.mkdir(parents=True, exist_ok=True)
        self._ports_file.write_text(json.dumps(self._ports) + "\n")
        began = time.monotonic()
        problems = []
        started = []
        for name in names:
            server = self.server(name)
            try:
                server.start()
                started.append(server)
            except StackError as e:
                problems.append(str(e))
        for server in started:
            try:
                server.wait_ready()
            except StackError as e:
                problems.append(str(e))
            else:
                seconds = time.monotonic() - began
                self._say(f"{server.name}: ready at {server.address} ({seconds:.1f} s)")
        if problems:
            raise StackError("\n".join(problems))

    def down(self, names: Sequence[str]) -> None:
        for name in names:
            server = self.server(name)
            if server.running:
                server.stop()
                self._say(f"{name}: stopped")
            else:
                self._say(f"{name}: was not running")

    def kill(self, names: Sequence[str]) -> None:
        """
        Send SIGKILL; the data stays.
        """
        for name in names:
            self.server(name).kill()
            self._say(f"{name}: killed")

    def restart(self, names: Sequence[str]) -> None:
        self.down(names)
        self.up(names)

    def wipe(self) -> None:
        """
        Stop the servers and remove their data.
        """
        self.down([name for name in KINDS if self.server(name).running])
        shutil.rmtree(self.data, ignore_errors=True)

    def status(self) -> Iterator[str]:
        """
        Return a line for each server.
        """
        absent = lacking(self._cache)
        for name in KINDS:
            server = self.server(name)
            pid = server.process.pid
            if pid is not None:
                try:
                    server.wait_ready(1)
                    yield f"{name}: ready at {server.address}, process {pid}"
                except StackError as e:
                    yield f"{name}: process {pid}, but {e}"
            elif name in absent:
                yield f"{name}: not installed ({', '.join(absent[name])})"
            else:
                yield f"{name}: not running"

    def environment(self) -> dict[str, str]:
        """
        Return the variables that tests read (L{tests.stack.servers}); empty for a
        server that does not run.
        """
        variables = {}
        for name, kind in KINDS.items():
            server = self.server(name)
            for listener in kind.PORTS:
                here = f"{HOST}:{server.ports[listener]}" if server.running else ""
                variables[f"WSMSG_STACK_{listener.upper()}"] = here
            certificate = server.folder / "tls" / "cert.pem"
            if certificate.exists():
                variables[f"WSMSG_STACK_{name.upper()}_CERTIFICATE"] = str(certificate)
        return variables


@contextmanager
def _alone(cache: Path) -> Iterator[None]:
    with (cache / "lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield
