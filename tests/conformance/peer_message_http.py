"""
The HTTP API of a legacy Message, which does not authenticate callers.
"""

from __future__ import annotations

import asyncio
import json
import time
from functools import partial
from typing import Any

from tests.conformance.contract import MESSAGES_PATH
from tests.conformance.plain_http import Request, respond
from tests.conformance.record import Gate, Record
from tests.conformance.store import Store


class MessageHttp:
    """
    The routes of the HTTP API.

    @param serving: while this gate is closed, no request is answered.
    @ivar asked: the requests so far.
    """

    def __init__(self, port: int, store: Store, serving: Gate) -> None:
        self.port = port
        self.asked: Record[Request] = Record("requests to Message")
        self._store = store
        self._serving = serving
        self._server: asyncio.Server | None = None

    async def start(self) -> None:
        take = partial(respond, self._respond)
        self._server = await asyncio.start_server(take, "127.0.0.1", self.port)

    async def stop(self) -> None:
        server, self._server = self._server, None
        if server is not None:
            server.close()

    async def _respond(self, request: Request) -> tuple[int, Any]:
        self.asked.add(request)
        await self._serving.passed()
        if (request.method, request.path) == ("GET", "/health"):
            return 200, {"status": "ok", "time": int(time.time())}
        name = request.path.removeprefix(MESSAGES_PATH)
        answers = {
            "unread": self._unread,
            "mark-read": self._mark_read,
            "history": self._history,
            "send": self._send,
        }
        if request.method != "POST" or name not in answers:
            return 404, {"error": "no such page"}
        try:
            return 200, answers[name](json.loads(request.body))
        except (ValueError, LookupError, TypeError, AttributeError) as e:
            return 400, {"error": str(e)}

    def _unread(self, asked: Any) -> Any:
        found = self._store.unread(asked["user_id"])
        documents = [s.document() for s in found] or None
        return {"messages": documents, "total": len(found)}

    def _mark_read(self, asked: Any) -> Any:
        self._store.mark_read(asked["user_id"], asked["message_ids"])
        return {"success": True, "message": "marked"}

    def _history(self, asked: Any) -> Any:
        page, size = asked.get("page", 1), asked.get("size", 20)
        found = self._store.of(asked["user_id"], asked.get("group_id", 0))
        begin = (page - 1) * size
        return {
            "messages": [s.document() for s in found[begin : begin + size]] or None,
            "page": page,
            "size": size,
            "total": len(found),
        }

    def _send(self, asked: Any) -> Any:
        return {"message": "sent"}
