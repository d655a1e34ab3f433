"""
Tests of groups that one Message has accepted and that another one is asked for.
"""

from __future__ import annotations

import asyncio
from collections import Counter

from twisted.internet.defer import Deferred
from twisted.trial.unittest import TestCase

from tests.integration.device import Device
from tests.stack.cluster import Cluster
from tests.stack.servers import needs
from wsmsg.model import group_in
from wsmsg.protocol import client_pb2 as pb


@needs("kafka", "mongo", "redis")
class NewGroupTests(TestCase):
    """
    Two Messages and two Connects; reads go to the Messages in turn.
    """

    timeout = 240

    def test_read_at_once(self) -> Deferred[None]:
        """
        A member who reads a group as soon as its creation is accepted gets it, or is
        asked to come again, and is never refused for good.
        """
        cluster = Cluster()

        async def device(user: int, connect: int) -> Device:
            url = cluster.urls[connect]
            device = await Device.dial(url, cluster.token(user), user)
            await device.greet()
            return device

        async def check() -> None:
            try:
                await cluster.start()
                owner, friend = await device(1, 0), await device(2, 1)
                errors: Counter[str] = Counter()
                for n in range(30):
                    new = pb.CreateGroup(client_id=f"g{n}", name="crew", members=[2])
                    await owner.send_frame(create_group=new)
                    made = await owner.expect("accepted", client_id=f"g{n}")
                    for reader in (owner, friend, owner, friend):
                        errors += await self.refusals(reader, made.conversation, n)
                self.assertLessEqual(set(errors), {"unavailable"}, errors)
            finally:
                await cluster.stop()

        return Deferred.fromFuture(asyncio.ensure_future(check()))

    async def refusals(self, device: Device, conversation: str, n: int) -> Counter[str]:
        """
        Read the members and the messages of a group.

        @return: the codes of the errors.
        """
        group, request = group_in(conversation), f"r{n}"
        await device.send_frame(members=pb.Members(id=request, group=group))
        answers = [await device.expect(("group", "error"), id=request)]
        sync = pb.Sync(id=request, conversation=conversation)
        await device.send_frame(sync=sync)
        answers.append(await device.expect(("page", "error"), id=request))
        errors = [answer for answer in answers if isinstance(answer, pb.Error)]
        for error in errors:
            if error.code == "unavailable":
                self.assertGreater(error.retry_after_ms, 0)
        return Counter(error.code for error in errors)
