"""
Servers of this machine that a proof may suspend.
"""

from __future__ import annotations

import os
import signal
from collections.abc import Mapping

import attrs

from wsmsg.bench.load.proc import listener
from wsmsg.bench.stack import backends_of

#: The roles of the servers, by the setting that names them.
_ROLES = {"journal": "broker", "store": "store", "presence": "users"}


class NoServers(Exception):
    """
    A server is not there; the text names it.
    """


@attrs.frozen
class LocalServer:
    """
    A server that somebody else has started on this machine.
    """

    pid: int

    def suspend(self) -> None:
        os.kill(self.pid, signal.SIGSTOP)

    def resume(self) -> None:
        os.kill(self.pid, signal.SIGCONT)

    async def kill_and_start(self) -> None:
        raise NotImplementedError


def addresses(environ: Mapping[str, str]) -> tuple[str, str, str]:
    """
    Return the host and port of Kafka, MongoDB and Redis, as C{tools.stack env} gives
    them.
    """
    found = {
        b.setting: f"{b.host}:{b.port}"
        for b in backends_of({}, environ, everything=True)
    }
    return found["journal"], found["store"], found["presence"]


def local_servers(environ: Mapping[str, str]) -> dict[str, LocalServer]:
    """
    Return the servers by their role.

    @raise NoServers: nothing of this machine listens at the address of one.
    """
    found = {}
    for backend in backends_of({}, environ, everything=True):
        pid = listener(backend.port)
        if pid is None:
            where = f"{backend.host}:{backend.port}"
            raise NoServers(f"no process of this machine listens at {where}")
        found[_ROLES[backend.setting]] = LocalServer(pid)
    return found
