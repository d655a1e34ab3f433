"""
The log where its destination takes no more: a full disk, a pipe that nobody reads.
"""

from __future__ import annotations

import fcntl
import os
from pathlib import Path
from typing import cast

from twisted.logger import ILogObserver, LogEvent, Logger, LogPublisher
from twisted.trial.unittest import SynchronousTestCase

from tests.doubles import exposed
from wsmsg.monitoring.log_file import ROTATE_BYTES, DescriptorOutput, LogFile
from wsmsg.monitoring.logs import Logs
from wsmsg.monitoring.metrics import Metrics
from wsmsg.settings.values import LogSettings


class FullOutput:
    """
    A destination that can be full.
    """

    def __init__(self) -> None:
        self.full = False
        self.text = ""

    def write(self, text: str, /) -> None:
        if self.full:
            raise OSError(28, "No space left on device")
        self.text += text

    def flush(self) -> None:
        pass


class FullTests(SynchronousTestCase):
    """
    L{Logs} on a disk that is full.
    """

    def test_full(self) -> None:
        """
        Lines that do not fit are dropped and counted, and nobody who logs has an error;
        once there is room, the log says how many are missing, at their place.
        """
        out = FullOutput()
        logs, other = Logs(out, LogSettings()), list[LogEvent]()
        metrics = Metrics()
        logs.register_metrics(metrics)
        log = Logger(
            "wsmsg.trial", observer=LogPublisher(logs, cast(ILogObserver, other.append))
        )
        log.info("one")
        out.full = True
        for _ in range(7):
            log.info("lost")
        self.assertIn(b"wsmsg_log_dropped_total 7.0", exposed(metrics))
        out.full = False
        log.info("two")
        log.info("three")
        told = [line.partition("] ")[2] for line in out.text.splitlines()]
        self.assertEqual(
            told,
            [
                "one",
                "7 lines of the log were dropped here, because the output took no more",
                "two",
                "three",
            ],
        )
        # A line that fails is not logged itself.
        self.assertEqual(len(other), 10)

    def test_cut_line(self) -> None:
        """
        After a line of which only the beginning fitted, the next is on a line of its
        own.
        """
        reading, writing = os.pipe()
        self.addCleanup(os.close, reading)
        self.addCleanup(os.close, writing)
        fcntl.fcntl(writing, fcntl.F_SETPIPE_SZ, 4096)
        os.set_blocking(writing, False)
        out = DescriptorOutput(writing)
        self.assertRaises(OSError, out.write, "x" * 5000 + "\n")
        self.assertEqual(os.read(reading, 8192), b"x" * 4096)
        out.write("next\n")
        out.write("last\n")
        self.assertEqual(os.read(reading, 8192), b"\nnext\nlast\n")


class FileTests(SynchronousTestCase):
    """
    L{LogFile}.
    """

    def setUp(self) -> None:
        self.path = Path(self.mktemp())
        self.path.write_text("before\n")
        self.path.chmod(0o640)
        self.file = LogFile(str(self.path))

    def old(self, number: int) -> Path:
        return self.path.with_name(f"{self.path.name}.{number}")

    def test_large(self) -> None:
        """
        A large file is followed by a new one with the same mode; the older ones keep
        their order.
        """
        self.old(1).write_text("oldest\n")
        self.file.write("x" * ROTATE_BYTES)
        self.file.write("new\n")
        self.assertEqual(self.path.read_text(), "new\n")
        self.assertEqual(self.path.stat().st_mode & 0o777, 0o640)
        self.assertTrue(self.old(1).read_text().startswith("before\nx"))
        self.assertEqual(self.old(2).read_text(), "oldest\n")

    def test_no_new_file(self) -> None:
        """
        If no further file can be made, as on a full disk, the old one goes on, and
        nothing is renamed.
        """
        os.mkdir(f"{self.path}.new")
        self.file.rotate()
        self.file.write("after\n")
        self.assertEqual(self.path.read_text(), "before\nafter\n")
        self.assertFalse(self.old(1).exists())

    def test_moved(self) -> None:
        """
        A file that another program has moved is followed by one of the old name.
        """
        moved = self.path.rename(f"{self.path}.moved")
        self.file.rotate()
        self.file.write("after\n")
        self.assertEqual(self.path.read_text(), "after\n")
        self.assertEqual(moved.read_text(), "before\n")

    def test_device(self) -> None:
        """
        A device is never renamed.
        """
        file = LogFile(os.devnull)
        file.write("x" * ROTATE_BYTES)
        file.write("x")
        self.assertFalse(os.path.exists(f"{os.devnull}.1"))

    def test_pipe(self) -> None:
        """
        A named pipe that nobody reads is refused at once.
        """
        path = self.mktemp()
        os.mkfifo(path)
        self.assertRaises(OSError, LogFile, path)
