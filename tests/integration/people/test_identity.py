"""
Tests that a message that is sent again is the same message.
"""

from __future__ import annotations

from tests.integration.cases import IntegrationTestCase, with_daemons
from tests.integration.device import Device
from wsmsg.model import conversation_of
from wsmsg.protocol import client_pb2 as pb


class IdentityTests(IntegrationTestCase):
    """
    P2, as far as a client can see it.
    """

    async def first_send(self) -> tuple[int, int, int]:
        """
        Send C{hello} from one user to another, with the client id C{id-1}.

        @return: both users, and the time of acceptance.
        """
        one, two = self.user(), self.user()
        device = await self.device(one)
        accepted = await device.send(two, "id-1", "hello")
        # Stored, so that Message does not need its memory to recognise the repeat.
        await device.expect("deliver", client_id="id-1")
        await device.close()
        return one, two, accepted.time

    async def stored(self, device: Device, other: int) -> list[pb.Deliver]:
        """
        Return the whole conversation.
        """
        conversation = conversation_of(device.user, other)
        await device.send_frame(sync=pb.Sync(id="all", conversation=conversation))
        page = await device.expect("page", id="all")
        return list(page.messages)

    async def check(self, one: int, two: int, time: int, name: str) -> None:
        """
        Check that a repeat gets the first answer, that the same id with another body is
        refused, and that one message is stored.
        """
        device = await self.device(one, name)
        again = await device.send(two, "id-1", "hello")
        self.assertEqual(getattr(again, "time", again), time)
        other = await device.send(two, "id-1", "something else")
        self.assertEqual((other.code, other.retry_after_ms), ("conflict", 0))
        [message] = await self.stored(device, two)
        self.assertEqual((message.content, message.time), ("hello", time))

    @with_daemons
    async def test_after_reconnect(self) -> None:
        """
        P2: a client that lost its connection and sends again gets the time of the first
        acceptance, and one message is stored; another body is a conflict.
        """
        one, two, time = await self.first_send()
        await self.check(one, two, time, "phone")

    @with_daemons
    async def test_another_device(self) -> None:
        """
        P2: the same holds when another device of the user sends it again.
        """
        one, two, time = await self.first_send()
        await self.check(one, two, time, "tablet")

    @with_daemons
    async def test_after_message_restarted(self) -> None:
        """
        P2: the same holds after Message was killed and restarted.
        """
        one, two, time = await self.first_send()
        await self.installation.message.kill()
        await self.installation.message.start()
        await self.installation.message.ready()
        await self.installation.connect.ready()
        await self.check(one, two, time, "phone")

    @with_daemons
    async def test_at_once(self) -> None:
        """
        P2: a send that is repeated while the first is in flight is accepted once.
        """
        one, two = self.user(), self.user()
        device = await self.device(one)
        for _ in range(20):
            await device.send_frame(
                send=pb.Send(client_id="id-1", to=two, content="hello")
            )
        times = {(await device.expect("accepted")).time for _ in range(20)}
        self.assertEqual(len(times), 1)
        await device.expect("deliver")
        self.assertEqual(len(await self.stored(device, two)), 1)

    @with_daemons
    async def test_of_another_user(self) -> None:
        """
        P2: client ids are per sender: another user may use the same one.
        """
        one, two = self.user(), self.user()
        first, second = await self.device(one), await self.device(two)
        await first.send(two, "id-1", "from one")
        answer = await second.send(one, "id-1", "from two")
        self.assertTrue(answer.time, answer)
        await second.expect("deliver", content="from one")
        await second.expect("deliver", content="from two")
        self.assertEqual(len(await self.stored(first, two)), 2)
