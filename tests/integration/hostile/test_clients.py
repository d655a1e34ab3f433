"""
Tests that malformed input harms neither the daemons nor other users.
"""

from __future__ import annotations

import asyncio
import functools
import os
import random
import time
from collections import Counter
from collections.abc import Awaitable, Callable, Coroutine, Iterable
from pathlib import Path
from typing import Any, TypeVar

import jwt
from twisted.internet.defer import Deferred
from twisted.trial.unittest import TestCase

from tests.integration.cases import eventually
from tests.integration.hostile.inputs import (
    FRAMES,
    HEADS,
    HTTP,
    LARGE,
    NOT_GRPC,
    SLOW,
    json_payload,
    protobuf_payload,
    watch_flood,
)
from tests.integration.hostile.sockets import (
    JSON,
    MARK,
    PROTOBUF,
    Outcome,
    Spelling,
    attempt,
    masked,
    upgrade,
)
from tests.integration.installation import DaemonProcess, Installation
from tests.stalls import History
from wsmsg.errors import ERRORS, Close
from wsmsg.prove.clients.raw import RawClient

#: Close codes that blame only the client.
BLAME = {
    *(1002, 1003, 1007, 1009),
    *(Close.RATE_LIMITED, Close.BAD_FRAME, Close.UNAUTHENTICATED),
}

_TOGETHER = 40
_A_CONNECTION = 8
_GROWTH_BYTES = 8 * 2**20

# Until the head of the response arrives, and until the server disconnects.
_HEAD = b"\r\n\r\n"
_NEVER = b"no such answer"

T = TypeVar("T", bound="HostileTests")


def with_daemons(
    test: Callable[[T], Coroutine[Any, Any, None]],
) -> Callable[[T], Deferred[None]]:
    """
    Run a test that is a coroutine of asyncio, with both daemons up.
    """

    @functools.wraps(test)
    def run(self: T) -> Deferred[None]:
        return Deferred.fromFuture(asyncio.ensure_future(self.run_test(test(self))))

    return run


async def together(jobs: Iterable[Awaitable[Any]]) -> list[Any]:
    """
    Return the results of all, run a few at a time.
    """
    places = asyncio.Semaphore(_TOGETHER)

    async def one(job: Awaitable[Any]) -> Any:
        async with places:
            return await job

    return await asyncio.gather(*map(one, jobs))


