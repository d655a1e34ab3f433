"""
The measurements in their order, each with its servers.

::

    floor       a bare echo server: CPU a message, memory an idle connection
    saturation  a closed loop against Connect and Message: throughput, CPU a message
    latency     an open loop at half of that; before and after it the same load on
                the echo server, for the p99 of the machine itself
    group       one group with all members connected, in a closed loop; before it the
                echo server with as many connections
    logins      many logins, all at once; before them as many connections to the echo
                server, with a message each
    idle        memory of each idle connection

Memory is read from servers that did nothing else before: a process reuses memory that
it has freed, so its connections would seem to cost less.
"""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Callable
from contextlib import AbstractContextManager

import attrs
import msgspec

from wsmsg.bench.load.plan import LoadResult, Plan
from wsmsg.bench.processes import Server, floor
from wsmsg.bench.report import Report

NAMES = ("floor", "saturation", "latency", "group", "logins", "idle")

_IDLE_S = 5.0
#: Messages in flight on the floor's one connection, and the seconds of the load.
_ONE, _ONE_S = 50, 3.0
#: More connections than this would wait in the kernel, and some until they are refused.
_LOGINS_AT_ONCE = 1000
#: The open loop runs at this share of the rate of saturation.
_SHARE = 0.5


class BenchFailed(Exception):
    """
    There are no figures; the reason is the text, or was printed already.
    """


@attrs.frozen(kw_only=True)
class Choice:
    """
    The options of the operator.

    @ivar rate: rate of the open loop; 0: half of saturation.
    @ivar idle: number of idle connections.
    @ivar members: members of the group, all connected.
    @ivar logins: number of logins.
    @ivar servers: the servers that Message uses, by name; empty: files of its own.
    """

    only: tuple[str, ...] = NAMES
    pairs: int = 100
    seconds: float = 10.0
    size: int = 200
    window: int = 1
    rate: float = 0.0
    idle: int = 5000
    members: int = 1000
    logins: int = 5000
    servers: tuple[str, ...] = ()
    connects_per_s: float = 1000.0
    first_user: int = 1_000_000_000
    audience: str = ""
    issuer: str = ""


#: Starts the servers under test; a context that stops them at its end.
StartServers = Callable[[], AbstractContextManager[Server]]


