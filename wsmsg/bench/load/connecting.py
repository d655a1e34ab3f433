"""
Opens the connections of a load, at the pace of its plan.
"""

from __future__ import annotations

import asyncio
import os
import resource
import time
from collections import Counter
from collections.abc import Awaitable, Callable, Sequence
from typing import Any, Protocol, TypeVar

import jwt

from wsmsg.bench.load.framing import Mask
from wsmsg.bench.load.peers import ChatPeer, IdleEchoPeer, Peer
from wsmsg.bench.load.plan import Plan

_CONNECT_TIMEOUT_S = 30.0
_HEADERS = {"User-Agent": "wsmsg-bench/1"}
_CHAT_HEADERS = {**_HEADERS, "Sec-WebSocket-Protocol": "wsmsg.v1.protobuf"}


AnyPeer = TypeVar("AnyPeer", bound=Peer)


class Leaves(Protocol):
    """
    A user of the server, on connections of its own.
    """

    def leave(self) -> None:
        """
        Close the connections.
        """


class LoadFailed(Exception):
    """
    The load could not be run.
    """


def raise_open_files(wanted: int) -> None:
    """
    Raise the limit of open files of this process.

    @raise LoadFailed: the hard limit is lower.
    """
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if soft < hard:
        resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
    if hard != resource.RLIM_INFINITY and hard < wanted:
        raise LoadFailed(
            f"{wanted} connections need as many open files, and the hard limit is "
            f"{hard}: raise it (ulimit -Hn) or ask for fewer connections"
        )


class Connections:
    """
    The connections of one load.

    @ivar peers: open connections.
    @ivar closed: number of connections that the server closed, by reason.
    @ivar other_frames: number of frames that the load does not use, by name.
    """

    def __init__(self, plan: Plan, tell: Callable[[str], object]):
        self.mask = Mask(os.urandom(4))
        self.peers: list[Leaves] = []
        self.closed: Counter[str] = Counter()
        self.other_frames: Counter[str] = Counter()
        self._plan = plan
        self._tell = tell
        self._loop = asyncio.get_running_loop()

    def leave(self) -> None:
        """
        Close all connections.
        """
        for peer in self.peers:
            peer.leave()
        self.peers.clear()

    def _token(self, user: int) -> str:
        plan = self._plan
        if not plan.secret:
            return f"{plan.debug_token}:{user}"
        claims: dict[str, Any] = {"sub": str(user), "exp": int(time.time()) + 86400}
        if plan.audience:
            claims["aud"] = plan.audience
        if plan.issuer:
            claims["iss"] = plan.issuer
        return jwt.encode(claims, plan.secret, algorithm="HS256")

    async def open(self, peer: Peer) -> None:
        """
        Connect a peer and wait until it may be used.

        @raise OSError: it cannot connect.
        """
        plan = self._plan

        async def connected() -> None:
            await self._loop.create_connection(lambda: peer, plan.host, plan.port)
            await peer.opened

        await self.enter(peer, connected())

    async def enter(self, user: Leaves, entering: Awaitable[None]) -> None:
        """
        Wait until a user may be used, and close its connections at the end.

        @raise OSError: it cannot connect.
        """
        async with asyncio.timeout(_CONNECT_TIMEOUT_S):
            await entering
        self.peers.append(user)

    def make(self, kind: type[AnyPeer], user: int) -> AnyPeer:
        """
        Make a peer that is not connected yet.

        @param user: its user, if it is a session.
        """
        plan = self._plan
        host = f"{plan.host}:{plan.port}"
        headers = _CHAT_HEADERS if issubclass(kind, ChatPeer) else _HEADERS
        opened = self._loop.create_future()
        peer = kind(self.mask, host, plan.path, headers, opened, self.lost)
        if isinstance(peer, IdleEchoPeer):
            peer.greet_with(b"." * plan.size)
        if isinstance(peer, ChatPeer):
            peer.log_in_with(self._token(user), "bench", self._count_other)
        return peer

    def lost(self, reason: str) -> None:
        """
        Count a connection that the server closed.
        """
        self.closed[reason] += 1

    def _count_other(self, name: str) -> None:
        self.other_frames[name] += 1

    async def in_turn(self, opening: Sequence[Callable[[], Awaitable[None]]]) -> None:
        """
        Open connections at the plan's pace, a bounded number at once.

        @raise LoadFailed: a connection could not be opened.
        """
        gate = asyncio.Semaphore(self._plan.at_once)
        began = self._loop.time()
        done = 0

        async def one(turn: int, wanted: Callable[[], Awaitable[None]]) -> None:
            nonlocal done
            due_s = began + turn / self._plan.connects_per_s
            await asyncio.sleep(max(0.0, due_s - self._loop.time()))
            async with gate:
                await wanted()
            done += 1
            if done % 500 == 0:
                self._tell(f"{done} of {len(opening)} connected")

        try:
            async with asyncio.TaskGroup() as group:
                for turn, wanted in enumerate(opening):
                    group.create_task(one(turn, wanted))
        except* OSError as failures:
            failed = failures.exceptions[0]
        else:
            return
        where = f"{self._plan.host}:{self._plan.port}"
        reason = str(failed) or f"no answer in {_CONNECT_TIMEOUT_S:.0f} s"
        raise LoadFailed(
            f"cannot connect to {where} ({done} of {len(opening)} did): {reason}"
        )
