"""
The first lines of a daemon's log: which one it is, where its data is, and what listens
where for whom.
"""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping
from pathlib import Path

from wsmsg import __version__
from wsmsg.settings.values import Common

#: By daemon and key: who connects there, or what is kept there.
_PURPOSES: Mapping[str, Mapping[str, str]] = {
    "connect": {
        "listen": "WebSocket and HTTP, for clients",
        "rpc_listen": "gRPC: online status, health",
        "admin_listen": "health, metrics and status, for operators",
        "discovery": "the Messages that it connects to",
    },
    "message": {
        "listen": "HTTP, for other services",
        "rpc_listen": "gRPC, for the streams of Connects",
        "admin_listen": "health, metrics, status and dead letters, for operators",
        "journal": "makes accepted messages durable",
        "store": "keeps the messages",
        "presence": "tells other processes who is online",
    },
}


def few_files(settings: Common, room: int) -> str:
    """
    Return a line for a process that may open fewer files than its settings allow it
    connections; empty if it may open enough.

    @param room: the connections that it has files for.
    """
    for key in ("limits", "http"):
        wanted = getattr(getattr(settings, key, None), "connections", 0)
        if wanted > room:
            return (
                f"{key}.connections is {wanted}, and this process may not open as many "
                f"files: it takes {room} connections; raise LimitNOFILE (ulimit -n)"
            )
    return ""


def first_lines(
    daemon: str, settings: Common, node: str, data_dir: Path
) -> Iterator[str]:
    """
    Yield the lines.  They show no password.
    """
    yield f"wsmsg {daemon} {__version__}: node {node}, process {os.getpid()}"
    yield f"data_dir = {data_dir} (embedded files, and the local key of tokens)"
    shown = settings.model_dump(mode="json")  # without passwords
    for key, purpose in _PURPOSES[daemon].items():
        if key == "journal" and getattr(settings, "store_is_log", False):
            yield "no journal: the store makes accepted messages durable"
        elif shown[key]:
            yield f"{key} = {shown[key]} ({purpose})"
        else:
            yield f"{key} is empty (no {purpose})"
