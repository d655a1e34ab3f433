"""
The key that signs tokens if the settings name none.
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
        The local key is created once, and only its owner may read it.
        """
        data = self.folder / "new"
        key = local_key(data)
        self.assertGreaterEqual(len(key), 32)
        self.assertEqual(local_key(data), key)
        self.assertEqual(os.listdir(data), ["token.key"])
        self.assertEqual((data / "token.key").stat().st_mode & 0o777, 0o600)

    def test_local_key_race(self) -> None:
        """
        Two processes that create the key at the same time use the same key.
        """
        key = local_key(self.folder)
        # The slower process found no key, and creates it when there is one.
        from wsmsg.auth import local_key as token_key

        token_key._make(self.folder / "token.key")
        self.assertEqual(local_key(self.folder), key)
        self.assertEqual(os.listdir(self.folder), ["token.key"])

    def test_bad_local_keys(self) -> None:
        """
        A key that other users may read, or that is too short, is refused; the error
        names the file.
        """
        path = self.file("x" * 40, "token.key")
        path.chmod(0o644)
        refused = self.assertRaises(TokenKeyUnusable, local_key, self.folder)
        self.assertIn("other users may read it (mode 644)", str(refused))
        path.chmod(0o600)
        path.write_text("short")
        refused = self.assertRaises(TokenKeyUnusable, local_key, self.folder)
        self.assertIn("has 5 characters", str(refused))

    def test_odd_local_keys(self) -> None:
        """
        A pipe, a folder or text in another language is refused in one line that names
        the file, and nobody waits for the other end of the pipe.
        """
        path = self.folder / "token.key"
        os.mkfifo(path, 0o600)
        refused = self.assertRaises(TokenKeyUnusable, local_key, self.folder)
        self.assertIn("token.key: is not a regular file; remove it", str(refused))
        path.unlink()
        path.mkdir(0o700)
        self.assertRaises(TokenKeyUnusable, local_key, self.folder)
        path.rmdir()
        self.file("ключ" * 10, "token.key").chmod(0o600)
        refused = self.assertRaises(TokenKeyUnusable, local_key, self.folder)
        self.assertIn("beyond ASCII", str(refused))

    def test_no_local_key(self) -> None:
        """
        A program that only reads the key learns which file is missing.
        """
        refused = self.assertRaises(
            TokenKeyUnusable, local_key, self.folder, make=False
        )
        self.assertIn("token.key: No such file", str(refused))
