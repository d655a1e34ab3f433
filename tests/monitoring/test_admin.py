"""
The admin listener.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from twisted.internet.defer import Deferred
from twisted.internet.error import ConnectionDone
from twisted.internet.task import Clock
from twisted.logger import capturedLogs
from twisted.python.failure import Failure
from twisted.trial.unittest import SynchronousTestCase, TestCase

from tests.http.wire import Wire
from wsmsg.auth.scopes import Scope
from wsmsg.dependency.state import Dependency
from wsmsg.errors import NotFound
from wsmsg.http.operators import OperatorAccess
from wsmsg.http.resource import Api
from wsmsg.http.routes import Argument, Call, Reply, Route
from wsmsg.http.server.site import FixedLimits, QuietSite
from wsmsg.monitoring.admin import admin_site, health_routes, in_slices, page
from wsmsg.monitoring.health import Health, required_up
from wsmsg.monitoring.metrics import Metrics
from wsmsg.settings.values import Common


class PageTests(TestCase):
    """
    The admin listener.
    """

    def setUp(self) -> None:
        self.clock = Clock()
        self.clock.advance(1_700_000_000)
        self.dependency = Dependency("journal", self.clock, unix_s=self.clock.seconds)
        self.health = Health(
            self.clock,
            required_up,
            dependencies=[self.dependency],
            about={"node": "message-1"},
            unix_s=self.clock.seconds,
        )
        self.health.started()
        self.metrics = Metrics()
        self.metrics.dependencies(lambda: self.health.dependencies)
        more = [page("odd", _fail), Route("GET echo", _echo, **_ECHO)]
        self.folder = Path(self.mktemp())
        self.access = OperatorAccess(Common(), self.folder)
        self.key = (self.folder / "admin.key").read_text().strip()
        self.site = admin_site(
            self.health, self.metrics, self.clock, more, access=self.access
        )

    def get(
        self, path: str, method: str = "GET", key: str | None = None
    ) -> tuple[int, bytes]:
        """
        @param key: what the request has as C{Authorization}; L{None}: the right key.
        @return: the status and the body of the answer.
        """
        login = f"Bearer {self.key}" if key is None else key
        asked = f"{method} /{path} HTTP/1.1\r\nAuthorization: {login}\r\n\r\n"
        answer = self.raw(asked.encode())
        head, _, body = answer.partition(b"\r\n\r\n")
        return int(head.split()[1]), body

    def test_healthz(self) -> None:
        """
        C{/healthz} answers 200, whatever the daemon waits for.
        """
        status, body = self.get("healthz")
        self.assertEqual((status, json.loads(body)), (200, {"alive": True}))

    def test_readyz(self) -> None:
        """
        C{/readyz} answers 200 or 503, with the state of each dependency, its attempts
        and its last error.
        """
        self.dependency.attempting()
        self.dependency.failed("disk full", 2.0)
        status, body = self.get("readyz")
        self.assertEqual(status, 503)
        self.assertEqual(
            json.loads(body),
            {
                "ready": False,
                "degraded": False,
                "reason": "waiting for journal",
                "in_words": "Not ready: the journal cannot be reached: disk full; next "
                "try in 2 s.",
                "alarms": [],
                "dependencies": [
                    {
                        "name": "journal",
                        "state": "connecting",
                        "required": True,
                        "attempts": 1,
                        "losses": 0,
                        "last_error": "disk full",
                        "since": "2023-11-14T22:13:20.000+00:00",
                        "next_try": "2023-11-14T22:13:22.000+00:00",
                    }
                ],
            },
        )
        self.dependency.succeeded()
        status, body = self.get("readyz")
        self.assertEqual((status, json.loads(body)["ready"]), (200, True))

    def test_name(self) -> None:
        """
        The line in the log when the listener starts names the listener by its purpose.
        """
        self.assertEqual(self.site.logPrefix(), "admin listener")

    def test_key_of_operators(self) -> None:
        """
        Probes and scrapers need no key; the status and all that other parts add need
        the content of C{admin.key}, which only its owner may read.  A reload takes
        another key.
        """
        for path in ("healthz", "readyz", "metrics"):
            self.assertIn(self.get(path, key="")[0], (200, 503), path)
        for path in ("status", "echo", "odd"):
            for key in ("", "Bearer", "Bearer x", self.key[:-1], f"{self.key}x", "é"):
                status, body = self.get(path, key=key)
                self.assertEqual(status, 401, (path, key))
                self.assertIn("admin.key", json.loads(body)["detail"])
        file = self.folder / "admin.key"
        self.assertEqual(file.stat().st_mode & 0o777, 0o600)
        self.assertEqual(self.get("status")[0], 200)
        file.unlink()
        self.access.read_key()
        self.assertEqual(self.get("status")[0], 401)
        self.assertEqual(self.get("status", key=file.read_text().strip())[0], 200)
        file.chmod(0o644)
        with capturedLogs() as logged:
            self.access.read_key()
        self.assertIn("other users may read it", str(logged[0]["e"]))
        self.assertEqual(self.get("status", key=file.read_text().strip())[0], 200)

    def test_pages_of_browsers(self) -> None:
        """
        A page of another site gets nothing, not even with the key.
        """
        for path in ("status", "metrics"):
            head = f"GET /{path} HTTP/1.1\r\nAuthorization: Bearer {self.key}\r\n"
            for line in ("Origin: https://evil.example", "Host: evil.example"):
                answer = self.raw(f"{head}{line}\r\n\r\n".encode())
                self.assertIn(b" 403 ", answer[:20])

    def test_public_port(self) -> None:
        """
        Another listener has the two health pages, and nothing else of the admin
        listener.
        """
        self.site = QuietSite(
            Api(health_routes(self.health)), self.clock, lambda: FixedLimits(9, 9, 9)
        )
        self.assertEqual(self.get("healthz")[0], 200)
        self.assertEqual(self.get("readyz")[0], 503)
        self.assertEqual(self.get("status")[0], 404)

    def test_status(self) -> None:
        """
        C{/status} shows the daemon's name, its phase and the sections of its parts.
        """
        self.health.add_section("sessions", lambda: {"open": 3})
        self.clock.advance(5)
        _, body = self.get("status")
        document = json.loads(body)
        self.assertEqual(document["node"], "message-1")
        self.assertEqual(document["phase"], "started")
        self.assertEqual(document["uptime_s"], 5)
        self.assertEqual(document["sessions"], {"open": 3})

    def test_metrics(self) -> None:
        """
        C{/metrics} shows counters, labelled counters, gauges and dependencies.
        """
        sends = self.metrics.counter("wsmsg_sends", "Sends")
        refused = self.metrics.counters("wsmsg_refused", "Refused", label="code")
        self.metrics.gauge("wsmsg_sessions", "Sessions", lambda: 7)
        sends.value += 2
        refused["overloaded"].value += 1
        self.dependency.succeeded()
        self.dependency.lost("x")
        _, body = self.get("metrics")
        lines = body.decode().splitlines()
        for line in (
            "wsmsg_sends_total 2.0",
            'wsmsg_refused_total{code="overloaded"} 1.0',
            "wsmsg_sessions 7.0",
            'wsmsg_dependency_up{dependency="journal"} 0.0',
            'wsmsg_dependency_losses_total{dependency="journal"} 1.0',
        ):
            self.assertIn(line, lines)
        self.assertTrue(any(x.startswith("process_cpu_seconds") for x in lines))

    def test_same_name(self) -> None:
        """
        Two metrics of one name are an error.
        """
        self.metrics.counter("wsmsg_sends", "Sends")
        self.assertRaises(ValueError, self.metrics.counter, "wsmsg_sends", "Sends")

    def test_further_page(self) -> None:
        """
        The pages of a daemon get the query, and their errors are problem documents.
        """
        status, body = self.get("echo?name=x")
        problem = json.loads(body)
        self.assertEqual((status, problem["code"]), (404, "not_found"))
        self.assertEqual(problem["detail"], "no such thing: x")

    def test_other_paths(self) -> None:
        """
        Other paths and other methods are refused with problem documents.
        """
        for path, method, status in (("x", "GET", 404), ("status", "POST", 405)):
            got, body = self.get(path, method)
            self.assertEqual((got, json.loads(body)["status"]), (status, status))

    def test_odd_header(self) -> None:
        """
        A header that is not text does not break a page.
        """
        answer = self.raw(b"GET /metrics HTTP/1.0\r\nAccept: \xff\xfe\r\n\r\n")
        self.assertIn(b" 200 ", answer[:20])

    def test_large_body(self) -> None:
        """
        A body over the limit is refused before it is kept, whether its length is
        declared or it comes in chunks.
        """
        head = b"POST /echo HTTP/1.1\r\nHost: x\r\n"
        for body in (
            b"Content-Length: 99999999999\r\n\r\nabc",
            b"Transfer-Encoding: chunked\r\n\r\n"
            + b"fff\r\n%b\r\n" % (b"x" * 4095) * 300,
        ):
            answer = self.raw(head + body)
            self.assertIn(b" 413 ", answer[:20])
            self.assertEqual(answer.count(b"HTTP/1.1"), 1)

    def raw(self, data: bytes) -> bytes:
        """
        Return the answer of the admin listener to these bytes.
        """
        transport: Any = Wire()
        channel = self.site.buildProtocol(None)
        channel.makeConnection(transport)
        channel.dataReceived(data)
        channel.connectionLost(Failure(ConnectionDone()))
        return bytes(transport.value())

    def test_bug(self) -> None:
        """
        A page that fails answers 500 without a traceback, which the log has.
        """
        status, body = self.get("odd")
        self.assertEqual(status, 500)
        self.assertNotIn(b"ZeroDivision", body)
        self.assertEqual(len(self.flushLoggedErrors(ZeroDivisionError)), 1)


async def _fail(call: Call) -> Reply:
    raise ZeroDivisionError


async def _echo(call: Call) -> Reply:
    raise NotFound(f"no such thing: {call.text('name')}")


_ECHO: Any = {
    "responses": {},
    "query": [Argument("name", "Anything.", number=False)],
    "scope": Scope.OBSERVE,
    "root": "/",
}


class SlicesTests(SynchronousTestCase):
    """
    L{in_slices}.
    """

    def setUp(self) -> None:
        self.clock = Clock()
        self.made: list[int] = []

    def pieces(self, n: int, each_s: float) -> Iterator[bytes]:
        """
        Yield pieces, each of which takes the daemon some time.
        """
        for number in range(n):
            self.clock.rightNow += each_s
            self.made.append(number)
            yield str(number).encode()

    def test_long(self) -> None:
        """
        A page that takes long is made in several turns of the reactor, between which
        the daemon does other work.
        """
        page = Deferred.fromCoroutine(in_slices(self.pieces(9, 0.0009), self.clock))
        self.assertEqual(self.made, [0, 1, 2])
        other_work: list[int] = []
        self.clock.callLater(0, lambda: other_work.append(len(self.made)))
        self.assertNoResult(page)
        self.clock.advance(0)
        self.assertEqual(self.successResultOf(page), b"012345678")
        self.assertLess(other_work[0], 9)
        self.assertEqual(self.clock.getDelayedCalls(), [])

    def test_short(self) -> None:
        """
        A page that takes no longer than a slice is made at once.
        """
        page = Deferred.fromCoroutine(in_slices(self.pieces(9, 0.0001), self.clock))
        self.assertEqual(self.successResultOf(page), b"012345678")
