"""
One run: load and faults on a deployment, and the check of what its clients saw.
"""

from __future__ import annotations

import asyncio
import platform
import random
from collections.abc import Awaitable, Callable, Iterator, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any

import attrs

from wsmsg import __version__
from wsmsg.prove.campaign.cleaning import clean
from wsmsg.prove.campaign.target import Target
from wsmsg.prove.campaign.watch import DaemonWatch
from wsmsg.prove.checker import Line, Verdict, check
from wsmsg.prove.clients.crowd import Crowd
from wsmsg.prove.clients.ending import compare, read_finally
from wsmsg.prove.faults.ledger import FaultLedger
from wsmsg.prove.faults.nemesis import Nemesis
from wsmsg.prove.faults.peers import PeerFaults
from wsmsg.prove.history import HistoryWriter, read_history
from wsmsg.prove.report import as_document

#: All faults, in the order of the table.
FAULTS = (
    *("kill", "stop", "cut", "half-open", "delay", "slow-reader", "dead-reader"),
    *("silent-connect", "storm", "clock", "disk-full", "broker", "store", "users"),
    *("rolling", "reload", "membership"),
)
#: The pause between faults, in seconds.
_PAUSE_S = (0.2, 1.5)
#: One in so many injections has two faults at once, after each fault was there alone.
_TWO_AT_ONCE = 2
_RECOVERY_S = 120.0
#: A run so long ends with one more comparison of each session with the store.
_LONG_MINUTES = 5.0
#: The time after a recovery within which nothing should show the fault any more.
_SIGNS_S = 2.5
#: A wake-up that is later than this is time that the machine lost.
_TICK_S, _LATE_S = 0.05, 0.1

Tell = Callable[[str], object]
Fault = Callable[[], Awaitable[None]]


class CannotProve(Exception):
    """
    The run could not be made; the text says why.
    """


@attrs.frozen
class ProofPlan:
    """
    The choices of a run.

    @ivar faults: names of faults; empty: all that the deployment can have.
    @ivar history: the file for the history.
    @ivar warm_s: how long users talk before the first fault.
    @ivar patience_s: the longest time that each step of the final reading waits.
    @ivar pause_s: the mean time between the sends of one user, in seconds.
    """

    minutes: float
    seed: int
    history: Path
    faults: Sequence[str] = ()
    pause_s: float = 0.25
    patience_s: float = 60.0
    warm_s: float = 3.0


