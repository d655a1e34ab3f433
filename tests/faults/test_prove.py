"""
Tests of all faults under load, on the embedded backends: the promises hold.
"""

from __future__ import annotations

from twisted.internet.defer import Deferred

from tests.faults.proof import ProofTestCase
from wsmsg.prove.campaign.target import embedded


class EmbeddedProofTests(ProofTestCase):
    """
    One Message and one Connect.
    """

    def test_promises(self) -> Deferred[None]:
        """
        P1 to P10 hold, whatever happens to daemons, clients, clocks, ways and disks.
        """
        return self.prove(embedded)
