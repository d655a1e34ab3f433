"""
The three servers together: where they are, which ports they have, start and end.
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
    Where what is installed is kept.
    """
    given = os.environ.get("WSMSG_STACK_CACHE")
    base = os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache"
    return Path(given) if given else Path(base) / "wsmsg-stack"


def default_data() -> Path:
    """
    Where the servers keep what they have.
    """
    given = os.environ.get("WSMSG_STACK_DATA")
    temporary = Path(tempfile.gettempdir())
    return Path(given) if given else temporary / f"wsmsg-stack-{getpass.getuser()}"


def lacking(cache: Path) -> dict[str, list[str]]:
    """
    The servers that are not installed, with what is missing of them.
    """
    all_of_them = {name: kind.lacking(cache) for name, kind in KINDS.items()}
    return {name: what for name, what in all_of_them.items() if what}


def install(cache: Path, say: Say) -> None:
    """
    Have all three; whoever comes second waits for the first.

    @raise StackError: tells of every one that could not be had.
    """
    cache.mkdir(parents=True, exist_ok=True)
    with _alone(cache):
        mistakes = []
        for name, kind in KINDS.items():
            began = time.monotonic()
            try:
                kind.install(cache, say)
            except StackError as e:
                mistakes.append(f"{name}: {e}")
            else:
                say(f"{name}: installed ({time.monotonic() - began:.1f} s)")
    if mistakes:
        raise StackError("\n".join(mistakes))


class Stack:
    """
    One set of the three.  Its ports are kept beside its data, so that all commands
    mean the same servers.
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
        Have ports that nobody has, where this stack has none of its own yet.
        """
        if not self._ports_file.exists():
            self._ports = free_ports(self._ports)

    def server(self, name: str) -> Server:
        kind = KINDS[name]
        ports = {listener: self._ports[listener] for listener in kind.PORTS}
        return kind(self._cache, self.data / name, ports)

    def up(self, names: Sequence[str]) -> None:
        """
        Start them together and wait until each is ready.

        @raise StackError: tells of every one that is not.
        """
        self.data.mkdir(parents=True, exist_ok=True)
        self._ports_file.write_text(json.dumps(self._ports) + "\n")
        began = time.monotonic()
        mistakes = []
        started = []
        for name in names:
            server = self.server(name)
            try:
                server.start()
                started.append(server)
            except StackError as e:
                mistakes.append(str(e))
        for server in started:
            try:
                server.wait_ready()
            except StackError as e:
                mistakes.append(str(e))
            else:
                seconds = time.monotonic() - began
                self._say(f"{server.name}: ready at {server.address} ({seconds:.1f} s)")
        if mistakes:
            raise StackError("\n".join(mistakes))

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
        SIGKILL; the data stays.
        """
        for name in names:
            self.server(name).kill()
            self._say(f"{name}: killed")

    def restart(self, names: Sequence[str]) -> None:
        self.down(names)
        self.up(names)

    def wipe(self) -> None:
        """
        End them and remove what they kept.
        """
        self.down([name for name in KINDS if self.server(name).running])
        shutil.rmtree(self.data, ignore_errors=True)

    def status(self) -> Iterator[str]:
        """
        A line for each.
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
        What tests read, see L{tests.stack.servers}; empty for what does not run.
        """
        told = {}
        for name, kind in KINDS.items():
            server = self.server(name)
            for listener in kind.PORTS:
                here = f"{HOST}:{server.ports[listener]}" if server.running else ""
                told[f"WSMSG_STACK_{listener.upper()}"] = here
            certificate = server.folder / "tls" / "cert.pem"
            if certificate.exists():
                told[f"WSMSG_STACK_{name.upper()}_CERTIFICATE"] = str(certificate)
        return told


@contextmanager
def _alone(cache: Path) -> Iterator[None]:
    with (cache / "lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield
