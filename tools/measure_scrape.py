"""
Measures what scrapes of C{/metrics} cost a Connect with many sessions::

    python -m tools.measure_scrape --clients 10000

Message and one Connect run on loopback, and that many clients are connected.  A scraper
asks the Connect for its page some times, one after another, in each format.  Printed
are, for each format, the size of the page, the time for which the reactor was busy for
each scrape (its turns less those of as long a time without scrapes), the CPU time of
the process likewise, and the longest turn.  C{--each-ms 100} asks at that interval.
"""

from __future__ import annotations

import argparse
import asyncio
import sys
import tempfile
import time
import urllib.request
from collections import deque
from collections.abc import Mapping
from pathlib import Path

from prometheus_client.parser import text_string_to_metric_families

from tools.measure_drain import MovingClient, Run, all_files
from wsmsg.monitoring.measures.exposition import PROTOBUF

_OPENING = 50
_FORMATS = {
    "text": "text/plain",
    "openmetrics": "application/openmetrics-text; version=1.0.0",
    "protobuf": PROTOBUF,
}
_TURNS = "wsmsg_reactor_turn_seconds"


class Figures:
    """
    The figures of a process at one time.

    @ivar busy_s: the seconds of all turns of the reactor.
    @ivar cpu_s: the CPU seconds of the process.
    @ivar turns: the turns, by upper bound of their duration.
    """

    def __init__(self, page: str) -> None:
        self.turns: dict[float, float] = {}
        for family in text_string_to_metric_families(page):
            for sample in family.samples:
                if sample.name == f"{_TURNS}_sum":
                    self.busy_s = sample.value
                elif sample.name == f"{_TURNS}_bucket":
                    self.turns[float(sample.labels["le"])] = sample.value
                elif sample.name == "process_cpu_seconds_total":
                    self.cpu_s = sample.value
                elif sample.name == "wsmsg_connect_sessions":
                    self.sessions = int(sample.value)

    def longest_s(self, before: Figures) -> float:
        """
        Return the bound below which the longest turn since then was.
        """
        all_turns = self.turns[float("inf")] - before.turns[float("inf")]
        return min(
            bound
            for bound, n in self.turns.items()
            if n - before.turns[bound] == all_turns
        )


class ScrapedConnect:
    """
    A Connect with clients, and its scraper.
    """

    def __init__(self, folder: Path, options: argparse.Namespace) -> None:
        self._options = options
        self.run = Run(folder, options)
        self._clients: list[MovingClient] = []

    async def connect_clients(self) -> None:
        """
        Start the daemons, and connect all clients.
        """
        await self.run.start("message")
        await self.run.start("a")
        opening: deque[MovingClient] = deque()
        for client in self.run.clients():
            client.dial(self.run.port_of("a-ws"))
            self._clients.append(client)
            opening.append(client)
            if len(opening) > _OPENING:
                await opening.popleft().welcomed.wait()
        for client in opening:
            await client.welcomed.wait()

    def leave(self) -> None:
        """
        Let all clients go.
        """
        for client in self._clients:
            client.leave()

    async def scrape(self, accept: str = "text/plain") -> bytes:
        """
        Read the page in a format.
        """
        url = f"http://127.0.0.1:{self.run.port_of('a-admin')}/metrics"
        request = urllib.request.Request(url, headers={"Accept": accept})

        def page() -> bytes:
            with urllib.request.urlopen(request, timeout=30) as found:
                return bytes(found.read())

        return await asyncio.to_thread(page)

    async def figures(self) -> Figures:
        """
        Return the figures of the Connect.
        """
        return Figures((await self.scrape()).decode())

    async def cost_of_scrapes(self, accept: str) -> Mapping[str, float]:
        """
        Scrape a number of times, and wait for as long.

        @return: the busy time, the CPU time and the bytes of a scrape, and the longest
            turns with and without scrapes.
        """
        begin, began_s = await self.figures(), time.monotonic()
        n = self._options.scrapes
        size = 0
        for at in range(n):
            size = len(await self.scrape(accept))
            due_s = began_s + (at + 1) * self._options.each_ms / 1000
            await asyncio.sleep(max(0.0, due_s - time.monotonic()))
        scraped = await self.figures()
        seconds = time.monotonic() - began_s
        await asyncio.sleep(seconds)
        idle = await self.figures()
        busy_s = (scraped.busy_s - begin.busy_s) - (idle.busy_s - scraped.busy_s)
        cpu_s = (scraped.cpu_s - begin.cpu_s) - (idle.cpu_s - scraped.cpu_s)
        return {
            "busy_ms": busy_s / n * 1e3,
            "cpu_ms": cpu_s / n * 1e3,
            "bytes": size,
            "longest_ms": scraped.longest_s(begin) * 1e3,
            "longest_idle_ms": idle.longest_s(scraped) * 1e3,
            "sessions": idle.sessions,
        }


async def _run(options: argparse.Namespace) -> None:
    with tempfile.TemporaryDirectory() as folder:
        connect = ScrapedConnect(Path(folder), options)
        try:
            await connect.connect_clients()
            await asyncio.sleep(options.settle_s)
            for name, accept in _FORMATS.items():
                found = await connect.cost_of_scrapes(accept)
                print(
                    f"{name}: {found['sessions']:,} sessions; a scrape of "
                    f"{found['bytes']:,} bytes keeps the reactor busy for "
                    f"{found['busy_ms']:.1f} ms ({found['cpu_ms']:.1f} ms of CPU); "
                    f"longest turn below {found['longest_ms']:.1f} ms, "
                    f"without scrapes {found['longest_idle_ms']:.1f} ms"
                )
        finally:
            connect.leave()
            await connect.run.stop_all()


def main() -> int:
    """
    Run the measurement.
    """
    parser = argparse.ArgumentParser(description="Measure the cost of scrapes.")
    parser.add_argument("--clients", type=int, default=2000)
    parser.add_argument("--scrapes", type=int, default=100)
    parser.add_argument("--each-ms", type=float, default=0.0)
    parser.add_argument(
        "--settle-s", type=float, default=5.0, help="time after the logins"
    )
    options = parser.parse_args()
    all_files()
    asyncio.run(_run(options))
    return 0


if __name__ == "__main__":
    sys.exit(main())