class Bench:
    """
    Runs the scenarios, one after the other.

    @param start: starts Connect and Message, or finds running ones.
    @param tell: prints a line of progress.
    """

    def __init__(
        self, choice: Choice, start: StartServers, tell: Callable[[str], object]
    ):
        self._choice = choice
        self._start = start
        self._tell = tell
        self._rate = 0.0
        self._results: dict[str, LoadResult] = {}

    def run(self) -> Report:
        """
        Run the chosen scenarios.

        @raise BenchFailed: a load could not be run.
        @raise CannotStart: a server could not be started.
        """
        only = self._choice.only
        if "floor" in only:
            self._floor()
        if "saturation" in only or "latency" in only:
            self._messages()
        if "group" in only:
            self._group()
        if "logins" in only:
            self._logins()
        if "idle" in only:
            self._idle()
        choice = self._choice
        return Report(
            pairs=choice.pairs,
            size=choice.size,
            window=choice.window,
            idle=choice.idle,
            members=choice.members,
            logins=choice.logins,
            servers=choice.servers,
            rate=round(self._rate, 1),
            **self._results,
        )

    def _floor(self) -> None:
        with floor() as server:
            self._tell("floor: echo, closed loop")
            self._results["floor"] = self._load(server, "echo")
            self._floor_one(server)
        with floor() as server:
            self._tell("floor: idle connections")
            self._results["floor_idle"] = self._load_idle(server, "idle-echo")

    def _floor_one(self, server: Server) -> None:
        self._tell("floor: echo, one connection")
        plan = self._plan(server, "echo")
        self._results["floor_one"] = run_load(
            msgspec.structs.replace(plan, count=1, window=_ONE, seconds=_ONE_S)
        )

    def _messages(self) -> None:
        choice = self._choice
        with self._start() as server:
            rate = choice.rate
            if "saturation" in choice.only or not rate:
                self._tell("saturation: closed loop")
                self._results["saturation"] = self._load(server, "chat")
                rate = rate or self._results["saturation"].per_second * _SHARE
            if "latency" in choice.only:
                if rate <= 0:
                    raise BenchFailed("nothing was delivered, so there is no rate")
                self._tell(f"latency: open loop, {rate:.0f} messages a second")
                self._rate = rate
                self._results["floor_before"] = self._echo(rate)
                # Other users, so that their conversations begin at 1 with nothing
                # undelivered.
                self._results["latency"] = self._load(
                    server, "chat", rate=rate, first_user=self._after_pairs
                )
                self._results["floor_after"] = self._echo(rate)

    def _echo(self, rate: float) -> LoadResult:
        with floor() as server:
            self._tell("floor: echo, open loop at the same rate")
            plan = self._plan(server, "echo")
            return run_load(
                msgspec.structs.replace(
                    plan,
                    count=2 * self._choice.pairs,
                    seconds=self._choice.seconds / 2,
                    rate=rate,
                )
            )

    def _group(self) -> None:
        members = self._choice.members
        with floor() as server:
            self._tell("floor: echo, closed loop, as many connections")
            self._results["group_floor"] = self._load(server, "echo", count=members)
            if "floor_one" not in self._results:
                self._floor_one(server)
        with self._start() as server:
            self._tell(f"group: {members} members, closed loop")
            self._results["group"] = self._load(
                server, "group", count=members, first_user=self._after_pairs * 2
            )

    def _logins(self) -> None:
        with floor() as server:
            self._tell("floor: connections to the echo server, all at once")
            self._results["floor_logins"] = self._load_logins(server, "login-echo")
        with self._start() as server:
            self._tell("logins: all at once")
            self._results["chat_logins"] = self._load_logins(server, "login-chat")

    def _idle(self) -> None:
        with self._start() as server:
            self._tell("idle: connections to Connect")
            self._results["chat_idle"] = self._load_idle(server, "idle-chat")

    @property
    def _after_pairs(self) -> int:
        return self._choice.first_user + 2 * self._choice.pairs

    def _load(
        self,
        server: Server,
        kind: str,
        *,
        count: int | None = None,
        rate: float = 0.0,
        first_user: int | None = None,
    ) -> LoadResult:
        choice = self._choice
        plan = self._plan(server, kind)
        return run_load(
            msgspec.structs.replace(
                plan,
                count=choice.pairs if count is None else count,
                seconds=choice.seconds,
                rate=rate,
                first_user=choice.first_user if first_user is None else first_user,
            )
        )

    def _load_idle(self, server: Server, kind: str) -> LoadResult:
        plan = self._plan(server, kind)
        return run_load(
            msgspec.structs.replace(
                plan,
                count=self._choice.idle,
                seconds=_IDLE_S,
                first_user=self._choice.first_user + 4 * self._choice.pairs,
            )
        )

    def _load_logins(self, server: Server, kind: str) -> LoadResult:
        plan = self._plan(server, kind)
        return run_load(
            msgspec.structs.replace(
                plan,
                count=self._choice.logins,
                connects_per_s=float(self._choice.logins),
                at_once=_LOGINS_AT_ONCE,
                first_user=self._choice.first_user + 4 * self._choice.pairs,
            )
        )

    def _plan(self, server: Server, kind: str) -> Plan:
        choice = self._choice
        made = {
            "kind": kind,
            "host": server.host,
            "port": server.port,
            "path": server.path,
            "window": choice.window,
            "size": choice.size,
            "secret": server.secret,
            "debug_token": server.debug_token,
            "audience": choice.audience,
            "issuer": choice.issuer,
            "connects_per_s": choice.connects_per_s,
            "pids": dict(server.pids),
        }
        return msgspec.convert(made, Plan)


def run_load(plan: Plan, module: str = "wsmsg.bench.load.load") -> LoadResult:
    """
    Run a plan in a process of its own, so that it has a core to itself if there is one.

    @param module: the program of that process.
    @raise BenchFailed: the process ended without a result, or took much too long.
    """
    command = [sys.executable, "-m", module]
    try:
        done = subprocess.run(
            command,
            input=msgspec.json.encode(plan),
            stdout=subprocess.PIPE,
            timeout=plan.longest_s,
            check=False,
        )
    except subprocess.TimeoutExpired:
        raise BenchFailed(f"the load took more than {plan.longest_s:.0f} s") from None
    if done.returncode:
        reason = done.stdout.decode(errors="replace") if done.returncode == 1 else ""
        raise BenchFailed(reason or "the load could not be run")
    return msgspec.json.decode(done.stdout, type=LoadResult)
