"""
A load process: connects, warms up, measures, waits for what is on its way.

C{python -m wsmsg.bench.load} reads a L{Plan} from standard input, tells progress on
standard error and writes a L{LoadResult} to standard output.
"""

from __future__ import annotations

import asyncio
import gc
import os
import random
import resource
import secrets
import sys
import time
from collections import Counter
from collections.abc import Callable, Coroutine, Sequence
from typing import Any

import jwt
import msgspec

from wsmsg.bench.accounts import spread, total
from wsmsg.bench.encoding import RUN_CHARS
from wsmsg.bench.framing import Mask
from wsmsg.bench.pairs import EchoLoop, Pair
from wsmsg.bench.peers import (
    ChatPeer,
    EchoPeer,
    IdleEchoPeer,
    Peer,
    RecipientPeer,
    SenderPeer,
)
from wsmsg.bench.plan import LoadResult, Plan, Usage
from wsmsg.bench.proc import rss_bytes
from wsmsg.bench.schedule import Due, poisson
from wsmsg.bench.tape import Tape
from wsmsg.model import conversation_of

_PROGRESS_S = 1.0
_DELIVERED_EVERY_S = 0.1
_CONNECT_TIMEOUT_S = 30.0
_CONNECTING_AT_ONCE = 50
_WARM_CONNECTIONS = 20
_HEADERS = {"User-Agent": "wsmsg-bench/1"}
_CHAT_HEADERS = {**_HEADERS, "Sec-WebSocket-Protocol": "wsmsg.v1.protobuf"}

Loop = EchoLoop | Pair


class LoadFailed(Exception):
    """
    The load could not be run at all.
    """


