"""
Pairs of users who talk while daemons are killed, and the check of promises P1 to P5
against what clients received and what the store holds.
"""

from __future__ import annotations

import asyncio
import json
import os
import random
import sys
import time
from collections import Counter
from collections.abc import Awaitable, Callable, Iterator
from functools import partial
from typing import Any

from twisted.internet.defer import Deferred
from twisted.trial.unittest import TestCase

from tests.faults.pushes import compared, missed_pushes
from tests.integration.installation import Installation
from tests.integration.raw_client import RawClient
from tests.stalls import History
from wsmsg.model import conversation_of

_PAIRS = 8
_SETTLE_S = 60.0
_TOKEN_S = 6 * 3600

#: Minutes for which each campaign of faults runs; 0: as short as in C{make test}.
MINUTES = float(os.environ.get("WSMSG_FAULTS") or 0)


def report(text: str) -> None:
    """
    Print progress for whoever watches the tests.
    """
    sys.__stderr__ and print(text, file=sys.__stderr__, flush=True)


def _turned(urls: list[str], n: int) -> list[str]:
    """
    Return the same URLs, rotated by C{n}.
    """
    n %= len(urls)
    return urls[n:] + urls[:n]


def _other(user: int) -> int:
    """
    Return the user that this user talks with.
    """
    return user + 1 if user % 2 else user - 1


def _idle(client: RawClient) -> bool:
    return client.idle


def _caught_up(reader: RawClient, client: RawClient, name: str) -> bool:
    return len(reader.taken[name]) >= len(client.taken[name])


def users_of(pairs: int = _PAIRS) -> range:
    """
    Return the users of a load.
    """
    return range(1001, 1001 + 2 * pairs)


class Load:
    """
    Pairs of users who send both ways until they are told to stop.
    """

    def __init__(self, installation: Installation, pairs: int) -> None:
        self.clients = [
            RawClient(
                _turned(installation.urls, user),
                installation.token(user, exp=int(time.time()) + _TOKEN_S),
                user,
            )
            for user in users_of(pairs)
        ]
        self.sent: dict[str, tuple[int, int, str]] = {}
        self._talking = True
        self._tasks: list[asyncio.Task[None]] = []
        self._history = History()

    def start(self, pause_s: float) -> None:
        for client in self.clients:
            client.start()
            self._tasks.append(asyncio.ensure_future(self._talk(client, pause_s)))

    async def _talk(self, client: RawClient, pause_s: float) -> None:
        other = _other(client.user)
        for n in range(1, 1_000_000):
            if not self._talking:
                return
            content = f"{client.user} says {n}"
            client_id = await client.send(other, content)
            self.sent[client_id] = (client.user, n, content)
            await asyncio.sleep(pause_s * random.uniform(0.5, 1.5))

    async def finish(self) -> None:
        """
        Stop sending, and wait until every message is accepted and received.
        """
        self._talking = False
        await asyncio.gather(*self._tasks)
        for client in self.clients:
            await client.until(partial(_idle, client), _SETTLE_S)
        for client in self.clients:
            try:
                await client.until(partial(self.seen, client), _SETTLE_S)
            except TimeoutError:
                raise AssertionError(self.missing(client)) from None

    def missing(self, client: RawClient) -> str:
        """
        Return the messages that a client should have received and has not.
        """
        other = _other(client.user)
        taken = client.taken[conversation_of(client.user, other)]
        seen = {m.content for m in taken}
        lacks = [c for u, _, c in self.sent.values() if u in (client.user, other)]
        lacks = [c for c in lacks if c not in seen]
        return f"{client.user} saw {len(taken)}, lacks {lacks}; {client!r}"

    def seen(self, client: RawClient) -> bool:
        """
        Tell whether a client has received as many messages as its conversation has.
        """
        other = _other(client.user)
        sent = sum(u in (client.user, other) for u, _, _ in self.sent.values())
        return len(client.taken[conversation_of(client.user, other)]) >= sent

    def longest_delay_s(self) -> float:
        """
        Return the longest time from a message's acceptance to its arrival, in seconds.
        """
        return max(taken_s - accepted_s for accepted_s, taken_s in self._waits())

    def check_delays(self, limit_s: float, began_s: float, ended_s: float) -> None:
        """
        Check that each message accepted within a period arrived within the bound, less
        the time that the machine lost.
        """
        for accepted_s, taken_s in self._waits():
            if began_s <= accepted_s <= ended_s and taken_s - accepted_s >= limit_s:
                self._history.check(accepted_s, taken_s, limit_s)

    def _waits(self) -> Iterator[tuple[float, float]]:
        """
        Return for each message when it was accepted and when the other client received
        it.
        """
        by_user = {client.user: client for client in self.clients}
        for client_id, (user, _, content) in self.sent.items():
            yield (
                by_user[user].accepted_s[client_id],
                by_user[_other(user)].taken_s[content],
            )

    async def stop(self) -> None:
        self._history.end()
        for task in self._tasks:
            task.cancel()
        for client in self.clients:
            await client.stop()


