"""
The local key for tokens.
"""

from __future__ import annotations

import os

from tests.settings.files import Folder
from wsmsg.auth.local_key import TokenKeyUnusable, local_key


class LocalKeyTests(Folder):
    """
    L{local_key}.
    """

    def test_local_key(self) -> None:
        """
        The local key is made once, for its owner's eyes, and found again.
        """
        data = self.folder / "new"
        key = local_key(data)
        self.assertGreaterEqual(len(key), 32)
        self.assertEqual(local_key(data), key)
        self.assertEqual(os.listdir(data), ["token.key"])
        self.assertEqual((data / "token.key").stat().st_mode & 0o777, 0o600)

    def test_local_key_race(self) -> None:
        """
        Of two that make the key at one time, both use the one that was first.
        """
        key = local_key(self.folder)
        # The loser found none and comes to make it when it is there.
        from wsmsg.auth import local_key as token_key

        token_key._make(self.folder / "token.key")
        self.assertEqual(local_key(self.folder), key)
        self.assertEqual(os.listdir(self.folder), ["token.key"])

    def test_bad_local_keys(self) -> None:
        """
        A key that others can read, or too short a one, is refused by name.
        """
        path = self.file("x" * 40, "token.key")
        path.chmod(0o644)
        refused = self.assertRaises(TokenKeyUnusable, local_key, self.folder)
        self.assertIn("others may read it (mode 644)", str(refused))
        path.chmod(0o600)
        path.write_text("short")
        refused = self.assertRaises(TokenKeyUnusable, local_key, self.folder)
        self.assertIn("has 5 characters", str(refused))

    def test_no_local_key(self) -> None:
        """
        Who only reads the key is told where it would be.
        """
        refused = self.assertRaises(
            TokenKeyUnusable, local_key, self.folder, make=False
        )
        self.assertIn("token.key: No such file", str(refused))
