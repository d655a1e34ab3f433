"""
The connection to MongoDB: kept open, with a limit of time on every command.

A command that meets a lost connection is sent once more: all commands of the store may
be repeated.  If that fails, the whole pool counts as lost; it is reopened by the retry
policy, which checks the login and prepares the store.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Any, Protocol, TypeVar

from bson.errors import BSONError
from pymongo.errors import AutoReconnect, ConnectionFailure, PyMongoError
from twisted.internet.defer import CancelledError, Deferred, TimeoutError, succeed
from twisted.internet.error import ConnectionClosed
from twisted.internet.interfaces import IDelayedCall
from twisted.logger import Logger
from twisted.python.failure import Failure

from wsmsg.dependency.reopen import KeptOpen
from wsmsg.dependency.retry import Backoff, RetryPolicy
from wsmsg.dependency.state import Dependency
from wsmsg.dependency.stop import StopOnce
from wsmsg.errors import Unavailable
from wsmsg.message.store.mongo.driver.pool import Pool, resolved
from wsmsg.settings.urls.mongo import MongoUrl

T = TypeVar("T")
Document = dict[str, Any]


class Run(Protocol):
    """
    The type of L{MongoConnection.run}.
    """

    def __call__(
        self, command: Document, limit_s: float = 0
    ) -> Awaitable[Document]: ...


#: The codes of MongoDB for a missing permission.
_RIGHTS = frozenset({13, 18, 8000})
_NO_SUCH_COLLECTION = 26
_MAX_TIME_EXPIRED = 50
_LOST = (AutoReconnect, ConnectionFailure, ConnectionClosed)
# The interval of pings, and the share of the time of an operation that an answer may
# take: with 5 s, that is L{wsmsg.dependency.reopen.STALL_S}.
_PING_S = 0.5
_STALL_SHARE = 4
# The longest time that a command waits for a new connection after it met a lost one.
_RECONNECT_LIMIT_S = 1.0
_ALL = 1_000_000


class _TookTooLong(Unavailable):
    """
    The server ended a command at the limit of time that the command has.
    """


class MongoConnection:
    """
    Commands to one database.

    @param reactor: the time, and threads for DNS.
    @param backoff: the delays between attempts of one connection of the pool.
    @param prepare: called with each new pool, before it counts as up.
    """

    _log = Logger()

    def __init__(
        self,
        url: MongoUrl,
        reactor: Any,
        *,
        retry: RetryPolicy,
        backoff: Backoff,
        dependency: Dependency,
        prepare: Callable[[Run], Awaitable[None]],
    ) -> None:
        self._url = url
        self._reactor = reactor
        self._dependency = dependency
        self._prepare = prepare
        self._backoff = backoff
        self._pool: Pool | None = None
        self._ping: IDelayedCall | None = None
        self._kept = KeptOpen(
            lambda: Deferred.fromCoroutine(self._open()), reactor, retry, dependency
        )
        self._stopping = StopOnce(self._stop)
        self._asked: set[Deferred[Any]] = set()
        self._closed: Deferred[Any] = succeed(None)

    def start(self) -> None:
        self._kept.start()

    def stop(self) -> Deferred[None]:
        return self._stopping()

    def do(self, work: Callable[[], Awaitable[T]]) -> Deferred[T]:
        """
        Run work that calls L{run}, if the pool is up.

        @raise Unavailable: (as failure) the pool is not up, or is lost.
        """
        if not self._kept.up:
            return self._refuse()
        return Deferred.fromCoroutine(self._watched(work))

    async def run(self, command: Document, limit_s: float = 0) -> Document:
        """
        Run a command.

        @param limit_s: the limit of time; 0: that of one operation.
        @raise Unavailable: the command failed, or its outcome is unknown.
        """
        pool = self._pool
        if pool is None:
            raise self._kept.refusal()
        try:
            return await self._send(pool, command, limit_s or self._url.timeout_s)
        except _LOST:
            return await self._run_once(pool, command, limit_s or _RECONNECT_LIMIT_S)

    async def ask(self, command: Document) -> Document:
        """
        Run a command about the deployment.  The reply may be a refusal.

        @raise Unavailable: there is no reply.
        """
        pool = self._pool
        if pool is None:
            raise self._kept.refusal()
        try:
            return await self._reply(pool, "admin", command, self._url.timeout_s)
        except _LOST as e:
            raise self._lost(pool, e) from None

    async def documents(self, find: Document) -> list[Document]:
        """
        Return all documents of a C{find} command, in one round trip unless they have
        more than 16 MB.
        """
        pool = self._pool
        if pool is None:
            raise self._kept.refusal()
        session = pool.start_session()
        try:
            return await self._all(pool, find, session)
        finally:
            await session.end_session()

    async def documents_within(
        self, find: Document, limit_ms: int
    ) -> list[Document] | None:
        """
        Return all documents of a C{find} command, or L{None} if the server is not done
        with it after C{limit_ms} of work.
        """
        try:
            return await self.documents({**find, "maxTimeMS": limit_ms})
        except _TookTooLong:
            return None

    async def _watched(self, work: Callable[[], Awaitable[T]]) -> T:
        pool = self._pool
        try:
            return await work()
        except Unavailable as e:
            # A late failure of an older pool does not concern this one.
            if pool is self._pool:
                self._kept.lost(e)
            raise

    async def _all(self, pool: Pool, find: Document, session: Any) -> list[Document]:
        command = {**find, "batchSize": _ALL, "readConcern": {"level": "local"}}
        limit_s = self._url.timeout_s
        try:
            reply = await self._send(pool, command, limit_s, session)
        except _LOST:
            reply = await self._run_once(pool, command, _RECONNECT_LIMIT_S, session)
        cursor = reply["cursor"]
        found: list[Document] = cursor["firstBatch"]
        while cursor["id"]:
            more = {"getMore": cursor["id"], "collection": find["find"]}
            cursor = (await self._run_once(pool, more, limit_s, session))["cursor"]
            found += cursor["nextBatch"]
        return found

    def _refuse(self) -> Deferred[Any]:
        refused: Deferred[Any] = Deferred()
        refused.errback(self._kept.refusal())
        return refused

    async def _open(self) -> None:
        self._close()
        url = self._url
        if url.srv:
            url = await self._resolve()
        # run() must not use the pool before it is ready.
        pool = Pool(url, self._backoff)
        try:
            await self._ready(pool, url)
            if pool.refusal:
                raise Unavailable(
                    f"MongoDB {url.place} refuses the login of {url.user!r}"
                    f" ({url.auth_source}): {pool.refusal}"
                )
            self._pool = pool
            await self._prepare(self.run)
        except Exception:
            self._pool = None
            self._closed = pool.abort()
            raise
        self._ping = self._reactor.callLater(_PING_S, self._ping_soon)

    async def _resolve(self) -> MongoUrl:
        from twisted.internet.threads import deferToThreadPool

        pool = self._reactor.getThreadPool()
        looked: Deferred[MongoUrl] = deferToThreadPool(
            self._reactor, pool, resolved, self._url
        )
        try:
            return await looked.addTimeout(self._url.timeout_s, self._reactor)
        except (PyMongoError, ValueError, TimeoutError) as e:
            raise Unavailable(f"MongoDB {self._url.place}: {e}") from None

    async def _ready(self, pool: Pool, url: MongoUrl) -> None:
        # A single host that fails is away.  In a replica set each host but the primary
        # fails, and may name others: there only the limit of time decides.
        ready = pool.getprotocol()
        alone = len(url.hosts) == 1 and not url.replica_set
        self._asked.add(ready)

        def failed() -> None:
            if alone:
                ready.cancel()

        pool.on_failure(failed)
        try:
            await ready.addTimeout(self._url.timeout_s, self._reactor)
        except (CancelledError, TimeoutError):
            why = pool.problem or f"no answer within {self._url.timeout_s:g} s"
            raise Unavailable(f"MongoDB {self._url.place}: {why}") from None
        finally:
            self._asked.discard(ready)
            pool.on_failure(lambda: None)

    def _ping_soon(self) -> None:
        self._ping = None
        if self._kept.up:
            looking = self.do(self._pinged)
            looking.addErrback(lambda failure: failure.trap(Unavailable))
            looking.addErrback(self._ping_failed)

    def _ping_failed(self, failure: Failure) -> None:
        self._log.failure("pinging MongoDB", failure)
        if self._kept.up:
            self._ping = self._reactor.callLater(_PING_S, self._ping_soon)

    async def _pinged(self) -> None:
        assert self._pool is not None
        pool = self._pool
        stall_s = self._url.timeout_s / _STALL_SHARE
        due_s = self._reactor.seconds() + stall_s
        stall = self._reactor.callLater(stall_s, self._stalled, pool, due_s, stall_s)
        try:
            await self._run_once(pool, {"ping": 1}, self._url.timeout_s)
        finally:
            if stall.active():
                stall.cancel()
        if pool is self._pool:
            self._kept.answered()
        if pool is self._pool and self._kept.up:
            self._ping = self._reactor.callLater(_PING_S, self._ping_soon)

    def _stalled(self, pool: Pool, due_s: float, stall_s: float) -> None:
        # A timer that fires late shows that this process stood still, not the server;
        # and one of an older pool says nothing of this one, which it would stop for
        # ever.
        if pool is self._pool and self._reactor.seconds() - due_s < stall_s:
            why = f"MongoDB {self._url.place}: no answer within {stall_s:g} s"
            self._kept.stalled(Unavailable(why))

    async def _run_once(
        self, pool: Pool, command: Document, limit_s: float, session: Any = None
    ) -> Document:
        try:
            return await self._send(pool, command, limit_s, session)
        except _LOST as e:
            raise self._lost(pool, e) from None

    def _lost(self, pool: Pool, error: Exception) -> Unavailable:
        why = pool.problem or str(error) or type(error).__name__
        return Unavailable(f"MongoDB {self._url.place}: {why}")

    async def _send(
        self, pool: Pool, command: Document, limit_s: float, session: Any = None
    ) -> Document:
        database = self._url.database
        reply = await self._reply(pool, database, command, limit_s, session)
        self._check(command, reply)
        return reply

    async def _reply(
        self,
        pool: Pool,
        database: str,
        command: Document,
        limit_s: float,
        session: Any = None,
    ) -> Document:
        # The reply is not checked by txmongo, which would put the command, with the
        # contents of messages, into its exception.
        sent: Deferred[Document] = pool.command(
            database, dict(command), check=False, session=session
        )
        self._asked.add(sent)
        try:
            return await sent.addTimeout(limit_s, self._reactor)
        except CancelledError:
            raise Unavailable(f"MongoDB {self._url.place}: stopped") from None
        except TimeoutError:
            raise Unavailable(
                f"MongoDB {self._url.place}: {pool.problem or 'no answer'}"
                f" within {limit_s:g} s"
            ) from None
        except (BSONError, OverflowError, UnicodeError) as e:
            raise ValueError(f"MongoDB cannot store this: {e}") from None
        finally:
            self._asked.discard(sent)

    def _check(self, command: Document, reply: Document) -> None:
        name = next(iter(command))
        error = reply.get("writeConcernError")
        if reply.get("ok"):
            if error:
                raise Unavailable(
                    f"MongoDB {self._url.place}: not stored by a majority:"
                    f" {error.get('errmsg')}"
                )
            return
        if name == "listIndexes" and reply.get("code") == _NO_SUCH_COLLECTION:
            return
        what = f"{name} {command[name]}" if isinstance(command[name], str) else name
        right = ""
        if reply.get("code") in _RIGHTS:
            right = f"{self._url.user or 'nobody'} has no right to "
        expired = reply.get("code") == _MAX_TIME_EXPIRED
        kind = _TookTooLong if expired else Unavailable
        raise kind(f"MongoDB {self._url.place}: {right}{what}: {reply.get('errmsg')}")

    def _close(self) -> None:
        if self._ping is not None:
            self._ping.cancel()
            self._ping = None
        pool, self._pool = self._pool, None
        if pool is not None:
            self._closed = pool.abort()

    async def _stop(self) -> None:
        stopping = self._kept.stop()
        for asked in list(self._asked):
            asked.cancel()
        await stopping
        self._close()
        await self._closed
        self._dependency.stopped()
