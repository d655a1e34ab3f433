"""
Our sessions in the Redis of deployed Connects, as theirs are there.

A login never waits for it: what is to be told is noted, and written in batches, each
as soon as the one before is done.  After every loss of the connection, or of the data,
all of it is told anew.
"""

from __future__ import annotations

import time
import uuid
from collections.abc import Callable
from typing import Any, Protocol

from twisted.internet.defer import CancelledError, Deferred
from twisted.internet.interfaces import IDelayedCall
from twisted.logger import Logger
from twisted.python.failure import Failure

from wsmsg.connect.legacy.redis import scripts
from wsmsg.connect.legacy.redis.ledger import LedgerEntry, PresenceLedger
from wsmsg.dependency.gather import gather
from wsmsg.dependency.retry import RetryPolicy
from wsmsg.dependency.state import Dependency
from wsmsg.errors import Unavailable
from wsmsg.redis.connection import Ask, RedisConnection
from wsmsg.settings.urls.redis import RedisUrl

#: As theirs.
KEPT_S = 2 * 3600
#: Sessions in one call: Redis does nothing else meanwhile (2 ms).
_TOLD = 100
_REMOVED = 25
#: Of so many sessions that have gone it is remembered that Redis must be told.
_PARTING = 100_000
#: The longest that taking our users out may hold up the end.
_STOP_S = 5.0


class Listed(Protocol):
    """
    What is told of a session.
    """

    user: int
    codec: Any


