"""
Tests for L{tests.daemon.live_settings}.
"""

from __future__ import annotations

from twisted.trial.unittest import SynchronousTestCase

from tests.daemon.live_settings import reads_key


class ReadsKeyTests(SynchronousTestCase):
    """
    L{reads_key}.
    """

    def test_read(self) -> None:
        """
        A key is read from its section, from settings, or from the limits of a method.
        """
        for source in (
            "x = session.limits.window",
            "x = self._limits.window",
            "x = site.limits().window",
        ):
            self.assertTrue(reads_key(source, "limits.window"), source)

    def test_not_read(self) -> None:
        """
        Another key, or the attribute of another object, is not the key.
        """
        for source in ("x = limits.page", "x = screen.window", "window = 3"):
            self.assertFalse(reads_key(source, "limits.window"), source)
