"""
The metrics of the process, under the names that all programs use.

C{prometheus_client} has them too, but counts the open files by listing them: with
10,000 connections, 7 ms of the reactor in one piece.
"""

from __future__ import annotations

import os
import resource
from collections.abc import Iterator
from pathlib import Path

from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily
from prometheus_client.metrics_core import Metric
from prometheus_client.registry import Collector

_PROC = Path("/proc")


class ProcessMetrics(Collector):
    """
    CPU time, memory, open files and the start of this process; there are none where
    there is no C{/proc}.
    """

    def __init__(self) -> None:
        self._start_s: float | None = None

    def collect(self) -> Iterator[Metric]:
        """
        Read the present values.
        """
        try:
            stat = (_PROC / "self/stat").read_bytes()
            open_files = _open_files()
        except OSError:
            return
        # The name of the program is in brackets, and may have spaces.
        fields = stat.rpartition(b")")[2].split()
        ticks, page_bytes = os.sysconf("SC_CLK_TCK"), os.sysconf("SC_PAGE_SIZE")
        if self._start_s is None:
            self._start_s = _boot_s() + int(fields[19]) / ticks
        yield CounterMetricFamily(
            "process_cpu_seconds",
            "Total user and system CPU time spent in seconds.",
            value=(int(fields[11]) + int(fields[12])) / ticks,
        )
        files, _ = resource.getrlimit(resource.RLIMIT_NOFILE)
        for name, text, value in (
            ("virtual_memory_bytes", "Virtual memory size in bytes.", int(fields[20])),
            (
                "resident_memory_bytes",
                "Resident memory size in bytes.",
                int(fields[21]) * page_bytes,
            ),
            (
                "start_time_seconds",
                "Start time of the process since unix epoch in seconds.",
                self._start_s,
            ),
            ("open_fds", "Number of open file descriptors.", open_files),
            ("max_fds", "Maximum number of open file descriptors.", files),
        ):
            yield GaugeMetricFamily(f"process_{name}", text, value=value)


def _open_files() -> int:
    # From Linux 6.2 on, the size of the directory is the number of its entries.
    folder = _PROC / "self/fd"
    return folder.stat().st_size or len(os.listdir(folder))


def _boot_s() -> float:
    for line in (_PROC / "stat").read_text().splitlines():
        if line.startswith("btime "):
            return float(line.split()[1])
    return 0.0
