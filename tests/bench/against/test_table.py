"""
Tests of the table of a comparison.
"""

from __future__ import annotations

import json

from twisted.trial.unittest import SynchronousTestCase

from wsmsg.bench.against.table import Comparison, Measured, as_json, as_text, rows
from wsmsg.bench.load.accounts import Percentiles, Totals
from wsmsg.bench.load.plan import LoadResult, Usage

FLOOR = LoadResult(seconds=10.0, delivered=100_000, usage={"websockets": Usage(5.0)})
OTHER = LoadResult(
    seconds=10.0,
    delivered=20_000,
    usage={"tinode": Usage(4.0), "tinode.postgres": Usage(2.0)},
    totals=Totals(sent=20_001, accepted=20_000, rejected={"503 busy": 1}),
)


def late(p99: float, *names: str) -> LoadResult:
    """
    Make the result of an open loop.
    """
    spread = Percentiles(count=10, p50=1.0, p99=p99)
    usage = {name: Usage(1.0) for name in names}
    return LoadResult(seconds=2.0, delivered=10, latency=spread, usage=usage)


def idle(**kib: int) -> LoadResult:
    """
    Make the result of a thousand users, with so many KiB for each.
    """
    usage = {
        name.replace("_", "."): Usage(0.1, 10**7, 10**7 + each * 1024 * 1000)
        for name, each in kib.items()
    }
    return LoadResult(seconds=5.0, connections=1000, usage=usage)


def comparison() -> Comparison:
    """
    Make one of the floor and another system.
    """
    return Comparison(
        pairs=100,
        size=200,
        window=1,
        rate=500.0,
        idle=1000,
        systems=[
            Measured(
                name="websockets",
                version="17.4",
                saturation=FLOOR,
                latency=late(2.0, "websockets"),
                idle=idle(websockets=10),
            ),
            Measured(
                name="tinode",
                saturation=OTHER,
                latency=late(5.0),
                idle=idle(tinode=40, tinode_postgres=900),
            ),
        ],
    )


class TableTests(SynchronousTestCase):
    """
    The figures of systems, side by side.
    """

    def found(self, heading: str, name: str) -> list[tuple[float | None, ...]]:
        """
        Return the values of a row, with those that are compared with the floor.
        """
        for title, lines in rows(comparison()):
            if title.startswith(heading):
                at = [line.name for line in lines].index(name)
                return [lines[at].values, lines[at + 1].values]
        raise AssertionError(heading)

    def test_rate(self) -> None:
        """
        A rate is compared with the floor's.
        """
        rate, compared = self.found("closed", "messages a second")
        self.assertEqual(rate, (10_000.0, 2_000.0))
        self.assertEqual(compared, (1.0, 0.2))

    def test_cpu(self) -> None:
        """
        The CPU of a system is that of all its processes; unknown without any.
        """
        used, compared = self.found("closed", "CPU a message, us")
        self.assertEqual(used, (50.0, 300.0))
        self.assertEqual(compared, (1.0, 6.0))
        unknown, _ = self.found("open", "CPU a message, us")
        self.assertEqual(unknown[1], None)

    def test_memory(self) -> None:
        """
        The memory of a user is that at the server, without its database.
        """
        memory, _ = self.found("idle", "memory of one, KiB")
        self.assertEqual(memory, (10.0, 40.0))

    def test_text(self) -> None:
        """
        The text has versions, refusals with reasons, and what is not known.
        """
        text = as_text(comparison())
        for words in (
            "websockets    17.4",
            "tinode        not told",
            "tinode, saturation: 1 times: 503 busy",
            "tinode, latency: no process was named (--pid)",
        ):
            self.assertIn(words, text)

    def test_json(self) -> None:
        """
        The JSON has the figures by system, and all measurements.
        """
        whole = json.loads(as_json(comparison()))
        (closed,) = [k for k in whole["figures"] if k.startswith("closed")]
        rates = whole["figures"][closed]["messages a second"]
        self.assertEqual(rates, {"websockets": 10_000.0, "tinode": 2_000.0})
        self.assertEqual(whole["measured"]["systems"][1]["name"], "tinode")
