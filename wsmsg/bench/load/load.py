"""
A load process: connects, warms up, measures, and waits for messages in flight.

C{python -m wsmsg.bench.load.load} reads a L{Plan} from standard input, prints progress
on standard error and writes a L{LoadResult} to standard output.
"""

from __future__ import annotations

import asyncio
import gc
import random
import secrets
import sys
from collections.abc import Callable
from functools import partial

import msgspec

from wsmsg.bench.load.accounts import spread, total
from wsmsg.bench.load.connecting import Connections, LoadFailed, raise_open_files
from wsmsg.bench.load.encoding import RUN_CHARS
from wsmsg.bench.load.group import GroupLoad, MemberPeer
from wsmsg.bench.load.measurements import Recorder
from wsmsg.bench.load.pairs import EchoLoop, Loop, Pair
from wsmsg.bench.load.peers import (
    ChatPeer,
    EchoPeer,
    IdleEchoPeer,
    RecipientPeer,
    SenderPeer,
)
from wsmsg.bench.load.plan import LoadResult, Plan, Usage
from wsmsg.bench.load.proc import rss_bytes
from wsmsg.bench.load.schedule import DueTimes, poisson
from wsmsg.model import conversation_of

_PROGRESS_S = 1.0
_DELIVERED_EVERY_S = 0.1
_WARM_CONNECTIONS = 20
_LOOK_S = 0.05

#: Memory counts as constant if it changes by less than this in a second.
_STILL_BYTES = 65536
_SETTLE_S = 10
#: After the last login, a server writes its log and drops what it needs no more.
_AFTER_S = 1.0


