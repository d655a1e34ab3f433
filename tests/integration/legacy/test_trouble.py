"""
Tests of legacy clients while daemons stop and start, and of redelivery.
"""

from __future__ import annotations

import asyncio
from typing import Any, ClassVar

from tests.conformance.contract import TEXT
from tests.conformance.websocket import PING, Frame
from tests.integration.cases import eventually, with_daemons
from tests.integration.legacy.cases import LegacyTestCase
from wsmsg.errors import Close


class TroubleTests(LegacyTestCase):
    """
    Daemons that stop and start under legacy clients.
    """

    alone = True
    connect: ClassVar[dict[str, Any]] = {
        **LegacyTestCase.connect,
        "send_timeout_s": 1,
        "resync_spread_s": 0.2,
        "retry.cap_s": 0.5,
        "log.level": "debug",
    }

    @with_daemons
    async def test_message_killed(self) -> None:
        """
        Message is killed and restarted while clients send: every message arrives, once
        and in order, including those of a client that disconnected meanwhile.
        """
        message = self.installation.message
        await self.installation.start()
        one, two = await self.client(), await self.client()
        gone = await self.client()
        await one.send_text(two.user, "0")
        await two.expect("0")
        await message.kill()
        for n in range(1, 100):
            await one.send_text(two.user, str(n))
        await gone.send_text(one.user, "I must go")
        await gone.drop()
        await message.start()
        for n in range(100, 200):
            await one.send_text(two.user, str(n))
        await one.expect("I must go")
        await self.expect_exactly(two, [str(n) for n in range(200)])

    @with_daemons
    async def test_late_message(self) -> None:
        """
        Legacy clients may connect before Message starts; their messages arrive when it
        does.
        """
        message, connect = self.installation.message, self.installation.connect
        await connect.start()
        await connect.until_logged("attempt 2 failed")
        one, two = await self.client(), await self.client()
        for n in range(30):
            await one.send_text(two.user, str(n))
        await connect.until_logged("attempt 5 failed")
        await message.start()
        await self.expect_exactly(two, [str(n) for n in range(30)])

    @with_daemons
    async def test_stopped(self) -> None:
        """
        Connect stops while a client sends without a pause: every message that the
        client sent before it learned of the stop is stored.
        """
        await self.installation.start()
        connect = self.installation.connect
        one, two = await self.client(), await self.device(self.user())
        sent = 0

        async def talk() -> None:
            nonlocal sent
            while one.connected:
                await one.send_text(two.user, str(sent))
                sent += 1
                if sent % 16 == 0:  # the number of messages in flight
                    one.socket.write(Frame(PING, b""))
                    await one.socket.pongs.count(sent // 16)

        talking = asyncio.ensure_future(talk())
        await two.expect("deliver", content="50")
        ending = asyncio.ensure_future(connect.terminate())
        await one.ends.count(1)
        talking.cancel()
        await asyncio.gather(talking, return_exceptions=True)
        self.assertEqual(await ending, 0)
        self.assertEqual(one.ends[0], Close.DRAIN)
        await connect.start()
        await connect.ready()
        reader = await self.client(one.user)
        await two.close()
        self.assertGreater(sent, 50)
        reader_two = self.person(two.user)
        await eventually(
            "all is stored", lambda: len(_contents(reader_two)) >= sent - 1
        )
        stored = _contents(reader_two)
        self.assertEqual(stored, [str(n) for n in range(len(stored))])
        await reader.drop()


class RedeliverTests(LegacyTestCase):
    """
    Redelivery with C{legacy.redeliver}.
    """

    connect: ClassVar[dict[str, Any]] = {
        **LegacyTestCase.connect,
        "legacy.redeliver": True,
        "limits.page": 7,
    }

    @with_daemons
    async def test_again(self) -> None:
        """
        Connect delivers unacknowledged messages again whenever the client returns,
        oldest first, until the client acknowledges them.
        """
        one, two = await self.client(), self.user()
        for n in range(30):
            await one.send_text(two, str(n))
        shy = await self.client(two, acknowledges=False)
        await self.expect_exactly(shy, [str(n) for n in range(30)])
        await shy.drop()
        keen = await self.client(two)
        await self.expect_exactly(keen, [str(n) for n in range(30)])
        ids = [
            [m.message_id for m in c.received if m.message_type == TEXT]
            for c in (shy, keen)
        ]
        self.assertEqual(*ids)

        async def settled() -> bool:
            await keen.relogin()
            before = len(keen.received)
            await one.send_text(two, "now")
            await keen.received.find(lambda m: m.content == "now", "now", since=before)
            texts = [m for m in keen.received.items[before:] if m.message_type == TEXT]
            return [m.content for m in texts] == ["now"]

        await eventually("nothing is unread", settled)

    @with_daemons
    async def test_one_of_many(self) -> None:
        """
        An acknowledgement is of one message, not of those before it.
        """
        one, two = await self.client(), await self.client(acknowledges=False)
        for n in range(5):
            await one.send_text(two.user, str(n))
        await two.expect("4")
        for content in ("1", "3"):
            await two.acknowledge(await two.expect(content))

        async def left() -> bool:
            again = await self.client(two.user, acknowledges=False)
            await again.expect("4")
            found = again.texts()
            await again.drop()
            return found == ["0", "2", "4"]

        await eventually("only two are read", left)


def _contents(client: Any) -> list[str]:
    """
    Return the contents in the only conversation of a wsmsg client.
    """
    (taken,) = client.taken.values() or ([],)
    return [m.content for m in taken]
