"""
The names of twistd's files, and pid files of daemons that are gone.
"""

from __future__ import annotations

import io
import os
import subprocess
import sys
from pathlib import Path

from twisted.scripts._twistd_unix import ServerOptions
from twisted.trial.unittest import TestCase

from wsmsg.daemon.pid_file import remove_stale

_DAEMON = "print(flush=True); input()  # as twistd does it"


class NameTests(TestCase):
    """
    C{twistd connect} and C{twistd message} share a folder, because each names its files
    after itself.
    """

    def named(self, *arguments: str) -> tuple[str, str | None]:
        options = ServerOptions()
        options.parseOptions([*arguments, f"--data-dir={self.mktemp()}"])
        folder = f"{os.getcwd()}/"
        return options["pidfile"].removeprefix(folder), options["logfile"]

    def test_background(self) -> None:
        """
        In the background, both files have the name of the daemon.
        """
        self.assertEqual(self.named("connect"), ("connect.pid", "connect.log"))
        self.assertEqual(self.named("message"), ("message.pid", "message.log"))

    def test_foreground(self) -> None:
        """
        In the foreground, no file is written.
        """
        self.assertEqual(self.named("-n", "connect"), ("", ""))

    def test_given(self) -> None:
        """
        Names that the command line gives are used, also those that are twistd's
        defaults.
        """
        given = ("--pidfile=twistd.pid", "--logfile=x.log")
        self.assertEqual(self.named(*given, "connect"), ("twistd.pid", "x.log"))
        self.assertEqual(self.named("-n", *given, "message"), ("twistd.pid", "x.log"))
        self.assertEqual(self.named("--pidfile=", "message"), ("", "message.log"))


class StaleTests(TestCase):
    """
    L{remove_stale}.
    """

    def setUp(self) -> None:
        self.stderr = io.StringIO()
        self.patch(sys, "stderr", self.stderr)
        self.path = Path(self.mktemp())

    def process(self, *words: str) -> subprocess.Popen[bytes]:
        command = [sys.executable, "-c", _DAEMON, *words]
        pipe = subprocess.PIPE
        started = subprocess.Popen(command, stdin=pipe, stdout=pipe)
        self.addCleanup(started.communicate, b"\n")
        assert started.stdout is not None
        started.stdout.readline()  # before, the process has no command line yet
        return started

    def removed(self, text: str) -> str:
        self.path.write_text(text)
        remove_stale(self.path, "connect", ours=True)
        self.assertFalse(self.path.exists())
        return self.stderr.getvalue()

    def refused(self, text: str, *, ours: bool = True) -> str:
        self.path.write_text(text)
        error = self.assertRaises(
            ValueError, remove_stale, self.path, "connect", ours=ours
        )
        self.assertEqual(self.path.read_text(), text)
        self.assertEqual(self.stderr.getvalue(), "")
        return str(error)

    def test_dead(self) -> None:
        """
        The file of a process that is gone is removed.
        """
        ended = subprocess.Popen([sys.executable, "-c", ""])
        ended.wait()
        self.assertEqual(
            self.removed(f"{ended.pid}\n"),
            f"wsmsg connect: removed the old pid file {self.path}: there is no process "
            f"{ended.pid}\n",
        )

    def test_stranger(self) -> None:
        """
        The file whose number another program has is removed: one that is no daemon, the
        other daemon, and, as in containers, this process.
        """
        self.assertIn("test", self.removed(str(self.process("test").pid)))
        self.assertIn("message", self.removed(str(self.process("message").pid)))
        self.assertIn("is this one", self.removed(str(os.getpid())))

    def test_stranger_in_named_file(self) -> None:
        """
        A file that the operator named may be of the program that runs, so it stays.
        """
        told = self.refused(str(self.process("test").pid), ours=False)
        self.assertTrue(told.endswith("; if the file is an old one, remove it"), told)

    def test_empty(self) -> None:
        """
        A file that was cut off by a power cut is removed.
        """
        self.assertIn("it is empty", self.removed(""))

    def test_running(self) -> None:
        """
        The file of a daemon that runs stays.
        """
        pid = self.process("connect").pid
        self.assertIn(f"runs already, as process {pid}; ", self.refused(str(pid)))

    def test_other_file(self) -> None:
        """
        A file that is no pid file stays.
        """
        for text in ("notes", "0", "-1", "9" * 30):
            self.assertIn("it holds no process number", self.refused(text))
