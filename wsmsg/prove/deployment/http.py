"""
HTTP requests to the daemons of a deployment.
"""

from __future__ import annotations

import asyncio
import json
from typing import Any


async def http_get(port: int, path: str, key: str = "") -> tuple[int, Any]:
    """
    Send a GET request.

    @param key: the key to send; empty: none.
    @return: the HTTP status and the JSON document (the text, if it is not JSON); status
        0 if nothing answers.
    """
    login = f"Authorization: Bearer {key}\r\n" if key else ""
    head = f"GET {path} HTTP/1.0\r\nHost: localhost\r\n{login}\r\n"
    return await http_ask(port, head)


async def http_ask(port: int, request: str) -> tuple[int, Any]:
    """
    Send a request; see L{http_get}.
    """
    writer = None
    try:
        async with asyncio.timeout(20):
            reader, writer = await asyncio.open_connection("127.0.0.1", port)
            writer.write(request.encode())
            answer = await reader.read()
    except (OSError, TimeoutError):
        return 0, None
    finally:
        if writer is not None:
            writer.close()
    head, _, body = answer.partition(b"\r\n\r\n")
    if not head:
        return 0, None
    try:
        document = json.loads(body)
    except ValueError:
        document = body.decode("utf-8", "replace")
    return int(head.split()[1]), document