class Talk:
    """
    Two honest users who write to each other all the time.
    """

    def __init__(self, installation: Installation) -> None:
        self.people = [
            RawClient(installation.urls, installation.token(user), user)
            for user in (1, 2)
        ]
        self.turns: list[tuple[float, float]] = []
        self.history = History()
        self._task: asyncio.Task[None] | None = None

    async def start(self) -> None:
        for person in self.people:
            person.start()
            await person.until(lambda p=person: p.connects == 1)  # type: ignore[misc]
        self._task = asyncio.ensure_future(self._talk())

    async def _talk(self) -> None:
        one, two = self.people
        for i in range(10**6):
            speaker, listener = (one, two) if i % 2 else (two, one)
            began = time.monotonic()
            taken = listener.taken["u:1:2"]
            heard = functools.partial(_longer_than, taken, len(taken))
            await speaker.send(listener.user, f"message {i}")
            await listener.until(heard)
            self.turns.append((began, time.monotonic()))
            await asyncio.sleep(0.01)

    async def stop(self) -> None:
        self.history.end()
        assert self._task is not None
        failed = self._task.done()
        self._task.cancel()
        (result,) = await asyncio.gather(self._task, return_exceptions=True)
        for person in self.people:
            await person.stop()
        if failed:
            raise AssertionError(f"the talk ended: {result!r}")

    def check_p99(self, limit_s: float) -> None:
        """
        Check that at most one in a hundred turns took longer, less the time that the
        machine lost.
        """
        by_length = sorted(self.turns, key=lambda turn: turn[1] - turn[0])
        self.history.check(*by_length[len(by_length) * 99 // 100], limit_s)


def _longer_than(messages: list[Any], length: int) -> bool:
    return len(messages) > length


class Body:
    """
    The resources that a daemon's process uses.
    """

    def __init__(self, daemon: DaemonProcess) -> None:
        self._proc = Path(f"/proc/{daemon.pid}")

    def files(self) -> int:
        return len(os.listdir(self._proc / "fd"))

    def rss_bytes(self) -> int:
        pages = int((self._proc / "statm").read_text().split()[1])
        return pages * os.sysconf("SC_PAGE_SIZE")


class HostileTests(TestCase):
    """
    Thousands of malformed inputs to real daemons.
    """

    timeout = 300

    async def run_test(self, test: Coroutine[Any, Any, None]) -> None:
        self.installation = Installation(connect={"hello_timeout_s": 1})
        try:
            await self.installation.start()
            await test
            for sign in ("Traceback", "critical", "Unhandled"):
                self.assertEqual(self.installation.logged(sign)[:3], [])
        except BaseException:
            for daemon in (self.installation.message, self.installation.connect):
                print(f"--- {daemon.name}\n{daemon.tail()}", flush=True)
            raise
        finally:
            await self.installation.stop()

    @property
    def port(self) -> int:
        return self.installation.ports["connect.listen"]

    # -- attempts

    async def speak(self, spelling: Spelling, user: int, *said: bytes) -> Outcome:
        """
        Send hello, then the bytes of these frames, then a ping whose pong marks the
        end.
        """
        token = self.installation.token(user)
        data = upgrade(spelling.name, token) + spelling.message(spelling.hello)
        data += b"".join(said) + spelling.message(spelling.mark)
        return await attempt(self.port, [data], mark=MARK.encode())

    def assert_blamed(self, spelling: Spelling, outcome: Outcome) -> Counter[str]:
        """
        Check that the server's frames follow the protocol, and blame only the client.

        @return: the number of frames by type.
        """
        told: Counter[str] = Counter()
        self.assertEqual(outcome.statuses, [101])
        for payload in outcome.messages:
            kind, fields = spelling.understood(payload)
            told[kind] += 1
            if kind in ("error", "rejected"):
                self.assertIn(fields["code"], ERRORS, fields)
                self.assertNotIn(fields["code"], ("internal", "unavailable"), fields)
                told[fields["code"]] += 1
        if outcome.close:
            self.assertIn(outcome.close, BLAME)
            told[str(int(outcome.close))] += 1
        else:
            self.assertGreater(told["pong"], 0, outcome)
        return told

    async def messages(self, rng: random.Random, count: int) -> Counter[str]:
        """
        Send arbitrary frames, several on a connection.
        """
        jobs: list[tuple[Spelling, Awaitable[Outcome]]] = []
        for i in range(count // _A_CONNECTION):
            spelling = rng.choice((JSON, PROTOBUF))
            make = json_payload if spelling is JSON else protobuf_payload
            said = [spelling.message(make(rng)) for _ in range(_A_CONNECTION)]
            jobs.append((spelling, self.speak(spelling, 1000 + i, *said)))
        outcomes = await together(job for _, job in jobs)
        told: Counter[str] = Counter()
        for (spelling, _), outcome in zip(jobs, outcomes, strict=True):
            told += self.assert_blamed(spelling, outcome)
        return told

    async def large(self) -> Counter[str]:
        """
        Send frames of the largest allowed size.
        """
        told: Counter[str] = Counter()
        for spelling, payload in LARGE:
            outcome = await self.speak(spelling, 5000, spelling.message(payload))
            told += self.assert_blamed(spelling, outcome)
        flood = [PROTOBUF.message(frame) for frame in watch_flood()]
        told += self.assert_blamed(PROTOBUF, await self.speak(PROTOBUF, 5002, *flood))
        return told

    async def no_websocket(self) -> None:
        """
        Send bytes that are not WebSocket, in both codecs.
        """
        for spelling in (PROTOBUF, JSON):
            for name, (data, code) in FRAMES.items():
                outcome = await self.speak(spelling, 5001, data)
                if spelling is PROTOBUF or code == 1002:
                    self.assertEqual((outcome.close, outcome.ended), (code, True), name)
                else:
                    self.assertIn(outcome.close, BLAME, name)
        for spelling, opcode in ((PROTOBUF, 1), (JSON, 2)):
            outcome = await self.speak(spelling, 5001, masked(b"{}", opcode))
            self.assertEqual(outcome.close, 1003)
        outcome = await self.speak(JSON, 5001, masked(b"\xff\xfe", 1))
        self.assertEqual(outcome.close, 1007)

    async def http(self) -> None:
        """
        Send bad requests to every HTTP port, and junk to the other ports.
        """
        ports = self.installation.ports
        public, admin = ports["connect.listen"], ports["message.admin_listen"]
        said = [(public, data) for data in HEADS + HTTP]
        said += [(ports["connect.admin_listen"], data) for data in HEADS]
        said += [(admin, data.replace(_STATUS, _REPLAY)) for data in HTTP]
        said += [(ports["message.listen"], data) for data in HTTP]
        jobs = [attempt(port, [data]) for port, data in said]
        for (_, data), outcome in zip(said, await together(jobs), strict=True):
            odd = {s for s in outcome.statuses if s >= 500} - {501, 505}
            self.assertEqual(odd, set(), data[:200])
        for daemon in ("message", "connect"):
            port = ports[f"{daemon}.rpc_listen"]
            jobs = [attempt(port, [x], mark=_NEVER) for x in NOT_GRPC]
            for outcome in await together(jobs):
                self.assertTrue(outcome.ended)

    async def logins(self) -> None:
        """
        Log in with bad tokens, and without any.
        """
        token = self.installation.token
        good = token(7)
        forged = good[:-4] + ("AAAA" if good[-4:] != "AAAA" else "BBBB")
        none = jwt.encode({"sub": "7", "exp": time.time() + 60}, "", "none")
        odd = ("", "x", "a.b.c", "." * 3000, "Bearer", forged, none, "\t")
        for bad in (*odd, token(7, exp=1), token(7, sub="-7"), token(7, sub=["7"])):
            outcome = await attempt(self.port, [upgrade("json", bad)], mark=_HEAD)
            self.assertEqual(outcome.statuses, [401], bad)
        for headers, status in (
            ({"User-ID": "8"}, 401),
            ({"User-ID": "9" * 30}, 401),
            ({"Origin": "http://evil.example"}, 403),
            ({"Sec-WebSocket-Version": "7"}, 426),
            ({"Sec-WebSocket-Protocol": "odd"}, 400),
            ({"Sec-WebSocket-Key": "short"}, 400),
        ):
            data = upgrade("json", good, **headers)
            outcome = await attempt(self.port, [data], mark=_HEAD)
            self.assertEqual(outcome.statuses[0] // 100, status // 100, headers)
        bare = upgrade("json", good).replace(b"Authorization", b"X-Nothing")
        hello = b'{"type":"hello","token":"%b"}'
        for said, code in (
            (JSON.message(b'{"type":"ping"}'), Close.BAD_FRAME),
            (JSON.message(b"[]"), Close.BAD_FRAME),
            (JSON.message(hello % b""), Close.UNAUTHENTICATED),
            (JSON.message(hello % none.encode()), Close.UNAUTHENTICATED),
            (JSON.message(hello % forged.encode()), Close.UNAUTHENTICATED),
            (b"", Close.STALE),
        ):
            outcome = await attempt(self.port, [bare + said], mark=_NEVER)
            self.assertEqual((outcome.close, outcome.ended), (code, True))
        twice = JSON.message(JSON.hello)
        told = self.assert_blamed(JSON, await self.speak(JSON, 7, twice, twice))
        self.assertEqual(told["bad_frame"], 2)

    async def slow(self) -> None:
        """
        Request heads that arrive byte by byte and never end are cut off.
        """
        jobs = [
            attempt(self.port, [bytes([b]) for b in head], mark=_NEVER)
            for head in SLOW
            for _ in range(5)
        ]
        for outcome in await together(jobs):
            self.assertEqual((outcome.statuses, outcome.ended), ([], True))

    async def round(self, seed: int, count: int) -> Counter[str]:
        """
        Run all attempts once.

        @return: the number of server frames by type.
        """
        slow = asyncio.ensure_future(self.slow() if seed & 1 else asyncio.sleep(0))
        told = await self.messages(random.Random(seed), count)
        told += await self.large()
        await self.no_websocket()
        await self.http()
        await self.logins()
        await slow
        return told

    @with_daemons
    async def test_campaign(self) -> None:
        """
        While thousands of bad inputs reach every port, two users talk undisturbed; each
        bad client gets an error, and the daemons keep no resources of it.
        """
        talk = Talk(self.installation)
        self.addCleanup(talk.history.end)
        await talk.start()
        daemons = (self.installation.message, self.installation.connect)
        bodies = [Body(daemon) for daemon in daemons]
        for seed in (1, 2):
            await self.round(seed, 800)
        await self.quiet()
        files, before = [b.files() for b in bodies], [b.rss_bytes() for b in bodies]
        told = await self.round(3, 2400)
        await self.quiet()
        for body, n_files, n_bytes in zip(bodies, files, before, strict=True):
            await eventually("files", lambda b=body, n=n_files: b.files() <= n)  # type: ignore[misc]
            self.assertLess(body.rss_bytes() - n_bytes, _GROWTH_BYTES)
        await talk.stop()
        self.assertEqual([p.problems for p in talk.people], [[], []])
        self.assertGreater(len(talk.turns), 100)
        talk.check_p99(2.0)
        for kind in ("bad_frame", "bad_request", "rejected", "forbidden", "1009"):
            self.assertGreater(told[kind], 0, told)

    async def quiet(self) -> None:
        """
        Wait until only the two honest users are connected.
        """
        connect = self.installation.connect

        async def only_two() -> bool:
            _, status = await connect.get("/status")
            return bool(status["connect"]["connections"] == 2)

        await eventually("two", only_two)


_STATUS = b"/api/v1/connect/online_status"
_REPLAY = b"/dead-letters/replay"
