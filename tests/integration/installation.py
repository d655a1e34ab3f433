"""
Real daemons for tests, of L{wsmsg.prove.deployment}, and requests to them.
"""

from __future__ import annotations

import json
from typing import Any

from wsmsg.prove.deployment.daemons import READY_S, DaemonProcess, NotReady, free_ports
from wsmsg.prove.deployment.http import http_ask, http_get
from wsmsg.prove.deployment.installation import Installation

__all__ = [
    "READY_S",
    "DaemonProcess",
    "Installation",
    "NotReady",
    "free_ports",
    "http_delete",
    "http_get",
    "http_post",
    "http_put",
]


async def http_post(port: int, path: str, document: Any) -> tuple[int, Any]:
    """
    Send a POST request with a JSON document; see L{http_get}.
    """
    return await _send(port, "POST", path, document)


async def http_put(port: int, path: str, document: Any) -> tuple[int, Any]:
    """
    Send a PUT request with a JSON document; see L{http_get}.
    """
    return await _send(port, "PUT", path, document)


async def _send(port: int, method: str, path: str, document: Any) -> tuple[int, Any]:
    body = json.dumps(document)
    head = f"{method} {path} HTTP/1.0\r\nHost: localhost\r\n"
    head += f"Content-Type: application/json\r\nContent-Length: {len(body)}\r\n\r\n"
    return await http_ask(port, head + body)


async def http_delete(port: int, path: str) -> tuple[int, Any]:
    """
    Send a DELETE request; see L{http_get}.
    """
    return await http_ask(port, f"DELETE {path} HTTP/1.0\r\nHost: localhost\r\n\r\n")
