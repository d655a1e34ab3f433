"""
The space and the kind of the file system that a file is on.
"""

from __future__ import annotations

import os
from pathlib import Path

import attrs

#: File systems of other machines: their locks, or their shared memory, are not those
#: that SQLite's write-ahead log needs.
REMOTE = frozenset(
    {"9p", "afs", "cifs", "fuse.sshfs", "glusterfs", "ncpfs", "nfs", "nfs4", "smb3"}
)
#: File systems in memory, which a loss of power empties.
IN_MEMORY = frozenset({"ramfs", "tmpfs"})
_MOUNTS = "/proc/self/mountinfo"


@attrs.frozen
class DiskSpace:
    """
    The space of a file system, in bytes.

    @ivar free: what this process may still fill.
    """

    free: int
    total: int


def space_at(path: Path) -> DiskSpace:
    """
    Return the space for a file, which need not exist yet.

    @raise OSError: it cannot be known.
    """
    told = os.statvfs(_existing(path))
    return DiskSpace(told.f_bavail * told.f_frsize, told.f_blocks * told.f_frsize)


def file_system_of(path: Path, mounts: str = _MOUNTS) -> str:
    """
    Return the kind of the file system of a file, such as C{ext4}; C{""}: not known.

    @param mounts: a file in the form of C{/proc/self/mountinfo} (proc(5)).
    """
    place = os.path.realpath(_existing(path))
    longest, found = -1, ""
    try:
        with open(mounts, encoding="utf-8", errors="replace") as f:
            for line in f:
                before, _, after = line.partition(" - ")
                words = before.split()
                if len(words) < 5 or not after:
                    continue
                # Spaces are spelled as octal numbers.
                mount = words[4].replace("\\040", " ")
                inside = place == mount or place.startswith(mount.rstrip("/") + "/")
                # The last of several mounts at one place is the visible one.
                if inside and len(mount) >= longest:
                    longest, found = len(mount), after.split()[0]
    except OSError:
        return ""
    return found


def _existing(path: Path) -> Path:
    path = path.absolute()
    while not path.exists() and path != path.parent:
        path = path.parent
    return path
