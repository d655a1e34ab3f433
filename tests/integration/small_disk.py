"""
A small disk for tests that fill it.
"""

from __future__ import annotations

import os
import subprocess
import tempfile
from pathlib import Path


class SmallDisk:
    """
    A file system of its own, in memory.

    @ivar folder: where it is mounted.
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self._ballast = folder / "ballast"

    @classmethod
    def mount(cls, size: str) -> SmallDisk | None:
        """
        Mount a disk of this size, such as C{48m}; L{None} where that is not allowed.
        """
        folder = Path(tempfile.mkdtemp(prefix="wsmsg-disk-"))
        command = ["mount", "-t", "tmpfs", "-o", f"size={size}", "tmpfs", str(folder)]
        try:
            subprocess.run(command, check=True, capture_output=True)
        except (OSError, subprocess.CalledProcessError):
            folder.rmdir()
            return None
        return cls(folder)

    @property
    def free(self) -> int:
        """
        The free space in bytes.
        """
        told = os.statvfs(self.folder)
        return told.f_bavail * told.f_frsize

    def occupy(self, n_bytes: int) -> None:
        """
        Take so much of the space.
        """
        self._ballast.write_bytes(b"\0" * n_bytes)

    def fill(self) -> None:
        """
        Take all of the space that is left.
        """
        with self._ballast.open("ab", buffering=0) as out:
            while left := self.free:
                out.write(b"\0" * left)

    def empty(self) -> None:
        """
        Give up the space that was taken.
        """
        self._ballast.unlink(missing_ok=True)

    def grow(self, size: str) -> None:
        """
        Change the size of the disk.
        """
        subprocess.run(
            ["mount", "-o", f"remount,size={size}", str(self.folder)], check=True
        )

    def unmount(self) -> None:
        """
        Remove the disk, with everything on it.
        """
        subprocess.run(["umount", "-l", str(self.folder)], check=True)
        self.folder.rmdir()
