"""
What can be found out before twistd forks, while somebody still reads C{stderr}.

Nothing here may begin a thread or load gRPC: neither survives the fork.
"""

from __future__ import annotations

import errno
import os
import socket
import sys
import tempfile
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path

from wsmsg.errors import WsmsgError
from wsmsg.settings.urls.address import Address, parse_address
from wsmsg.settings.values import Common

#: Raises L{OSError}, L{ValueError} or L{WsmsgError} where something is not as it must
#: be.
Probe = Callable[[], object]


def preflight(
    daemon: str,
    settings: Common,
    data_dir: Path,
    *,
    probes: Iterable[tuple[str, Probe]] = (),
) -> None:
    """
    Check that the listeners can be bound and that the data folder can be written.

    @param daemon: C{connect} or C{message}.
    @param probes: further things to try: what cannot be done, as C{cannot open the
        journal}, and how to find out.
    @raise SystemExit: with status 1, after a line on C{stderr} for each problem.
    """
    folder = (f"cannot use the data folder {data_dir}", lambda: _write(data_dir))
    problems = [*_listeners(settings), *_failed(folder)]
    if data_dir.is_dir():
        # Without the folder, each file that is to be in it would only say so again.
        problems += [problem for probe in probes for problem in _failed(probe)]
    for problem in problems:
        print(f"wsmsg {daemon}: {problem}", file=sys.stderr)
    if problems:
        raise SystemExit(1)


def _listeners(settings: Common) -> Iterator[str]:
    for key in ("listen", "rpc_listen", "admin_listen"):
        text = getattr(settings, key, "")
        if text and not text.startswith("systemd:"):
            address = parse_address(text)
            try:
                _bind(address)
            except OSError as e:
                yield f"cannot listen on {address} ({key}): {_reason(e, address, key)}"


def _bind(address: Address) -> None:
    found = socket.getaddrinfo(*address, type=socket.SOCK_STREAM)
    family, kind, protocol, _, place = found[0]
    with socket.socket(family, kind, protocol) as trial:
        trial.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        trial.bind(place)
        # Binding alone does not meet a listener that set SO_REUSEADDR, too.
        trial.listen(1)


def _reason(error: OSError, address: Address, key: str) -> str:
    option = f"--{key.replace('_', '-')}"
    match error.errno:
        case errno.EADDRINUSE:
            return (
                "address already in use; stop what listens there "
                f"(ss -ltnp 'sport = :{address.port}' names it) or give another "
                f"with {option}"
            )
        case errno.EACCES:
            return f"permission denied; give a port from 1024 up with {option}"
        case errno.EADDRNOTAVAIL:
            return f"this machine has no such address; give another with {option}"
    return error.strerror or str(error)


def _write(folder: Path) -> None:
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    with tempfile.TemporaryFile(dir=folder) as trial:
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
