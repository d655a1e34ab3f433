"""
A simulation of the queues of one Connect and one Message, event by event.

Two processes with a core each serve tasks in their order; two streams between them
carry batches by the rule of the code, L{wsmsg.stream.spacing.Spacing} itself, with the
simulated clock and the simulated CPU time::

    sender -> Connect -> frame up -> Message -> frame down -> Connect -> recipient
                                                                 ^          |
                                     acknowledgement, at the next 0.1 s ----'

Messages come at random times (Poisson) in an open loop, or when one of a fixed number
arrived in a closed one.  The same seed gives the same run.
"""

from __future__ import annotations

import heapq
import random
from collections import deque
from collections.abc import Callable
from functools import partial

import attrs

from tools.capacity.constants import CONSTANTS, Constants
from tools.capacity.model import Load
from wsmsg.stream.spacing import Spacing

#: A run without as many messages says little.
_PAIRS = 100


@attrs.frozen
class Simulated:
    """
    The figures of a run, after its first tenth.

    @ivar rate: messages a second that arrived.
    @ivar cpu_us: CPU of a message, both daemons.
    @ivar p50_ms: median from the due time to the arrival.
    """

    rate: float
    cpu_us: float
    p50_ms: float
    p99_ms: float


class _World:
    """
    The clock, and what happens when.
    """

    def __init__(self) -> None:
        self.now_s = 0.0
        self._coming: list[tuple[float, int, Callable[[], None]]] = []
        self._count = 0

    def after(self, seconds: float, happen: Callable[[], None]) -> None:
        """
        Let something happen in so many seconds.
        """
        self._count += 1
        at_s = self.now_s + seconds
        heapq.heappush(self._coming, (at_s, self._count, happen))

    def run(self, until_s: float) -> None:
        """
        Let everything happen up to a time.
        """
        while self._coming and self._coming[0][0] <= until_s:
            self.now_s, _, happen = heapq.heappop(self._coming)
            happen()


class _Process:
    """
    A process with one core, which serves tasks in their order.
    """

    def __init__(self, world: _World):
        self._world = world
        self._waiting: deque[tuple[float, Callable[[], None]]] = deque()
        self._busy = False
        self._used_s = 0.0

    def used_s(self) -> float:
        """
        Return the CPU time that it has used.
        """
        return self._used_s

    def do(self, cost_us: float, then: Callable[[], None]) -> None:
        """
        Do a task after those that wait.
        """
        self._waiting.append((cost_us / 1e6, then))
        if not self._busy:
            self._next()

    def _next(self) -> None:
        if not self._waiting:
            self._busy = False
            return
        self._busy = True
        cost_s, then = self._waiting.popleft()

        def done() -> None:
            self._used_s += cost_s
            then()
            self._next()

        self._world.after(cost_s, done)


class _Stream:
    """
    One direction of a stream: batches from one process to the other.

    @param arrived: called with each item.
    """

    def __init__(
        self,
        world: _World,
        ends: tuple[_Process, _Process],
        constants: Constants,
        arrived: Callable[[float | None], None],
    ):
        self._world = world
        self._near, self._far = ends
        self._arrived = arrived
        self._frame_us = constants.cycle_us / 4
        self._each_us = constants.message_us / 4
        self._spacing = Spacing(lambda: world.now_s, self._near.used_s)
        self._linger_s = constants.linger_s
        self._items: list[float | None] = []
        self._closed = False

    def put(self, item: float | None) -> None:
        """
        Send the due time of a message, or L{None} for anything else.
        """

        def read() -> None:
            self._items.append(item)
            self._wake()

        self._near.do(self._cost_us(item), read)

    def linger(self, seconds: float) -> None:
        """
        Send something that is no message, with the next message or in so many seconds.
        """
        self._items.append(None)
        self._world.after(seconds, self._wake)

    def _wake(self) -> None:
        if self._items and not self._closed:
            self._closed = True
            # At the end of the turn, after everything that waits for the process.
            self._near.do(0.0, self._write)

    def _write(self) -> None:
        items, self._items = self._items, []
        if not items:
            self._closed = False
            return
        open_s = self._world.now_s + self._spacing.wrote()

        def written() -> None:
            self._far.do(self._frame_us, received)
            wait_s = max(0.0, open_s - self._world.now_s)
            self._world.after(wait_s, self._open)

        def received() -> None:
            for item in items:
                self._far.do(self._cost_us(item), partial(self._arrived, item))

        self._near.do(self._frame_us, written)

    def _cost_us(self, item: float | None) -> float:
        return 0.0 if item is None else self._each_us

    def _open(self) -> None:
        self._closed = False
        if any(item is not None for item in self._items):
            self._wake()
        elif self._items:
            # Acknowledgements go on waiting; their time may have passed meanwhile.
            self._world.after(self._linger_s, self._wake)


class _Run:
    def __init__(self, load: Load, constants: Constants, seed: int):
        self.world = _World()
        self.latencies: list[tuple[float, float]] = []
        self._load = load
        self._random = random.Random(seed)
        self._constants = constants
        connect, message = _Process(self.world), _Process(self.world)
        self._processes = (connect, message)
        self._up = _Stream(self.world, (connect, message), constants, self._stored)
        self._down = _Stream(self.world, (message, connect), constants, self._came)
        self._reporting = [False] * _PAIRS

    def used_s(self) -> float:
        """
        Return the CPU time of both processes.
        """
        return sum(process.used_s() for process in self._processes)

    def begin(self) -> None:
        """
        Begin to send.
        """
        for _ in range(self._load.in_flight):
            self.world.after(self._random.uniform(0, 0.05), self._send)
        if not self._load.in_flight:
            self._arrive()

    def _arrive(self) -> None:
        def due() -> None:
            self._send()
            self._arrive()

        self.world.after(self._random.expovariate(self._load.rate), due)

    def _send(self) -> None:
        self._up.put(self.world.now_s)

    def _stored(self, item: float | None) -> None:
        self._down.put(item)

    def _came(self, due_s: float | None) -> None:
        if due_s is None:
            return
        now_s = self.world.now_s
        hops_ms = self._constants.hops_ms
        self.latencies.append((now_s, (now_s - due_s) * 1e3 + hops_ms))
        pair = self._random.randrange(_PAIRS)
        if not self._reporting[pair]:
            self._reporting[pair] = True
            every_s = self._constants.acknowledge_s
            self.world.after(
                self._random.uniform(0, every_s), lambda: self._report(pair)
            )
        if self._load.in_flight:
            self.world.after(hops_ms / 1e3, self._send)

    def _report(self, pair: int) -> None:
        self._reporting[pair] = False
        self._up.linger(self._constants.linger_s)


def simulate(
    load: Load, seconds: float, seed: int = 0, constants: Constants = CONSTANTS
) -> Simulated:
    """
    Simulate one Connect and one Message under a load for so many seconds.
    """
    run = _Run(load, constants, seed)
    warm_s = seconds / 10
    run.begin()
    run.world.run(warm_s)
    before_s = run.used_s()
    run.world.run(seconds)
    measured_s = seconds - warm_s
    late = sorted(ms for at_s, ms in run.latencies if at_s > warm_s)
    used_us = (run.used_s() - before_s) * 1e6
    ping_us = constants.ping_us * load.connections * measured_s
    return Simulated(
        rate=len(late) / measured_s,
        cpu_us=(used_us + ping_us) / max(1, len(late)),
        p50_ms=late[len(late) // 2] if late else 0.0,
        p99_ms=late[len(late) * 99 // 100] if late else 0.0,
    )
