"""
Tests for L{wsmsg.sqlite.space}.
"""

from __future__ import annotations

import os
from pathlib import Path

from twisted.trial.unittest import SynchronousTestCase

from wsmsg.sqlite.space import file_system_of, space_at

_MOUNTS = r"""
22 1 8:1 / / rw,relatime shared:1 - ext4 /dev/sda1 rw
23 22 0:21 / /data rw - xfs /dev/sdb1 rw
24 22 0:22 / /data/my\040files rw - nfs4 server:/x rw
25 22 0:23 / /data rw - btrfs /dev/sdc1 rw
"""


class SpaceTests(SynchronousTestCase):
    """
    The file system of a file.
    """

    def test_kind(self) -> None:
        """
        A file belongs to the innermost mount, and to the last one at the same place.
        """
        mounts = self.mktemp()
        Path(mounts).write_text(_MOUNTS)
        self.patch(os.path, "realpath", str)
        self.patch(Path, "exists", lambda self: True)
        kinds = {
            path: file_system_of(Path(path), mounts)
            for path in ("/etc/x", "/data/x", "/data2/x", "/data/my files/x")
        }
        self.assertEqual(
            kinds,
            {
                "/etc/x": "ext4",
                "/data/x": "btrfs",
                "/data2/x": "ext4",
                "/data/my files/x": "nfs4",
            },
        )

    def test_unknown(self) -> None:
        """
        Without a list of mounts the kind is not known.
        """
        self.assertEqual(file_system_of(Path("/"), self.mktemp()), "")

    def test_space(self) -> None:
        """
        A file that does not exist yet has the space of its folder.
        """
        here = Path(self.mktemp()).absolute()
        found = space_at(here / "no" / "such" / "file.db")
        told = os.statvfs(here.parent)
        self.assertEqual(found.total, told.f_blocks * told.f_frsize)
        self.assertTrue(0 < found.free <= found.total)
