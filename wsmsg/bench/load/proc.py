"""
CPU and memory of processes, from C{/proc} of Linux (proc(5)).
"""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path

_TICK_S = 1 / os.sysconf("SC_CLK_TCK")
_PAGE_BYTES = os.sysconf("SC_PAGE_SIZE")

#: The state of a listening socket in C{/proc/net/tcp}.
_LISTEN = "0A"


def parse_cpu_s(stat: str) -> float:
    """
    Return user and system seconds of all threads from a C{/proc/PID/stat}.
    """
    # The name, in parentheses, may contain spaces and parentheses.
    fields = stat[stat.rindex(")") + 2 :].split(" ")
    return (int(fields[11]) + int(fields[12])) * _TICK_S


def cpu_s(pid: int) -> float:
    """
    Return the CPU seconds that a process and its workers used so far, in steps of 10
    ms.

    @raise OSError: the process does not exist.
    """
    with open(f"/proc/{pid}/stat", encoding="utf-8", errors="replace") as f:
        return parse_cpu_s(f.read()) + sum(map(cpu_s, workers_of(pid)))


def workers_of(pid: int) -> list[int]:
    """
    Return the processes that a process has started.
    """
    try:
        with open(f"/proc/{pid}/task/{pid}/children", encoding="ascii") as f:
            return [int(child) for child in f.read().split()]
    except OSError:  # a kernel without this file
        return []


def parse_family(stat: str) -> tuple[int, float]:
    """
    Return the parent and the CPU seconds from a C{/proc/PID/stat}, with those of ended
    children that the process waited for.
    """
    fields = stat[stat.rindex(")") + 2 :].split(" ")
    return int(fields[1]), sum(map(int, fields[11:15])) * _TICK_S


def families_cpu_s(pids: Mapping[str, int]) -> dict[str, float]:
    """
    Return the CPU seconds that processes used so far, each with its descendants: a
    database may have a process for each connection.

    @param pids: processes by name.
    @raise OSError: one of them does not exist.
    """
    parents, used = {}, {}
    for path in Path("/proc").glob("[0-9]*"):
        try:
            stat = (path / "stat").read_text("utf-8", "replace")
        except OSError:
            continue  # it ended meanwhile
        pid = int(path.name)
        parents[pid], used[pid] = parse_family(stat)
    for name, pid in pids.items():
        if pid not in used:
            raise ProcessLookupError(f"process {pid} ({name}) does not exist")
    whole = dict.fromkeys(pids, 0.0)
    names = {pid: name for name, pid in pids.items()}
    for pid, seconds in used.items():
        above = pid
        while above not in names and above in parents:
            above = parents[above]
        if above in names:
            whole[names[above]] += seconds
    return whole


def parse_machine_cpu_s(stat: str) -> float:
    """
    Return the busy seconds of all cores together from a C{/proc/stat}, including other
    guests of the same host.
    """
    name, *fields = stat.split("\n", 1)[0].split()
    if name != "cpu":
        raise ValueError("/proc/stat does not begin with cpu")
    user, nice, system, _, _, irq, soft, steal = map(int, fields[:8])
    return (user + nice + system + irq + soft + steal) * _TICK_S


def machine_cpu_s() -> float:
    """
    Return the busy CPU seconds of the machine so far.
    """
    with open("/proc/stat", encoding="ascii") as f:
        return parse_machine_cpu_s(f.read())


def rss_bytes(pid: int) -> int:
    """
    Return the resident bytes of a process and its workers.

    @raise OSError: the process does not exist.
    """
    with open(f"/proc/{pid}/statm", encoding="ascii") as f:
        own = int(f.read().split(" ")[1]) * _PAGE_BYTES
    return own + sum(map(rss_bytes, workers_of(pid)))


def parse_listening(table: str, port: int) -> set[str]:
    """
    Return the inodes of the sockets that listen on a port, from a C{/proc/net/tcp}.
    """
    found = set()
    for line in table.splitlines()[1:]:
        fields = line.split()
        if fields[3] == _LISTEN and int(fields[1].rpartition(":")[2], 16) == port:
            found.add(fields[9])
    return found


def listener(port: int) -> int | None:
    """
    Return the process on this machine that listens on a TCP port, if permitted.
    """
    inodes: set[str] = set()
    for name in ("tcp", "tcp6"):
        path = Path("/proc/net", name)
        if path.exists():
            inodes |= parse_listening(path.read_text(), port)
    wanted = {f"socket:[{inode}]" for inode in inodes}
    for process in Path("/proc").glob("[0-9]*"):
        try:
            if any(os.readlink(fd) in wanted for fd in (process / "fd").iterdir()):
                return int(process.name)
        except OSError:
            # The process is gone, or belongs to another user.
            continue
    return None
