"""
Calls of operators that any one worker can answer.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Sequence
from urllib.parse import urlencode

import attrs

from wsmsg.daemon.supervisor.asking import AskedWorkers
from wsmsg.http.routes import Answering, Call, Reply, Route


def forwarded(routes: Iterable[Route], asked: AskedWorkers) -> Sequence[Route]:
    """
    Return the same routes, answered by a worker.
    """
    return [
        attrs.evolve(route, answer=_forward(asked), responses={200: dict})
        for route in routes
    ]


def _forward(asked: AskedWorkers) -> Answering:
    async def forward(call: Call) -> Reply:
        """
        Pass the call on to a worker, and its answer back.
        """
        method, path = call.route.target.split(" ")
        query = f"?{urlencode(call.arguments)}" if call.arguments else ""
        body = None if call.route.body is None else json.loads(call.body)
        return Reply(200, await asked.any(method, f"/{path}{query}", body))

    return forward
