"""
The sessions of this node in the Redis of legacy Connects, in their format.

A login never waits for this Redis: changes go into a ledger and are written in batches,
each as soon as the one before is done.  After a loss of the connection or of the data
everything is written again.
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
from wsmsg.redis.connection import Execute, RedisConnection
from wsmsg.settings.urls.redis import RedisUrl
from wsmsg.text.counted import plural

#: How long Redis keeps a connection, as legacy Connects set it.
KEPT_S = 2 * 3600
#: The most sessions in one call, which blocks Redis for 2 ms.
_WRITES = 100
_REMOVALS = 25
#: The most ended sessions whose removal is kept while Redis is down.
_KEPT_REMOVALS = 100_000
#: The longest time in which L{LegacyRedisPresence.stop} removes the sessions.
_STOP_S = 5.0


class ListedSession(Protocol):
    """
    The part of a session that is written.
    """

    user: int
    codec: Any


class LegacyRedisPresence:
    """
    Writes the sessions of this node until L{stop}, which removes them.

    @param node: the name of this Connect.  What another Connect wrote under the same
        name is removed.
    @param now_s: returns the unix time in seconds.
    @param unsure: returns whether some of the sessions may be gone already; nothing is
        written meanwhile.
    @ivar written: the number of sessions that were written.
    @ivar removed: the number of sessions that were removed.
    @ivar cleared: the number of sessions of dead Connects that were removed.
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
        unsure: Callable[[], bool] = lambda: False,
    ) -> None:
        self._unsure = unsure
        self.dependency = Dependency(
            f"legacy redis {url.place}", reactor, required=False
        )
        self.ledger = PresenceLedger(_KEPT_REMOVALS)
        self.written = self.removed = self.cleared = 0
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
        self.dependency.on_change(self._state_changed)

    def start(self) -> None:
        self._redis.start()

    def session_added(self, session: ListedSession) -> None:
        """
        Have a new session written.
        """
        kind = session.codec.subprotocol or "legacy"
        self.ledger.add(session, session.user, kind, self._now_s())
        self._schedule()

    def session_removed(self, session: ListedSession) -> None:
        """
        Have a session removed that ended.
        """
        self.ledger.remove(session)
        self._schedule()

    def stats(self) -> dict[str, int]:
        """
        Return the counters since the start and the present sizes, by name.
        """
        return {
            "redis_written": self.written,
            "redis_removed": self.removed,
            "redis_cleared": self.cleared,
            "redis_waiting": self.ledger.waiting,
            "redis_forgotten": self.ledger.forgotten,
        }

    def stop(self) -> Deferred[None]:
        """
        Remove all sessions of this node, if Redis allows that within 5 s, and close.

        @return: a Deferred that fires when no connection and no timer is left; never
            fails.
        """
        self._stopping = True
        if self._round is not None:
            self._round.cancel()
            self._round = None
        done = Deferred.fromCoroutine(self._remove_all())
        done.addTimeout(_STOP_S, self._reactor)
        done.addErrback(self._remove_failed)
        return done.addCallback(lambda _: self._redis.stop())

    def _remove_failed(self, failure: Failure) -> None:
        self._log.warn(
            "{dependency}: the sessions of this node stay there: {reason}",
            dependency=self.dependency.name,
            reason=failure.getErrorMessage() or repr(failure.value),
        )

    # -- the time to write

    def _check(self, execute: Execute) -> Deferred[Any]:
        prefix = self._redis.url.prefix
        asked = execute("EVALSHA", scripts.BEAT.sha, 1, prefix, self._node, self._life)
        return asked.addCallback(self._checked)

    def _checked(self, reply: list[str]) -> None:
        life, *dead = reply
        self._dead = [node for node in dead if node != self._node]
        if life != self._life and self._swept and self._redis.up:
            why = (
                f"another Connect has the name {self._node!r} as well"
                if life
                else "the data was lost"
            )
            self._log.warn(
                "{dependency}: all sessions are written again: {reason}",
                dependency=self.dependency.name,
                reason=why,
            )
            self.ledger.write_all_again()
        self._schedule()

    def _state_changed(self, dependency: Dependency) -> None:
        if dependency.up:
            self.ledger.write_all_again()
            self._schedule()

    def _schedule(self) -> None:
        if self._round or self._writing or self._stopping or not self._redis.up:
            return
        if self._unsure():
            return  # the next check comes here again
        self._round = self._reactor.callLater(0, self._begin)

    def _begin(self) -> None:
        self._round = None
        self._writing = Deferred.fromCoroutine(self._write())
        self._writing.addErrback(self._failed)
        self._writing.addCallback(self._round_done)

    def _failed(self, failure: Failure) -> None:
        # The connection is lost as well, and everything will be written again.
        if not failure.check(Unavailable, CancelledError):
            self._log.failure("writing to the Redis of legacy Connects", failure)

    def _round_done(self, _: None) -> None:
        self._writing = None
        if self.ledger.waiting:
            self._schedule()

    # -- the writing

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
        writes = self.ledger.next_writes(self._reactor.seconds(), _WRITES)
        removals = self.ledger.next_removals(_REMOVALS)
        calls = []
        if writes:
            calls.append(self._enter([entry for _, entry in writes]))
        if removals:
            calls.append(self._leave(removals))
        await gather(calls)
        return len(writes) + len(removals)

    def _enter(self, entries: list[LedgerEntry]) -> Deferred[Any]:
        words: list[object] = []
        for e in entries:
            words += (e.user, e.name, e.client_type, e.since_s)
        now_s = int(self._now_s())
        asked = self._redis.run(scripts.ENTER, self._node, now_s, KEPT_S, *words)
        return asked.addCallback(self._entered, len(entries))

    def _entered(self, refused: list[str], count: int) -> None:
        self.written += count - len(refused)
        for taken in refused:
            self.ledger.name_taken(taken.partition(":")[2])

    def _leave(self, entries: list[LedgerEntry]) -> Deferred[Any]:
        words: list[object] = []
        for e in entries:
            words += (e.user, e.name)
        asked = self._redis.run(scripts.LEAVE, self._node, *words)
        return asked.addCallbacks(
            lambda _: self._entries_removed(len(entries)),
            lambda failure: self._leave_failed(failure, entries),
        )

    def _entries_removed(self, count: int) -> None:
        self.removed += count

    def _leave_failed(self, failure: Failure, entries: list[LedgerEntry]) -> Failure:
        self.ledger.removal_failed(entries)
        return failure

    async def _sweep(self, node: str) -> int:
        """
        Remove all sessions that a Connect has written.
        """
        total = 0
        while count := int(await self._redis.run(scripts.SWEEP, node, _REMOVALS)):
            total += count
        if total:
            self._log.info(
                "{dependency}: {n} {noun} of {node} removed",
                dependency=self.dependency.name,
                n=total,
                noun=plural(total, "connection"),
                node=node,
            )
        return total

    async def _remove_all(self) -> None:
        if self._writing is not None:
            await self._writing
        if self._redis.up:
            while removals := self.ledger.next_removals(_REMOVALS):
                await self._leave(removals)
            await self._sweep(self._node)
