"""
Tests of the table and the JSON of a benchmark.
"""

from __future__ import annotations

import json

import msgspec
from twisted.trial.unittest import SynchronousTestCase

from wsmsg.bench.load.accounts import Percentiles, Totals
from wsmsg.bench.load.plan import LoadResult, Usage
from wsmsg.bench.report import Report, as_json, as_text, figures, idle_kib, ratios

FLOOR = LoadResult(seconds=10.0, delivered=100_000, usage={"echo": Usage(2.0)})
CHAT = LoadResult(
    seconds=10.0,
    delivered=50_000,
    usage={"connect": Usage(4.0), "message": Usage(3.0)},
    totals=Totals(sent=50_000, accepted=50_000),
)
GROUP = LoadResult(
    seconds=10.0,
    delivered=100_000,
    latency=Percentiles(count=100_000, p50=4.0, p99=8.0),
    to_all=Percentiles(count=100, p50=6.0, p99=9.0),
    usage={"connect": Usage(2.5), "message": Usage(0.1)},
)
STALL = LoadResult(
    seconds=10.0,
    delivered=10,
    latency=Percentiles(count=10, p50=1.0, p99=30.0, max=31.0),
)


def idle(name: str, kib: int) -> LoadResult:
    """
    Make the result of a thousand connections of this many KiB each.
    """
    used = Usage(0.1, 10**7, 10**7 + kib * 1024 * 1000)
    return LoadResult(seconds=5.0, connections=1000, usage={name: used})


def logins(**cpu_s: float) -> LoadResult:
    """
    Make the result of a thousand logins.
    """
    usage = {name: Usage(used) for name, used in cpu_s.items()}
    return LoadResult(seconds=2.0, connections=1000, usage=usage)


def echo(p99: float) -> LoadResult:
    """
    Make the result of an echo server's open loop.
    """
    return LoadResult(seconds=5.0, latency=Percentiles(count=10, p99=p99))


def report(**measured: LoadResult) -> Report:
    """
    Make a report.
    """
    made = Report(pairs=100, size=200, window=8, idle=1000)
    for name, result in measured.items():
        setattr(made, name, result)
    return made


class RatioTests(SynchronousTestCase):
    """
    The figures that have aims.
    """

    def test_all(self) -> None:
        """
        140 us for both daemons is 7 times a floor of 20 us; 12 KiB 1.2 times 10; a
        p99 of 30 ms twice what the echo server had before and after; 25 us of Connect
        for a delivery to a group 1.25 times an echo, and 2.5 times one of 10 us on a
        busy connection; 1.5 ms a login three times what an echo connection costs.
        """
        made = report(
            floor=FLOOR,
            saturation=CHAT,
            latency=STALL,
            group=GROUP,
            group_floor=FLOOR,
            floor_one=msgspec.structs.replace(FLOOR, delivered=200_000),
            floor_before=echo(p99=10.0),
            floor_after=echo(p99=20.0),
            floor_logins=logins(echo=0.5),
            chat_logins=logins(connect=1.0, message=0.5),
            floor_idle=idle("echo", 10),
            chat_idle=idle("connect", 12),
        )
        found = [(line.value, line.aim) for line in ratios(made)]
        expected = [
            (7.0, 14.0),
            (30.0, 25.0),
            (2.0, None),
            (1.25, 1.5),
            (2.5, None),
            (1.5, 2.0),
            (3.0, None),
            (1.2, 1.4),
        ]
        self.assertEqual(found, expected)

    def test_nothing(self) -> None:
        """
        A measurement that was not made has no figure, and the table says so.
        """
        self.assertEqual([line.value for line in ratios(report())], [None] * 8)
        self.assertIn("not measured", as_text(report()))

    def test_stack(self) -> None:
        """
        With real servers, other aims apply, and the table has the CPU of the servers.
        """
        stack = msgspec.structs.replace(
            CHAT, usage={**CHAT.usage, "kafka": Usage(2.0), "mongo": Usage(1.0)}
        )
        made = report(floor=FLOOR, saturation=stack, latency=STALL)
        made.servers = ("kafka", "mongo", "redis")
        found = [(line.name, line.value, line.aim) for line in ratios(made)][:3]
        self.assertEqual(
            found,
            [
                ("CPU a message, connect + message", 7.0, 20.0),
                ("the same with kafka + mongo", 10.0, None),
                ("p99 at half of saturation", 30.0, 50.0),
            ],
        )
        self.assertIn("200 bytes, on kafka, mongo, redis", as_text(made))

    def test_group(self) -> None:
        """
        A group's messages are counted once, its deliveries one by one.
        """
        made = report(group=GROUP, group_floor=FLOOR)
        made.members = 1000
        rows = dict(figures(made))["group: 1000 connected members, 200 bytes"]
        lines = {line.name: line.value for line in rows}
        self.assertEqual((lines["messages"], lines["deliveries"]), (10.0, 10_000.0))
        self.assertEqual(lines["CPU a delivery, connect"], 25.0)
        self.assertEqual((lines["a delivery, p50"], lines["to all, p99"]), (4.0, 9.0))

    def test_floor_alone(self) -> None:
        """
        A floor without daemons has its own figures and no ratio.
        """
        text = as_text(report(floor=FLOOR, floor_idle=idle("echo", 10)))
        self.assertIn("20.0 us", text)
        self.assertIn("10.0 KiB", text)
        self.assertNotIn("saturation:", text)

    def test_ended_connections(self) -> None:
        """
        Memory is shared among the connections that stayed.
        """
        result = idle("echo", 10)
        result.connections = 500
        self.assertEqual(idle_kib(result, "echo"), 20.0)


class ReportTests(SynchronousTestCase):
    """
    The table and the JSON.
    """

    def test_problems_show(self) -> None:
        """
        Each kind of failure that occurred has a line, and no other.
        """
        bad = LoadResult(
            seconds=1.0,
            delivered=1,
            totals=Totals(lost=3, doubled=2, holes=1, rejected={"overloaded": 4}),
            closed={"closed with 4001": 5},
            other_frames={"resync: lost": 6},
        )
        lines = {
            line.name: line.value
            for _, rows in figures(report(saturation=bad))
            for line in rows
        }
        self.assertEqual((lines["lost"], lines["doubled"], lines["holes"]), (3, 2, 1))
        self.assertEqual(lines["rejected: overloaded"], 4)
        self.assertEqual(lines["connections ended: closed with 4001"], 5)
        self.assertEqual(lines["frames of no use: resync: lost"], 6)
        self.assertNotIn("unordered", lines)

    def test_json(self) -> None:
        """
        The JSON has all measurements and the figures of the table.
        """
        whole = json.loads(as_json(report(floor=FLOOR, saturation=CHAT)))
        self.assertEqual(whole["measured"]["saturation"]["delivered"], 50_000)
        first = whole["figures"]["compared with the floor"][0]
        self.assertEqual((first["value"], first["aim"]), (7.0, 14.0))
