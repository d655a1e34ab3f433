"""
The files that a log is written to.

A full disk takes a part of a line, or nothing.  The caller gets the error and drops the
line; what is written next begins on a line of its own.
"""

from __future__ import annotations

import glob
import os
import stat
import threading
from contextlib import suppress

#: A file of this size is followed by a new one.
ROTATE_BYTES = 1_000_000
# O_NONBLOCK: a pipe that nobody reads is an error, and holds up nobody.
_FLAGS = os.O_WRONLY | os.O_APPEND | os.O_CREAT | os.O_NONBLOCK


class DescriptorOutput:
    """
    An open file without a buffer.  (A stream of Python would have one: it keeps what a
    full disk did not take, and its lock, for which Python waits at its end.)
    """

    def __init__(self, descriptor: int) -> None:
        self._descriptor = descriptor
        self._cut = False

    def write(self, text: str, /) -> None:
        """
        Write all of the text.

        @raise OSError: it was not written, or not all of it.
        """
        data = text.encode("utf-8", "backslashreplace")
        left = memoryview(b"\n" + data if self._cut else data)
        while left:
            left = left[os.write(self._descriptor, left) :]
            self._cut = bool(left)

    def flush(self) -> None:
        """
        Do nothing, as nothing is kept back.
        """


class LogFile:
    """
    A file by its name, which starts anew when it is large: the old one is called
    C{<name>.1} then, the one before it C{<name>.2}, and so on.

    @raise OSError: the file cannot be opened.
    """

    def __init__(self, name: str) -> None:
        self._path = os.path.abspath(name)
        # Any thread may log, and the reactor's thread rotates.
        self._lock = threading.RLock()
        self._use(os.open(self._path, _FLAGS, 0o666))

    def write(self, text: str, /) -> None:
        """
        Write all of the text, into a new file if this one is large.

        @raise OSError: it was not written, or not all of it.
        """
        with self._lock:
            if self._size >= ROTATE_BYTES:
                self.rotate()
            self._out.write(text)
            self._size += len(text)

    def flush(self) -> None:
        """
        Do nothing, as nothing is kept back.
        """

    def rotate(self) -> None:
        """
        Start a new file.  Where that fails, for example as the disk is full, this one
        goes on.
        """
        with self._lock:
            self._size = 0
            old = self._descriptor
            if stat.S_ISREG(os.fstat(old).st_mode) and self._begun():
                os.close(old)

    def _begun(self) -> bool:
        """
        Start a new file, if that is possible.
        """
        new = f"{self._path}.new"
        try:
            # Before anything is renamed: a full disk may have no room for a file.
            fresh = os.open(new, _FLAGS | os.O_TRUNC, 0o600)
        except OSError:
            return False
        try:
            os.fchmod(fresh, stat.S_IMODE(os.fstat(self._descriptor).st_mode))
            self._rename()
            os.rename(new, self._path)
        except OSError:
            os.close(fresh)
            with suppress(OSError):
                os.unlink(new)
            return False
        self._use(fresh)
        return True

    def _use(self, descriptor: int) -> None:
        self._descriptor = descriptor
        self._out = DescriptorOutput(descriptor)
        self._size = os.fstat(descriptor).st_size

    def _rename(self) -> None:
        names = glob.glob(f"{glob.escape(self._path)}.*")
        ends = [name.rpartition(".")[2] for name in names]
        numbers = [int(end) for end in ends if end.isdecimal() and int(end)]
        for number in sorted(numbers, reverse=True):
            os.rename(f"{self._path}.{number}", f"{self._path}.{number + 1}")
        with suppress(FileNotFoundError):  # somebody has moved it
            os.rename(self._path, f"{self._path}.1")