class Proof:
    """
    A run of a plan on a deployment.
    """

    def __init__(self, plan: ProofPlan, target: Target, tell: Tell) -> None:
        self._plan = plan
        self._target = target
        self._tell = tell
        self._random = random.Random(plan.seed)
        self._nemesis: Nemesis | None = None
        self._watch: DaemonWatch | None = None

    async def run(self) -> dict[str, Any]:
        """
        Make the run, and return its report.

        @raise CannotProve: the deployment cannot be reached, or cannot have the faults.
        """
        plan, target = self._plan, self._target
        with plan.history.open("w", encoding="utf-8") as file:
            history = HistoryWriter(
                file,
                seed=plan.seed,
                software=_software(),
                deployment=target.name,
                recover_s=target.recover_s,
            )
            stalls = asyncio.ensure_future(_note_stalls(history))
            try:
                await self._make(history)
            finally:
                stalls.cancel()
            history.end()
        with plan.history.open(encoding="utf-8") as file:
            verdict: Verdict = check(read_history(file))
        more: dict[str, Any] = {"minutes": plan.minutes}
        if target.installation is None:
            self._tell("the messages of the run are recalled")
            stored = [line for _, line in self._finals()]
            more["cleaned"] = await clean(target.urls[0], target.token_of, stored)
        signs = self._watch.signs if self._watch is not None else {}
        shown = {
            name: [attrs.asdict(s) for s in found] for name, found in signs.items()
        }
        return as_document(verdict, **more, signs=shown)

    def _finals(self) -> Iterator[tuple[int, Line]]:
        with self._plan.history.open(encoding="utf-8") as file:
            for n, line in read_history(file):
                if line["e"] == "final":
                    yield n, line

    async def _make(self, history: HistoryWriter) -> None:
        plan, target = self._plan, self._target
        installation = target.installation
        if installation is not None:
            self._nemesis = Nemesis(
                installation, target.proxies, target.urls, self._random, target.servers
            )
            self._nemesis.prepare()
            self._watch = DaemonWatch(history, installation)
            await installation.start()
        rng = random.Random(f"load {plan.seed}")
        crowd = Crowd(
            history, target.urls, target.token_of, target.first_user, rng, plan.pause_s
        )
        try:
            await self._start(crowd)
            await self._inject(history, crowd)
            self._tell("all faults are over; everybody reads everything")
            await crowd.end_talking()
            await read_finally(crowd, target.token_of, plan.patience_s)
            if self._watch is not None:
                if plan.minutes >= _LONG_MINUTES:
                    await compare(crowd)
                await self._watch.write_levels()
                self._watch.read_logs()
        finally:
            await crowd.stop()

    async def _start(self, crowd: Crowd) -> None:
        try:
            await crowd.start()
        except TimeoutError:
            urls = ", ".join(self._target.urls)
            reason = "no user could log in and create a group within a minute"
            raise CannotProve(f"{urls}: {reason}") from None
        await asyncio.sleep(self._plan.warm_s)
        if self._watch is not None:
            self._watch.baseline()

    async def _inject(self, history: HistoryWriter, crowd: Crowd) -> None:
        """
        Inject each fault alone, in a random order, and then faults in combinations,
        until the time is over.
        """

        async def recovered() -> None:
            async with asyncio.timeout(_RECOVERY_S):
                if self._nemesis is not None:
                    await self._nemesis.ready()
                await crowd.probe()

        ledger = FaultLedger(history, recovered)
        faults = self._faults(ledger, crowd)
        chosen = [*(self._plan.faults or faults)]
        if missing := [name for name in chosen if name not in faults]:
            can = ", ".join(faults)
            what = ", ".join(missing)
            raise CannotProve(f"{self._target.name} cannot have {what}; only {can}")
        clock = asyncio.get_running_loop().time
        ends_s = clock() + self._plan.minutes * 60
        first = self._random.sample(chosen, len(chosen))
        while chosen and (first or clock() < ends_s):
            await asyncio.sleep(self._random.uniform(*_PAUSE_S))
            if first:
                names = [first.pop()]
            else:
                two = self._random.randrange(_TWO_AT_ONCE) == 0
                names = self._random.sample(chosen, min(len(chosen), 2 if two else 1))
            left_s = max(0, ends_s - clock())
            self._tell(f"{left_s:4.0f} s left: {' and '.join(names)}")
            await self._inject_some(names, faults)
        await asyncio.sleep(max(0.0, ends_s - clock()))

    async def _inject_some(
        self, names: Sequence[str], faults: dict[str, Fault]
    ) -> None:
        watching, over, done = None, asyncio.Event(), asyncio.Event()
        if self._watch is not None and len(names) == 1:
            watching = asyncio.ensure_future(self._watch.seen(names[0], over, done))
            await asyncio.sleep(_PAUSE_S[0])
        results = await asyncio.gather(
            *(faults[name]() for name in names), return_exceptions=True
        )
        over.set()
        for result in results:
            if isinstance(result, Exception):
                self._tell(f"{type(result).__name__}: {result}"[:2000])
            elif isinstance(result, BaseException):
                raise result
        if self._nemesis is not None:
            await self._nemesis.mend()
        if watching is not None:
            with suppress(TimeoutError):
                async with asyncio.timeout(_SIGNS_S):
                    await watching
            done.set()

    def _faults(self, ledger: FaultLedger, crowd: Crowd) -> dict[str, Fault]:
        peers = PeerFaults(
            ledger, crowd, self._target.token_of, self._target.flood, self._random
        )
        if self._nemesis is None:
            found = {**peers.of_connections, **peers.faults}
        else:
            self._nemesis.begin(ledger, crowd)
            found = {**self._nemesis.faults, **peers.faults}
        return {name: found[name] for name in FAULTS if name in found}


def _software() -> dict[str, str]:
    return {
        "wsmsg": __version__,
        "python": platform.python_version(),
        "system": platform.system(),
    }


async def _note_stalls(history: HistoryWriter) -> None:
    """
    Write down for how long this process could not run.
    """
    clock = asyncio.get_running_loop().time
    while True:
        due_s = clock() + _TICK_S
        await asyncio.sleep(_TICK_S)
        if clock() > due_s + _LATE_S:
            history.info("stall", s=round(clock() - due_s, 3))
