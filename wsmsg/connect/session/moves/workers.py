"""
The moves of all workers of a Connect, for their supervisor: one drain, and one
rebalancing.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from twisted.internet.defer import Deferred
from twisted.logger import Logger

from wsmsg.connect.session.moves.http import NewDrain, NewRebalance, move_routes
from wsmsg.connect.session.moves.moves import DRAINED, HOLD, Phase
from wsmsg.daemon.supervisor.asking import AskedWorkers
from wsmsg.daemon.supervisor.totals import WorkerTotals
from wsmsg.daemon.supervisor.worker import SupervisedWorker
from wsmsg.http.routes import Call, Reply, Route
from wsmsg.monitoring.health import Health

_ORDER = list(Phase)
_SUMS = ("connections", "to_ask", "asked", "per_s")


class ConnectWorkers:
    """
    The calls and the status of a Connect that consists of workers.
    """

    _log = Logger()

    def __init__(
        self, asked: AskedWorkers, totals: WorkerTotals, health: Health
    ) -> None:
        self._health = health
        self._asked = asked
        self._totals = totals
        self._drain: Mapping[str, float] | None = None

    def routes(self) -> Sequence[Route]:
        """
        Return the routes, which are those of one process.
        """
        return move_routes(self)

    def status(self) -> Mapping[str, object]:
        """
        Return the part C{connect} of C{/status}.
        """
        sections = list(self._totals.sections.values())
        if not sections:
            return {}
        return {
            "connections": sum(s["connections"] for s in sections),
            "users": sum(s["users"] for s in sections),
            "moves": moves_of_all([s["moves"] for s in sections]),
            "nodes": _nodes(sections),
        }

    def told_admin(self, worker: SupervisedWorker) -> None:
        """
        Drain a process that takes the place of one that was being drained.
        """
        if self._drain is not None:
            body = {**self._drain, "lead_s": 0}
            drained = Deferred.fromCoroutine(self._asked.to(worker, "/drain", body))
            drained.addErrback(lambda f: self._log.failure("draining a worker", f))

    async def show(self, call: Call) -> Reply:
        """
        Say how far the moves are.
        """
        after_ms = call.number("after_ms", 0)
        return await self._moves("GET", f"/drain?after_ms={after_ms}")

    async def drain(self, call: Call) -> Reply:
        """
        Ask all clients to move, and take no new ones.
        """
        asked = call.body_as(NewDrain)
        self._drain = self._pace(asked.per_s)
        self._health.hold(HOLD, DRAINED)
        lead = {} if asked.lead_s is None else {"lead_s": asked.lead_s}
        return await self._moves("POST", "/drain", {**self._drain, **lead})

    async def undo(self, call: Call) -> Reply:
        """
        End the drain, and serve clients again.
        """
        self._drain = None
        self._health.hold(HOLD, "")
        return await self._moves("DELETE", "/drain")

    async def rebalance(self, call: Call) -> Reply:
        """
        Ask the clients above this Connect's share to move.
        """
        pace = self._pace(call.body_as(NewRebalance).per_s)
        return await self._moves("POST", "/rebalance", pace)

    def _pace(self, per_s: float | None) -> dict[str, float]:
        return {} if per_s is None else {"per_s": per_s / self._asked.count}

    async def _moves(self, method: str, path: str, body: Any = None) -> Reply:
        found = await self._asked.each_as_object(method, path, body)
        return Reply(200, moves_of_all(list(found.values())))


def moves_of_all(moves: Sequence[Mapping[str, Any]]) -> dict[str, object]:
    """
    Return the moves of several workers as one: it is as far as the last of them.
    """
    phases = [Phase(m["phase"]) for m in moves]
    found: dict[str, object] = {
        "phase": min(phases, key=_ORDER.index).value,
        "others_busy": any(m["others_busy"] for m in moves),
        **{name: sum(m[name] for m in moves) for name in _SUMS},
    }
    if any("moving" in m for m in moves):
        found["moving"] = sum(m.get("moving", 0) for m in moves)
    return found


def _nodes(sections: Sequence[Mapping[str, Any]]) -> Sequence[Mapping[str, object]]:
    """
    Return the other nodes, each once: up if a worker finds it up.
    """
    found: dict[tuple[str, str], Mapping[str, object]] = {}
    for section in sections:
        for node in section.get("nodes", ()):
            key = (node["kind"], node["node"])
            if not found.get(key, {}).get("up"):
                found[key] = node
    return list(found.values())
