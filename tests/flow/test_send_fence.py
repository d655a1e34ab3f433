"""
Fences that keep the order of a sender's messages.
"""

from __future__ import annotations

from twisted.trial.unittest import SynchronousTestCase

from wsmsg.flow.send_fence import SendFences


class FencesTests(SynchronousTestCase):
    """
    L{SendFences}.
    """

    def setUp(self) -> None:
        self.fences: SendFences[str] = SendFences()

    def test_stands(self) -> None:
        """
        A fence lasts for most of the hint's time, and returns the rest of the hint.
        """
        self.fences.raise_for("a", 10, 1000)
        self.assertEqual(self.fences.remaining_ms("a", 10), 1001)
        self.assertEqual(self.fences.remaining_ms("b", 10), 0)
        self.assertEqual(self.fences.remaining_ms("a", 10.4), 501)
        self.assertGreater(self.fences.remaining_ms("a", 10.79), 0)
        self.assertEqual(self.fences.remaining_ms("a", 10.81), 0)
        self.assertFalse(self.fences.ends)

    def test_not_longer(self) -> None:
        """
        A refusal by the fence itself does not make the fence last longer.
        """
        self.fences.raise_for("a", 10, 1000)
        self.fences.raise_for("a", 10.7, 1000)
        self.assertEqual(self.fences.remaining_ms("a", 10.81), 0)

    def test_cleared(self) -> None:
        """
        Expired fences are removed even if no request comes under their keys.
        """
        for n in range(100):
            self.fences.raise_for(str(n), n, 1000)
        self.assertLess(len(self.fences), 3)
