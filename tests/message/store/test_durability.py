"""
Tests for L{wsmsg.message.store.durability}.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Any

from twisted.internet.defer import Deferred
from twisted.internet.task import Clock
from twisted.logger import LogLevel, capturedLogs
from twisted.trial.unittest import SynchronousTestCase

from wsmsg.dependency.alarms import Alarms
from wsmsg.dependency.cause import Cause, KnownCause
from wsmsg.errors import Unavailable
from wsmsg.message.store.durability import (
    CHECK_S,
    STORE_DURABILITY,
    Deployment,
    StoreDurabilityWatch,
)


def replica_set(*members: dict[str, Any], **more: Any) -> dict[str, Any]:
    """
    Return the configuration of a replica set, of three members unless they are given.
    """
    return {"members": list(members) or [{}, {}, {}], **more}


class Server:
    """
    A deployment that answers questions.
    """

    def __init__(self) -> None:
        self.replies: dict[str, Any] = {
            "hello": {"ok": 1, "setName": "rs", "hosts": ["a:1", "b:1", "c:1"]},
            "replSetGetConfig": {"ok": 1, "config": replica_set()},
            "serverStatus": {"ok": 1, "storageEngine": {"persistent": True}},
        }

    async def ask(self, command: dict[str, Any]) -> Any:
        """
        Answer, or refuse what the deployment does not know.
        """
        reply = self.replies.get(next(iter(command)))
        if isinstance(reply, Exception):
            raise reply
        return reply or {"ok": 0, "code": 59, "errmsg": "no such command"}


class DeploymentTests(SynchronousTestCase):
    """
    L{Deployment}.
    """

    def test_good(self) -> None:
        """
        A replica set of three members, or of two and an arbiter, is good.
        """
        hello = {"setName": "rs", "hosts": ["a:1"]}
        engine = {"name": "wiredTiger", "persistent": True}
        for config in (
            replica_set(),
            replica_set({}, {}, {"arbiterOnly": True}),
            replica_set({}, {"priority": 0}, writeConcernMajorityJournalDefault=True),
        ):
            self.assertEqual(Deployment(hello, config, engine).problems(), [])

    def test_bad(self) -> None:
        """
        A single server, a majority of one, journals that do not count, and an engine
        without a disk are told, with the value and the one wanted.
        """
        alone = {"setName": "rs", "hosts": ["a:1"]}
        arbiters = replica_set({}, {"arbiterOnly": True}, {"arbiterOnly": True})
        quick = replica_set(writeConcernMajorityJournalDefault=False)
        memory = {"name": "inMemory", "persistent": False}
        cases = [
            (Deployment({}), "a single server"),
            (Deployment(alone), "1 member with data (of 1 that vote)"),
            (Deployment(alone, arbiters), "1 member with data (of 3 that vote)"),
            (Deployment(alone, replica_set({}, {"votes": 0})), "of 1 that vote"),
            (Deployment(alone, quick), "writeConcernMajorityJournalDefault of"),
            (Deployment(alone, replica_set(), memory), "MongoDB is inMemory"),
        ]
        for deployment, text in cases:
            (problem,) = deployment.problems()
            self.assertIn(text, problem)
            self.assertIn(", wanted ", problem)

    def test_by_greeting(self) -> None:
        """
        If the user may not read the configuration, the greeting tells the members.
        """
        hello = {"setName": "rs", "hosts": ["a:1"], "passives": ["b:1"]}
        self.assertEqual(Deployment(hello).problems(), [])
        hello = {"setName": "rs", "hosts": ["a:1"], "arbiters": ["b:1", "c:1"]}
        self.assertIn("1 member with data", Deployment(hello).problems()[0])


class StoreDurabilityWatchTests(SynchronousTestCase):
    """
    L{StoreDurabilityWatch}.
    """

    def setUp(self) -> None:
        self.clock = Clock()
        self.alarms = Alarms(self.clock.seconds, self.clock.seconds)
        self.server = Server()
        self.lost: list[Exception] = []

    def watch(self, *, strict: bool = False) -> StoreDurabilityWatch:
        def call(check: Callable[[], Awaitable[None]]) -> Deferred[None]:
            return Deferred.fromCoroutine(check())  # type: ignore[arg-type]

        watch = StoreDurabilityWatch(
            self.server.ask, call, self.alarms, self.clock, strict=strict
        )
        watch.start()
        self.addCleanup(watch.stop)
        return watch

    def reason(self) -> str:
        """
        Return the reason of the alarm, or C{""}.
        """
        named = {a.name: a.reason for a in self.alarms.current}
        return named.get(STORE_DURABILITY, "")

    def check(self, watch: StoreDurabilityWatch) -> None:
        self.successResultOf(Deferred.fromCoroutine(watch.check()))

    def test_each_minute(self) -> None:
        """
        A deployment that becomes unsafe raises the alarm within a minute, and one that
        is mended clears it.
        """
        self.check(self.watch())
        self.assertEqual(self.reason(), "")
        self.server.replies["replSetGetConfig"]["config"] = replica_set({})
        self.clock.advance(CHECK_S - 1)
        self.assertEqual(self.reason(), "")
        self.clock.advance(1)
        self.assertIn("of 1 that vote", self.reason())
        self.server.replies["replSetGetConfig"]["config"] = replica_set()
        self.clock.advance(CHECK_S)
        self.assertEqual(self.reason(), "")

    def test_strict(self) -> None:
        """
        With C{mongo.strict}, such a deployment is refused, with a cause.
        """
        self.server.replies["hello"] = {"ok": 1}
        watch = self.watch(strict=True)
        checking = Deferred.fromCoroutine(watch.check())
        error = self.failureResultOf(checking, KnownCause).value
        self.assertEqual(error.cause, Cause.STORE_DURABILITY)
        self.assertIn("mongo.strict refuses: MongoDB is a single server", error.reason)
        self.assertIn("a single server", self.reason())

    def test_untold(self) -> None:
        """
        Questions that the deployment does not answer are stated once, at the level
        info, and are no alarm.
        """
        del self.server.replies["replSetGetConfig"], self.server.replies["serverStatus"]
        watch = self.watch(strict=True)
        with capturedLogs() as logs:
            self.check(watch)
            self.clock.advance(CHECK_S)
        (event,) = [e for e in logs if "cannot be told" in e["log_format"]]
        self.assertEqual(event["log_level"], LogLevel.info)
        self.assertIn("replSetGetConfig: no such command", event["why"])
        self.assertEqual(self.reason(), "")

    def test_router(self) -> None:
        """
        A router does not tell of its shards, which is stated.
        """
        self.server.replies["hello"] = {"ok": 1, "msg": "isdbgrid"}
        with capturedLogs() as logs:
            self.check(self.watch())
        self.assertEqual(self.reason(), "")
        self.assertIn("a router does not tell", logs[0]["why"])

    def test_away(self) -> None:
        """
        A deployment that does not answer keeps the alarm as it was.
        """
        self.server.replies["hello"] = {"ok": 1}
        watch = self.watch()
        self.check(watch)
        self.server.replies["hello"] = Unavailable("gone")
        self.clock.advance(CHECK_S)
        self.assertIn("a single server", self.reason())
        self.failureResultOf(Deferred.fromCoroutine(watch.check()), Unavailable)
