"""
Tests of the limits on clients, and of the errors for clients that exceed them.
"""

from __future__ import annotations

import asyncio
import time
from typing import Any

from websockets.asyncio.client import connect
from websockets.exceptions import InvalidStatus

from tests.integration.cases import IntegrationTestCase, eventually, with_daemons
from tests.integration.installation import http_get
from wsmsg.errors import Close
from wsmsg.protocol import client_pb2 as pb


class LimitTests(IntegrationTestCase):
    """
    P6: limits on sizes, rates and numbers for one user.
    """

    connect = {
        "limits.frame_bytes": 4096,
        "limits.content_bytes": 1000,
        "limits.sends_per_s": 20,
        "limits.sends_burst": 40,
        "limits.frames_per_s": 50,
        "limits.frames_burst": 100,
        "limits.connections_per_user": 2,
        "limits.watch": 10,
        "hello_timeout_s": 0.5,
    }

    @with_daemons
    async def test_told(self) -> None:
        """
        The welcome states the limits.
        """
        device = await self.dial(self.user())
        limits = (await device.greet()).limits
        self.assertEqual((limits.frame_bytes, limits.content_bytes), (4096, 1000))
        self.assertEqual((limits.sends_per_s, limits.watch), (20, 10))

    @with_daemons
    async def test_sizes(self) -> None:
        """
        P6: content over its limit is C{too_large} and the connection continues; a frame
        over its limit ends the connection with 1009.
        """
        one, two = self.user(), self.user()
        device = await self.device(one)
        self.assertTrue((await device.send(two, "id-1", "x" * 1000)).time)
        rejected = await device.send(two, "id-2", "é" * 501)
        self.assertEqual((rejected.code, rejected.retry_after_ms), ("too_large", 0))
        await device.send_bytes(b"x" * 4097)
        self.assertEqual(await device.closed(), Close.TOO_LARGE)

    @with_daemons
    async def test_fragments(self) -> None:
        """
        Messages in fragments of one byte are accepted, more slowly over the rate of
        frames; 64 fragments count like a frame.
        """
        one, two = self.user(), self.user()
        device = await self.device(one)
        started_s, count = time.monotonic(), 15
        for n in range(count):
            send = pb.Send(client_id=f"id-{n}", to=two, content="x" * 1000)
            data = device.encode_frame(send=send)
            assert isinstance(data, bytes)
            await device.send_bytes([data[i : i + 1] for i in range(len(data))])
        for n in range(count):
            self.assertTrue((await device.answer(f"id-{n}")).time)
        # They count like some 240 frames.
        self.assertGreater(time.monotonic() - started_s, 2)
        await device.send_bytes([b""] * 1026)
        self.assertEqual(await device.closed(), Close.RATE_LIMITED)

    @with_daemons
    async def test_sends_a_second(self) -> None:
        """
        P6: sends over the rate are C{rate_limited} with a retry hint, counted over all
        devices of a user; after the hint they are accepted; other users are not
        affected.
        """
        one, two = self.user(), self.user()
        phone, tablet = await self.device(one), await self.device(one, "tablet")
        for n in range(120):
            device = (phone, tablet)[n % 2]
            await device.send_frame(
                send=pb.Send(client_id=f"id-{n}", to=two, content="hi")
            )
        answers: dict[str, Any] = {}
        for n in range(120):
            answers[f"id-{n}"] = await (phone, tablet)[n % 2].answer(f"id-{n}")
        limited = [a for a in answers.values() if getattr(a, "code", "")]
        self.assertTrue(1 <= len(limited) <= 80, len(limited))
        for rejected in limited:
            self.assertEqual(rejected.code, "rate_limited")
            self.assertTrue(0 < rejected.retry_after_ms <= 1100, rejected)
        friend = await self.device(two)
        self.assertTrue((await friend.send(one, "id-1", "hi")).time)
        client_id = limited[0].client_id
        device = (phone, tablet)[int(client_id.removeprefix("id-")) % 2]
        await device.send_until_accepted(two, client_id, "hi")

    @with_daemons
    async def test_frames_a_second(self) -> None:
        """
        P6: a client that sends too many frames is read more slowly, and every frame is
        answered.
        """
        device = await self.device(self.user())
        begun = asyncio.get_running_loop().time()
        for n in range(150):
            await device.send_frame(ping=pb.Ping(nonce=str(n)))
        for n in range(150):
            await device.expect("pong", nonce=str(n))
        self.assertGreater(asyncio.get_running_loop().time() - begun, 0.5)

    @with_daemons
    async def test_devices_of_a_user(self) -> None:
        """
        P6: a user cannot connect more devices than the limit until one of them
        disconnects.
        """
        user = self.user()
        one, _ = await self.device(user, "one"), await self.device(user, "two")
        three = await self.dial(user)
        await three.send_frame(hello=pb.Hello(device="three"))
        self.assertEqual((await three.expect("error")).code, "overloaded")
        self.assertEqual(await three.closed(), Close.RATE_LIMITED)
        await one.close()
        await self.device(user, "three")

    @with_daemons
    async def test_watch(self) -> None:
        """
        P6: a C{watch} with too many users is refused.
        """
        device = await self.device(self.user())
        await device.send_frame(watch=pb.Watch(users=range(1, 12)))
        self.assertEqual((await device.expect("error")).code, "bad_request")

    @with_daemons
    async def test_no_hello(self) -> None:
        """
        P6: a connection without a hello is closed with 4502.
        """
        device = await self.dial(self.user())
        self.assertEqual(await device.closed(), Close.STALE)


