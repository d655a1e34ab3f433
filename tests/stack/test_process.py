"""
Tests of processes with pid files, and of servers that cannot be started.
"""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
from pathlib import Path

from twisted.trial.unittest import SynchronousTestCase

from tools.stack.mongo import kind_in_use, kind_to_install, program
from tools.stack.packages import StackError, run
from tools.stack.ports import free_ports
from tools.stack.process import Process
from tools.stack.server import HOST
from tools.stack.stack import Stack

ROOT = Path(__file__).resolve().parent.parent.parent
STUBBORN = "trap '' TERM; echo up; while :; do read -r _ < /dev/zero; done"


class ProcessTests(SynchronousTestCase):
    """
    Tests of L{Process}.
    """

    def setUp(self) -> None:
        self.folder = Path(self.mktemp()).absolute()
        self.folder.mkdir()
        self.pid_file = self.folder / "x.pid"
        self.process = self._process()
        self.addCleanup(self.process.kill)

    def _process(self) -> Process:
        return Process(self.pid_file, self.folder / "x.log")

    def _start(self, *command: str) -> int:
        self.process.start(command, cwd=self.folder, detached=False)
        pid = self.process.pid
        assert pid is not None
        return pid

    def test_found_again(self) -> None:
        """
        A later command finds the process by its pid file, and can end it.
        """
        pid = self._start("sleep", "60")
        later = self._process()
        self.assertEqual(later.pid, pid)
        later.stop()
        self.assertIsNone(later.pid)
        self.assertFalse(self.pid_file.exists())

    def test_another_with_its_pid(self) -> None:
        """
        Another process that has reused the pid is left alone.
        """
        stranger = subprocess.Popen(["sleep", "60"])
        self.addCleanup(stranger.wait)
        self.addCleanup(stranger.kill)
        self.pid_file.write_text(f"{stranger.pid} 1\n")
        self.assertIsNone(self.process.pid)
        self.process.stop()
        self.process.kill()
        self.assertIsNone(stranger.poll())

    def test_spoiled_pid_file(self) -> None:
        """
        A pid file with other content names no process.
        """
        self.pid_file.write_text("what")
        self.assertIsNone(self.process.pid)
        self.process.stop()

    def test_stubborn(self) -> None:
        """
        A process that ignores SIGTERM is killed.
        """
        self._start("bash", "-c", STUBBORN)
        while "up" not in self.process.log_end():
            self.assertFalse(self.process.ended(0.02))
        self.process.stop(limit_s=0.2)
        self.assertTrue(self.process.ended(0))

    def test_ended_by_itself(self) -> None:
        """
        The end of a process that exits by itself is detected, and its last output is
        kept.
        """
        self._start("sh", "-c", "echo last words; exec sleep 0.05")
        self.assertTrue(self.process.ended(10))
        self.assertIsNone(self.process.pid)
        self.assertEqual(self.process.log_end(), "last words")

    def test_suspended(self) -> None:
        """
        A suspended process can be ended.
        """
        pid = self._start("sleep", "60")
        self.process.suspend()
        self.process.kill()
        with self.assertRaises(OSError):
            os.kill(pid, signal.SIGCONT)


