"""
C{python -m tools.capacity}: the need of a load, or the checks of the model.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence

from tools.capacity.checks import (
    BUSY_CORES,
    TOLERANCE,
    Compared,
    of_this_machine,
    recorded,
)
from tools.capacity.constants import COMMIT, CONSTANTS, MEASURED
from tools.capacity.model import Load, need
from tools.capacity.simulation import simulate
from wsmsg.bench.processes import CannotStart
from wsmsg.bench.scenarios import BenchFailed

_SIMULATED_S = 10.0
#: More than this is not simulated: one Connect and one Message cannot carry it.
_SIMULATED_RATE = 5_000.0


def main(arguments: Sequence[str] | None = None) -> int:
    """
    Print a need, or compare: exit status 1 if a figure differs by more than a fifth.
    """
    parser = argparse.ArgumentParser(prog="python -m tools.capacity")
    parser.add_argument("--connections", type=float, default=10_000)
    parser.add_argument("--rate", type=float, default=100.0, help="messages a second")
    way = parser.add_mutually_exclusive_group()
    way.add_argument(
        "--check", action="store_true", help="compare model, simulation and records"
    )
    way.add_argument(
        "--measure",
        dest="here",
        action="store_true",
        help="compare the model with this machine",
    )
    options = parser.parse_args(arguments)
    if options.connections < 1 or options.rate <= 0:
        parser.error("--connections and --rate must be more than 0")
    if options.check:
        return judge(list(recorded()))
    if options.here:
        return _compare()
    return _print(Load(options.connections, options.rate))


def _print(load: Load) -> int:
    found = need(load)
    if found is None:
        print("no number of processes is enough")
        return 1
    print(f"constants of {MEASURED}, commit {COMMIT}")
    print(f"Connects, Messages            {found.connects:,}, {found.messages:,}")
    print(
        f"busy cores                    {found.cores_connect:.2f} + "
        f"{found.cores_message:.2f}, planned for {CONSTANTS.share:.0%} of a core each"
    )
    print(f"memory                        {found.memory / 1e9:.3g} GB")
    print(f"disk a day                    {found.disk_day / 1e9:.3g} GB")
    print(f"network of clients            {found.clients_bits / 1e6:.3g} Mbit/s")
    print(f"network between daemons       {found.streams_bits / 1e6:.3g} Mbit/s")
    if found.connects == found.messages == 1 and load.rate <= _SIMULATED_RATE:
        late = simulate(load, _SIMULATED_S)
        print(f"p50, p99 (simulated)          {late.p50_ms:.1f}, {late.p99_ms:.1f} ms")
    return 0


def _compare() -> int:
    try:
        found, others = of_this_machine(lambda text: print(text, file=sys.stderr))
    except (BenchFailed, CannotStart) as e:
        print(f"could not be measured: {e}", file=sys.stderr)
        return 2
    status = judge(found)
    if others > BUSY_CORES:
        print(
            f"{others:.1f} cores were busy with anything else: measure again when the "
            "machine is quiet"
        )
    return status


def judge(found: list[Compared]) -> int:
    """
    Print comparisons; return 1 if a figure differs by too much.
    """
    for one in found:
        print(one)
    beyond = sum(not one.good for one in found)
    print(f"{beyond} of {len(found)} figures differ by more than {TOLERANCE:.0%}")
    return 1 if beyond else 0


if __name__ == "__main__":
    sys.exit(main())
