"""
Checks before twistd forks, while an operator still reads C{stderr}.

No check may start a thread or load gRPC: neither survives the fork.
"""

from __future__ import annotations

import errno
import os
import resource
import socket
import tempfile
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping
from functools import partial
from pathlib import Path
from typing import Any

from wsmsg.daemon.complaints import complain
from wsmsg.daemon.pid_file import remove_stale
from wsmsg.errors import WsmsgError
from wsmsg.settings.urls.address import Address, parse_address
from wsmsg.settings.values import Common

#: The files that a daemon keeps for itself, whatever its clients do: its streams, logs
#: and embedded files, operators, and connections that wait for their refusal.
RESERVED_FILES = 128
_MOST_FILES = 2**20

#: A check that raises L{OSError}, L{ValueError} or L{WsmsgError} if it fails.
Probe = Callable[[], object]


def preflight(
    daemon: str,
    settings: Common,
    data_dir: Path,
    *,
    probes: Iterable[tuple[str, Probe]] = (),
    shared: Collection[str] = (),
) -> None:
    """
    Check that the listeners can be bound and that the data directory can be written.

    @param daemon: C{connect} or C{message}.
    @param probes: further checks, each with the beginning of its line on failure, such
        as C{cannot open the journal}.
    @param shared: listeners on which other workers listen, too.
    @raise SystemExit: with status 1, after a line on C{stderr} for each problem.
    """
    folder = (f"cannot use the data directory {data_dir}", lambda: _write(data_dir))
    problems = [*_listeners(settings, shared), *_failed(folder)]
    if data_dir.is_dir():
        # Without the folder, each file in it would only fail for the same reason.
        problems += [problem for probe in probes for problem in _failed(probe)]
    for problem in problems:
        complain(daemon, problem)
    if problems:
        raise SystemExit(1)


def raise_file_limit() -> int:
    """
    Let this process open as many files as the system allows it.

    @return: how many these are.
    """
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    soft, most = (
        _MOST_FILES if n == resource.RLIM_INFINITY else min(n, _MOST_FILES)
        for n in (soft, hard)
    )
    if soft < most:
        try:
            resource.setrlimit(resource.RLIMIT_NOFILE, (most, hard))
        except (OSError, ValueError):
            return soft
    return max(soft, most)


def room_for_clients(files: int) -> int:
    """
    Return how many connections clients may have, of a process that may open so many
    files.
    """
    return max(files - RESERVED_FILES, files // 2)


def check_twistd_options(
    daemon: str, parent: Mapping[str, Any], named: Collection[str] = ()
) -> None:
    """
    Check what twistd's own options name, for which twistd would print a traceback or
    refuse to start: the pid file, from which a daemon that is gone is no obstacle, and
    C{--rundir}.

    @param parent: the options of twistd.
    @param named: those that L{wsmsg.daemon.pid_file.name_files} changed.
    @raise SystemExit: with status 1, after a line on C{stderr} for each problem.
    """
    pidfile, rundir = parent.get("pidfile") or "", parent.get("rundir") or "."
    problems: list[str] = []
    try_pid = partial(_try_pid, daemon=daemon, ours="pidfile" in named)
    if pidfile:
        path = Path(pidfile).absolute()
        pid = (f"cannot use the pid file {path} (--pidfile)", lambda: try_pid(path))
        problems += _failed(pid)
    folder = (f"cannot run in {rundir} (--rundir)", lambda: os.scandir(rundir).close())
    problems += _failed(folder)
    for problem in problems:
        complain(daemon, problem)
    if problems:
        raise SystemExit(1)


def _try_pid(path: Path, *, daemon: str, ours: bool) -> None:
    """
    Open the file as twistd will, and remove it if it is stale.
    """
    if path.exists():
        if not path.is_file():
            raise ValueError("it is not a regular file")
        path.open("r+b").close()
        remove_stale(path, daemon, ours=ours)
    _write_file(path.parent)


def _listeners(settings: Common, shared: Collection[str]) -> Iterator[str]:
    for key in ("listen", "rpc_listen", "admin_listen"):
        text = getattr(settings, key, "")
        if text and key not in shared and not text.startswith("systemd:"):
            address = parse_address(text)
            try:
                _bind(address)
            except OSError as e:
                yield f"cannot listen on {address} ({key}): {_reason(e, address, key)}"
            except UnicodeError:
                yield f"cannot listen on {address} ({key}): this is no name of a host"


def _bind(address: Address) -> None:
    found = socket.getaddrinfo(*address, type=socket.SOCK_STREAM)
    family, kind, protocol, _, place = found[0]
    with socket.socket(family, kind, protocol) as trial:
        trial.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        trial.bind(place)
        # bind() alone succeeds beside a listener that set SO_REUSEADDR as well.
        trial.listen(1)


def _reason(error: OSError, address: Address, key: str) -> str:
    option = f"--{key.replace('_', '-')}"
    match error.errno:
        case errno.EADDRINUSE:
            return (
                "address already in use; stop the process that listens there "
                f"(ss -ltnp 'sport = :{address.port}' names it) or choose another "
                f"address with {option}"
            )
        case errno.EACCES:
            return f"permission denied; choose a port of at least 1024 with {option}"
        case errno.EADDRNOTAVAIL:
            return f"this machine has no such address; choose another with {option}"
    return error.strerror or str(error)


def _write(folder: Path) -> None:
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    _write_file(folder)


def _write_file(folder: Path) -> None:
    with tempfile.TemporaryFile(dir=folder, buffering=0) as trial:
        trial.write(b"wsmsg")
        os.fsync(trial.fileno())


def _failed(probe: tuple[str, Probe]) -> Iterator[str]:
    what, attempt = probe
    try:
        attempt()
    except OSError as e:
        yield f"{what}: {e.strerror or e}"
    except (ValueError, WsmsgError) as e:
        yield f"{what}: {e}"