class StackTests(SynchronousTestCase):
    """
    Error messages when a program or a port is missing.
    """

    def setUp(self) -> None:
        self.folder = Path(self.mktemp()).absolute()
        self.said: list[str] = []

    def _stack(self) -> Stack:
        return Stack(self.folder / "cache", self.folder / "data", self.said.append)

    def test_not_installed(self) -> None:
        """
        The error names a server that is not installed, and the remedy.
        """
        with self.assertRaises(StackError) as caught:
            self._stack().up(["kafka", "mongo"])
        told = str(caught.exception)
        self.assertIn("kafka is not installed: the jars, the storage", told)
        self.assertIn("mongo is not installed", told)
        self.assertIn("make stack-install", told)

    def test_port_in_use(self) -> None:
        """
        The error names a port that another process has.
        """
        stack = self._stack()
        stack.take_free_ports()
        server = stack.server("redis")
        if server.lacking(server.cache):
            self.skipTest("redis is not installed; make stack-install")
        with socket.create_server((HOST, server.port)):
            with self.assertRaises(StackError) as caught:
                stack.up(["redis"])
        self.assertIn(f"redis: port {server.port} (redis): ", str(caught.exception))

    def test_dies(self) -> None:
        """
        A server that exits instead of becoming ready is reported with the end of its
        log.
        """
        stack = self._stack()
        stack.take_free_ports()
        server = stack.server("redis")
        if server.lacking(server.cache):
            self.skipTest("redis is not installed; make stack-install")
        server.options = ["--no-such-option", "1"]
        with self.assertRaises(StackError) as caught:
            server.up(detached=False)
        self.assertIn("redis ended:", str(caught.exception))
        self.assertIn("no-such-option", str(caught.exception))

    def test_repeated(self) -> None:
        """
        All commands can be repeated, and find the same servers by their ports.
        """
        data = self.folder / "data"
        command = [sys.executable, "-m", "tools.stack", "--data", str(data)]

        def stack(*words: str) -> str:
            return run([*command, *words], cwd=ROOT)

        first = self._stack().server("redis")
        if first.lacking(first.cache):
            self.skipTest("redis is not installed; make stack-install")
        self.addCleanup(stack, "wipe")
        stack("up", "--free-ports", "redis")
        status = stack("status")
        self.assertRegex(status, r"(?m)^redis: ready at 127.0.0.1:\d+, process \d+$")
        stack("up", "redis")
        self.assertEqual(stack("status"), status)
        stack("kill", "redis")
        stack("kill", "redis")
        self.assertRegex(stack("env"), r"(?m)^export WSMSG_STACK_REDIS=$")
        stack("restart", "redis")
        pattern = r"redis: ready at (\S+),"
        again = stack("status")
        for text in (status, again):
            self.assertRegex(text, pattern)
        self.assertNotEqual(again, status)
        self.assertEqual(again.split(",")[0], status.split(",")[0])
        for _ in range(2):
            stack("down")
            self.assertIn("redis: not running", stack("status"))
        stack("wipe")
        self.assertFalse(data.exists())
        stack("wipe")

    def test_kind_of_mongo(self) -> None:
        """
        The compiled server is used once it exists, unless another is chosen; an unknown
        choice is an error.
        """
        cache = self.folder / "cache"
        self.patch(os, "environ", {**os.environ, "WSMSG_STACK_MONGO_KIND": ""})
        self.assertEqual(kind_in_use(cache), "wheel")
        program(cache, "crate").parent.mkdir(parents=True)
        program(cache, "crate").touch()
        self.assertEqual(kind_in_use(cache), "crate")
        os.environ["WSMSG_STACK_MONGO_KIND"] = "wheel"
        self.assertEqual(kind_in_use(cache), "wheel")
        self.assertEqual(kind_to_install(), "wheel")
        os.environ["WSMSG_STACK_MONGO_KIND"] = "mongod"
        with self.assertRaises(StackError) as caught:
            kind_to_install()
        self.assertIn("mongod: neither crate nor wheel", str(caught.exception))

    def test_no_compiler(self) -> None:
        """
        The wheel is installed if there is no compiler.
        """
        empty = {"PATH": "/nonexistent", "WSMSG_STACK_MONGO_KIND": ""}
        self.patch(os, "environ", {**os.environ, **empty})
        self.assertEqual(kind_to_install(), "wheel")

    def test_unknown_server(self) -> None:
        """
        An unknown server is an error that lists the known ones.
        """
        command = [sys.executable, "-m", "tools.stack", "up", "mysql"]
        with self.assertRaises(StackError) as caught:
            run(command, cwd=ROOT)
        self.assertIn(
            "unknown server: mysql; known: kafka, mongo, redis", str(caught.exception)
        )

    def test_free_ports(self) -> None:
        """
        No two listeners get the same port.
        """
        ports = free_ports(str(n) for n in range(50))
        self.assertEqual(len(set(ports.values())), 50)
