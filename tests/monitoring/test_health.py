"""
Readiness, and the listeners that show it.
"""

from __future__ import annotations

import asyncio
import json
from typing import Any

from grpc_health.v1 import health_pb2
from grpc_health.v1.health import aio
from twisted.internet.defer import Deferred
from twisted.internet.error import ConnectionDone
from twisted.internet.task import Clock
from twisted.python.failure import Failure
from twisted.trial.unittest import TestCase

from tests.http.wire import Wire
from wsmsg.dependency.state import Dependency
from wsmsg.errors import NotFound
from wsmsg.http.operators import OperatorAccess
from wsmsg.http.resource import Api
from wsmsg.http.routes import Argument, Call, Reply, Route
from wsmsg.http.site import FixedLimits, QuietSite
from wsmsg.monitoring.admin import admin_site, health_routes, page
from wsmsg.monitoring.grpc_health import follow_readiness
from wsmsg.monitoring.health import Health, any_up, required_up
from wsmsg.monitoring.metrics import Metrics
from wsmsg.settings.values import Common


class HealthTests(TestCase):
    """
    L{Health}.
    """

    def setUp(self) -> None:
        self.clock = Clock()
        self.clock.advance(1_700_000_000)
        self.one = Dependency("one", self.clock)
        self.two = Dependency("two", self.clock)
        self.extra = Dependency("extra", self.clock, required=False)

    def health(self, rule: Any, *dependencies: Dependency) -> Health:
        health = Health(self.clock, rule, dependencies=dependencies)
        health.started()
        return health

    def test_connect(self) -> None:
        """
        Connect is ready while at least one stream is up.
        """
        health = self.health(any_up, self.one, self.two)
        self.assertFalse(health.ready)
        self.assertEqual(health.reason(), "waiting for one, two")
        self.two.succeeded()
        self.assertTrue(health.ready)
        self.two.lost("gone")
        self.assertFalse(health.ready)

    def test_connect_with_several(self) -> None:
        """
        Connect is ready while one of several Messages is up, none of which is required
        by itself; anything else that is optional does not count.
        """
        for dependency in (self.one, self.two):
            dependency.one_of(2)
        health = self.health(any_up, self.one, self.two, self.extra)
        self.extra.succeeded()
        self.assertFalse(health.ready)
        self.two.succeeded()
        self.assertTrue(health.ready)

    def test_connect_without_message(self) -> None:
        """
        A Connect that knows of no Message is not ready, though its discovery is up.
        """
        health = self.health(any_up, self.extra)
        self.extra.succeeded()
        self.assertFalse(health.ready)
        self.assertEqual(health.reason(), "no Message is known")

    def test_message(self) -> None:
        """
        Message is ready while all required dependencies are up, and degraded while
        another one is not.
        """
        health = self.health(required_up, self.one, self.two, self.extra)
        self.one.succeeded()
        self.assertFalse(health.ready)
        self.two.succeeded()
        self.assertTrue(health.ready)
        self.assertTrue(health.readiness()["degraded"])
        self.extra.succeeded()
        self.assertFalse(health.readiness()["degraded"])

    def test_life(self) -> None:
        """
        A daemon that has not started, or that is stopping, is not ready.
        """
        self.one.succeeded()
        health = Health(self.clock, required_up, dependencies=[self.one])
        self.assertEqual((health.ready, health.reason()), (False, "starting"))
        health.started()
        self.assertEqual((health.ready, health.reason()), (True, ""))
        health.stopping()
        self.assertEqual((health.ready, health.reason()), (False, "stopping"))

    def test_listeners(self) -> None:
        """
        Listeners are called at each change of the readiness, and at no other time.
        """
        health = self.health(any_up, self.one, self.two)
        changes: list[bool] = []
        health.on_change(changes.append)
        self.one.succeeded()
        self.two.succeeded()
        self.one.lost("x")
        self.two.lost("x")
        self.assertEqual(changes, [True, False])

    def test_removed(self) -> None:
        """
        A Message that discovery no longer finds does not count.
        """
        health = self.health(required_up, self.one, self.two)
        self.one.succeeded()
        health.remove(self.two)
        self.assertTrue(health.ready)
        self.two.failed("x", None)
        self.assertTrue(health.ready)

    def test_give_up(self) -> None:
        """
        The daemon learns that it cannot become ready once all streams were given up.
        """
        health = self.health(any_up, self.one, self.two)
        reasons: list[str] = []
        health.on_give_up(reasons.append)
        self.one.attempting()
        self.one.failed("refused", None)
        self.assertEqual(reasons, [])
        self.two.attempting()
        self.two.failed("no such host", None)
        self.assertEqual(reasons, ["gave up on two after 1 attempt: no such host"])

    def test_give_up_extra(self) -> None:
        """
        Giving up a dependency that is not required does not end the daemon.
        """
        health = self.health(required_up, self.one, self.extra)
        reasons: list[str] = []
        health.on_give_up(reasons.append)
        self.extra.failed("refused", None)
        self.assertEqual(reasons, [])


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
        )
        self.health.started()
        self.metrics = Metrics()
        self.metrics.dependencies(lambda: self.health.dependencies)
        more = [page("odd", _fail), Route("GET echo", _echo, **_ECHO)]
        access = OperatorAccess(Common())
        self.site = admin_site(
            self.health, self.metrics, self.clock, more, access=access
        )

    def get(self, path: str, method: str = "GET") -> tuple[int, bytes]:
        """
        @return: the status and the body of the answer.
        """
        answer = self.raw(f"{method} /{path} HTTP/1.1\r\n\r\n".encode())
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
    "root": "/",
}


class RpcHealthTests(TestCase):
    """
    L{follow_readiness}.
    """

    async def status(self, servicer: aio.HealthServicer, service: str) -> int:
        request = health_pb2.HealthCheckRequest(service=service)
        check = asyncio.ensure_future(servicer.Check(request, None))
        answer = await Deferred.fromFuture(check)
        return int(answer.status)

    async def test_follows(self) -> None:
        """
        gRPC's health service answers SERVING while the daemon is ready, else
        NOT_SERVING.
        """
        clock = Clock()
        dependency = Dependency("store", clock)
        health = Health(clock, required_up, dependencies=[dependency])
        health.started()
        servicer = aio.HealthServicer()
        follow_readiness(health, servicer, ["rest.MessageService"])
        not_serving = health_pb2.HealthCheckResponse.NOT_SERVING
        serving = health_pb2.HealthCheckResponse.SERVING
        for change, expected in (
            (dependency.attempting, not_serving),
            (dependency.succeeded, serving),
            (dependency.stopped, not_serving),
        ):
            change()
            await Deferred.fromFuture(asyncio.ensure_future(asyncio.sleep(0)))
            for service in ("", "rest.MessageService"):
                self.assertEqual(await self.status(servicer, service), expected)
