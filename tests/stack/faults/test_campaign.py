"""
Tests of all faults in random order and combination, on the real servers.
"""

from __future__ import annotations

from collections.abc import Sequence

from twisted.internet.defer import Deferred

from tests.faults.campaign import DAEMON_FAULTS, CampaignTestCase
from tests.integration.installation import Installation
from tests.proxies import Proxy
from tests.stack.cluster import Cluster
from tests.stack.servers import needs, own_kafka, own_mongo, own_redis

_FAULTS = (*DAEMON_FAULTS, "kill")


_OF_SERVERS = (*["suspend_server"] * 5, *["kill_server"] * 3, "kill", "stop")


async def cluster(installation: Cluster) -> tuple[Installation, Sequence[Proxy]]:
    """
    Return two Messages and two Connects, with a proxy in front of each Message.
    """
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
        return self.run_campaign(lambda: cluster(Cluster()), _FAULTS)


class ServersCampaignTests(CampaignTestCase):
    """
    Two Messages and two Connects on servers of their own, which fail too.
    """

    def test_campaign(self) -> Deferred[None]:
        """
        P1 to P5 hold, whatever happens to the servers.
        """
        return Deferred.fromCoroutine(self.run_on_servers())

    async def run_on_servers(self) -> None:
        kafka = await own_kafka(self)
        mongo = await own_mongo(self)
        redis = await own_redis(self)

        servers = kafka.address, mongo.address, redis.address
        await self.run_campaign(
            lambda: cluster(Cluster(servers=servers)),
            _OF_SERVERS,
            [kafka, mongo, redis],
        )
