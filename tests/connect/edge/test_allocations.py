"""
Memory for checks by address.
"""

from __future__ import annotations

import gc
import tracemalloc

from twisted.trial.unittest import SynchronousTestCase

from tests.connect.websocket.port_in_memory import Edge
from wsmsg.connect.edge.budgets import group_of

_EDGE = (
    tracemalloc.Filter(True, "*/wsmsg/connect/edge/*"),
    tracemalloc.Filter(True, "*/wsmsg/flow/*"),
)


class AllocationTests(SynchronousTestCase):
    """
    Addresses that nothing is held against.
    """

    def kept_bytes(self, edge: Edge, address: str) -> int:
        """
        Return the bytes that are kept after a thousand checks of an address, five a
        second, which is nothing to hold against it.
        """
        admission = edge.admission

        def check() -> None:
            self.assertTrue(admission.hear(address))
            self.assertIsNone(admission.admit_handshake(address))
            edge.clock.advance(0.2)

        check()
        gc.collect()
        tracemalloc.start()
        self.addCleanup(tracemalloc.stop)
        before = tracemalloc.take_snapshot().filter_traces(_EDGE)
        for _ in range(1000):
            check()
        after = tracemalloc.take_snapshot().filter_traces(_EDGE)
        tracemalloc.stop()
        return sum(one.size_diff for one in after.compare_to(before, "filename"))

    def test_quiet(self) -> None:
        """
        Checks of an address that is quiet allocate nothing: neither one that has a
        connection, nor one that has none, of IPv4 or of IPv6.
        """
        for address in ("10.0.0.1", "2001:db8:7::1"):
            edge = Edge()
            # What replaces the time and the tokens of a bucket has the same size.
            self.assertLess(self.kept_bytes(edge, address), 200)
            self.assertEqual(len(edge.admission._budgets), 0)
            edge.admission.admit(address)
            self.assertLess(self.kept_bytes(edge, address), 200)
            self.assertEqual(len(edge.admission._budgets), 1)
            self.assertIs(group_of(address), group_of(address))
