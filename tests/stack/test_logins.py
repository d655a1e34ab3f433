"""
Tests of logins of one device at the same moment, at several Connects and Messages.
"""

from __future__ import annotations

import asyncio

from twisted.internet.defer import Deferred
from twisted.trial.unittest import TestCase

from tests.integration.device import Device
from tests.integration.logins import rounds_of_logins
from tests.stack.cluster import Cluster
from tests.stack.servers import needs


@needs("kafka", "mongo", "redis")
class LoginTests(TestCase):
    """
    Two Messages, which may hear of two logins in different orders.
    """

    timeout = 240

    def test_two_logins(self) -> Deferred[None]:
        """
        Exactly one of two logins of a device at two Connects at the same moment
        remains, in each of 50 rounds.
        """
        cluster = Cluster()

        async def dial(user: int, connect: int) -> Device:
            url = cluster.urls[connect]
            return await Device.dial(url, cluster.token(user), user)

        async def check() -> None:
            try:
                await cluster.start()
                await rounds_of_logins(dial, connects=2, rounds=50)
            finally:
                await cluster.stop()

        return Deferred.fromFuture(asyncio.ensure_future(check()))