class OverloadTests(IntegrationTestCase):
    """
    P6: the number of sends in flight at Message.
    """

    message = {"appends_in_flight": 4}

    @with_daemons
    async def test_overloaded(self) -> None:
        """
        P6: sends beyond the number in flight are rejected as C{overloaded} with a retry
        hint (and so are those behind them, to keep the order), and accepted when they
        are sent again.
        """
        devices = [await self.device(self.user()) for _ in range(6)]
        to = self.user()
        for n in range(10):
            for device in devices:
                send = pb.Send(client_id=f"id-{n}", to=to, content="hi")
                await device.send_frame(send=send)
        refused, codes = [], set()
        for device in devices:
            for n in range(10):
                answer = await device.answer(f"id-{n}")
                if getattr(answer, "code", ""):
                    self.assertGreater(answer.retry_after_ms, 0, answer)
                    codes.add(answer.code)
                    refused.append((device, f"id-{n}"))
        self.assertIn("overloaded", codes)
        self.assertEqual(codes - {"overloaded", "unavailable"}, set())
        for device, client_id in refused:
            await device.send_until_accepted(to, client_id, "hi")
        for device in devices:
            for n in range(10):
                await device.expect("deliver", client_id=f"id-{n}")
        reader = await self.dial(to)
        heads = (await reader.greet()).heads
        self.assertEqual([h.head for h in heads], [10] * 6)


class CrowdTests(IntegrationTestCase):
    """
    P6: numbers of connections. These tests need no Message.
    """

    alone = True
    connect = {
        "limits.connections": 7,
        "limits.connections_per_address": 4,
        "heartbeat_s": 30,
    }

    async def come(self, address: str) -> tuple[int, Any]:
        """
        Open a WebSocket from an address of this machine.

        @return: the HTTP status, with the response headers if it was refused.
        """
        try:
            connection = await connect(
                self.installation.url,
                local_addr=(address, 0),
                subprotocols=["wsmsg.v1.json"],  # type: ignore[list-item]
                compression=None,
                ping_interval=None,
                close_timeout=1,
            )
        except InvalidStatus as e:
            return e.response.status_code, e.response.headers
        self.at_end(connection.close)
        return 101, connection

    @with_daemons
    async def test_crowd(self) -> None:
        """
        P6: connections over the limits for an address and for the node are refused with
        429 and 503 and the time to retry; existing connections stay, and a closed one
        makes room.
        """
        await self.begin()
        here = [await self.come("127.0.0.1") for _ in range(4)]
        self.assertEqual([status for status, _ in here], [101] * 4)
        status, headers = await self.come("127.0.0.1")
        self.assertEqual((status, headers["Retry-After"]), (429, "1"))
        others = [await self.come(f"127.0.0.{n}") for n in range(2, 9)]
        self.assertEqual([status for status, _ in others], [101] * 3 + [503] * 4)
        self.assertEqual(others[-1][1]["Retry-After"], "1")
        for _, connection in here[1:]:
            pong = await connection.ping()
            await asyncio.wait_for(pong, 45)
        await here[0][1].close()
        await eventually("room", lambda: self._comes("127.0.0.9"))

    @with_daemons
    async def test_handshakes(self) -> None:
        """
        P6: handshakes over the rate are refused with 429 and the time to retry.
        """
        self.installation.connect.extra["limits.handshakes_per_s"] = 2
        await self.begin()
        came = await asyncio.gather(*(self.come(f"127.0.0.{n}") for n in range(2, 9)))
        statuses = [status for status, _ in came]
        self.assertEqual(set(statuses), {101, 429})
        self.assertGreaterEqual(statuses.count(101), 2)
        [after] = {headers["Retry-After"] for status, headers in came if status == 429}
        await asyncio.sleep(int(after))  # the test is that waiting helps
        self.assertTrue(await self._comes("127.0.0.9"))

    async def begin(self) -> None:
        """
        Start Connect alone.
        """
        await self.installation.connect.start()
        port = self.installation.ports["connect.listen"]
        await eventually("listening", lambda: self._answers(port), 30)

    async def _answers(self, port: int) -> bool:
        status, _ = await http_get(port, "/healthz")
        return status == 200

    async def _comes(self, address: str) -> bool:
        return (await self.come(address))[0] == 101
