"""
Tests of daemons that are stopped while users talk.
"""

from __future__ import annotations

import asyncio
import signal
from typing import Any

from tests.integration.cases import IntegrationTestCase, with_daemons
from tests.integration.device import Device
from tests.stalls import Span
from wsmsg.errors import Close
from wsmsg.model import conversation_of
from wsmsg.protocol import client_pb2 as pb

_STOP_S = 10.0


class StoppingTests(IntegrationTestCase):
    """
    P10: clients see a clean end, and nothing is lost.
    """

    message = {"stop_s": _STOP_S}
    connect = {
        "stop_s": _STOP_S,
        "drain.per_s": 20,
        "limits.sends_per_s": 10_000,
        "limits.sends_burst": 10_000,
        "alternatives": "wss://elsewhere.example/",
    }

    async def talk(self, device: Device, to: int) -> list[str]:
        """
        Send messages until the connection ends.

        @return: the client ids.
        """
        said: list[str] = []
        while not device.over:
            said.append(f"id-{len(said)}")
            send = pb.Send(client_id=said[-1], to=to, content=said[-1])
            await device.send_frame(send=send)
            if len(said) % 8 == 0:
                await device.pong_or_end()
        return said

    async def stored(self, one: int, two: int) -> list[pb.Deliver]:
        """
        Return the whole conversation from the store.
        """
        device, after, found = await self.device(one, "reader"), 0, []
        name = conversation_of(one, two)
        while True:
            await device.send_frame(
                sync=pb.Sync(id="s", conversation=name, after=after)
            )
            page = await device.expect("page", id="s")
            found += page.messages
            if not page.more:
                return found
            after = found[-1].seq

    @with_daemons
    async def test_connect(self) -> None:
        """
        P10: a Connect that is stopped tells each client to reconnect elsewhere and
        when, answers the sends that it has read, closes with 1012 and ends with status
        0 in time.
        """
        pairs = [(self.user(), self.user()) for _ in range(5)]
        devices = [await self.device(one) for one, _ in pairs]
        silent = await self.device(self.user())
        talking = [
            asyncio.ensure_future(self.talk(device, two))
            for device, (_, two) in zip(devices, pairs, strict=True)
        ]
        for device in devices:
            await device.expect("deliver", seq=20)
        span = Span()
        self.assertEqual(await self.installation.connect.terminate(), 0)
        span.check(_STOP_S)
        said = await asyncio.gather(*talking)
        for device in [*devices, silent]:
            self.assertEqual(await device.closed(), Close.DRAIN)
            [goaway] = device.all("goaway")
            self.assertTrue(0 <= goaway.after_ms <= 100, goaway)
            self.assertEqual(goaway.alternatives, ["wss://elsewhere.example/"])
        await self._running()
        for device, (one, two), ids in zip(devices, pairs, said, strict=True):
            await self.check(device, one, two, ids)

    async def check(self, device: Device, one: int, two: int, ids: list[str]) -> None:
        """
        Check that every accepted message is stored, once and in order, that no message
        was rejected, and that a send without an answer was either not read or is stored
        all the same.
        """
        self.assertEqual(device.all("rejected"), [])
        accepted = {a.client_id for a in device.all("accepted")}
        stored = [m.client_id for m in await self.stored(one, two)]
        self.assertEqual(stored, ids[: len(stored)])
        self.assertEqual(accepted - set(stored), set())

    @with_daemons
    async def test_message(self) -> None:
        """
        P10: a Message that is stopped ends with status 0 in time; clients stay
        connected, and the next Message accepts what they send meanwhile, with nothing
        rejected, lost or duplicated.
        """
        one, two = self.user(), self.user()
        sender, receiver = self.person(one), self.person(two)
        await sender.until(lambda: sender.connects == 1)
        await receiver.until(lambda: receiver.connects == 1)
        talking = asyncio.ensure_future(self._say(sender, two, 400))
        await receiver.until_taken(conversation_of(one, two), 50)
        span = Span()
        self.assertEqual(await self.installation.message.terminate(), 0)
        span.check(_STOP_S)
        await self.installation.message.start()
        await talking
        taken = await receiver.until_taken(conversation_of(one, two), 400)
        self.assertEqual([m.content for m in taken], [str(n) for n in range(400)])
        await sender.until(lambda: sender.idle)
        self.assertEqual(sender.problems + receiver.problems + sender.rejected, [])
        self.assertEqual((sender.connects, receiver.connects), (1, 1))

    async def _say(self, sender: Any, to: int, n: int) -> None:
        for i in range(n):
            await sender.send(to, str(i))
            if i % 20 == 0:
                await sender.until(lambda: sender.waiting < 40)

    @with_daemons
    async def test_second_signal(self) -> None:
        """
        P10: a second SIGTERM ends a daemon at once, with status 1.
        """
        connect = self.installation.connect
        await connect.terminate()
        connect.extra["drain.per_s"] = 0.5
        try:
            await self._running()
            devices = [await self.device(self.user()) for _ in range(4)]
            before = len(connect.lines())
            await connect.signal(signal.SIGTERM)
            await connect.until_logged("stopping: received SIGTERM")
            # Clients are notified one after the other, so others are still connected.
            ends = [asyncio.ensure_future(d.expect("goaway")) for d in devices]
            _, left = await asyncio.wait(ends, return_when=asyncio.FIRST_COMPLETED)
            self.assertTrue(left)
            self.assertTrue(connect.running)
            span = Span()
            self.assertEqual(await connect.terminate(), 1)
            span.check(1)
            await asyncio.gather(*ends, return_exceptions=True)
            last = connect.lines()[before:]
            self.assertTrue(
                [x for x in last if "exiting at once: received SIGTERM" in x]
            )
        finally:
            connect.extra["drain.per_s"] = 20


class EarlyStopTests(IntegrationTestCase):
    """
    P10: daemons that are stopped while they start.
    """

    alone = True

    @with_daemons
    async def test_early_stop(self) -> None:
        """
        P10: SIGTERM at any time after the first line of the log ends a daemon with
        status 0 and no error in its log, while its peers dial it.
        """
        for stopped, peer in (
            (self.installation.message, self.installation.connect),
            (self.installation.connect, self.installation.message),
        ):
            await peer.start()
            for delay_s in (0, 0.02, 0.05, 0.1, 0.3):
                stopped.log.unlink(missing_ok=True)
                await stopped.start()
                await stopped.until_logged(": node ")
                await asyncio.sleep(delay_s)  # the time of the signal is the subject
                self.assertEqual(await stopped.terminate(), 0, stopped.tail())
                wrong = [x for x in stopped.lines() if "#error]" in x or "#crit" in x]
                self.assertEqual(wrong, [])
            await peer.terminate()
