"""
The model against what was measured, against the simulation, and against this machine.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator

import attrs
import msgspec

from tools.capacity.constants import CONSTANTS, REFERENCES, Reference
from tools.capacity.model import Load, cpu_us
from tools.capacity.simulation import Simulated, simulate
from wsmsg.bench.load.plan import LoadResult
from wsmsg.bench.processes import daemons
from wsmsg.bench.report import cpu_us as measured_cpu_us
from wsmsg.bench.report import idle_kib
from wsmsg.bench.scenarios import Bench, Choice

#: The most that two figures may differ, of the first.
TOLERANCE = 0.2
#: Users of the benchmark: 100 pairs.
_USERS = 200
#: Messages of a simulation, and its longest time.
_MESSAGES, _LONGEST_S = 6_000.0, 20.0
#: Above so many cores of others, a measurement says little.
BUSY_CORES = 0.3


@attrs.frozen
class Compared:
    """
    One figure, found in two ways.

    @ivar wanted: what the other is compared with.
    """

    name: str
    unit: str
    wanted: float
    found: float

    @property
    def difference(self) -> float:
        """
        Return the difference as a share of what is wanted.
        """
        return (self.found - self.wanted) / self.wanted

    @property
    def good(self) -> bool:
        return abs(self.difference) <= TOLERANCE

    def __str__(self) -> str:
        mark = "" if self.good else f"   beyond {TOLERANCE:.0%}"
        return (
            f"{self.name:<58}{self.wanted:>10.1f}{self.found:>10.1f} {self.unit:<4}"
            f"{self.difference:>+7.0%}{mark}"
        )


def name_of(reference: Reference) -> str:
    """
    Return the load of a reference in words.
    """
    if reference.in_flight:
        return f"closed loop, {reference.in_flight:,} in flight"
    return f"{reference.rate:,.0f} a second"


def simulated(reference: Reference) -> Simulated:
    """
    Simulate the load of a reference.
    """
    seconds = min(_LONGEST_S, _MESSAGES / reference.rate)
    return simulate(Load(_USERS, reference.rate, reference.in_flight), seconds)


def possible(found: Simulated) -> float:
    """
    Return the rate of a simulation on the machine of the measurements, whose cores also
    carry the load generator.
    """
    most = CONSTANTS.cores * 1e6 / (found.cpu_us + CONSTANTS.load_us)
    return min(found.rate, most)


def recorded() -> Iterator[Compared]:
    """
    Compare model and simulation with the recorded measurements, and with each other.
    """
    for reference in REFERENCES:
        load = name_of(reference)
        wanted, found = reference.cpu_us, simulated(reference)
        model_us = cpu_us(Load(_USERS, reference.rate, reference.in_flight))
        same_us = cpu_us(Load(_USERS, found.rate, reference.in_flight))
        if wanted:
            yield Compared(f"{load}: CPU, measured and model", "us", wanted, model_us)
        if reference.p50_ms:
            p50 = f"{load}: p50, measured and simulated"
            yield Compared(p50, "ms", reference.p50_ms, found.p50_ms)
        if reference.in_flight:
            rate = f"{load}: rate, measured and simulated"
            yield Compared(rate, "/s", reference.rate, possible(found))
        yield Compared(f"{load}: CPU, simulated and model", "us", found.cpu_us, same_us)


def of_this_machine(tell: Callable[[str], object]) -> tuple[list[Compared], float]:
    """
    Run C{wsmsg bench} at the small end, and compare the model with it.

    @return: the figures, and the most cores that were busy with anything else.
    @raise BenchFailed: a load could not be run.
    @raise CannotStart: a daemon could not be started.
    """
    found: list[Compared] = []
    others = 0.0

    def compare(name: str, result: LoadResult | None, in_flight: int) -> None:
        nonlocal others
        used_us = measured_cpu_us(result)
        if result is None or used_us is None:
            return
        others = max(others, result.others_cpu_s / result.seconds)
        load = Load(_USERS, result.per_second, in_flight)
        found.append(Compared(f"{name}: CPU", "us", used_us, cpu_us(load)))
        if not in_flight:
            seconds = min(_LONGEST_S, _MESSAGES / result.per_second)
            p50_ms = simulate(load, seconds).p50_ms
            name = f"{name}: p50, simulated"
            found.append(Compared(name, "ms", result.latency.p50, p50_ms))

    def run(**choice: object) -> Bench:
        chosen = msgspec.convert({}, dict[str, object]) | choice
        return Bench(
            Choice(**chosen),  # type: ignore[arg-type]
            lambda: daemons(tell, settings={}, profile={}),
            tell,
        )

    for rate in (50.0, 500.0, 2_000.0):
        report = run(only=("latency",), rate=rate, seconds=10.0).run()
        compare(f"{rate:,.0f} a second", report.latency, 0)
    for window in (1, 10):
        report = run(only=("saturation",), window=window, seconds=10.0).run()
        name = f"closed loop, {100 * window:,} in flight"
        compare(name, report.saturation, 100 * window)
    idle = run(only=("idle",), idle=5_000).run().chat_idle
    for process, bytes_each in (
        ("connect", CONSTANTS.connection_connect),
        ("message", CONSTANTS.connection_message),
    ):
        kib = idle_kib(idle, process)
        if kib:
            name = f"memory of an idle connection, {process}"
            found.append(Compared(name, "KiB", kib, bytes_each / 1024))
    return found, others
