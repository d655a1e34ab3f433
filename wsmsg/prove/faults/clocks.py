"""
System clocks that tests step, as NTP or a person does.
"""

from __future__ import annotations

import os
import struct
from collections.abc import Callable
from pathlib import Path

#: A step that a clock is set back or forth by, in seconds.
HOUR_S = 3600.0

#: Read by each daemon when its interpreter starts: adds an offset from a mapped file to
#: the system clock, and leaves the monotonic clock alone. gRPC hands deadlines to its
#: core, which compares them with the system clock in C, so gRPC gets that one.
_SITE = """
import mmap, os, struct, sys, time

with open(os.environ["WSMSG_TEST_CLOCK"], "rb") as f:
    offset = mmap.mmap(f.fileno(), 8, access=mmap.ACCESS_READ)
real = time.time


def stepped():
    if sys._getframe(1).f_globals.get("__name__", "").startswith("grpc"):
        return real()
    return real() + struct.unpack("d", offset[:8])[0]


time.time = stepped
"""


class SystemClock:
    """
    The system clock of daemons that a test starts.

    @param folder: a folder for its files, which is made.
    """

    def __init__(self, folder: Path) -> None:
        folder.mkdir()
        (folder / "sitecustomize.py").write_text(_SITE)
        self._folder = folder
        self._file = folder / "offset"
        self._file.write_bytes(struct.pack("d", 0.0))

    def before_exec(self) -> Callable[[], object]:
        """
        Return a function that has the process use this clock, after the next exec.
        """
        path = f"{self._folder}{os.pathsep}{os.environ.get('PYTHONPATH', '')}"
        values = {"PYTHONPATH": path, "WSMSG_TEST_CLOCK": str(self._file)}
        return lambda: os.environ.update(values)

    def set(self, offset_s: float) -> None:
        """
        Set the clock this many seconds ahead of the real one.
        """
        with self._file.open("r+b") as f:
            f.write(struct.pack("d", offset_s))
