"""
C{docs/openapi.json}: the HTTP of both daemons, which Message serves its own part of as
C{/api/v1/openapi.json}.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import Any

import msgspec

from tools.routes import connect_routes, message_routes
from wsmsg.http.openapi import describe
from wsmsg.http.routes import Route

_MESSAGE = {
    "url": "http://127.0.0.1:21004",
    "description": "Message, at the default of its listen",
}
_CONNECT = {
    "url": "http://127.0.0.1:21005",
    "description": "Connect, at the default of its listen",
}
_DESCRIPTION = (
    "HTTP of wsmsg, an instant-messaging backend that loses nothing: the calls that "
    "Message serves to other services, and those of Connect. Each path names the "
    "daemons that serve it."
)


def document() -> Any:
    """
    Return the description of both daemons.
    """
    message, connect = message_routes(), connect_routes()
    # What both have is described as Connect has it: Message answers with more fields.
    made = msgspec.to_builtins(describe([*message, *connect]))
    made["info"] |= {"title": "wsmsg", "description": _DESCRIPTION}
    serving = ((_MESSAGE, _paths(message)), (_CONNECT, _paths(connect)))
    for path, operations in made["paths"].items():
        operations["servers"] = [server for server, paths in serving if path in paths]
    made["servers"] = [_MESSAGE]
    return made


def _paths(routes: Sequence[Route]) -> set[str]:
    return {route.path for route in routes}


def text() -> str:
    """
    Return the text of the file.
    """
    return json.dumps(document(), ensure_ascii=False, indent=2) + "\n"
