"""
The right of one process to use a file.

The owner holds an C{flock} on C{<path>.lock} and writes its pid there, so that a second
process can say who has the file.  The kernel drops the lock with the process, however
it ends.  SQLite's own locks would not do: they are held only for a transaction.
"""

from __future__ import annotations

import fcntl
import os

from wsmsg.errors import Unavailable


class InUse(Unavailable):
    """
    Another process has the file.
    """


class Lock:
    """
    The right to use the file of a path.
    """

    def __init__(self, path: str, kind: str) -> None:
        self._path = path
        self._kind = kind
        self._fd = -1

    def acquire(self) -> None:
        """
        @raise Unavailable: another process has it, or the directory cannot be written.
        """
        folder = os.path.dirname(os.path.abspath(self._path))
        try:
            os.makedirs(folder, 0o700, exist_ok=True)
            self._fd = os.open(f"{self._path}.lock", os.O_RDWR | os.O_CREAT, 0o600)
            fcntl.flock(self._fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
            os.ftruncate(self._fd, 0)
            os.pwrite(self._fd, b"%d\n" % os.getpid(), 0)
        except FileExistsError:
            raise Unavailable(
                f"{self._kind} {self._path} cannot be used: {folder} is not a directory"
            ) from None
        except BlockingIOError:
            holder = os.pread(self._fd, 32, 0).decode("ascii", "replace").strip()
            self.release()
            raise InUse(
                f"{self._kind} {self._path} is in use by process {holder or 'unknown'}"
            ) from None
        except OSError as e:
            self.release()
            raise Unavailable(
                f"{self._kind} {self._path} cannot be used: directory {folder}: "
                f"{e.strerror}"
            ) from e

    def release(self) -> None:
        if self._fd >= 0:
            os.close(self._fd)
            self._fd = -1
