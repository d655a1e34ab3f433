"""
Tests of daemons started in any order, and of peers that are not wsmsg.
"""

from __future__ import annotations

import asyncio
import re
import sys
import time
from pathlib import Path
from typing import Any

import grpc
import grpc.aio

from tests.integration.cases import IntegrationTestCase, eventually, with_daemons
from tests.integration.installation import DaemonProcess, free_ports
from wsmsg.protocol import client_pb2 as pb
from wsmsg.rpc import rest_pb2_grpc

_FAILED = re.compile(
    r"message (\S+): attempt (\d+) failed after [0-9.]+ s, next in ([0-9.]+) s: (.+)"
)


def failures(daemon: DaemonProcess) -> list[tuple[str, int, float, str]]:
    """
    Return the failed attempts in a log: address, attempt number, delay and reason.
    """
    found = [_FAILED.search(line) for line in daemon.lines()]
    return [(m[1], int(m[2]), float(m[3]), m[4]) for m in found if m]


class StartOrderTests(IntegrationTestCase):
    """
    P7: a daemon that starts first waits for the other, and reports that.
    """

    alone = True
    connect = {
        "retry.first_s": 0.1,
        "retry.factor": 2,
        "retry.cap_s": 0.4,
        "retry.jitter": 0.2,
        "send_timeout_s": 0.5,
        "resync_spread_s": 0.2,
        "log.level": "debug",
    }

    @with_daemons
    async def test_connect_first(self) -> None:
        """
        P7: a Connect without a Message logs each attempt with its reason and the delay
        of the retry policy, and reports why it is not ready; clients may connect, and
        their sends are rejected after the timeout; when Message starts, Connect becomes
        ready, asks the clients to sync, and accepts sends.
        """
        message, connect = self.installation.message, self.installation.connect
        await connect.start()
        await connect.until_logged("attempt 5 failed")
        self.check_attempts(connect)
        await self.check_told(connect)
        one, two = self.user(), self.user()
        device = await self.dial(one)
        self.assertFalse((await device.greet()).synced)
        begun = time.monotonic()
        rejected = await device.send(two, "id-1", "hello")
        self.assertEqual(rejected.code, "unavailable")
        self.assertGreater(rejected.retry_after_ms, 0)
        self.assertGreater(time.monotonic() - begun, 0.4)
        await message.start()
        await connect.ready()
        status, text = await self.wsmsg_status()
        self.assertEqual(status, 0, text)
        await device.expect("resync")
        await device.send_frame(conversations=pb.Conversations(id="c"))
        await device.expect("heads", id="c")
        await device.send_until_accepted(two, "id-1", "hello")
        await device.expect("deliver", client_id="id-1", seq=1)

    def check_attempts(self, connect: DaemonProcess) -> None:
        """
        Check that the log has each attempt once, with a reason and a delay within the
        retry policy.
        """
        found = failures(connect)[:5]
        self.assertEqual([number for _, number, _, _ in found], [1, 2, 3, 4, 5])
        for (_, _, delay_s, reason), base in zip(
            found, (0.1, 0.2, 0.4, 0.4, 0.4), strict=True
        ):
            self.assertTrue(0.79 * base <= delay_s <= 1.21 * base, found)
            self.assertEqual(reason, "connection refused")

    async def check_told(self, connect: DaemonProcess) -> None:
        """
        Check that C{/readyz}, C{/status}, C{wsmsg status} and the log agree.
        """
        status, ready = await connect.get("/readyz")
        self.assertEqual((status, ready["ready"]), (503, False))
        [told] = ready["dependencies"]
        self.assertEqual(told["state"], "connecting")
        self.assertGreaterEqual(told["attempts"], 5)
        self.assertEqual(told["last_error"], "connection refused")
        self.assertIn(told["name"], ready["reason"])
        status, document = await connect.get("/status")
        self.assertEqual((status, document["ready"]), (200, False))
        [again] = document["dependencies"]
        self.assertEqual(again["name"], told["name"])
        self.assertEqual(again["last_error"], told["last_error"])
        self.assertGreaterEqual(again["attempts"], told["attempts"])
        self.assertEqual((await connect.get("/healthz"))[0], 200)
        status, text = await self.wsmsg_status()
        self.assertNotEqual(status, 0, text)
        self.assertIn(told["name"].removeprefix("message "), text)
        self.assertIn("connection refused", text)

    async def wsmsg_status(self) -> tuple[int, str]:
        """
        Run C{wsmsg status}.

        @return: its exit status and its output.
        """
        command = [str(Path(sys.executable).parent / "wsmsg"), "status"]
        for name in ("connect", "message"):
            port = self.installation.ports[f"{name}.admin_listen"]
            command += [f"--{name}-admin", f"http://127.0.0.1:{port}"]
        command += ["--key-file", str(self.installation.connect.admin_key)]
        process = await asyncio.create_subprocess_exec(
            *command,
            stdin=asyncio.subprocess.DEVNULL,
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.STDOUT,
        )
        output, _ = await asyncio.wait_for(process.communicate(), 30)
        assert process.returncode is not None
        return process.returncode, output.decode()

    @with_daemons
    async def test_message_first(self) -> None:
        """
        P7: a Message that starts long before any Connect serves the first Connect, and
        the next one after the first is gone.
        """
        message, connect = self.installation.message, self.installation.connect
        await message.start()
        await message.ready()
        for n in range(2):
            await connect.start()
            await connect.ready()
            device = await self.device(self.user())
            self.assertTrue((await device.send(self.user(), f"id-{n}", "hi")).time)
            await connect.kill()
        self.assertEqual((await message.get("/readyz"))[0], 200)

    @with_daemons
    async def test_message_away_for_a_while(self) -> None:
        """
        P7: a send that waits while Message is away for a short time is accepted; the
        loss and the return are logged in one line each.
        """
        self.installation.connect.extra["send_timeout_s"] = 20
        await self.installation.start()
        message, connect = self.installation.message, self.installation.connect
        device = await self.device(self.user())
        await message.kill()
        await connect.ready(False)
        await device.send_frame(
            send=pb.Send(client_id="id-1", to=self.user(), content="hi")
        )
        await message.start()
        self.assertTrue((await device.answer("id-1")).time)
        lost = [line for line in connect.lines() if ": lost after" in line]
        up = [line for line in connect.lines() if ": up after" in line]
        self.assertEqual((len(lost), len(up)), (1, 2))

    @with_daemons
    async def test_attempts_used_up(self) -> None:
        """
        P7: with a limit of attempts the daemon ends with status 1 and one line that
        gives the reason.
        """
        connect = self.installation.connect
        connect.extra["retry.attempts"] = 3
        await connect.start()
        self.assertEqual(await connect.wait(), 1)
        self.assertEqual([n for _, n, _, _ in failures(connect)], [1, 2])
        errors = [line for line in connect.lines() if "#error]" in line]
        self.assertEqual(len([e for e in errors if "attempt 3" in e]), 1, errors)
        self.assertEqual(len([e for e in errors if "stopping: " in e]), 1, errors)


