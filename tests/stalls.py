"""
A measure of the time that the machine lost while a test measured a delay.

A bound in seconds is a promise of the product on a machine that lets it run. A shared
host stalls at times; a test must neither blame the product for that nor hide delays
behind a bound twice as wide. So it measures both::

    span = Span()
    await daemon.kill()
    await watcher.expect("presence", online=False)
    span.check(5.0)

The check holds if the time that passed, less the time that the machine lost, is below
5 s. Three measurements estimate the lost time; none of them counts the work of the
tests and their daemons:

  - I{stood still}: a separate process sleeps for 10 ms again and again and sums how
    much longer it slept, beyond 5 ms. A process that only wants to wake up is late only
    if no core could run it.
  - I{stolen}: the time for which the host ran other guests on cores that had work to do
    (C{steal} in C{/proc/stat}), as far as it delayed a process that was always ready to
    run: the share of all work that was stolen, times the time that passed, and at most
    the total that was stolen.
  - I{waited}: how long a process waited for a core (its C{schedstat}): of the processes
    that the test started, the one that waited longest, and at most the CPU time that
    other programs used: what our own processes take from each other is not lost.
    Servers that were started by another program count as other programs.

They overlap, and a chain of processes may have lost more in sum than any of them. Only
the largest counts, so the result is at most what was lost. Pressure
(C{/proc/pressure/cpu}) is not used, since it cannot tell our work from that of others.
Without C{/proc} only the first measurement is taken.
"""

from __future__ import annotations

import atexit
import mmap
import os
import struct
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Iterator

import attrs

_SLEEP_S = 0.01
_TOLERANCE_S = 0.005
#: Seconds between the samples of a history.
_LOOK_S = 0.2
_PLACE = struct.Struct("=d")
_TICK_S = 1 / os.sysconf("SC_CLK_TCK")


class Watcher:
    """
    The process that sleeps, until this process ends.

    @ivar pid: its process id.
    """

    def __init__(self) -> None:
        with tempfile.TemporaryFile() as file:
            file.truncate(2 * _PLACE.size)
            self._board = mmap.mmap(file.fileno(), 2 * _PLACE.size)
            self._process = subprocess.Popen(
                [sys.executable, "-m", "tests.stalls", str(file.fileno())],
                env={**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)},
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                pass_fds=[file.fileno()],
            )
        self.pid = self._process.pid
        assert self._process.stdout is not None
        self._process.stdout.read(1)  # it sleeps
        self._process.stdout.close()

    def stood_still_s(self) -> float:
        """
        Return the seconds lost since it began, those of the current sleep included.
        """
        if self._process.poll() is not None:
            raise RuntimeError(f"the watcher ended: {self._process.returncode}")
        # Read in the reverse order of writing: a read in between gives too little.
        (lost_s,) = _PLACE.unpack_from(self._board, 0)
        (woke_s,) = _PLACE.unpack_from(self._board, _PLACE.size)
        return float(lost_s) + _late_s(woke_s)

    def end(self) -> None:
        """
        End the process.
        """
        self._process.kill()
        self._process.wait()
        assert self._process.stdin is not None
        self._process.stdin.close()


def _late_s(began_s: float) -> float:
    """
    Return how late a sleep that began then is.
    """
    return max(0.0, time.monotonic() - began_s - _SLEEP_S - _TOLERANCE_S)


def watch(board: mmap.mmap, parent: int) -> None:
    """
    Sleep again and again, and write down the delay of each, until the parent process
    ends.
    """
    never = threading.Event()
    lost_s = 0.0
    woke_s = time.monotonic()
    _PLACE.pack_into(board, _PLACE.size, woke_s)
    os.write(1, b".")
    while os.getppid() == parent:
        never.wait(_SLEEP_S)
        lost_s += _late_s(woke_s)
        woke_s = time.monotonic()
        _PLACE.pack_into(board, _PLACE.size, woke_s)
        _PLACE.pack_into(board, 0, lost_s)


_shared: list[Watcher] = []


def watcher() -> Watcher:
    """
    Return the watcher of this process, started on first use.
    """
    if not _shared:
        _shared.append(Watcher())
        atexit.register(_shared[0].end)
    return _shared[0]


@attrs.frozen
class Process:
    """
    The figures of C{/proc} for a process.

    @ivar used_s: CPU time, with that of its children that have ended.
    @ivar waited_s: time that it waited for a core.
    """

    parent: int
    used_s: float
    waited_s: float


@attrs.frozen
class Moment:
    """
    All counters at one time.

    @ivar stolen_s: time taken by other guests of the host, of all cores.
    @ivar used_s: CPU time that all processes used, of all cores.
    @ivar ours_s: the part of it that this process and those that it started used.
    @ivar waited_s: the waits of this process and of those that it started, by process.
    """

    at_s: float
    stood_still_s: float
    stolen_s: float
    used_s: float
    ours_s: float
    waited_s: dict[int, float]

    @classmethod
    def now(cls, watching: Watcher) -> Moment:
        at_s, still_s = time.monotonic(), watching.stood_still_s()
        used_s, stolen_s = _cores()
        ours = dict(_descendants(os.getpid()))
        return cls(
            at_s,
            still_s,
            stolen_s,
            used_s,
            sum(p.used_s for p in ours.values()),
            {pid: p.waited_s for pid, p in ours.items()},
        )


