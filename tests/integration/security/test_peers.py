"""
Daemons know each other: only daemons of one system talk, and another account of the
machine, or an impostor at the port, gets nothing.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import os
import signal
import sys
from pathlib import Path
from typing import Any, ClassVar

import grpc
import grpc.aio

from tests.conformance.peer_connect import ScriptedConnect
from tests.integration.cases import (
    IntegrationTestCase,
    eventually,
    metric,
    with_daemons,
)
from tests.integration.hostile.peers import subscribe
from tests.integration.installation import DaemonProcess
from wsmsg.model import conversation_of
from wsmsg.protocol import client_pb2 as pb
from wsmsg.rpc import rest_pb2

NOBODY = 65534
OLD, NEW = "the-old-secret-of-these-two-daemons", "the-new-secret-of-these-two-daemons"


async def stranger(port: int, *files: Path) -> dict[str, list[str]]:
    """
    Have another account of this machine try everything at a gRPC port.
    """
    program = str(Path(__file__).parent / "stranger.py")
    root = str(Path(__file__).parents[3])
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, program, str(NOBODY), str(port), *map(str, files)),
        stdout=asyncio.subprocess.PIPE,
        env={**os.environ, "PYTHONPATH": root, "PYTHONDONTWRITEBYTECODE": "1"},
    )
    out, _ = await process.communicate()
    found: dict[str, list[str]] = json.loads(out)
    return found


class StrangerTests(IntegrationTestCase):
    """
    The daemons as they are without any settings.
    """

    @with_daemons
    async def test_daemons_know_each_other(self) -> None:
        """
        Another account of the machine cannot query, send, subscribe as a Connect or to
        everything, ask who is online, or list services, at either gRPC port; health
        says nothing but whether the daemon is ready.  The daemons themselves talk.
        """
        one, two = self.user(), self.user()
        device, other = await self.device(one), await self.device(two)
        data = self.installation.folder / "data"
        key = data / "peer.key"
        self.assertEqual(key.stat().st_mode & 0o777, 0o600)
        for daemon in (self.installation.message, self.installation.connect):
            found = await stranger(daemon.port("rpc_listen"), key)
            if os.getuid() == 0:
                self.assertEqual(found.pop(str(key))[0], "PermissionError")
            found.pop(str(key), None)
            self.assertEqual(found.pop("health"), ["OK", "status: SERVING\n"])
            for name, (status, told) in found.items():
                self.assertIn(status, ("UNAUTHENTICATED", "UNIMPLEMENTED"), name)
                self.assertNotIn("connect-", told)
            self.assertEqual(found["reflection"][0], "UNAUTHENTICATED")
            self.assertGreater(await metric(daemon, REFUSED.format("unproven")), 1)
            await daemon.until_logged("refused")
        _, status = await self.installation.message.get("/status")
        self.assertEqual(len(status["message"]["links"]), 1)
        await device.send(two, "c1", "all the same")
        await other.expect("deliver", content="all the same")


REFUSED = 'wsmsg_peer_refused_total{{reason="{}"}}'
UNPROVEN = 'wsmsg_peer_unproven_total{{reason="{}"}}'


class SecretTests(IntegrationTestCase):
    """
    Secrets that differ, change, or cannot be read.
    """

    alone = True

    async def reload(self, daemon: DaemonProcess) -> None:
        seen = len([x for x in daemon.lines() if "settings reloaded" in x])
        await daemon.signal(signal.SIGHUP)

        def reloaded() -> bool:
            lines = [x for x in daemon.lines() if "settings reloaded" in x]
            return len(lines) > seen

        await eventually("the settings are reloaded", reloaded)

    def set_secrets(self, daemon: DaemonProcess, *secrets: str) -> None:
        file = self.installation.folder / f"{daemon.name}.toml"
        file.write_text(f"[common]\npeer.secrets = {json.dumps(secrets)}\n")
        daemon.arguments = ["--config", str(file)]

    @with_daemons
    async def test_wrong_secret(self) -> None:
        """
        A wrong secret is a clear line in the log, in readiness and in a metric, on both
        sides; once it is right on both, a reload is enough.
        """
        message, connect = self.installation.message, self.installation.connect
        self.set_secrets(message, NEW)
        self.set_secrets(connect, OLD)
        await message.start()
        await connect.start()
        await connect.until_logged("the peer knows none of our secrets")
        await message.until_logged("refused Prove of 127.0.0.1: it has another secret")
        status, told = await connect.get("/readyz")
        self.assertEqual(status, 503)
        [peer] = told["dependencies"]
        self.assertIn("the peer knows none of our secrets", peer["last_error"])
        self.assertEqual(peer["cause"], "credentials")
        status, told = await message.get("/readyz")
        self.assertEqual((status, told["degraded"]), (200, True))
        [alarm] = told["alarms"]
        self.assertEqual(alarm["name"], "peer_refused")
        self.assertIn("127.0.0.1 calls: it has another secret", alarm["reason"])
        self.assertGreater(await metric(message, REFUSED.format("secret")), 0)
        self.assertGreater(await metric(connect, UNPROVEN.format("secret")), 0)
        # One line in ten seconds, however often Connect tries.

        async def tried() -> bool:
            return await metric(message, REFUSED.format("secret")) >= 5

        await eventually("five attempts are refused", tried)
        lines = [x for x in message.lines() if "refused Prove" in x]
        self.assertLess(len(lines), 5)
        self.set_secrets(connect, NEW)
        await self.reload(connect)
        await connect.ready()

    @with_daemons
    async def test_rotation_under_load(self) -> None:
        """
        A secret is replaced by reloads, while clients send: no stream is lost, and no
        message.  Afterwards the old secret opens nothing.
        """
        message, connect = self.installation.message, self.installation.connect
        for daemon in (message, connect):
            self.set_secrets(daemon, OLD)
        await self.installation.start()
        one, two = self.person(self.user()), self.person(self.user())
        sending = asyncio.ensure_future(self.load(one, two.user, 300))
        for secrets in ((OLD, NEW), (NEW, OLD), (NEW,)):
            for daemon in (message, connect):
                self.set_secrets(daemon, *secrets)
                await self.reload(daemon)
        sent = await sending
        taken = two.taken[conversation_of(one.user, two.user)]
        await two.until(lambda: len(taken) >= len(sent), 60)
        self.assertEqual([m.content for m in taken], sent)
        self.assertEqual((one.problems, two.problems), ([], []))
        _, told = await connect.get("/readyz")
        self.assertEqual([d["losses"] for d in told["dependencies"]], [0])
        self.set_secrets(connect, OLD)
        await connect.terminate()
        await connect.start()
        await message.until_logged("refused Prove of 127.0.0.1: it has another secret")
        self.set_secrets(connect, NEW)
        await self.reload(connect)
        await connect.ready()

    async def load(self, person: Any, to: int, count: int) -> list[str]:
        texts = [f"text {n}" for n in range(count)]
        for text in texts:
            await person.send(to, text)
            await asyncio.sleep(0.005)  # the load goes on while secrets change
        return texts

    @with_daemons
    async def test_unreadable(self) -> None:
        """
        A key that others may read keeps a daemon from starting, with one line; at a
        reload it raises an alarm, and the secrets stay as they were.
        """
        message, connect = self.installation.message, self.installation.connect
        await self.installation.start()
        key = self.installation.folder / "data" / "peer.key"
        key.chmod(0o644)
        await self.reload(message)
        line = await message.until_logged("alarm peer_secret")
        self.assertIn("the secrets of peers stay as they were", line)
        self.assertIn("other users may read it (mode 644)", line)
        _, told = await message.get("/readyz")
        self.assertEqual([a["name"] for a in told["alarms"]], ["peer_secret"])
        await connect.terminate()
        await connect.start()
        self.assertEqual(await connect.wait(), 1)
        self.assertIn("cannot prove itself to its peers", connect.tail())
        key.chmod(0o600)
        await self.reload(message)
        await message.until_logged("alarm peer_secret is over")
        await connect.start()
        await connect.ready()


class Impostor:
    """
    A program of somebody else at Message's port.

    @ivar heard: everything that callers sent: methods, metadata, bytes.
    """

    def __init__(self) -> None:
        self.heard: list[Any] = []

    async def start(self, port: int) -> None:
        self.server = grpc.aio.server(options=[("grpc.so_reuseport", 0)])
        self.server.add_generic_rpc_handlers((_Hears(self.heard),))
        self.server.add_insecure_port(f"127.0.0.1:{port}")
        await self.server.start()


class _Hears(grpc.GenericRpcHandler):  # type: ignore[misc]
    """
    Takes every call, and answers each of them with an empty message.
    """

    def __init__(self, heard: list[Any]) -> None:
        self._heard = heard

    def service(self, call: Any) -> Any:
        self._heard.append((call.method, dict(call.invocation_metadata)))

        async def answer(_: Any, context: Any) -> None:
            while (frame := await context.read()) is not grpc.aio.EOF:
                self._heard.append(frame)
                await context.write(b"")

        return grpc.stream_stream_rpc_method_handler(answer)


class ImpostorTests(IntegrationTestCase):
    """
    Somebody else at the port of Message.
    """

    alone = True

    @with_daemons
    async def test_impostor(self) -> None:
        """
        A program that listens at the port before Message does learns neither the secret
        nor the name of Connect, and is sent nothing; Connect says what is wrong.  When
        Message is there, everything works.
        """
        message, connect = self.installation.message, self.installation.connect
        impostor = Impostor()
        await impostor.start(message.port("rpc_listen"))
        await connect.start()
        await connect.until_logged("cannot prove that it knows our secret")
        status, told = await connect.get("/readyz")
        self.assertEqual(status, 503)
        self.assertIn("something else listens", told["dependencies"][0]["last_error"])
        device = await self.dial(self.user())
        await device.send_frame(hello=pb.Hello(device="phone"))
        await impostor.server.stop(0)
        methods = {heard[0] for heard in impostor.heard if isinstance(heard, tuple)}
        self.assertEqual(methods, {"/rest.PeerService/Prove"})
        secret = (self.installation.folder / "data" / "peer.key").read_text().strip()
        _, status = await connect.get("/status")
        for private in (secret, secret[:16], status["node"]):
            self.assertNotIn(private, str(impostor.heard))
        self.assertGreater(await metric(connect, UNPROVEN.format("proof")), 0)
        await message.start()
        await connect.ready()
        await self.device(self.user())


class LegacyCallersTests(IntegrationTestCase):
    """
    Legacy Connects, which prove nothing.
    """

    alone = True
    message: ClassVar[dict[str, Any]] = {}

    @with_daemons
    async def test_legacy_connect(self) -> None:
        """
        A legacy Connect is refused, unless its address is in C{legacy.callers}; then it
        is served as such, and cannot pass for a Connect of wsmsg, query, or have a
        stream passed on.
        """
        message = self.installation.message
        await message.start()
        await message.ready()
        port = message.port("rpc_listen")
        refused = ScriptedConnect(port)
        self.at_end(refused.kill)
        # The stream may be refused before the subscription is written to it.  (Trial
        # takes a name "suppress" of a module for warnings that it is to suppress.)
        with contextlib.suppress(grpc.aio.AioRpcError, asyncio.InvalidStateError):
            await refused.connect()
        await message.until_logged("refused MessageStream of 127.0.0.1")
        message.extra["legacy.callers"] = "127.0.0.1"
        await message.terminate()
        await message.start()
        await message.ready()
        found = await stranger(port)
        for name in ("heads", "presence", "subscribe", "everything", "relay"):
            self.assertEqual(found[name][0], "UNAUTHENTICATED", name)
        for name in ("send", "history"):
            self.assertEqual(found[name][0], "OK", name)
        legacy = ScriptedConnect(port)
        self.at_end(legacy.kill)
        await legacy.connect()

        async def subscribed() -> bool:
            _, status = await message.get("/status")
            return len(status["message"].get("legacy", [])) == 1

        await eventually("the legacy Connect is subscribed", subscribed)
        async with grpc.aio.insecure_channel(f"127.0.0.1:{port}") as channel:
            call = channel.stream_stream(
                "/rest.MessageService/MessageStream",
                request_serializer=rest_pb2.MessageStreamRequest.SerializeToString,
            )()
            await call.write(subscribe("connect-1"))
            self.assertEqual((await call.code()).name, "UNAUTHENTICATED")
