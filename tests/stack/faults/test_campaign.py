"""
Tests of all faults in random order and combination, on the real servers.
"""

from __future__ import annotations

from collections.abc import Sequence

from twisted.internet.defer import Deferred

from tests.faults.campaign import CampaignTestCase
from tests.integration.installation import Installation
from tests.proxies import Proxy
from tests.stack.cluster import Cluster
from tests.stack.servers import needs

_FAULTS = (
    "kill",
    "kill",
    "kill",
    "stop",
    "stop",
    "restart",
    "clock",
    "clock",
    "half_open",
    "half_open",
    "swallow",
    "silent_connect",
)


async def cluster() -> tuple[Installation, Sequence[Proxy]]:
    """
    Return two Messages and two Connects, with a proxy in front of each Message.
    """
    installation = Cluster()
    proxies = []
    for message in installation.messages:
        proxy = await Proxy.open(message.port("rpc_listen"))
        message.extra["advertise"] = f"127.0.0.1:{proxy.port}"
        proxies.append(proxy)
    return installation, proxies


@needs("kafka", "mongo", "redis")
class ClusterCampaignTests(CampaignTestCase):
    """
    Two Messages and two Connects on Kafka, MongoDB and Redis.
    """

    def test_campaign(self) -> Deferred[None]:
        """
        P1 to P5 hold, whatever happens to daemons, clocks and ways.
        """
        return self.run_campaign(cluster, _FAULTS)
