"""
The input and the result of a load process: JSON on its standard streams.
"""

from __future__ import annotations

from typing import Literal

import msgspec

from wsmsg.bench.load.accounts import Percentiles, Totals

Kind = Literal[
    "echo",
    "chat",
    "group",
    "foreign",
    "idle-echo",
    "idle-chat",
    "idle-foreign",
    "login-echo",
    "login-chat",
]


class Plan(msgspec.Struct, frozen=True, kw_only=True):
    """
    One load.

    @ivar kind: C{echo} against the floor, C{chat} against Connect; C{group}: one group
        there; C{idle-echo} and C{idle-chat}: idle connections; C{login-echo} and
        C{login-chat}: connections that only open; C{foreign} and C{idle-foreign}: pairs
        and idle users of another C{system}.
    @ivar count: pairs of a sender and a recipient, or connections, or members.
    @ivar window: a closed loop's messages in flight for each pair or group.
    @ivar rate: an open loop's messages a second, all pairs together; 0: closed loop.
    @ivar at_once: how many connections may be opening.
    @ivar size: bytes of content.
    @ivar drain_s: time limit at the end for messages in flight.
    @ivar secret: HS256 key for the users' tokens; empty: C{debug_token} is used.
    @ivar pids: processes whose CPU and memory are read, by name, each with its
        descendants.
    @ivar system: name in C{wsmsg.bench.against.systems}.
    """

    kind: Kind
    host: str
    port: int
    path: str = "/"
    count: int = 100
    window: int = 1
    rate: float = 0.0
    size: int = 200
    seconds: float = 10.0
    warm_s: float = 2.0
    drain_s: float = 15.0
    secret: str = ""
    debug_token: str = ""
    audience: str = ""
    issuer: str = ""
    first_user: int = 1_000_000_000
    connects_per_s: float = 1000.0
    at_once: int = 50
    seed: int = 0
    pids: dict[str, int] = {}
    system: str = ""

    @property
    def longest_s(self) -> float:
        """
        Return the longest time that the load may take, with everything slow.
        """
        connections = 2 * self.count
        connecting = 60 + 3 * connections / self.connects_per_s
        return connecting + self.warm_s + self.seconds + self.drain_s + 60


class Usage(msgspec.Struct, frozen=True):
    """
    The CPU and memory that one process used.

    @ivar cpu_s: CPU seconds in the measured period.
    @ivar rss_before: resident bytes before the load's connections.
    @ivar rss_after: resident bytes with them.
    """

    cpu_s: float
    rss_before: int = 0
    rss_after: int = 0


class LoadResult(msgspec.Struct, kw_only=True):
    """
    The result of a plan.

    @ivar seconds: length of the measured period.
    @ivar delivered: messages that arrived (echoes that returned) in that period.
    @ivar latency: from the time when a message was due to its delivery, for messages
    due
        in the measured period.
    @ivar to_all: for a group's messages: until the last member had the message.
    @ivar lateness: of the load process itself: from the due time to the write.
    @ivar own_cpu_s: CPU of the load process in that period.
    @ivar others_cpu_s: CPU of everything else on the machine in that period: the more,
    the
        less the figures mean.
    @ivar connections: number of open connections.
    @ivar closed: connections that the server closed, by reason.
    @ivar other_frames: frames that the load does not use, by name.
    @ivar version: of the server, as it says itself.
    """

    seconds: float
    delivered: int = 0
    latency: Percentiles = msgspec.field(default_factory=Percentiles)
    to_all: Percentiles = msgspec.field(default_factory=Percentiles)
    lateness: Percentiles = msgspec.field(default_factory=Percentiles)
    totals: Totals = msgspec.field(default_factory=Totals)
    usage: dict[str, Usage] = {}
    own_cpu_s: float = 0.0
    others_cpu_s: float = 0.0
    connections: int = 0
    closed: dict[str, int] = {}
    other_frames: dict[str, int] = {}
    version: str = ""

    @property
    def per_second(self) -> float:
        return self.delivered / self.seconds if self.seconds else 0.0

    def login_ms(self, name: str) -> float | None:
        """
        Return CPU milliseconds a connection of the process with this name.
        """
        used = self.usage.get(name)
        if used is None or not self.connections:
            return None
        return used.cpu_s * 1e3 / self.connections

    def cpu_us(self, name: str) -> float | None:
        """
        Return CPU microseconds a message of the process with this name.
        """
        used = self.usage.get(name)
        if used is None or not self.delivered:
            return None
        return used.cpu_s * 1e6 / self.delivered
