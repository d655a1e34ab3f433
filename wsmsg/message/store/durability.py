"""
The durability of a MongoDB deployment: what a write that a majority confirmed is worth.

All writes ask for a majority and its journals, whatever the defaults of the deployment
are.  The deployment decides how many servers a majority is, and what their journals
are.  It is asked for that when the store is opened, and each minute.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Iterator, Mapping
from typing import Any

import attrs
from twisted.internet.defer import Deferred
from twisted.internet.interfaces import IReactorTime
from twisted.internet.task import LoopingCall
from twisted.logger import Logger
from twisted.python.failure import Failure

from wsmsg.dependency.alarms import Alarms
from wsmsg.dependency.cause import Cause, KnownCause
from wsmsg.errors import Unavailable

#: The interval of checks.
CHECK_S = 60.0
#: The name of the alarm.
STORE_DURABILITY = "store_durability"

_Reply = Mapping[str, Any]

#: Asks the deployment; returns its reply, which may be a refusal.
Ask = Callable[[dict[str, Any]], Awaitable[_Reply]]

# serverStatus without its long parts.
_STATUS = {
    "serverStatus": 1,
    **dict.fromkeys(("repl", "metrics", "locks", "wiredTiger", "tcmalloc"), 0),
}


@attrs.frozen
class Deployment:
    """
    A deployment, as it describes itself.

    @ivar hello: the reply of the primary to C{hello}.
    @ivar config: of the replica set; L{None}: not told.
    @ivar engine: the storage engine of the primary; L{None}: not told.
    @ivar untold: the questions that were not answered, with the reason.
    """

    hello: _Reply
    config: _Reply | None = None
    engine: _Reply | None = None
    untold: tuple[str, ...] = ()

    def problems(self) -> list[str]:
        """
        Return what may lose stored messages: the setting with its value, the value
        wanted, and the reason.
        """
        return [
            f"{what} is {seen}, wanted {wanted}: {why}"
            for what, seen, wanted, why in self._findings()
        ]

    def _findings(self) -> Iterator[tuple[str, object, str, str]]:
        name = self.hello.get("setName")
        if self.hello.get("msg") != "isdbgrid":
            if not name:
                why = "a server that loses its disk loses stored messages"
                wanted = "a replica set of 3 members (at least 2) with data"
                yield "MongoDB", "a single server", wanted, why
            else:
                yield from self._of_replica_set(name)
        if self.engine is not None and self.engine.get("persistent") is False:
            engine = self.engine.get("name", "unknown")
            why = "MongoDB has stored messages in memory alone"
            yield "the storage engine of MongoDB", engine, "wiredTiger", why

    def _of_replica_set(self, name: str) -> Iterator[tuple[str, object, str, str]]:
        voters, with_data = self._members()
        # MongoDB's writeMajorityCount.
        majority = min(voters // 2 + 1, with_data)
        if majority < 2:
            what = f"the majority of replica set {name}"
            seen = f"{majority} member with data (of {voters} that vote)"
            why = "a stored message may be on one server alone"
            yield what, seen, "2 members or more", why
        key = "writeConcernMajorityJournalDefault"
        if self.config is not None and self.config.get(key) is False:
            why = "members count for the majority before their journals have a write"
            yield f"{key} of replica set {name}", "false", "true", why

    def _members(self) -> tuple[int, int]:
        """
        Return how many members vote, and how many of these have data.
        """
        if self.config is not None:
            voters = [m for m in self.config.get("members", ()) if m.get("votes", 1)]
            return len(voters), sum(not m.get("arbiterOnly") for m in voters)
        hosts, passives = self.hello.get("hosts", ()), self.hello.get("passives", ())
        with_data = len(hosts) + len(passives)
        return with_data + len(self.hello.get("arbiters", ())), with_data


async def look_up_deployment(ask: Ask) -> Deployment:
    """
    Ask a deployment.

    @raise Unavailable: it does not answer.
    """
    untold: list[str] = []

    async def told(command: dict[str, Any]) -> _Reply | None:
        reply = await ask(command)
        if reply.get("ok"):
            return reply
        untold.append(f"{next(iter(command))}: {reply.get('errmsg', 'refused')}")
        return None

    hello = await told({"hello": 1}) or {}
    if hello.get("msg") == "isdbgrid":
        untold.append("replSetGetConfig: a router does not tell of its shards")
        return Deployment(hello, untold=tuple(untold))
    config = await told({"replSetGetConfig": 1}) if hello.get("setName") else None
    status = await told(_STATUS)
    return Deployment(
        hello,
        None if config is None else config.get("config"),
        None if status is None else status.get("storageEngine"),
        tuple(untold),
    )


class StoreDurabilityWatch:
    """
    Checks a deployment, raises the alarm, and refuses the deployment if it is told to.

    @param ask: asks the deployment.
    @param call: makes a check while the store is up; its failure L{Unavailable} means
        that the store is lost.
    @param strict: refuse what may lose stored messages.
    """

    _log = Logger()

    def __init__(
        self,
        ask: Ask,
        call: Callable[[Callable[[], Awaitable[None]]], Deferred[None]],
        alarms: Alarms,
        clock: IReactorTime,
        *,
        strict: bool,
    ) -> None:
        self._ask = ask
        self._call = call
        self._alarms = alarms
        self._strict = strict
        self._untold: tuple[str, ...] = ()
        self._checks = LoopingCall(self._check_soon)
        self._checks.clock = clock

    def start(self) -> None:
        """
        Check each minute from now on; the store makes the first check when it opens.
        """
        if not self._checks.running:
            self._checks.start(CHECK_S, now=False)

    def stop(self) -> None:
        """
        Check no more.
        """
        if self._checks.running:
            self._checks.stop()

    async def check(self) -> None:
        """
        Check the deployment.

        @raise KnownCause: C{mongo.strict} refuses the deployment.
        @raise Unavailable: the deployment does not answer.
        """
        found = await look_up_deployment(self._ask)
        if found.untold != self._untold:
            self._untold = found.untold
            if found.untold:
                self._log.info(
                    "the durability of MongoDB cannot be told in full: {why}",
                    why="; ".join(found.untold),
                )
        why = "; ".join(found.problems())
        self._alarms.set(STORE_DURABILITY, why)
        if why and self._strict:
            raise KnownCause(f"mongo.strict refuses: {why}", Cause.STORE_DURABILITY)

    def _check_soon(self) -> Deferred[None]:
        return self._call(self.check).addErrback(self._failed)

    def _failed(self, failure: Failure) -> None:
        if failure.check(Unavailable) is None:
            self._log.failure("checking the durability of MongoDB", failure)
