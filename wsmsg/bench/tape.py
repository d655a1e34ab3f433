"""
What a load measures while it runs.
"""

from __future__ import annotations

from array import array
from collections import Counter

from wsmsg.bench.plan import Usage
from wsmsg.bench.proc import cpu_s


class Tape:
    """
    Counts deliveries and keeps the latencies of one measured time.

    @ivar count: all deliveries so far.
    @ivar closed: connections that ended by themselves, by reason.
    @ivar other_frames: frames that the load has no use for, by name.
    """

    def __init__(self, begin_s: float, end_s: float, pids: dict[str, int]):
        self.begin_s = begin_s
        self.end_s = end_s
        self.count = 0
        self.latencies = array("d")
        self.lateness = array("d")
        self.closed: Counter[str] = Counter()
        self.other_frames: Counter[str] = Counter()
        self._pids = pids
        self._marks: list[tuple[float, int, dict[str, float]]] = []

    def delivered(self, due_s: float, now_s: float) -> None:
        """
        A message that was due then arrived now.
        """
        self.count += 1
        if self.begin_s <= due_s < self.end_s:
            self.latencies.append(now_s - due_s)

    def written(self, due_s: float, now_s: float) -> None:
        """
        A message that was due then was written now.
        """
        if self.begin_s <= due_s < self.end_s:
            self.lateness.append(now_s - due_s)

    def mark(self, now_s: float) -> None:
        """
        The measured time begins, or ends: read everyone's CPU.
        """
        used = {name: cpu_s(pid) for name, pid in self._pids.items()}
        self._marks.append((now_s, self.count, used))

    @property
    def seconds(self) -> float:
        return self._marks[-1][0] - self._marks[0][0]

    @property
    def measured(self) -> int:
        """
        Deliveries between the marks.
        """
        return self._marks[-1][1] - self._marks[0][1]

    def usage(self) -> dict[str, Usage]:
        """
        CPU between the marks, by process.
        """
        before, after = self._marks[0][2], self._marks[-1][2]
        return {name: Usage(after[name] - before[name]) for name in self._pids}
