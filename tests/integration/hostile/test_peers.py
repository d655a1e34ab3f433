"""
Tests of a broken or foreign peer: the daemon at the other end and its other users
continue.
"""

from __future__ import annotations

import asyncio
import functools
from collections.abc import Callable, Coroutine
from typing import Any

from twisted.internet.defer import Deferred
from twisted.trial.unittest import TestCase

from tests.integration.hostile.peers import (
    Batch,
    HostileConnect,
    HostileMessage,
    Request,
    Response,
    hostile_connect,
    subscribe,
)
from tests.integration.installation import Installation
from wsmsg.prove.clients.raw import RawClient
from wsmsg.rpc import rest_pb2

SNAPSHOT = rest_pb2.PresenceDelta.Snapshot
SECONDS = 45.0


def run(test: Coroutine[Any, Any, None]) -> Deferred[None]:
    return Deferred.fromFuture(asyncio.ensure_future(test))


def presence(online: Any, kind: Any, number: int = 1) -> Request:
    delta = rest_pb2.PresenceDelta(number=number, online=online, snapshot=kind)
    return Request(batch=Batch(presence=delta))


async def eventually(reached: Callable[[], bool]) -> None:
    """
    Wait until a condition holds; other processes have no event to wait for.
    """
    async with asyncio.timeout(SECONDS):
        while not reached():
            await asyncio.sleep(0.02)


def _has_all(person: RawClient) -> bool:
    said = {m.content for m in person.taken["u:1:2"]}
    return person.idle and {f"still here {i}" for i in range(5)} <= said


class PeersTestCase(TestCase):
    """
    Base class for tests of both kinds of hostile peers.
    """

    timeout = 240

    def assert_no_traceback(self, installation: Installation) -> None:
        """
        Check that no log has a traceback.
        """
        for sign in ("Traceback", "critical", "Unhandled"):
            self.assertEqual(installation.logged(sign)[:3], [])


