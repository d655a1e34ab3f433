"""
What a process used, as Linux tells it in C{/proc} (proc(5)).
"""

from __future__ import annotations

import os

_TICK_S = 1 / os.sysconf("SC_CLK_TCK")
_PAGE_BYTES = os.sysconf("SC_PAGE_SIZE")


def parse_cpu_s(stat: str) -> float:
    """
    User and system seconds of all threads in a C{/proc/PID/stat}.
    """
    # The name, in parentheses, may have spaces and parentheses in it.
    fields = stat[stat.rindex(")") + 2 :].split(" ")
    return (int(fields[11]) + int(fields[12])) * _TICK_S


def cpu_s(pid: int) -> float:
    """
    CPU seconds that the process used so far, in steps of 10 ms.

    @raise OSError: there is no such process.
    """
    with open(f"/proc/{pid}/stat", encoding="utf-8", errors="replace") as f:
        return parse_cpu_s(f.read())


def parse_machine_cpu_s(stat: str) -> float:
    """
    Seconds, of all cores together, in which a C{/proc/stat} says that somebody
    worked, other guests of the same host included.
    """
    name, *fields = stat.split("\n", 1)[0].split()
    if name != "cpu":
        raise ValueError("/proc/stat does not begin with cpu")
    user, nice, system, _, _, irq, soft, steal = map(int, fields[:8])
    return (user + nice + system + irq + soft + steal) * _TICK_S


def machine_cpu_s() -> float:
    """
    CPU seconds that the whole machine worked so far.
    """
    with open("/proc/stat", encoding="ascii") as f:
        return parse_machine_cpu_s(f.read())


def rss_bytes(pid: int) -> int:
    """
    Bytes of the process that are resident.

    @raise OSError: there is no such process.
    """
    with open(f"/proc/{pid}/statm", encoding="ascii") as f:
        return int(f.read().split(" ")[1]) * _PAGE_BYTES
