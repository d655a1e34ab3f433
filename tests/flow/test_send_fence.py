"""
Nothing overtakes what was turned away.
"""

from __future__ import annotations

from twisted.trial.unittest import SynchronousTestCase

from wsmsg.flow.send_fence import SendFences


class FencesTests(SynchronousTestCase):
    """
    Who was turned away stays away until shortly before the hint is over.
    """

    def setUp(self) -> None:
        self.fences: SendFences[str] = SendFences()

    def test_stands(self) -> None:
        """
        A fence stands for most of the hint's time, and tells what is left of it.
        """
        self.fences.raise_for("a", 10, 1000)
        self.assertEqual(self.fences.remaining_ms("a", 10), 1001)
        self.assertEqual(self.fences.remaining_ms("b", 10), 0)
        self.assertEqual(self.fences.remaining_ms("a", 10.4), 501)
        self.assertGreater(self.fences.remaining_ms("a", 10.79), 0)
        self.assertEqual(self.fences.remaining_ms("a", 10.81), 0)
        self.assertFalse(self.fences)

    def test_not_longer(self) -> None:
        """
        Who is turned away again by the fence itself does not wait longer for it.
        """
        self.fences.raise_for("a", 10, 1000)
        self.fences.raise_for("a", 10.7, 1000)
        self.assertEqual(self.fences.remaining_ms("a", 10.81), 0)

    def test_cleared(self) -> None:
        """
        Fences that are over are cleared though nobody asks for them again.
        """
        for n in range(100):
            self.fences.raise_for(str(n), n, 1000)
        self.assertLess(len(self.fences), 3)