class Load:
    """
    One plan in progress.  Another kind of users comes in by C{open_pair} and
    C{open_idle}.
    """

    def __init__(self, plan: Plan, tell: Callable[[str], object]):
        self._plan = plan
        self._tell = tell
        self._run = secrets.token_hex(RUN_CHARS // 2)
        self._loop = asyncio.get_running_loop()
        self._connections = Connections(plan, tell)
        self._loops: list[Loop] = []
        self._members: dict[int, MemberPeer] = {}
        self.version = ""

    async def run(self) -> LoadResult:
        """
        Run a plan.

        @raise LoadFailed: the server cannot be reached, or accepts nobody.
        """
        try:
            if self._plan.kind.startswith("idle"):
                return await self._idle()
            if self._plan.kind.startswith("login"):
                return await self._logins()
            await self._connect_all()
            return await self._measure()
        finally:
            self._connections.leave()

    async def _connect_all(self) -> None:
        plan = self._plan
        self._tell(f"connecting {plan.count} {plan.kind} peers or pairs")
        kinds = {"echo": self._open_echo, "group": self._open_member}
        one = kinds.get(plan.kind, self.open_pair)
        numbers = range(plan.count)
        await self._connections.in_turn([partial(one, number) for number in numbers])
        if self._members:
            await self._make_group()

    async def _open_echo(self, number: int) -> None:
        peer = self._connections.make(EchoPeer, number)
        await self._connections.open(peer)
        loop = EchoLoop(
            peer,
            self._loop,
            mask=self._connections.mask,
            run=self._run,
            size=self._plan.size,
            window=self._window,
        )
        self._loops.append(loop)

    async def open_pair(self, number: int) -> None:
        """
        Open the connections of a pair, and add its load.
        """
        user = self._plan.first_user + 2 * number
        sender = self._connections.make(SenderPeer, user)
        recipient = self._connections.make(RecipientPeer, user + 1)
        await self._connections.open(recipient)
        await self._connections.open(sender)
        pair = Pair(
            sender,
            recipient,
            self._loop,
            mask=self._connections.mask,
            run=self._run,
            to=user + 1,
            conversation=conversation_of(user, user + 1),
            size=self._plan.size,
            window=self._window,
        )
        self._loops.append(pair)

    async def _open_member(self, number: int) -> None:
        peer = self._connections.make(MemberPeer, self._plan.first_user + number)
        await self._connections.open(peer)
        self._members[number] = peer

    async def _make_group(self) -> None:
        plan, members = self._plan, [peer for _, peer in sorted(self._members.items())]
        group_load = GroupLoad(
            members,
            self._loop,
            mask=self._connections.mask,
            run=self._run,
            first_user=plan.first_user,
            size=plan.size,
            window=self._window,
        )
        await group_load.make()
        self._loops.append(group_load)

    @property
    def _window(self) -> int:
        return 0 if self._plan.rate else self._plan.window

    async def _measure(self) -> LoadResult:
        plan = self._plan
        start_s = self._loop.time()
        begin_s = start_s + plan.warm_s
        end_s = begin_s + plan.seconds
        recorder = Recorder(begin_s, end_s, plan.pids)
        for loop in self._loops:
            loop.begin(recorder)
        tasks = [
            asyncio.create_task(self._progress(recorder)),
            asyncio.create_task(self._acknowledge()),
            asyncio.create_task(self._send(start_s)),
        ]
        gc.collect()
        gc.freeze()
        gc.disable()  # its pauses would count as the server's
        try:
            await self._until(begin_s)
            recorder.mark(self._loop.time())
            await self._until(end_s)
            recorder.mark(self._loop.time())
            for loop in self._loops:
                loop.finish()
            await self._drain()
        finally:
            gc.enable()
            for task in tasks:
                task.cancel()
        return self._result(recorder)

    def _result(self, recorder: Recorder) -> LoadResult:
        return LoadResult(
            seconds=round(recorder.seconds, 3),
            delivered=recorder.measured,
            latency=spread(recorder.latencies),
            to_all=spread(recorder.to_all),
            lateness=spread(recorder.lateness),
            totals=total([loop.account for loop in self._loops]),
            usage=recorder.usage(),
            own_cpu_s=round(recorder.own_cpu_s, 3),
            others_cpu_s=round(recorder.others_cpu_s, 3),
            connections=len(self._connections.peers),
            closed=dict(self._connections.closed),
            other_frames=dict(self._connections.other_frames),
            version=self.version,
        )

    async def _until(self, when_s: float) -> None:
        await asyncio.sleep(max(0.0, when_s - self._loop.time()))

    async def _send(self, start_s: float) -> None:
        if self._plan.rate:
            await self._send_scheduled(start_s)
            return
        for loop in self._loops:
            loop.refill()

    async def _send_scheduled(self, start_s: float) -> None:
        plan = self._plan
        seconds = plan.warm_s + plan.seconds
        times = poisson(plan.rate, seconds, random.Random(plan.seed))
        due = DueTimes(times, start_s)
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

    async def _progress(self, recorder: Recorder) -> None:
        before = 0
        while True:
            await asyncio.sleep(_PROGRESS_S)
            self._tell(
                f"{(recorder.count - before) / _PROGRESS_S:.0f} messages a second"
            )
            before = recorder.count

    async def _drain(self) -> None:
        until_s = self._loop.time() + self._plan.drain_s
        while self._loop.time() < until_s:
            if all(loop.account.settled for loop in self._loops):
                return
            await asyncio.sleep(_LOOK_S)
        self._tell("gave up waiting for messages that did not arrive")

    async def _idle(self) -> LoadResult:
        plan, connections = self._plan, self._connections
        # The server's one-time allocations for its first connections do not count.
        await self._stay(_WARM_CONNECTIONS)
        connections.leave()
        before = await self._settled_memory()
        await self._stay(plan.count)
        after = await self._settled_memory()
        recorder = Recorder(0.0, 0.0, plan.pids)
        recorder.mark(self._loop.time())
        self._tell(f"{plan.count} connections stay for {plan.seconds:.0f} s")
        await asyncio.sleep(plan.seconds)
        recorder.mark(self._loop.time())
        usage = {
            name: Usage(used.cpu_s, before[name], after[name])
            for name, used in recorder.usage().items()
        }
        return LoadResult(
            seconds=round(recorder.seconds, 3),
            usage=usage,
            others_cpu_s=round(recorder.others_cpu_s, 3),
            connections=len(connections.peers) - sum(connections.closed.values()),
            closed=dict(connections.closed),
            other_frames=dict(connections.other_frames),
        )

    async def _logins(self) -> LoadResult:
        """
        Open all connections, and measure until the servers have done what remains.
        """
        plan, connections = self._plan, self._connections
        await self._stay(_WARM_CONNECTIONS)
        connections.leave()
        await asyncio.sleep(_AFTER_S)
        recorder = Recorder(0.0, 0.0, plan.pids)
        recorder.mark(self._loop.time())
        await self._stay(plan.count)
        opened_s = self._loop.time()
        await asyncio.sleep(_AFTER_S)
        recorder.mark(self._loop.time())
        return LoadResult(
            seconds=round(recorder.seconds - (self._loop.time() - opened_s), 3),
            usage=recorder.usage(),
            own_cpu_s=round(recorder.own_cpu_s, 3),
            others_cpu_s=round(recorder.others_cpu_s, 3),
            connections=len(connections.peers) - sum(connections.closed.values()),
            closed=dict(connections.closed),
            other_frames=dict(connections.other_frames),
        )

    async def _stay(self, count: int) -> None:
        first = self._plan.first_user
        users = range(first, first + count)
        await self._connections.in_turn([partial(self.open_idle, u) for u in users])

    async def open_idle(self, user: int) -> None:
        """
        Open a connection that sends nothing.
        """
        kind = IdleEchoPeer if self._plan.kind.endswith("-echo") else ChatPeer
        await self._connections.open(self._connections.make(kind, user))

    async def _settled_memory(self) -> dict[str, int]:
        """
        Return resident bytes by process, once they no longer change.
        """
        pids = self._plan.pids
        now = {name: rss_bytes(pid) for name, pid in pids.items()}
        for _ in range(_SETTLE_S):
            await asyncio.sleep(1.0)
            last, now = now, {name: rss_bytes(pid) for name, pid in pids.items()}
            if all(abs(now[name] - last[name]) < _STILL_BYTES for name in now):
                break
        return now


def main(kind: type[Load] = Load) -> int:
    """
    Run the plan on standard input.

    @return: the exit status; if it is 1, the output is the reason.
    """
    plan = msgspec.json.decode(sys.stdin.buffer.read(), type=Plan)

    def tell(text: str) -> None:
        print(f"  {text}", file=sys.stderr, flush=True)

    async def run() -> LoadResult:
        return await kind(plan, tell).run()

    try:
        raise_open_files(2 * plan.count + 100)
        result = asyncio.run(run())
    except LoadFailed as e:
        sys.stdout.write(str(e))
        return 1
    sys.stdout.buffer.write(msgspec.json.encode(result))
    return 0


if __name__ == "__main__":
    sys.exit(main())
