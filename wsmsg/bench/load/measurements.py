"""
The measurements of a running load.
"""

from __future__ import annotations

import time
from array import array
from typing import NamedTuple

from wsmsg.bench.load.plan import Usage
from wsmsg.bench.load.proc import families_cpu_s, machine_cpu_s


class _Mark(NamedTuple):
    """
    The counts at one moment.
    """

    at_s: float
    delivered: int
    used_s: dict[str, float]
    own_s: float
    machine_s: float


class Recorder:
    """
    Counts deliveries and records the latencies of one measured period.

    @ivar count: all deliveries so far.
    """

    def __init__(self, begin_s: float, end_s: float, pids: dict[str, int]):
        self.begin_s = begin_s
        self.end_s = end_s
        self.count = 0
        self.latencies = array("d")
        self.lateness = array("d")
        self.to_all = array("d")
        self._pids = pids
        self._marks: list[_Mark] = []

    def delivered(self, due_s: float, now_s: float) -> None:
        """
        Record the delivery of a message that was due then.
        """
        self.count += 1
        if self.begin_s <= due_s < self.end_s:
            self.latencies.append(now_s - due_s)

    def whole(self, due_s: float, now_s: float) -> None:
        """
        Record the last delivery of a group message that was due then.
        """
        if self.begin_s <= due_s < self.end_s:
            self.to_all.append(now_s - due_s)

    def written(self, due_s: float, now_s: float) -> None:
        """
        Record the write of a message that was due then.
        """
        if self.begin_s <= due_s < self.end_s:
            self.lateness.append(now_s - due_s)

    def mark(self, now_s: float) -> None:
        """
        Begin or end the measured period: read the CPU of all processes.
        """
        mark = _Mark(
            now_s,
            self.count,
            families_cpu_s(self._pids),
            time.process_time(),
            machine_cpu_s(),
        )
        self._marks.append(mark)

    @property
    def seconds(self) -> float:
        return self._marks[-1].at_s - self._marks[0].at_s

    @property
    def measured(self) -> int:
        """
        Return the deliveries between the marks.
        """
        return self._marks[-1].delivered - self._marks[0].delivered

    @property
    def own_cpu_s(self) -> float:
        """
        Return the CPU seconds of this process between the marks.
        """
        return self._marks[-1].own_s - self._marks[0].own_s

    def usage(self) -> dict[str, Usage]:
        """
        Return the CPU seconds between the marks, by process.
        """
        before, after = self._marks[0].used_s, self._marks[-1].used_s
        return {name: Usage(after[name] - before[name]) for name in self._pids}

    @property
    def others_cpu_s(self) -> float:
        """
        Return the CPU seconds between the marks of everything outside this load.
        """
        whole_s = self._marks[-1].machine_s - self._marks[0].machine_s
        ours_s = self.own_cpu_s + sum(used.cpu_s for used in self.usage().values())
        return max(0.0, whole_s - ours_s)
