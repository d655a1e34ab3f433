"""
Tests of the stream between real daemons that breaks on one side only, or could be
opened twice.
"""

from __future__ import annotations

import asyncio
import time
from typing import Any, ClassVar

from tests.integration.cases import (
    IntegrationTestCase,
    eventually,
    metric,
    with_daemons,
)
from wsmsg.protocol import client_pb2 as pb
from wsmsg.prove.faults.proxy import Proxy


class StreamsTestCase(IntegrationTestCase):
    """
    Base class of tests that choose the addresses at which Connect finds Message.
    """

    alone = True

    async def found_at(self, *addresses: str) -> None:
        """
        Start the daemons; Connect finds Message at these addresses.
        """
        connect = self.installation.connect
        connect.extra["discovery"] = f"static:{','.join(addresses)}"
        await self._running()

    async def resyncs(self) -> float:
        return await metric(self.installation.connect, "wsmsg_connect_resyncs_total")


class OneSideTests(StreamsTestCase):
    """
    Connections that are reset at Connect only, as by a middlebox.
    """

    @with_daemons
    async def test_reset_at_connect(self) -> None:
        """
        A connection to Message that only Connect sees reset is resumed at once: sends
        are answered and pushed, each time, and no link is given up.
        """
        message = self.installation.message
        proxy = await Proxy.open(message.port("rpc_listen"))
        self.at_end(proxy.close)
        await self.found_at(f"127.0.0.1:{proxy.port}")
        one = await self.device(self.user())
        two = await self.device(self.user())
        for n in range(5):
            proxy.reset_clients()
            started = time.monotonic()
            await one.send_until_accepted(two.user, f"c{n}", f"text {n}")
            await two.expect("deliver", content=f"text {n}")
            self.assertLess(time.monotonic() - started, 3)
        self.assertEqual(self.installation.logged("given up"), [])


class TwoAddressesTests(StreamsTestCase):
    """
    A Message that discovery names twice: by a name and by a number.
    """

    @with_daemons
    async def test_one_stream(self) -> None:
        """
        Connect opens one stream, which stays; both addresses are up and no client
        syncs again.
        """
        port = self.installation.message.port("rpc_listen")
        connect = self.installation.connect
        await self.found_at(f"127.0.0.1:{port}", f"localhost:{port}")
        one = await self.device(self.user())
        two = await self.device(self.user())
        await eventually("both up", self._both_up)
        before = await self.resyncs()
        await asyncio.sleep(7)  # longer than the second address waits
        await one.send_until_accepted(two.user, "c1", "hello")
        await two.expect("deliver", content="hello")
        self.assertEqual(await self.resyncs(), before)
        self.assertEqual(self.installation.logged("another stream of the same"), [])
        self.assertEqual(self.installation.logged("lost after"), [])
        _, status = await connect.get("/readyz")
        self.assertIn("by another address", str(status))

    async def _both_up(self) -> bool:
        _, status = await self.installation.connect.get("/readyz")
        found = [d for d in status["dependencies"] if d["name"].startswith("message ")]
        return [d["state"] for d in found] == ["up", "up"]


class LogLinesTests(StreamsTestCase):
    """
    The log of both daemons when a stream with many sessions is cut.
    """

    connect: ClassVar[dict[str, Any]] = {
        "limits.connections_per_address": 1000,
        "limits.handshakes_per_s": 1000,
    }

    @with_daemons
    async def test_one_cut(self) -> None:
        """
        One cut is a few lines in each log, each of them once, however many sessions and
        watchers there are; so is a Message that is killed.
        """
        message, connect = self.installation.message, self.installation.connect
        proxy = await Proxy.open(message.port("rpc_listen"))
        self.at_end(proxy.close)
        await self.found_at(f"127.0.0.1:{proxy.port}")
        users = [self.user() for _ in range(200)]
        devices = [await self.device(user) for user in users]
        for device in devices:
            await device.send_frame(watch=pb.Watch(users=users[:50]))
            await device.pong()
        n_connect, n_message = len(connect.lines()), len(message.lines())
        proxy.reset_clients()
        await message.until_logged(", resumed")
        await devices[0].send_until_accepted(users[1], "a", "hi")
        in_message = message.lines()[n_message:]
        losses = self.check(connect.lines()[n_connect:], 5)
        self.assertLessEqual(len(in_message), 4 * losses, "\n".join(in_message))
        self.assertLessEqual(lines_with(in_message, ", resumed"), losses, in_message)
        n_connect = len(connect.lines())
        await message.kill()
        await connect.ready(False)
        await message.start()
        await connect.ready()
        await devices[0].send_until_accepted(users[1], "b", "hi")
        self.check(connect.lines()[n_connect:], 7)

    def check(self, lines: list[str], most: int) -> int:
        """
        Check that a loss of the stream is at most so many lines, one of which says that
        it was lost and one that it is up again.

        A process that gets no core for a while is silent for its peers: the stream is
        lost once more then, and a session of the test ends, each for its own reason.

        @return: the number of losses.
        """
        ours = [line for line in lines if "Session#info]" not in line]
        losses = lines_with(ours, ": lost after")
        told = "\n".join(lines)
        self.assertGreaterEqual(losses, 1, told)
        self.assertEqual(lines_with(ours, ": up after"), losses, told)
        self.assertLessEqual(len(ours), most * losses, told)
        ended = [
            line.split("of ", 1)[1].split()[0] for line in lines if line not in ours
        ]
        self.assertEqual(len(set(ended)), len(ended), told)
        return losses


def lines_with(lines: list[str], text: str) -> int:
    """
    Return the number of lines that contain this text.
    """
    return sum(text in line for line in lines)