class Strangers:
    """
    Servers at Message's port that are not a Message.
    """

    def __init__(self) -> None:
        self._servers: list[asyncio.Server] = []
        self._grpc = grpc.aio.server()
        self._writers: list[asyncio.StreamWriter] = []

    async def open(self, web: int, mute: int, refuses: int) -> None:
        """
        Listen on these ports.
        """
        self._servers = [
            await asyncio.start_server(self._web, "127.0.0.1", web),
            await asyncio.start_server(self._mute, "127.0.0.1", mute),
        ]
        rest_pb2_grpc.add_MessageServiceServicer_to_server(_Refuses(), self._grpc)
        self._grpc.add_insecure_port(f"127.0.0.1:{refuses}")
        await self._grpc.start()

    async def stop_listening(self) -> None:
        """
        Stop listening; open connections stay open.
        """
        for server in self._servers:
            server.close()
        await self._grpc.stop(0)

    async def close(self) -> None:
        await self.stop_listening()
        for writer in self._writers:
            writer.close()

    async def _web(
        self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter
    ) -> None:
        await reader.read(100)
        writer.write(b"HTTP/1.1 400 Bad Request\r\nContent-Length: 0\r\n\r\n")
        writer.close()

    async def _mute(
        self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter
    ) -> None:
        self._writers.append(writer)
        while await reader.read(1000):
            pass
        writer.close()


class _Refuses(rest_pb2_grpc.MessageServiceServicer):
    async def MessageStream(self, request_iterator: Any, context: Any) -> None:
        await context.read()
        await context.abort(grpc.StatusCode.PERMISSION_DENIED, "not you")


class StrangerTests(IntegrationTestCase):
    """
    P7: a peer that answers and is not a Message counts as a failed attempt, and leaks
    nothing.
    """

    alone = True
    connect = {
        "retry.first_s": 0.02,
        "retry.factor": 1,
        "retry.jitter": 0,
        "welcome_timeout_s": 0.1,
        "log.level": "debug",
    }

    @with_daemons
    async def test_strangers(self) -> None:
        """
        P7: a port with another protocol, a port that accepts and stays silent, and a
        server that proves nothing each fail every attempt with a reason;
        fifty attempts leave no connection open.
        """
        strangers = Strangers()
        self.at_end(strangers.close)
        ports = free_ports(3)
        kinds = ("web", "mute", "refuses")
        addresses = {f"127.0.0.1:{p}": k for p, k in zip(ports, kinds, strict=True)}
        connect = self.installation.connect
        connect.extra["discovery"] = "static:" + ",".join(addresses)
        await connect.start()
        await eventually("10 each", lambda: self._all(connect, addresses, 10), 30)
        before = connect.open_files()
        await strangers.open(*ports)
        first = len(failures(connect))
        await eventually("60 each", lambda: self._all(connect, addresses, 60), 60)
        await strangers.stop_listening()
        # One attempt at each may be under way; gRPC closes a silent one within 4 s.
        await eventually("closed", lambda: connect.open_files() <= before + 3)
        reasons = {what: set[str]() for what in addresses.values()}
        for address, _, _, reason in failures(connect)[first:]:
            reasons[addresses[address]].add(reason)
        self.assertIn("no welcome in 0.1 s", reasons["mute"])
        offers = [r for r in reasons["refuses"] if "offers no proof" in r]
        self.assertTrue(offers, reasons)
        self.assertTrue([r for r in reasons["web"] if "HTTP/2" in r], reasons)
        _, ready = await connect.get("/readyz")
        self.assertFalse(ready["ready"])
        self.assertEqual({d["state"] for d in ready["dependencies"]}, {"connecting"})
        self.assertTrue(all(d["last_error"] for d in ready["dependencies"]))
        self.assertEqual(await connect.terminate(), 0)

    def _all(
        self, connect: DaemonProcess, addresses: dict[str, str], attempts: int
    ) -> bool:
        last = {address: number for address, number, _, _ in failures(connect)}
        return all(last.get(address, 0) >= attempts for address in addresses)
