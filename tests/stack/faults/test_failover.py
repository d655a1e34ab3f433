"""
Tests of one of two Messages that is killed under load: the other one takes over.
"""

from __future__ import annotations

import asyncio
import random
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from twisted.internet.defer import Deferred
from twisted.trial.unittest import TestCase

from tests.stack.cluster import Cluster
from tests.stack.servers import needs
from tests.stalls import History, Span
from wsmsg.prove.checker import check
from wsmsg.prove.clients.crowd import Crowd
from wsmsg.prove.clients.ending import read_finally
from wsmsg.prove.deployment.daemons import DaemonProcess
from wsmsg.prove.history import HistoryWriter, read_history

#: The session timeout of group members at the brokers of these tests.
SESSION_S = 2
#: Seconds that the takeover may take beyond it.
_MORE_S = 1
#: A machine that lost less than this during such a period was running.
_WHOLE_S = 0.3
_ATTEMPTS = 4
_LIFETIME_S = 6 * 3600
_PATIENCE_S = 60.0


@needs("kafka", "mongo", "redis")
class FailoverTests(TestCase):
    """
    Users spread over two Connects, conversations over two Messages.
    """

    timeout = 390

    def test_failover(self) -> Deferred[None]:
        """
        While a Message is dead the other one takes over what it had accepted: no
        message waits longer than the group's session timeout and a second.

        If the machine stalls meanwhile, the measurement proves little and the Message
        is killed once more, whatever the others waited. If no period is free of stalls,
        each of them is checked against the bound, less what the machine lost.
        """
        return Deferred.fromFuture(asyncio.ensure_future(self.run_on(Cluster())))

    async def run_on(self, cluster: Cluster) -> None:
        path, stalls = Path(self.mktemp()), History()

        def token_of(user: int) -> str:
            return cluster.lasting_token(user, _LIFETIME_S)

        with path.open("w", encoding="utf-8") as file:
            began_s = time.monotonic()
            history = HistoryWriter(file)
            crowd = Crowd(
                history, cluster.urls, token_of, 1001, random.Random(1), pause_s=0.1
            )
            try:
                await cluster.start()
                await crowd.start()
                timed: list[tuple[float, float]] = []
                for message in cluster.messages:
                    timed += await self.timed_kills(message)
                await crowd.end_talking()
                await read_finally(crowd, token_of, _PATIENCE_S)
            finally:
                stalls.end()
                await crowd.stop()
                await cluster.stop()
            history.end()
        with path.open(encoding="utf-8") as file:
            self.assertEqual(check(read_history(file)).breaches, [])
        for accepted_s, seen_s in _waits(path, began_s):
            for killed_s, back_s in timed:
                late = seen_s - accepted_s >= SESSION_S + _MORE_S
                if late and killed_s <= accepted_s <= back_s:
                    stalls.check(accepted_s, seen_s, SESSION_S + _MORE_S)

    async def timed_kills(self, message: DaemonProcess) -> list[tuple[float, float]]:
        """
        Return the times of the kill and the return: the first pair during which the
        machine did not stall, or all pairs if there is none.
        """
        times = []
        for _ in range(_ATTEMPTS):
            began_s, span = time.monotonic(), Span()
            await self.kill_for_long(message)
            times.append((began_s, time.monotonic()))
            if span.now()[1].largest_s < _WHOLE_S:
                return times[-1:]
        return times

    async def kill_for_long(self, message: DaemonProcess) -> None:
        """
        Kill a Message for longer than the group's session timeout.
        """
        await asyncio.sleep(3)
        await message.kill()
        await asyncio.sleep(SESSION_S + 3)
        await message.start()
        await message.ready()


def _waits(path: Path, began_s: float) -> Iterator[tuple[float, float]]:
    """
    Return for each message between two raw clients when it was accepted and when it was
    first seen by the other one, by C{time.monotonic}.
    """
    accepted: dict[str, float] = {}
    bodies: dict[tuple[int, str], str] = {}
    seen: set[str] = set()
    with path.open(encoding="utf-8") as file:
        for _, line in read_history(file):
            op, at_s = line.get("op"), began_s + line["t"]
            if op == "send" and line["e"] == "invoke":
                bodies.setdefault((line["user"], line["id"]), line["body"])
            elif op == "send" and line["e"] == "ok":
                accepted.setdefault(bodies[line["user"], line["id"]], at_s)
            elif op in ("push", "page") and _is_of_interest(line):
                body = line["body"]
                if body in accepted and body not in seen:
                    seen.add(body)
                    yield accepted[body], at_s


def _is_of_interest(line: dict[str, Any]) -> bool:
    return line["user"] != line["from"] and "old" not in line
