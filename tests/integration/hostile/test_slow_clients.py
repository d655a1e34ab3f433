"""
Tests of clients that do not read, and clients that send too much at once.
"""

from __future__ import annotations

import asyncio
import signal

from tests.integration.cases import (
    IntegrationTestCase,
    eventually,
    metric,
    with_daemons,
)
from tests.integration.device import Device
from wsmsg.errors import Close
from wsmsg.model import conversation_of
from wsmsg.protocol import client_pb2 as pb

_CONTENT = "x" * 12_000
_HARD = 524_288
_WINDOW = 16
#: Sends in flight during a flood.
_BURST = 10
_MB = 2**20


class SlowClientTests(IntegrationTestCase):
    """
    P6: no client can make Connect's memory grow without bound.
    """

    connect = {
        "limits.outbox_soft_bytes": 16384,
        "limits.outbox_hard_bytes": _HARD,
        "limits.outbox_drain_s": 4,
        "limits.window": _WINDOW,
        "limits.sends_per_s": 10_000,
        "limits.sends_burst": 10_000,
        "limits.frames_per_s": 10_000,
        "limits.frames_burst": 10_000,
        # Longer than the kernel's buffers take to fill on a slow disk: a client
        # that reads nothing for this long is dead, not slow.
        "heartbeat_s": 60,
        "close_timeout_s": 8,
        "send_timeout_s": 15,
    }

    async def demoted(self) -> float:
        return await metric(self.installation.connect, "wsmsg_connect_demoted_total")

    async def closed_as_slow(self) -> float:
        name = 'wsmsg_connect_closes_total{reason="SLOW_CLIENT"}'
        return await metric(self.installation.connect, name)

    async def flood(self, sender: Device, to: int, most: int = 3000) -> int:
        """
        Send until a client is demoted to syncing.

        @return: the number of messages sent.
        """
        before = await self.demoted()
        for last in range(_BURST, most + 1, _BURST):
            burst = range(last - _BURST + 1, last + 1)
            for n in burst:
                send = pb.Send(client_id=f"id-{n}", to=to, content=_CONTENT)
                await sender.send_frame(send=send)
            for n in burst:
                answer = await sender.answer(f"id-{n}")
                self.assertTrue(getattr(answer, "time", 0), answer)
            if await self.demoted() > before:
                self.assertEqual(sender.all("resync"), [])
                return last
        raise AssertionError(f"nobody was demoted by {most} messages")

    async def all_of(self, device: Device, other: int, n: int) -> None:
        """
        Sync, and check that every message arrives.
        """
        name, seq = conversation_of(device.user, other), 0
        while seq < n:
            await device.send_frame(
                sync=pb.Sync(id=f"s{seq}", conversation=name, after=seq)
            )
            page = await device.expect("page", id=f"s{seq}")
            seqs = [m.seq for m in page.messages]
            self.assertEqual(seqs, [*range(seq + 1, seq + 1 + len(seqs))])
            seq = seqs[-1]
        self.assertEqual(seq, n)

    @with_daemons
    async def test_drains(self) -> None:
        """
        P6: a client that does not read during a flood is demoted, costs Connect no
        memory, and delays no other client; when it reads again it gets C{resync}, and
        every message by sync.
        """
        one, two, three = self.user(), self.user(), self.user()
        sender = await self.device(one)
        slow = await self.device(two, receive_bytes=8192)
        other = await self.device(three)
        await sender.send(three, "warm", _CONTENT)
        slow.pause_reading()
        before = self.installation.connect.rss_bytes()
        n = await self.flood(sender, two)
        self.assertLess(self.installation.connect.rss_bytes() - before, 12 * _MB)
        self.assertGreater(n * len(_CONTENT), _HARD)
        await sender.send(three, "for-three", "hello")
        await other.expect("deliver", 2, content="hello")
        slow.resume_reading()
        await slow.expect("resync")
        heard = [m.seq for m in slow.all("deliver")]
        self.assertEqual(heard, [*range(1, len(heard) + 1)])
        self.assertLess(len(heard), n)
        await self.all_of(slow, one, n)
        await sender.send(two, "after", "hello again")
        await slow.expect("deliver", content="hello again")

    @with_daemons
    async def test_never_drains(self) -> None:
        """
        P6: a client that does not read for too long is closed with 4002, and has lost
        nothing when it returns.
        """
        one, two = self.user(), self.user()
        sender = await self.device(one)
        slow = await self.device(two, receive_bytes=8192)
        slow.pause_reading()
        before = await self.closed_as_slow()
        n = await self.flood(sender, two)
        await eventually("closed", lambda: self._closed_more(before))
        slow.resume_reading()
        self.assertEqual(await slow.closed(), Close.SLOW_CLIENT)
        await self.all_of(await self.device(two), one, n)

    async def _closed_more(self, before: float) -> bool:
        return await self.closed_as_slow() > before

    @with_daemons
    async def test_window(self) -> None:
        """
        P6: while Message does not answer, Connect reads no more of a client than its
        window; afterwards each send is answered.
        """
        one, two = self.user(), self.user()
        message, connect = self.installation.message, self.installation.connect
        device = await self.device(one)
        before = connect.rss_bytes()
        await message.signal(signal.SIGSTOP)
        try:
            saying = asyncio.ensure_future(self._say_much(device, two, 1500))
            await eventually("the window is full", lambda: self._unanswered(_WINDOW))
            # A full second in which Connect would read more if the window allowed it.
            await asyncio.sleep(1)
            self.assertFalse(saying.done())
            self.assertTrue(await self._unanswered(_WINDOW))
            self.assertLess(connect.rss_bytes() - before, 8 * _MB)
            await (await self.device_of_another()).pong()
        finally:
            await message.signal(signal.SIGCONT)
        await saying
        for n in range(1500):
            answer = await device.answer(f"id-{n}")
            self.assertTrue(getattr(answer, "time", 0), answer)

    async def device_of_another(self) -> Device:
        device = await self.dial(self.user())
        await device.send_frame(hello=pb.Hello(device="other"))
        await device.expect("welcome")
        return device

    async def _say_much(self, device: Device, to: int, n: int) -> None:
        for i in range(n):
            send = pb.Send(client_id=f"id-{i}", to=to, content=_CONTENT)
            await device.send_frame(send=send)

    async def _unanswered(self, least: int) -> bool:
        _, status = await self.installation.connect.get("/status")
        unanswered = status["connect"]["upstream"]["sends_unanswered"]
        self.assertLessEqual(unanswered, _WINDOW + 1)
        return bool(unanswered > least)