class LoadTestCase(TestCase):
    """
    Base class of tests of faults under load. The seed is printed; C{WSMSG_SEED} sets
    it.
    """

    timeout: float = 1800 if MINUTES else 390
    #: The mean time between the sends of one user, in seconds.
    pause_s = 0.05

    def setUp(self) -> None:
        self.seed = int(os.environ.get("WSMSG_SEED") or random.randrange(2**32))
        self.random = random.Random(self.seed)
        report(f"\nseed {self.seed} (WSMSG_SEED={self.seed} repeats it)")

    def run_with_load(
        self,
        installation: Installation,
        faults: Callable[[Load], Awaitable[None]],
    ) -> Deferred[None]:
        """
        Do the same as L{run_round}.
        """

        async def body() -> None:
            await self.run_round(installation, faults)

        return Deferred.fromFuture(asyncio.ensure_future(body()))

    async def run_round(
        self,
        installation: Installation,
        faults: Callable[[Load], Awaitable[None]],
        *,
        ends_s: float = 0.0,
    ) -> int:
        """
        Start all daemons and the load, run the faults, check the result, and stop.

        @param ends_s: a round that ends later is the last one, and in a long campaign
            waits until all sessions were compared with the store once more.
        @return: the number of messages that were sent.
        """
        load = Load(installation, _PAIRS)
        try:
            await installation.start()
            load.start(self.pause_s)
            await faults(load)
            await load.finish()
            await self.check(installation, load)
            if MINUTES and time.monotonic() >= ends_s:
                await compared(load.clients)
            self.assertEqual(await missed_pushes(installation), [])
            return len(load.sent)
        except BaseException:
            for daemon in installation.daemons:
                status = json.dumps(await daemon.get("/status"))
                report(f"--- {daemon.name}\n{status}\n{daemon.tail()}")
            raise
        finally:
            await load.stop()
            await installation.stop()

    async def check(self, installation: Installation, load: Load) -> None:
        """
        Check that all clients received what is stored, and that every accepted message
        is stored.
        """
        for client in load.clients:
            self.assertEqual(client.problems, [], f"seen by {client.user}")
        stored = await self.stored(installation, load)
        found = Counter(m.content for messages in stored.values() for m in messages)
        sent = Counter(content for _, _, content in load.sent.values())
        self.assertEqual(found, sent)
        for conversation, messages in stored.items():
            self.assertEqual([m.seq for m in messages], [*range(1, len(messages) + 1)])
            by_sender: dict[int, list[int]] = {}
            for m in messages:
                by_sender.setdefault(getattr(m, "from"), []).append(
                    int(m.content.split()[-1])
                )
            for sender, numbers in by_sender.items():
                self.assertEqual(numbers, sorted(numbers), f"order of {sender}")
            ids = [m.message_id for m in messages]
            self.assertEqual(len(set(ids)), len(ids))
            for client in load.clients:
                if conversation in client.taken:
                    self.assertEqual(
                        [(m.seq, m.content) for m in client.taken[conversation]],
                        [(m.seq, m.content) for m in messages],
                        f"what {client.user} saw",
                    )
        tracebacks = installation.tracebacks()
        self.assertFalse(tracebacks, "\n\n".join(tracebacks))
        rejected = dict(Counter(r for c in load.clients for r in c.rejected))
        report(
            f"{len(sent)} messages, each stored once and seen once by both;"
            f" {sum(c.connects for c in load.clients)} connects,"
            f" {sum(c.resyncs for c in load.clients)} resyncs,"
            f" longest sync {max(c.longest_sync_s for c in load.clients):.2f} s,"
            f" longest delay {load.longest_delay_s():.2f} s,"
            f" rejected meanwhile {rejected}"
        )

    async def stored(self, installation: Installation, load: Load) -> dict[str, Any]:
        """
        Return all conversations, read by new devices.
        """
        stored: dict[str, Any] = {}
        for client in load.clients[::2]:
            reader = RawClient(
                installation.urls,
                installation.token(client.user, exp=int(time.time()) + _TOKEN_S),
                client.user,
                "reader",
            )
            reader.start()
            name = conversation_of(client.user, client.user + 1)
            try:
                await reader.until(partial(_caught_up, reader, client, name))
                stored[name] = reader.taken[name]
            finally:
                await reader.stop()
        return stored
