"""
The real servers that Message uses in a benchmark: their addresses, the names that the
benchmark uses in them, and their processes.
"""

from __future__ import annotations

import secrets
import socket
from collections.abc import Mapping

import attrs

from wsmsg.bench.load.proc import listener
from wsmsg.bench.processes import CannotStart

#: By setting: the server's name, its variable, its default port in C{tools.stack}, its
#: own default port, and a URL with names that no other benchmark uses.
_SERVERS = {
    "journal": (
        "kafka",
        "WSMSG_STACK_KAFKA",
        "127.0.0.1:19092",
        9092,
        "kafka://{address}/wsmsg-bench-{run}",
    ),
    "store": (
        "mongo",
        "WSMSG_STACK_MONGO",
        "127.0.0.1:19017",
        27017,
        "mongodb://{address}/wsmsg_bench_{run}",
    ),
    "presence": (
        "redis",
        "WSMSG_STACK_REDIS",
        "127.0.0.1:19379",
        6379,
        "redis://{address}/0?prefix=wsmsg-bench-{run}:",
    ),
}

#: Further settings of a server whose URL the benchmark made.
_MORE = {
    "kafka": {
        "WSMSG_MESSAGE__KAFKA__CREATE_TOPICS": "true",
        "WSMSG_MESSAGE__KAFKA__GROUP": "wsmsg-bench-{run}",
        "WSMSG_MESSAGE__KAFKA__DEAD_LETTERS": "wsmsg-bench-{run}-dead",
    }
}

_LOOK_S = 2.0
_HINT = (
    "start the servers (in a checkout: python -m tools.stack up) or name yours with "
    "--journal, --store and --presence"
)


@attrs.frozen
class Backend:
    """
    The server that one setting of Message names.

    @ivar server: its name in the figures.
    @ivar more: further environment variables.
    """

    setting: str
    server: str
    url: str
    host: str
    port: int
    more: Mapping[str, str] = attrs.field(factory=dict)


def backends_of(
    given: Mapping[str, str | None],
    environ: Mapping[str, str],
    *,
    everything: bool,
    run: str = "",
) -> list[Backend]:
    """
    Return the servers to use.

    @param given: URLs by setting, from the command line.
    @param everything: use a server for each setting, even without a URL.
    @param run: distinguishes the names of this benchmark from those of others.
    """
    run = run or secrets.token_hex(4)
    found = []
    for setting, (server, variable, usual, port, template) in _SERVERS.items():
        url, more = given.get(setting), {}
        if url is None and everything:
            address = environ.get(variable) or usual
            url = template.format(address=address, run=run)
            more = {k: v.format(run=run) for k, v in _MORE.get(server, {}).items()}
        if url is not None and not url.startswith(("sqlite:", "memory:")):
            found.append(Backend(setting, server, url, *_address(url, port), more))
    return found


def settings_of(backends: list[Backend]) -> dict[str, str]:
    """
    Return the environment that makes Message use them.
    """
    settings = {}
    for backend in backends:
        settings[f"WSMSG_MESSAGE__{backend.setting.upper()}"] = backend.url
        settings.update(backend.more)
    return settings


def pids_of(backends: list[Backend], given: Mapping[str, int]) -> dict[str, int]:
    """
    Return the processes of servers on this machine; others are not measured.

    @param given: known processes, by name.
    @raise CannotStart: a server does not run.
    """
    pids = {}
    for backend in backends:
        _look(backend)
        pid = given.get(backend.server) or listener(backend.port)
        if pid is not None:
            pids[backend.server] = pid
    return pids


def _look(backend: Backend) -> None:
    where = (backend.host, backend.port)
    try:
        socket.create_connection(where, _LOOK_S).close()
    except OSError as e:
        raise CannotStart(
            f"no {backend.server} at {backend.host}:{backend.port} for the "
            f"{backend.setting} ({e.strerror or e}): {_HINT}"
        ) from None


def _address(url: str, default: int) -> tuple[str, int]:
    """
    Return the first address in a URL.
    """
    rest = url.partition("://")[2]
    places = rest.partition("/")[0].partition("?")[0].rpartition("@")[2]
    host, _, port = places.partition(",")[0].rpartition(":")
    if not port.isdecimal():
        return places.partition(",")[0] or "127.0.0.1", default
    return host.strip("[]"), int(port)
