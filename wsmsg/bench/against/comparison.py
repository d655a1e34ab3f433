"""
The measurements of a comparison: the same for the floor, wsmsg and each other system,
one system after the other::

    probe        one pair for a moment, so that mistakes show before minutes of load
    saturation   a closed loop: messages a second, CPU a message
    latency      an open loop at one rate for all: p50, p99, CPU a message
    idle         memory of an idle user
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from urllib.parse import urlsplit

import attrs
import msgspec

from wsmsg.bench.against.systems import FLOOR, SYSTEMS, System
from wsmsg.bench.against.table import Comparison, Measured
from wsmsg.bench.load.plan import LoadResult, Plan
from wsmsg.bench.load.proc import listener
from wsmsg.bench.processes import Server, relay
from wsmsg.bench.scenarios import BenchFailed, Choice, StartServers, run_load

NAMES = ("saturation", "latency", "idle")
#: Messages a second of the open loop.
RATE = 500.0
_IDLE_S, _PROBE_S, _PROBE_RATE = 5.0, 0.5, 20.0
_LOCAL = ("127.0.0.1", "::1", "localhost")


@attrs.frozen
class OtherSystem:
    """
    A running server of another system.

    @ivar url: empty: the benchmark starts the server, which it can for the floor only.
    @ivar key: what the system needs to accept users, if anything.
    @ivar pids: its processes by name; one whose name is the system's is the server.
    """

    system: System
    url: str = ""
    key: str = ""
    pids: dict[str, int] = attrs.field(factory=dict)


class Comparing:
    """
    Measures the floor, wsmsg and other systems.

    @param others: without the floor, which is always measured.
    @param start: starts Connect and Message, or finds running ones.
    @param tell: prints a line of progress.
    """

    def __init__(
        self,
        choice: Choice,
        others: list[OtherSystem],
        start: StartServers,
        tell: Callable[[str], object],
    ):
        self._choice = choice
        floor = [one for one in others if one.system.name == FLOOR]
        rest = [one for one in others if one.system.name != FLOOR]
        self._others = [*(floor or [OtherSystem(SYSTEMS[FLOOR])]), *rest]
        self._start = start
        self._tell = tell

    def run(self) -> Comparison:
        """
        Measure everything.

        @raise BenchFailed: a load could not be run.
        @raise CannotStart: a server could not be started.
        """
        # The floor last: it is the only one without mistakes to make.
        for other in reversed(self._others):
            self._probe(other)
        floor, *rest = self._others
        systems = [self._other(floor), self._ours(), *map(self._other, rest)]
        choice = self._choice
        return Comparison(
            pairs=choice.pairs,
            size=choice.size,
            window=choice.window,
            rate=choice.rate or RATE,
            idle=choice.idle,
            systems=systems,
        )

    def _probe(self, other: OtherSystem) -> None:
        name = other.system.name
        with self._serving(other) as plan:
            self._tell(f"{name}: one pair at {plan.path}")
            plan = msgspec.structs.replace(
                plan,
                count=1,
                rate=_PROBE_RATE,
                seconds=_PROBE_S,
                warm_s=_PROBE_S,
                drain_s=_IDLE_S,
            )
            result = _load(name, plan)
        if not result.totals.accepted or result.totals.lost:
            codes = ", ".join(result.totals.rejected) or "no message arrived"
            raise BenchFailed(f"{name} carries no messages: {codes}")

    def _other(self, other: OtherSystem) -> Measured:
        name, only = other.system.name, self._choice.only
        found: dict[str, LoadResult] = {}
        if "saturation" in only or "latency" in only:
            with self._serving(other) as plan:
                found.update(self._messages(name, plan, "foreign"))
        if "idle" in only:
            with self._serving(other) as plan:
                found["idle"] = self._idle(name, plan, "idle-foreign")
        version = next((r.version for r in found.values() if r.version), "")
        return Measured(name=name, version=version, **found)

    def _ours(self) -> Measured:
        found: dict[str, LoadResult] = {}
        only = self._choice.only
        if "saturation" in only or "latency" in only:
            with self._start() as server:
                found.update(self._messages("wsmsg", self._at(server), "chat"))
        if "idle" in only:
            with self._start() as server:
                found["idle"] = self._idle("wsmsg", self._at(server), "idle-chat")
        return Measured(name="wsmsg", version=_version(), **found)

    def _messages(
        self, name: str, plan: Plan, kind: str
    ) -> Iterator[tuple[str, LoadResult]]:
        choice = self._choice
        rate = choice.rate or RATE
        for what, per_s, first in (("saturation", 0.0, 0), ("latency", rate, 1)):
            if what not in choice.only:
                continue
            at = f"open loop, {rate:.0f} a second" if per_s else "closed loop"
            self._tell(f"{name}: {at}")
            first_user = choice.first_user + first * 2 * choice.pairs
            made = {"kind": kind, "rate": per_s, "first_user": first_user}
            yield what, _load(name, _changed(plan, made))

    def _idle(self, name: str, plan: Plan, kind: str) -> LoadResult:
        choice = self._choice
        self._tell(f"{name}: {choice.idle} idle users")
        first_user = choice.first_user + 4 * choice.pairs
        made = {"kind": kind, "count": choice.idle, "seconds": _IDLE_S}
        return _load(name, _changed(plan, {**made, "first_user": first_user}))

    def _at(self, server: Server) -> Plan:
        choice = self._choice
        return Plan(
            kind="chat",
            host=server.host,
            port=server.port,
            path=server.path,
            count=choice.pairs,
            window=choice.window,
            size=choice.size,
            seconds=choice.seconds,
            secret=server.secret,
            debug_token=server.debug_token,
            connects_per_s=choice.connects_per_s,
            pids=dict(server.pids),
        )

    @contextmanager
    def _serving(self, other: OtherSystem) -> Iterator[Plan]:
        """
        Make the plan of a system, whose server runs while the context lasts.
        """
        if other.url:
            parts = urlsplit(other.url)
            host, port = parts.hostname or "", parts.port or _usual_port(parts.scheme)
            yield self._plan(other, host, port, other.url, _pids(other, host, port))
            return
        with relay() as server:
            url = f"ws://{server.host}:{server.port}/"
            yield self._plan(other, server.host, server.port, url, dict(server.pids))

    def _plan(
        self, other: OtherSystem, host: str, port: int, url: str, pids: dict[str, int]
    ) -> Plan:
        server = Server(host=host, port=port, path=url, pids=pids, secret=other.key)
        made = {"kind": "foreign", "system": other.system.name}
        return _changed(self._at(server), made)


def _changed(plan: Plan, made: Mapping[str, object]) -> Plan:
    return msgspec.convert({**msgspec.structs.asdict(plan), **made}, Plan)


def _load(name: str, plan: Plan) -> LoadResult:
    module = "wsmsg.bench.load.load"
    if plan.system:
        module = "wsmsg.bench.against.load"
    try:
        return run_load(plan, module)
    except BenchFailed as e:
        raise BenchFailed(f"{name}: {e}") from None


def _usual_port(scheme: str) -> int:
    return 443 if scheme in ("wss", "https") else 80


def _pids(other: OtherSystem, host: str, port: int) -> dict[str, int]:
    """
    Return the processes of a system, and its server's by the port if it is on this
    machine and was not named.
    """
    name, pids = other.system.name, dict(other.pids)
    if name not in pids and host in _LOCAL:
        found = listener(port)
        if found is not None:
            pids[name] = found
    return pids


def _version() -> str:
    from wsmsg import __version__

    return __version__
