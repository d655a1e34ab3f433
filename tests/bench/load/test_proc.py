"""
Tests of CPU and memory of a process, and of free ports.
"""

from __future__ import annotations

import os
import socket
import subprocess
import sys
from socket import AF_INET, AF_INET6

from twisted.trial.unittest import SynchronousTestCase

from wsmsg.bench.load.proc import (
    cpu_s,
    families_cpu_s,
    listener,
    parse_cpu_s,
    parse_family,
    parse_listening,
    parse_machine_cpu_s,
    rss_bytes,
    workers_of,
)
from wsmsg.bench.processes import free_ports

STAT = (
    "77 (a) b (c) S 1 77 77 0 -1 4194560 100 0 0 0 250 50 9 9 20 0 12 0 100 "
    "1000000 500 18446744073709551615 0 0 0"
)


class ProcTests(SynchronousTestCase):
    """
    Figures from C{/proc}.
    """

    def test_strange_name(self) -> None:
        """
        A process whose name has parentheses and spaces is read correctly, without the
        CPU of its ended children.
        """
        ticks = os.sysconf("SC_CLK_TCK")
        self.assertAlmostEqual(parse_cpu_s(STAT), 300 / ticks)

    def test_family(self) -> None:
        """
        In a family, the CPU of ended children counts.
        """
        parent, used_s = parse_family(STAT)
        self.assertEqual(parent, 1)
        self.assertAlmostEqual(used_s, 318 / os.sysconf("SC_CLK_TCK"))

    def test_families(self) -> None:
        """
        A process counts with its descendants, but not with those that have a name of
        their own.
        """
        program = "import sys; sys.stdin.read()"
        command = [sys.executable, "-c", program]
        with subprocess.Popen(command, stdin=subprocess.PIPE) as child:
            both = families_cpu_s({"tests": os.getpid(), "child": child.pid})
            whole = families_cpu_s({"tests": os.getpid()})
            child.communicate()
        self.assertGreaterEqual(whole["tests"], both["tests"])
        self.assertLess(both["child"], both["tests"] + 60)
        with self.assertRaises(ProcessLookupError):
            families_cpu_s({"child": child.pid})

    def test_machine(self) -> None:
        """
        The machine's busy time is everything but idling and waiting for disks.
        """
        stat = "cpu  1 2 3 1000 2000 4 5 6 7 8\ncpu0 9 9 9 9 9 9 9 9 9 9\n"
        ticks = os.sysconf("SC_CLK_TCK")
        self.assertAlmostEqual(parse_machine_cpu_s(stat), 21 / ticks)

    def test_ourselves(self) -> None:
        """
        This process uses CPU and memory.
        """
        self.assertGreaterEqual(cpu_s(os.getpid()), 0.0)
        self.assertGreater(rss_bytes(os.getpid()), 2**20)

    def test_workers(self) -> None:
        """
        The CPU and the memory of a process include those of its workers.
        """
        alone = rss_bytes(os.getpid())
        command = [
            sys.executable,
            "-c",
            "import sys; x = b'1' * 2**26; print(1, flush=True); sys.stdin.read()",
        ]
        with subprocess.Popen(
            command, stdin=subprocess.PIPE, stdout=subprocess.PIPE
        ) as worker:
            assert worker.stdout is not None
            worker.stdout.readline()
            self.assertIn(worker.pid, workers_of(os.getpid()))
            self.assertGreater(rss_bytes(os.getpid()), alone + 2**26)
            self.assertGreaterEqual(cpu_s(os.getpid()), cpu_s(worker.pid))
        self.assertNotIn(worker.pid, workers_of(os.getpid()))

    def test_listening(self) -> None:
        """
        Only sockets that listen on the port are found.
        """
        table = (
            "  sl  local_address rem_address   st tx_queue rx_queue tr tm->when "
            "retrnsmt   uid  timeout inode\n"
            "   0: 0100007F:4A94 00000000:0000 0A 0:0 00:0 0 0 0 111 1\n"
            "   1: 0100007F:4A94 0100007F:9999 01 0:0 00:0 0 0 0 222 1\n"
            "   2: 0100007F:4A95 00000000:0000 0A 0:0 00:0 0 0 0 333 1\n"
        )
        self.assertEqual(parse_listening(table, 0x4A94), {"111"})

    def test_listener(self) -> None:
        """
        The process that listens on a port is found, over IPv4 and IPv6.
        """
        for family, address in ((AF_INET, "127.0.0.1"), (AF_INET6, "::1")):
            with socket.socket(family) as listening:
                listening.bind((address, 0))
                port = listening.getsockname()[1]
                self.assertIsNone(listener(port))
                listening.listen()
                self.assertEqual(listener(port), os.getpid())

    def test_nobody(self) -> None:
        """
        A process that is gone is an error, not a zero.
        """
        self.assertRaises(OSError, cpu_s, 2**30)
        self.assertRaises(OSError, rss_bytes, 2**30)


class PortTests(SynchronousTestCase):
    """
    Ports for the daemons of a benchmark.
    """

    def test_different(self) -> None:
        """
        No two are the same.
        """
        ports = free_ports(6)
        self.assertEqual(len(set(ports)), 6)