def _cores() -> tuple[float, float]:
    """
    Return how much of all cores was used, and how much was stolen.
    """
    lines = _lines("/proc/stat")
    if not lines:
        return 0.0, 0.0
    user, nice, system, _, _, irq, soft, stolen = map(int, lines[0].split()[1:9])
    return (user + nice + system + irq + soft) * _TICK_S, stolen * _TICK_S


def _descendants(root: int) -> Iterator[tuple[int, Process]]:
    """
    Return a process and all its descendants.
    """
    numbers = os.listdir("/proc") if os.path.isdir("/proc") else []
    parents = {int(n): _parent(int(n)) for n in numbers if n.isdecimal()}
    ours = [root]
    for pid in ours:  # the list grows meanwhile
        found = _process(pid)
        if found is not None:
            yield pid, found
        ours += [child for child, parent in parents.items() if parent == pid]


def _stat(pid: int) -> list[str]:
    # The name, in parentheses, may have spaces and parentheses in it.
    text = "".join(_lines(f"/proc/{pid}/stat"))
    return text[text.rfind(")") + 1 :].split()


def _parent(pid: int) -> int:
    fields = _stat(pid)
    return int(fields[1]) if fields else 0


def _process(pid: int) -> Process | None:
    fields = _stat(pid)
    if not fields:
        return None
    waited = "".join(_lines(f"/proc/{pid}/schedstat")).split()
    return Process(
        int(fields[1]),
        sum(map(int, fields[11:15])) * _TICK_S,
        int(waited[1]) / 1e9 if waited else 0.0,
    )


def _lines(path: str) -> list[str]:
    """
    Return the lines of a file, which may not exist.
    """
    try:
        with open(path, encoding="utf-8", errors="replace") as file:
            return file.readlines()
    except (FileNotFoundError, ProcessLookupError, PermissionError):
        return []


@attrs.frozen
class Loss:
    """
    The time lost between two moments, in seconds.
    """

    stood_still_s: float
    stolen_s: float
    waited_s: float

    @classmethod
    def between(cls, first: Moment, last: Moment) -> Loss:
        stolen_s = last.stolen_s - first.stolen_s
        used_s = last.used_s - first.used_s
        held_up_s = 0.0
        if stolen_s > 0:
            share = stolen_s / (stolen_s + used_s)
            held_up_s = min(stolen_s, share * (last.at_s - first.at_s))
        strangers_s = used_s - (last.ours_s - first.ours_s)
        longest_s = max(
            (s - first.waited_s.get(pid, 0.0) for pid, s in last.waited_s.items()),
            default=0.0,
        )
        return cls(
            max(0.0, last.stood_still_s - first.stood_still_s),
            held_up_s,
            max(0.0, min(longest_s, strangers_s)),
        )

    @property
    def largest_s(self) -> float:
        return max(self.stood_still_s, self.stolen_s, self.waited_s)

    def __str__(self) -> str:
        return (
            f"{self.largest_s:.2f} s (stood still {self.stood_still_s:.2f},"
            f" stolen {self.stolen_s:.2f}, waited {self.waited_s:.2f})"
        )


class Span:
    """
    The time since its creation.
    """

    def __init__(self, watching: Watcher | None = None) -> None:
        self._watcher = watching or watcher()
        self._first = Moment.now(self._watcher)

    def now(self) -> tuple[float, Loss]:
        """
        Return the seconds that have passed, and how many of them were lost.
        """
        # Read the clock first: time lost after that is not in the time that passed.
        took_s = time.monotonic() - self._first.at_s
        loss = Loss.between(self._first, Moment.now(self._watcher))
        return took_s, loss

    def check(self, limit_s: float) -> str:
        """
        Check that the time that passed, less the time lost, is below the bound.

        @return: the time that passed and the time lost, for a report.
        @raise AssertionError: it took longer than the bound on a running machine.
        """
        return judge(*self.now(), limit_s)


class History:
    """
    Samples in a thread, until it is ended, for periods that are known only afterwards.
    """

    def __init__(self) -> None:
        self._watcher = watcher()
        self._moments: list[Moment] = []
        self._over = threading.Event()
        self._thread = threading.Thread(target=self._look, daemon=True)
        self._thread.start()

    def _look(self) -> None:
        while True:
            self._moments.append(Moment.now(self._watcher))
            if self._over.wait(_LOOK_S):
                return

    def end(self) -> None:
        """
        Stop sampling.
        """
        self._over.set()
        self._thread.join()

    def check(self, began_s: float, ended_s: float, limit_s: float) -> str:
        """
        Do the same as L{Span.check} for a period that is over, by C{time.monotonic}.
        """
        within = [m for m in self._moments if began_s <= m.at_s <= ended_s]
        loss = Loss.between(within[0], within[-1]) if within else Loss(0, 0, 0)
        return judge(ended_s - began_s, loss, limit_s)


def judge(took_s: float, loss: Loss, limit_s: float) -> str:
    """
    Do the same as L{Span.check} for these figures.
    """
    text = f"took {took_s:.2f} s, of which the machine lost {loss}"
    if took_s - loss.largest_s < limit_s:
        return text
    raise AssertionError(f"{text}: over {limit_s:.2f} s")


if __name__ == "__main__":
    watch(mmap.mmap(int(sys.argv[1]), 2 * _PLACE.size), os.getppid())
