"""
The servers of a benchmark: real processes, with a directory and ports of their own.
"""

from __future__ import annotations

import os
import secrets
import socket
import subprocess
import sys
import tempfile
import time
import urllib.request
from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import IO

import attrs

_TWISTD = "import sys; from twisted.scripts.twistd import run; sys.exit(run())"
_START_S = 30.0
_RETRY_S = 0.1
_STOP_S = 15.0
_LOG_LINES = 15

# Without the proxies of the environment: the servers are on this machine.
_open = urllib.request.build_opener(urllib.request.ProxyHandler({})).open

#: Limits so high that a benchmark does not reach them.
_GENEROUS = {
    "SENDS_PER_S": "1000000",
    "SENDS_BURST": "1000000",
    "FRAMES_PER_S": "1000000",
    "FRAMES_BURST": "1000000",
    "REQUESTS_PER_S": "1000000",
    "REQUESTS_BURST": "1000000",
    "CONNECTIONS": "100000",
    "CONNECTIONS_PER_ADDRESS": "100000",
    "HANDSHAKES_PER_S": "100000",
}


class CannotStart(Exception):
    """
    A server did not start; the reason ends with its last output.
    """


@attrs.frozen(kw_only=True)
class Server:
    """
    A server under load, and its processes.

    @ivar pids: the processes whose CPU and memory count, by name.
    @ivar secret: HS256 key for tokens; empty: the debug token is used.
    """

    host: str
    port: int
    pids: Mapping[str, int]
    path: str = "/"
    secret: str = ""
    debug_token: str = ""


@contextmanager
def floor() -> Iterator[Server]:
    """
    Run a bare Autobahn echo server while the context lasts.
    """
    with _module("wsmsg.bench.floor", "echo") as server:
        yield server


@contextmanager
def relay() -> Iterator[Server]:
    """
    Run a relay on the library C{websockets} while the context lasts.
    """
    with _module("wsmsg.bench.against.relay", "websockets") as server:
        yield server


@contextmanager
def _module(module: str, name: str) -> Iterator[Server]:
    """
    Run a program that writes its port on its first line.
    """
    command = [sys.executable, "-m", module]
    process = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)
    try:
        assert process.stdout is not None
        word, _, port = process.stdout.readline().partition(" ")
        if word != "port":
            raise CannotStart(f"{module} ended before it listened")
        yield Server(host="127.0.0.1", port=int(port), pids={name: process.pid})
    finally:
        _stop(process)


@contextmanager
def daemons(
    tell: Callable[[str], object],
    *,
    settings: Mapping[str, str],
    profile: Mapping[str, Path],
    others: Mapping[str, int] | None = None,
) -> Iterator[Server]:
    """
    Run C{twistd message} and C{twistd connect} in a new directory while the context
    lasts; both are ready when it begins.

    @param settings: further environment variables.
    @param others: further processes that count, by name.
    @param profile: the file to which a daemon, by name, writes its cProfile when it
        ends.
    """
    ports = dict(
        zip(
            ("client", "connect_rpc", "connect_admin", "http", "rpc", "admin"),
            (f"127.0.0.1:{port}" for port in free_ports(6)),
            strict=True,
        )
    )
    secret = secrets.token_hex(32)
    with ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory("-wsmsg-bench")))
        environment = {
            **{k: v for k, v in os.environ.items() if not k.startswith("WSMSG_")},
            **_environment(folder, ports, secret),
            **settings,
        }
        pids = {}
        for name in ("message", "connect"):
            process, log = _twistd(name, folder, environment, profile.get(name))
            stack.callback(_stop, process)
            admin = ports["admin" if name == "message" else "connect_admin"]
            _await_listening(name, process, log, admin)
            pids[name] = process.pid
            if name == "message":
                _await_ready(name, process, log, admin)
        _await_ready("connect", process, log, ports["connect_admin"])
        tell(f"started connect {pids['connect']} and message {pids['message']}")
        host, _, port = ports["client"].partition(":")
        yield Server(
            host=host,
            port=int(port),
            path="/api/v1/connect/ws",
            pids={
                "connect": pids["connect"],
                "message": pids["message"],
                **(others or {}),
            },
            secret=secret,
        )