class HostileConnectTests(PeersTestCase):
    """
    Hostile Connects at Message's gRPC port, next to an honest Connect with two users.
    """

    def test_campaign(self) -> Deferred[None]:
        """
        Message ends the stream of a hostile Connect with a reason and keeps little for
        it, and an honest Connect carries messages as before.
        """
        return run(self._campaign())

    async def _campaign(self) -> None:
        limits = {
            "link_records": 1000,
            "link_grace_s": 0.2,
            "limits.sends_per_s": 100_000,
            "limits.sends_burst": 100_000,
        }
        installation = Installation(message=limits)
        self._logged = installation.logged
        people = [
            RawClient(installation.urls, installation.token(user), user)
            for user in (1, 2)
        ]
        try:
            await installation.start()
            for person in people:
                person.start()
            port = installation.ports["message.rpc_listen"]
            async with hostile_connect(port, installation.folder) as hostile:
                await self._bad_streams(hostile)
                await self._no_protobuf(hostile)
                await self._endless_snapshot(hostile)
                await self._bad_sends(hostile)
                await self._never_acknowledges(hostile, people[0])
                await self._never_reads(hostile)
                for i in range(5):
                    await people[i % 2].send(2 - i % 2, f"still here {i}")
                for person in people:
                    await person.until(functools.partial(_has_all, person), SECONDS)
                    self.assertEqual(person.problems, [])
            self.assertEqual([p.connects for p in people], [1, 1])
            self.assertEqual(installation.logged("link of connect-"), [])
            self.assert_no_traceback(installation)
        finally:
            for person in people:
                await person.stop()
            await installation.stop()

    async def _bad_streams(self, hostile: HostileConnect) -> None:
        hello = subscribe("h")
        watch = rest_pb2.WatchDelta(add=range(1, 100_001))
        for said, reason in (
            ([hello, hello], "not a batch"),
            ([Request(batch=Batch())], "not a subscribe"),
            ([b""], "not a subscribe"),
            ([b"\xff" * 9], "first frame"),
            ([hello, b"\xff" * 9], "Error parsing"),
            ([hello, b""], "not a batch"),
            ([hello, Request(batch=Batch(watch=watch)), hello], "not a batch"),
            ([subscribe("h", link_version=9)], "link_version 9"),
            ([subscribe("x" * 100_000)], "over 128 characters"),
            ([subscribe("a\nb")], "not printable"),
            ([hello, Request(batch=Batch(pushed=99))], "99 was acknowledged"),
            ([hello, presence([5], SNAPSHOT.MORE)], "has no beginning"),
        ):
            _, told = await hostile.ends(*said)
            self.assertIn(reason, told)

    async def _no_protobuf(self, hostile: HostileConnect) -> None:
        for data, status in ((b"\xff", "UNKNOWN"), (b"x" * (17 << 20), None)):
            told = await hostile.ask("/rest.QueryService/Query", data)
            self.assertEqual(told, status or "RESOURCE_EXHAUSTED")

    async def _endless_snapshot(self, hostile: HostileConnect) -> None:
        parts = [presence(range(1, 10_001), SNAPSHOT.BEGIN)]
        parts += [presence(range(1, 10_001), SNAPSHOT.MORE)] * 110
        status, _ = await hostile.ends(subscribe("h"), *parts)
        self.assertNotEqual(status, "OK")

    async def _bad_sends(self, hostile: HostileConnect) -> None:
        call = hostile.stream()
        await call.write(subscribe("h"))
        await call.read()
        bad = [
            rest_pb2.SendRequest(id=1, sender=3, client_id="a", conversation="u:1:2"),
            rest_pb2.SendRequest(id=2, sender=1, client_id="", conversation="u:1:2"),
            rest_pb2.SendRequest(id=3, sender=1, client_id="a", conversation="u:2:1"),
            rest_pb2.SendRequest(id=4, sender=1, client_id="a", conversation="g:1"),
            rest_pb2.SendRequest(id=5, sender=-1, client_id="a", conversation="\0"),
        ]
        typing = [rest_pb2.Typing(conversation="nobody's", user=-1)]
        cursors = [rest_pb2.Cursor(conversation="u:1:2", user=3, read=2**63 - 1)]
        await call.write(
            Request(batch=Batch(sends=bad, typing=typing, cursors=cursors))
        )
        codes: dict[int, str] = {}
        async with asyncio.timeout(SECONDS):
            # The members of the group have to be looked up.
            while len(codes) < len(bad):
                codes |= {r.id: r.code for r in (await call.read()).batch.results}
        expected = ["forbidden", *["bad_request"] * 2, "forbidden", "bad_request"]
        self.assertEqual([codes[send.id] for send in bad], expected)
        call.cancel()

    async def _never_acknowledges(
        self, hostile: HostileConnect, person: RawClient
    ) -> None:
        """
        A Connect that also claims user 1, reads its pushes and never acknowledges them.
        """
        call = hostile.stream()
        await call.write(subscribe("h", incarnation="mute"))
        await call.write(presence([1], SNAPSHOT.WHOLE))
        await call.read()
        stored = len(person.taken["u:1:2"]) + 1500
        try:
            async with asyncio.timeout(SECONDS):
                for first in range(0, 1500, 100):
                    await call.write(_sends(first, 100))
                    results = 0
                    while results < 100:
                        results += len((await call.read()).batch.results)
                while await call.read():
                    pass
        except Exception:  # noqa: BLE001 - of several kinds
            pass
        self.assertTrue(self._logged("link of h cut"))
        # Sends lost when the stream ended arrive by another stream, once.
        again = hostile.stream()
        await again.write(subscribe("again"))
        for first in range(0, 1500, 100):
            await again.write(_sends(first, 100))
        await person.until(lambda: len(person.taken["u:1:2"]) >= stored, SECONDS)
        self.assertEqual(len(person.taken["u:1:2"]), stored)
        again.cancel()

    async def _never_reads(self, hostile: HostileConnect) -> None:
        """
        A Connect that sends and never reads, until Message ends its stream.
        """
        call = hostile.stream()
        await call.write(subscribe("deaf"))
        bad = rest_pb2.SendRequest(
            id=1, sender=9, client_id="a", conversation="u:1:2", content="x"
        )
        flood = Request(batch=Batch(sends=[bad] * 2_000))
        try:
            async with asyncio.timeout(4):
                for _ in range(200):
                    await call.write(flood)
        except Exception:  # noqa: BLE001 - of several kinds
            pass
        call.cancel()


