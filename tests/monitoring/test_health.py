"""
Readiness, and the listeners that show it.
"""

from __future__ import annotations

import asyncio
from typing import Any

from grpc_health.v1 import health_pb2
from grpc_health.v1.health import aio
from twisted.internet.defer import Deferred
from twisted.internet.task import Clock
from twisted.trial.unittest import TestCase

from wsmsg.dependency.state import Dependency
from wsmsg.monitoring.grpc_health import follow_readiness
from wsmsg.monitoring.health import Health, any_up, required_up


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