class Load:
    """
    One plan in progress.
    """

    def __init__(self, plan: Plan, tell: Callable[[str], object]):
        self._plan = plan
        self._tell = tell
        self._mask = Mask(os.urandom(4))
        self._run = secrets.token_hex(RUN_CHARS // 2)
        self._loop = asyncio.get_running_loop()
        self._peers: list[Peer] = []
        self._loops: list[Loop] = []
        self._closed: Counter[str] = Counter()
        self._other: Counter[str] = Counter()

    async def run(self) -> LoadResult:
        """
        @raise LoadFailed: the server cannot be reached or lets nobody in.
        """
        plan = self._plan
        try:
            if plan.kind.startswith("idle"):
                return await self._idle()
            await self._connect_all()
            return await self._measure()
        finally:
            for peer in self._peers:
                peer.leave()

    # -- connecting

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

    async def _open(self, peer: Peer) -> None:
        plan = self._plan
        async with asyncio.timeout(_CONNECT_TIMEOUT_S):
            await self._loop.create_connection(lambda: peer, plan.host, plan.port)
            await peer.opened
        self._peers.append(peer)

    def _make(self, kind: type[Peer], user: int) -> Peer:
        plan = self._plan
        host = f"{plan.host}:{plan.port}"
        headers = _CHAT_HEADERS if issubclass(kind, ChatPeer) else _HEADERS
        peer = kind(self._mask, host, plan.path, headers, self._lost)
        if isinstance(peer, IdleEchoPeer):
            peer.greeting = b"." * plan.size
        if isinstance(peer, ChatPeer):
            peer.token = self._token(user)
            peer.device = "bench"
            peer.on_other = self._count_other
        return peer

    def _lost(self, reason: str) -> None:
        self._closed[reason] += 1

    def _count_other(self, name: str) -> None:
        self._other[name] += 1

    async def _in_turn(self, opening: Sequence[Coroutine[Any, Any, None]]) -> None:
        """
        Open connections at the plan's pace, a bounded number at once.
        """
        gate = asyncio.Semaphore(_CONNECTING_AT_ONCE)
        began = self._loop.time()
        done = 0

        async def one(turn: int, wanted: Coroutine[Any, Any, None]) -> None:
            nonlocal done
            due_s = began + turn / self._plan.connects_per_s
            await asyncio.sleep(max(0.0, due_s - self._loop.time()))
            async with gate:
                await wanted
            done += 1
            if done % 500 == 0:
                self._tell(f"{done} of {len(opening)} connected")

        try:
            async with asyncio.TaskGroup() as group:
                for turn, wanted in enumerate(opening):
                    group.create_task(one(turn, wanted))
        except* (OSError, TimeoutError) as failures:
            first = failures.exceptions[0]
            raise LoadFailed(
                f"cannot connect to {self._plan.host}:{self._plan.port} "
                f"({done} of {len(opening)} did): {first or 'no answer in time'}"
            ) from None

    async def _connect_all(self) -> None:
        plan = self._plan
        count = range(plan.count)
        self._tell(f"connecting {plan.count} {plan.kind} peers or pairs")
        await self._in_turn([self._open_loop(number) for number in count])

    async def _open_loop(self, number: int) -> None:
        plan = self._plan
        if plan.kind == "echo":
            echo = self._make(EchoPeer, 0)
            await self._open(echo)
            assert isinstance(echo, EchoPeer)
            self._loops.append(
                EchoLoop(echo, self._mask, self._run, plan.size, self._window)
            )
            return
        sender_user = plan.first_user + 2 * number
        recipient_user = sender_user + 1
        sender = self._make(SenderPeer, sender_user)
        recipient = self._make(RecipientPeer, recipient_user)
        await self._open(recipient)
        await self._open(sender)
        assert isinstance(sender, SenderPeer) and isinstance(recipient, RecipientPeer)
        self._loops.append(
            Pair(
                sender,
                recipient,
                mask=self._mask,
                run=self._run,
                to=recipient_user,
                conversation=conversation_of(sender_user, recipient_user),
                size=plan.size,
                window=self._window,
            )
        )

    @property
    def _window(self) -> int:
        return 0 if self._plan.rate else self._plan.window

    # -- messages

    async def _measure(self) -> LoadResult:
        plan = self._plan
        start_s = self._loop.time()
        begin_s = start_s + plan.warm_s
        end_s = begin_s + plan.seconds
        tape = Tape(begin_s, end_s, plan.pids)
        gc.collect()
        gc.freeze()
        gc.disable()  # its pauses would be taken for the server's
        for loop in self._loops:
            loop.tape = tape
        tasks = [
            asyncio.create_task(self._progress(tape)),
            asyncio.create_task(self._acknowledge()),
        ]
        if plan.rate:
            tasks.append(asyncio.create_task(self._send_scheduled(start_s)))
        else:
            for loop in self._loops:
                loop.refill()
        try:
            await self._until(begin_s)
            own = time.process_time()
            tape.mark(self._loop.time())
            await self._until(end_s)
            tape.mark(self._loop.time())
            own = time.process_time() - own
            for loop in self._loops:
                loop.finish()
            await self._drain()
        finally:
            gc.enable()
            for task in tasks:
                task.cancel()
        return LoadResult(
            seconds=round(tape.seconds, 3),
            delivered=tape.measured,
            latency=spread(tape.latencies),
            lateness=spread(tape.lateness),
            totals=total([loop.account for loop in self._loops]),
            usage=tape.usage(),
            own_cpu_s=round(own, 3),
            connections=len(self._peers),
            closed=dict(self._closed),
            other_frames=dict(self._other),
        )

    async def _until(self, when_s: float) -> None:
        await asyncio.sleep(max(0.0, when_s - self._loop.time()))

    async def _send_scheduled(self, start_s: float) -> None:
        plan = self._plan
        seconds = plan.warm_s + plan.seconds
        times = poisson(plan.rate, seconds, random.Random(plan.seed))
        due = Due(times, start_s)
        turn = 0
        while due.next_s is not None:
            await self._until(due.next_s)
            for when_s in due.take(self._loop.time()):
                self._loops[turn % len(self._loops)].send_due([when_s])
                turn += 1

    async def _acknowledge(self) -> None:
        while True:
            await asyncio.sleep(_DELIVERED_EVERY_S)
            for loop in self._loops:
                loop.report_progress()

    async def _progress(self, tape: Tape) -> None:
        before = 0
        while True:
            await asyncio.sleep(_PROGRESS_S)
            self._tell(f"{(tape.count - before) / _PROGRESS_S:.0f} messages a second")
            before = tape.count

    async def _drain(self) -> None:
        until_s = self._loop.time() + self._plan.drain_s
        while self._loop.time() < until_s:
            if all(loop.account.settled for loop in self._loops):
                return
            await asyncio.sleep(0.05)
        self._tell("gave up waiting for messages that did not arrive")

    # -- connections that only stay

    async def _idle(self) -> LoadResult:
        plan = self._plan
        kind = IdleEchoPeer if plan.kind == "idle-echo" else ChatPeer
        # What the server makes for its first connections is not theirs.
        warm = [self._make(kind, plan.first_user + i) for i in range(_WARM_CONNECTIONS)]
        await self._in_turn([self._open(peer) for peer in warm])
        for peer in warm:
            peer.leave()
        self._peers.clear()
        before = await self._settled_memory()
        users = range(plan.first_user, plan.first_user + plan.count)
        await self._in_turn([self._open(self._make(kind, user)) for user in users])
        after = await self._settled_memory()
        tape = Tape(0.0, 0.0, plan.pids)
        tape.mark(self._loop.time())
        self._tell(f"{plan.count} connections stay for {plan.seconds:.0f} s")
        await asyncio.sleep(plan.seconds)
        tape.mark(self._loop.time())
        usage = {
            name: Usage(used.cpu_s, before[name], after[name])
            for name, used in tape.usage().items()
        }
        return LoadResult(
            seconds=round(tape.seconds, 3),
            usage=usage,
            connections=len(self._peers) - sum(self._closed.values()),
            closed=dict(self._closed),
            other_frames=dict(self._other),
        )

    async def _settled_memory(self) -> dict[str, int]:
        """
        Resident bytes by process, once they stand still and the CPU is quiet.
        """
        now = {name: rss_bytes(pid) for name, pid in self._plan.pids.items()}
        for _ in range(10):
            await asyncio.sleep(1.0)
            last, now = now, {n: rss_bytes(pid) for n, pid in self._plan.pids.items()}
            if all(abs(now[name] - last[name]) < 65536 for name in now):
                break
        return now


def raise_open_files(wanted: int) -> None:
    """
    Let this process have so many open files.

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


def main() -> int:
    """
    Run the plan on standard input.
    """
    plan = msgspec.json.decode(sys.stdin.buffer.read(), type=Plan)

    def tell(text: str) -> None:
        print(f"  {text}", file=sys.stderr, flush=True)

    async def run() -> LoadResult:
        return await Load(plan, tell).run()

    try:
        raise_open_files(2 * plan.count + 100)
        result = asyncio.run(run())
    except LoadFailed as e:
        print(f"  {e}", file=sys.stderr, flush=True)
        return 1
    sys.stdout.buffer.write(msgspec.json.encode(result))
    return 0


if __name__ == "__main__":
    sys.exit(main())