class HostileMessageTests(PeersTestCase):
    """
    Hostile Messages that Connect dials while clients are connected.
    """

    def test_campaign(self) -> Deferred[None]:
        """
        Connect says why it disconnects from a hostile Message, and dials again; the
        next honest Message gets what clients sent meanwhile.
        """
        return run(self._campaign())

    async def _campaign(self) -> None:
        message = HostileMessage()
        retry = {"retry.first_s": 0.05, "retry.cap_s": 0.1}
        installation = Installation(connect=retry)
        port = installation.ports["upstream"]
        await message.start(installation.folder, port)
        person = RawClient(installation.urls, installation.token(1), 1)
        try:
            await installation.connect.start()
            for said, reason in _SAID:
                await self._says(installation, message, said, reason)
            person.start()
            await person.until(lambda: person.connects > 0, SECONDS)
            await self._endless(installation, message)
            self.assertTrue(installation.connect.running)
            self.assertEqual(person.connects, 1)
            self.assertEqual((await installation.connect.get("/healthz"))[0], 200)
            self.assert_no_traceback(installation)
        finally:
            await person.stop()
            await message.stop()
            await installation.stop()

    async def _says(
        self,
        installation: Installation,
        message: HostileMessage,
        said: list[Any],
        reason: str,
    ) -> None:
        async def script(_: rest_pb2.SubscribeRequest, context: Any) -> None:
            for response in said:
                await context.write(response)
            await context.read()
            await asyncio.sleep(SECONDS)

        streams = message.streams
        message.script = script
        await eventually(lambda: message.streams > streams + 1)
        async with asyncio.timeout(SECONDS):
            while reason not in await self._why(installation):
                await asyncio.sleep(0.02)

    async def _why(self, installation: Installation) -> str:
        """
        Return why Connect has no stream, as C{/readyz} tells it.
        """
        _, told = await installation.connect.get("/readyz")
        return " ".join(d["last_error"] or "" for d in told["dependencies"])

    async def _endless(
        self, installation: Installation, message: HostileMessage
    ) -> None:
        """
        Yield endless pushes, to a connected user and to an absent one.
        """
        written = 0
        chat = rest_pb2.ChatMessage(
            conversation="u:1:2", sender=2, content="x" * 1000, kind=1
        )

        async def script(_: rest_pb2.SubscribeRequest, context: Any) -> None:
            nonlocal written
            await context.write(_welcome(incarnation="endless"))
            for number in range(1, 1001):
                chat.seq = number
                push = rest_pb2.Push(message=chat, targets=[1, 99])
                batch = rest_pb2.PushBatch(number=number, pushes=[push] * 50)
                await context.write(Response(batch=batch))
                written = number
            await asyncio.sleep(SECONDS)

        message.script = script
        await eventually(lambda: written == 1000)


def _sends(first: int, count: int) -> Request:
    sends = [
        rest_pb2.SendRequest(
            id=n + 1, sender=1, client_id=f"n{n}", conversation="u:1:2", content="x"
        )
        for n in range(first, first + count)
    ]
    return Request(batch=Batch(sends=sends))


def _welcome(**more: Any) -> Response:
    fields = {"incarnation": "m", "link_version": 1, "heartbeat_ms": 1500}
    return Response(welcome=rest_pb2.LinkWelcome(**{**fields, **more}))


def _batch(**fields: Any) -> Response:
    return Response(batch=rest_pb2.PushBatch(**fields))


_SAID: tuple[tuple[list[Any], str], ...] = (
    ([_batch(number=1)], "not a welcome"),
    ([b""], "not a welcome"),
    ([b"\xff\xff"], "not a welcome"),
    ([_welcome(), _welcome()], "welcome was not expected"),
    ([_welcome(), _batch(number=5)], "push batch 5 came after 0"),
    ([_welcome(), _batch(number=1), _batch(number=1)], "push batch 1 came after 1"),
    ([_welcome(incarnation="")], "incarnation is empty or too long"),
    ([_welcome(incarnation="x" * 10_000)], "incarnation is empty or too long"),
    ([_welcome(incarnation="other", resumed=True)], "resumes a stream of another"),
    ([_welcome(), b"\xff\xff"], "not a MessageStreamResponse"),
    (
        [
            _welcome(),
            _batch(results=[rest_pb2.SendResult(id=9, code="odd")] * 99),
            Response(failure=rest_pb2.MessageFailureEvent()),
        ],
        "failure was not expected",
    ),
)
