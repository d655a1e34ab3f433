"""
Tests of all faults in random order and combination, on the embedded backends.
"""

from __future__ import annotations

from collections.abc import Sequence

from twisted.internet.defer import Deferred

from tests.faults.campaign import DAEMON_FAULTS, CampaignTestCase
from tests.integration.installation import Installation
from tests.proxies import Proxy

_FAULTS = (*DAEMON_FAULTS, "full_disk")


async def embedded() -> tuple[Installation, Sequence[Proxy]]:
    """
    Return one Message and one Connect, with a proxy between them.
    """
    installation = Installation()
    proxy = await Proxy.open(installation.message.port("rpc_listen"))
    installation.ports["upstream"] = proxy.port
    return installation, [proxy]


class CampaignTests(CampaignTestCase):
    """
    One Message and one Connect on the embedded backends.
    """

    def test_campaign(self) -> Deferred[None]:
        """
        P1 to P5 hold, whatever happens to daemons, clocks, ways and disks.
        """
        return self.run_campaign(embedded, _FAULTS)
