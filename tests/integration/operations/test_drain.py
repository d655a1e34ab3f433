"""
Clients that are moved to another Connect by an operator, and come back by themselves.
"""

from __future__ import annotations

import asyncio
import json
import sys
from pathlib import Path
from typing import Any

import websockets

from tests.integration.cases import (
    IntegrationTestCase,
    eventually,
    metric,
    with_daemons,
)
from tests.integration.installation import DaemonProcess, free_ports
from wsmsg.client import Client, MessageReceived
from wsmsg.protocol import client_pb2 as pb

_LISTENERS = ("listen", "rpc_listen", "admin_listen")
_CLIENTS = 30


class DrainTests(IntegrationTestCase):
    """
    Two Connects, the first of which is drained.
    """

    alone = True

    def installed(self) -> None:
        installation = self.installation
        names = [f"connect-2.{listener}" for listener in _LISTENERS]
        ports = dict(zip(names, free_ports(len(names)), strict=True))
        ports["upstream"] = installation.ports["upstream"]
        self.second = DaemonProcess("connect-2", installation.folder, ports)
        for name, connect in (("one", installation.connect), ("two", self.second)):
            connect.extra |= {
                "node": name,
                "public_url": self.url_of(connect),
                "limits.connections": 1000,
                "limits.sends_per_s": 100_000,
                "limits.sends_burst": 100_000,
            }
        self.at_end(self.second.kill)

    def url_of(self, connect: DaemonProcess) -> str:
        """
        Return the URL at which clients reach a Connect.
        """
        return f"ws://127.0.0.1:{connect.port('listen')}/api/v1/connect/ws"

    async def begin(self) -> None:
        """
        Start all daemons, and wait until Message knows both Connects.
        """
        await self._running()
        await self.second.start()
        await self.second.ready()
        message = self.installation.message

        async def both() -> bool:
            _, status = await message.get("/status")
            links = status["message"]["links"]
            return bool(sum(link["open"] for link in links) == 2)

        await eventually("both Connects have streams", both)

    async def command(self, *words: str) -> str:
        """
        Run C{wsmsg} on the first Connect.

        @return: its output.
        """
        connect = self.installation.connect
        process = await asyncio.create_subprocess_exec(
            str(Path(sys.executable).parent / "wsmsg"),
            *words,
            f"--connect-admin=http://127.0.0.1:{connect.port('admin_listen')}",
            f"--key-file={connect.admin_key}",
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.STDOUT,
        )
        output, _ = await process.communicate()
        self.assertEqual(process.returncode, 0, output.decode())
        return output.decode()

    async def clients(self, n: int) -> list[Client]:
        """
        Return clients that are connected to the first Connect.
        """
        found = []
        for _ in range(n):
            token = self.installation.token(self.user())
            client = Client(self.installation.url, token, device="drained")
            await client.connect()
            self.at_end(client.close)
            found.append(client)
        return found

    async def sessions(self, connect: DaemonProcess) -> int:
        _, status = await connect.get("/status")
        return int(status["connect"]["users"])

    @with_daemons
    async def test_drain(self) -> None:
        """
        C{wsmsg drain} ends the readiness, moves all clients to the Connect that has
        room, at the pace, and ends when none is left.  What is sent meanwhile arrives
        once, no client has to sync, and after an undo clients may log in again.
        """
        await self.begin()
        clients = await self.clients(_CLIENTS)
        sender = await self.device(self.user(), url=self.url_of(self.second))
        draining = asyncio.ensure_future(self.command("drain", "--per-s=20"))
        sent = 0
        while not draining.done():
            for client in clients:
                sent += 1
                await sender.send(client.user, f"c{sent}", f"m{sent}")
        self.assertIn("Drained: no client is left.", await draining)
        connect, second = self.installation.connect, self.second
        await connect.ready(False)
        _, ready = await connect.get("/readyz")
        self.assertEqual(ready["reason"], "an operator drains this Connect")
        self.assertEqual(await self.sessions(connect), 0)

        async def moved() -> bool:
            return await self.sessions(second) == _CLIENTS + 1

        await eventually("all clients are at the second Connect", moved)
        per_client = sent // _CLIENTS
        for i, client in enumerate(clients):
            seen = [await self.next_text(client) for _ in range(per_client)]
            expected = [f"m{k}" for k in range(i + 1, sent + 1, _CLIENTS)]
            self.assertEqual(seen, expected)
        self.assertEqual(await metric(second, "wsmsg_connect_resyncs_total"), 0)
        with self.assertRaises(websockets.InvalidStatus) as refused:
            await self.dial(self.user())
        self.assertEqual(refused.exception.response.status_code, 503)
        self.assertIn("undone", await self.command("drain", "--undo"))
        await connect.ready()
        await self.device(self.user())

    async def next_text(self, client: Client) -> str:
        async for event in client.events():
            if isinstance(event, MessageReceived):
                return event.content
        raise AssertionError("the client ended")

    @with_daemons
    async def test_known_to_each_other(self) -> None:
        """
        The status of each Connect lists the other one, and names it when it is gone.
        """
        await self.begin()
        first = self.installation.connect

        async def known(connect: DaemonProcess, name: str, up: bool) -> bool:
            _, status = await connect.get("/status")
            return (name, "connect", up) in [
                (n["node"], n["kind"], n["up"]) for n in status["connect"]["nodes"]
            ]

        await eventually("one knows two", lambda: known(first, "two", True))
        await eventually("two knows one", lambda: known(self.second, "one", True))
        message = self.installation.message.port("admin_listen")
        told = await self.command(
            "status", f"--message-admin=http://127.0.0.1:{message}"
        )
        self.assertIn("connect two: answers", told)
        await self.second.kill()
        await eventually("two is gone", lambda: known(first, "two", False))

    @with_daemons
    async def test_position(self) -> None:
        """
        The C{goaway} has a position, and at the next Connect a client that shows it is
        told of no conversation that it was pushed; one with its older position is.
        """
        await self.begin()
        device, sender = await self.device(self.user()), self.user()
        welcome = device.all("welcome")[0]
        other = await self.device(sender, url=self.url_of(self.second))
        await other.send(device.user, "c1", "hello")
        await device.expect("deliver")

        async def compared() -> bool:
            await device.send_frame(ping=pb.Ping(nonce="n"))
            return bool((await device.expect("pong")).checked_ms)

        await eventually("the session is compared with the heads", compared)
        await self.command("drain")
        goaway = await device.expect("goaway")
        self.assertEqual(list(goaway.alternatives), [self.url_of(self.second)])
        url = goaway.alternatives[0]
        moved = await self.dial(device.user, url=url)
        again = await moved.greet("one", position=goaway.position)
        self.assertEqual(list(again.heads), [])
        older = await self.dial(device.user, url=url)
        again = await older.greet("two", position=welcome.position)
        self.assertEqual([head.head for head in again.heads], [1])

    @with_daemons
    async def test_rebalance(self) -> None:
        """
        C{wsmsg rebalance} moves half of the clients to a Connect that was added, and
        then nobody.
        """
        await self.begin()
        await self.clients(_CLIENTS)

        async def begun() -> bool:
            output = await self.command("rebalance", "--per-s=100")
            return "15 clients above its share." in output

        await eventually("the second Connect has said that it is ready", begun)

        async def halves() -> bool:
            return await self.sessions(self.second) == _CLIENTS / 2

        await eventually("half of the clients are at the second Connect", halves)
        self.assertEqual(await self.sessions(self.installation.connect), 15)
        self.assertTrue((await self.installation.connect.get("/readyz"))[1]["ready"])

        async def even() -> bool:
            return "Nothing to move" in await self.command("rebalance")

        await eventually("the second Connect's load is known", even)

    @with_daemons
    async def test_bad_requests(self) -> None:
        """
        A pace of nothing, or none, is refused with the reason, and nothing is drained.
        """
        await self._running()
        connect = self.installation.connect
        key = connect.admin_key.read_text().strip()
        for body, reason in (
            (b'{"per_s": 0}', "per_s"),
            (b'{"lead_s": -1}', "lead_s"),
            (b'{"pace": 3}', "pace"),
            (b"nonsense", "body"),
        ):
            status, answer = await post(connect, "/drain", body, key)
            self.assertEqual(status, 400, answer)
            self.assertIn(reason, answer["detail"])
        status, _ = await post(connect, "/drain", b"{}", "")
        self.assertEqual(status, 401)
        await connect.ready()


async def post(
    daemon: DaemonProcess, path: str, body: bytes, key: str
) -> tuple[int, Any]:
    """
    Post a body to the admin listener of a daemon.
    """
    port = daemon.port("admin_listen")
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    try:
        lines = [
            f"POST {path} HTTP/1.1",
            f"Host: 127.0.0.1:{port}",
            "Content-Type: application/json",
            f"Content-Length: {len(body)}",
            "Connection: close",
            *([f"Authorization: Bearer {key}"] if key else []),
        ]
        writer.write("\r\n".join(lines).encode() + b"\r\n\r\n" + body)
        head, _, document = (await reader.read()).partition(b"\r\n\r\n")
        return int(head.split()[1]), json.loads(document)
    finally:
        writer.close()