def free_ports(count: int) -> list[int]:
    """
    Return unused ports of 127.0.0.1.
    """
    with ExitStack() as stack:
        sockets = [stack.enter_context(socket.socket()) for _ in range(count)]
        for s in sockets:
            s.bind(("127.0.0.1", 0))
        return [s.getsockname()[1] for s in sockets]


def _environment(folder: Path, ports: Mapping[str, str], secret: str) -> dict[str, str]:
    limits = {f"WSMSG_CONNECT__LIMITS__{k}": v for k, v in _GENEROUS.items()}
    return {
        "WSMSG_MESSAGE__DATA_DIR": str(folder / "data"),
        "WSMSG_MESSAGE__LISTEN": ports["http"],
        "WSMSG_MESSAGE__RPC_LISTEN": ports["rpc"],
        "WSMSG_MESSAGE__ADMIN_LISTEN": ports["admin"],
        "WSMSG_CONNECT__DATA_DIR": str(folder / "data"),
        "WSMSG_CONNECT__LISTEN": ports["client"],
        "WSMSG_CONNECT__RPC_LISTEN": ports["connect_rpc"],
        "WSMSG_CONNECT__ADMIN_LISTEN": ports["connect_admin"],
        "WSMSG_CONNECT__DISCOVERY": "static:" + ports["rpc"],
        "WSMSG_CONNECT__TOKEN__SECRET": secret,
        "WSMSG_CONNECT__DRAIN__PER_S": "100000",
        **limits,
    }


def _twistd(
    name: str, folder: Path, environment: Mapping[str, str], profile: Path | None
) -> tuple[subprocess.Popen[bytes], Path]:
    log = folder / f"{name}.log"
    options = ["--nodaemon", "--pidfile="]
    if profile is not None:
        options += ["--profiler=cprofile", "--savestats", f"--profile={profile}"]
    with log.open("wb") as out:
        return _spawn([*options, name], folder, environment, out), log


def _spawn(
    arguments: list[str], folder: Path, environment: Mapping[str, str], out: IO[bytes]
) -> subprocess.Popen[bytes]:
    return subprocess.Popen(
        [sys.executable, "-c", _TWISTD, *arguments],
        cwd=folder,
        env=environment,
        stdin=subprocess.DEVNULL,
        stdout=out,
        stderr=subprocess.STDOUT,
    )


def _await_listening(
    name: str, process: subprocess.Popen[bytes], log: Path, admin: str
) -> None:
    _await_status(name, process, log, f"http://{admin}/healthz")


def _await_ready(
    name: str, process: subprocess.Popen[bytes], log: Path, admin: str
) -> None:
    _await_status(name, process, log, f"http://{admin}/readyz")


def _await_status(
    name: str, process: subprocess.Popen[bytes], log: Path, url: str
) -> None:
    until_s = time.monotonic() + _START_S
    while time.monotonic() < until_s:
        try:
            with _open(url, timeout=2):
                return
        except OSError:
            _pause(name, process, log)
    raise CannotStart(
        f"{name} did not answer {url} with 200 in {_START_S:.0f} s:\n{_last_lines(log)}"
    )


def _pause(name: str, process: subprocess.Popen[bytes], log: Path) -> None:
    """
    Wait a moment; the process should not end meanwhile.
    """
    try:
        status = process.wait(_RETRY_S)
    except subprocess.TimeoutExpired:
        return
    raise CannotStart(f"{name} ended with status {status}:\n{_last_lines(log)}")


def _last_lines(log: Path) -> str:
    lines = log.read_text(errors="replace").splitlines()[-_LOG_LINES:]
    return "\n".join("  | " + line for line in lines)


def _stop(process: subprocess.Popen[bytes] | subprocess.Popen[str]) -> None:
    process.terminate()
    try:
        process.wait(_STOP_S)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()
    if process.stdout is not None:
        process.stdout.close()
