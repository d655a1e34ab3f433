"""
The number of a worker, and its share of the settings.

All workers read the same settings.  This says how those of one worker differ, so a
reload leads to the same as a start.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, TypeVar

import attrs
from pydantic import BaseModel

from wsmsg.settings.base import PORT_STEP
from wsmsg.settings.urls.address import parse_address
from wsmsg.settings.values import Common, ConnectSettings, MessageSettings

#: The variable of the environment by which a process is a worker.
WORKER = "WSMSG_WORKER"
#: Settings of Connect that are for all workers together: each has its part of them.
DIVIDED = (
    *("limits.connections", "limits.handshakes_per_s", "limits.waiting_sends"),
    "drain.per_s",
)

S = TypeVar("S", bound=Common)
M = TypeVar("M", bound=BaseModel)


@attrs.frozen
class WorkerNumber:
    """
    The number of a worker, from 1 on, and the number of all.
    """

    number: int
    count: int

    def __str__(self) -> str:
        return f"{self.number}/{self.count}"


def number_in(environ: Mapping[str, str]) -> WorkerNumber | None:
    """
    Return the number that a supervisor gave this process, or L{None}.

    @raise ValueError: there is one that no supervisor gives.
    """
    given = environ.get(WORKER, "")
    if not given:
        return None
    number, _, count = given.partition("/")
    try:
        found = WorkerNumber(int(number), int(count))
    except ValueError:
        found = WorkerNumber(0, 0)
    if not 1 <= found.number <= found.count:
        raise ValueError(f"{WORKER} is {given!r}: a supervisor alone sets it, as 1/2")
    return found


def shared_listeners(settings: Common) -> Sequence[str]:
    """
    Return the listeners that all workers share.  Each worker of a Message has a
    C{rpc_listen} of its own, because each Connect has a stream to each of them.
    """
    is_connect = isinstance(settings, ConnectSettings)
    return ("listen", "rpc_listen") if is_connect else ("listen",)


def names_of(node: str, count: int) -> list[str]:
    """
    Return the names of all workers of a node.
    """
    return [f"{node}-{number}" for number in range(1, count + 1)]


def siblings_of(name: str, count: int) -> set[str]:
    """
    Return the names of all workers beside which one of them runs, its own included.
    """
    return set(names_of(name.rpartition("-")[0], count)) if count > 1 else {name}


def share_of(settings: S, worker: WorkerNumber) -> S:
    """
    Return the settings of one worker.

    Its name is that of the node with the number; its admin listener is for the
    supervisor alone.
    """
    changed: dict[str, object] = {
        "workers": worker.count,
        "node": f"{settings.node}-{worker.number}",
        "admin_listen": "127.0.0.1:0",
        "tls.admin_listen.cert": "",
        "tls.admin_listen.key": "",
        "tls.admin_listen.client_ca": "",
    }
    if isinstance(settings, ConnectSettings):
        for key in DIVIDED:
            changed[key] = _part(_value(settings, key), worker.count)
    elif isinstance(settings, MessageSettings):
        steps = worker.number - 1
        for key in ("rpc_listen", "advertise"):
            changed[key] = moved(getattr(settings, key), steps)
        if settings.node_number >= 0:
            changed["node_number"] = settings.node_number + steps
    for key, value in changed.items():
        settings = _with(settings, key.split("."), value)
    return settings


def moved(listen: str, steps: int) -> str:
    """
    Return an address some steps further; one of any port stays, as does none.
    """
    if not listen or not (address := parse_address(listen)).port:
        return listen
    return str(address._replace(port=address.port + steps * PORT_STEP))


def _part(whole: Any, count: int) -> Any:
    """
    Return a part of a limit, rounded up: the parts together are not below it.
    """
    return -(-whole // count) if isinstance(whole, int) else whole / count


def _value(settings: BaseModel, key: str) -> Any:
    value: Any = settings
    for name in key.split("."):
        value = getattr(value, name)
    return value


def _with(section: M, path: Sequence[str], value: object) -> M:
    name, *rest = path
    inner = _with(getattr(section, name), rest, value) if rest else value
    return section.model_copy(update={name: inner})