class LegacyRedisPresence:
    """
    Writes who is here, until L{stop}, which takes all of it out again.

    @param node: our name, as the others see it; one that another Connect has or had
        takes over what that one told.
    @param now_s: unix seconds.
    """

    _log = Logger()

    def __init__(
        self,
        url: RedisUrl,
        reactor: Any,
        *,
        node: str,
        retry: RetryPolicy,
        now_s: Callable[[], float] = time.time,
        timeout_s: float = 2.0,
    ) -> None:
        self.dependency = Dependency(
            f"legacy redis {url.place}", reactor, required=False
        )
        self.ledger = PresenceLedger(_PARTING)
        self.told = self.removed = self.cleared = 0
        self._reactor = reactor
        self._node = node
        self._life = uuid.uuid4().hex
        self._now_s = now_s
        self._swept = False
        self._dead: list[str] = []
        self._round: IDelayedCall | None = None
        self._writing: Deferred[None] | None = None
        self._stopping = False
        self._redis = RedisConnection(
            url,
            reactor,
            retry=retry,
            dependency=self.dependency,
            check=self._check,
            scripts=scripts.ALL,
            timeout_s=timeout_s,
        )
        self.dependency.on_change(self._came_or_went)

    def start(self) -> None:
        self._redis.start()

    def joined(self, session: Listed) -> None:
        """
        A session is here.
        """
        kind = session.codec.subprotocol or "legacy"
        self.ledger.joined(session, session.user, kind, self._now_s())
        self._soon()

    def left(self, session: Listed) -> None:
        """
        A session ended.
        """
        self.ledger.left(session)
        self._soon()

    def stats(self) -> dict[str, int]:
        """
        What was done since the start, and what waits, by name.
        """
        return {
            "redis_told": self.told,
            "redis_removed": self.removed,
            "redis_cleared": self.cleared,
            "redis_waiting": self.ledger.waiting,
            "redis_forgotten": self.ledger.forgotten,
        }

    def stop(self) -> Deferred[None]:
        """
        Take everything of ours out, if Redis lets us within 5 s, and close.

        @return: a Deferred that fires when nothing is left; never fails.
        """
        self._stopping = True
        if self._round is not None:
            self._round.cancel()
            self._round = None
        done = Deferred.fromCoroutine(self._take_out())
        done.addTimeout(_STOP_S, self._reactor)
        done.addErrback(self._left_there)
        return done.addCallback(lambda _: self._redis.stop())

    def _left_there(self, failure: Failure) -> None:
        self._log.warn(
            "{dependency}: what we told is left there: {reason}",
            dependency=self.dependency.name,
            reason=failure.getErrorMessage() or repr(failure.value),
        )

    # -- when

    def _check(self, ask: Ask) -> Deferred[Any]:
        prefix = self._redis.url.prefix
        asked = ask("EVALSHA", scripts.BEAT.sha, 1, prefix, self._node, self._life)
        return asked.addCallback(self._seen)

    def _seen(self, reply: list[str]) -> None:
        life, *dead = reply
        self._dead = [node for node in dead if node != self._node]
        if life != self._life and self._swept and self._redis.up:
            why = (
                f"another Connect is {self._node!r} as well" if life else "it was lost"
            )
            self._log.warn(
                "{dependency}: what we told is told again: {reason}",
                dependency=self.dependency.name,
                reason=why,
            )
            self.ledger.anew()
        self._soon()

    def _came_or_went(self, dependency: Dependency) -> None:
        if dependency.up:
            self.ledger.anew()
            self._soon()

    def _soon(self) -> None:
        if self._round or self._writing or self._stopping or not self._redis.up:
            return
        self._round = self._reactor.callLater(0, self._begin)

    def _begin(self) -> None:
        self._round = None
        self._writing = Deferred.fromCoroutine(self._write())
        self._writing.addErrback(self._failed)
        self._writing.addCallback(self._written)

    def _failed(self, failure: Failure) -> None:
        # The connection is lost as well then, and all is told anew.
        if not failure.check(Unavailable, CancelledError):
            self._log.failure("telling the Redis of deployed Connects", failure)

    def _written(self, _: None) -> None:
        self._writing = None
        if self.ledger.waiting:
            self._soon()

    # -- what

    async def _write(self) -> None:
        if not self._swept:
            self.cleared += await self._sweep(self._node)
            self._swept = True
            await self._redis.run(scripts.BEAT, self._node, self._life)
        while await self._write_some() and not self._stopping:
            pass
        dead, self._dead = self._dead, []
        for node in dead:
            self.cleared += await self._sweep(node)

    async def _write_some(self) -> int:
        taken = self.ledger.take(self._reactor.seconds(), _TOLD)
        parted = self.ledger.part(_REMOVED)
        calls = []
        if taken:
            calls.append(self._enter([entry for _, entry in taken]))
        if parted:
            calls.append(self._leave(parted))
        await gather(calls)
        return len(taken) + len(parted)

    def _enter(self, entries: list[LedgerEntry]) -> Deferred[Any]:
        words: list[object] = []
        for e in entries:
            words += (e.user, e.name, e.client_type, e.since_s)
        now_s = int(self._now_s())
        asked = self._redis.run(scripts.ENTER, self._node, now_s, KEPT_S, *words)
        return asked.addCallback(self._entered, len(entries))

    def _entered(self, refused: list[str], count: int) -> None:
        self.told += count - len(refused)
        for told in refused:
            self.ledger.refused(told.partition(":")[2])

    def _leave(self, entries: list[LedgerEntry]) -> Deferred[Any]:
        words: list[object] = []
        for e in entries:
            words += (e.user, e.name)
        asked = self._redis.run(scripts.LEAVE, self._node, *words)
        return asked.addCallbacks(
            lambda _: self._left(len(entries)),
            lambda failure: self._unparted(failure, entries),
        )

    def _left(self, count: int) -> None:
        self.removed += count

    def _unparted(self, failure: Failure, entries: list[LedgerEntry]) -> Failure:
        self.ledger.unparted(entries)
        return failure

    async def _sweep(self, node: str) -> int:
        """
        Take out all that a Connect has told.
        """
        total = 0
        while count := int(await self._redis.run(scripts.SWEEP, node, _REMOVED)):
            total += count
        if total:
            self._log.info(
                "{dependency}: {n} connections of {node} removed",
                dependency=self.dependency.name,
                n=total,
                node=node,
            )
        return total

    async def _take_out(self) -> None:
        if self._writing is not None:
            await self._writing
        if self._redis.up:
            while parted := self.ledger.part(_REMOVED):
                await self._leave(parted)
            await self._sweep(self._node)
