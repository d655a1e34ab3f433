"""
One connection to a Redis that is opened again whenever it was lost.

Each attempt is a connection of its own: the host is looked up again (after a failover
it has another address), it logs in, loads the scripts, and shows by a check that it
serves us.  The check is repeated every second: a dead socket is noticed by it, and a
server that began to refuse writes.  Whatever the server refuses is a loss, with the
reason; so it is dialled again, perhaps elsewhere, until it serves.

txredisapi's own reconnection is not used: it ends for good when a login fails, and
calls that are made meanwhile wait for ever.

Importing this imports the reactor.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Sequence
from functools import partial
from typing import Any

from twisted.internet.defer import Deferred, TimeoutError, fail, succeed
from twisted.internet.endpoints import HostnameEndpoint, wrapClientTLS
from twisted.internet.error import ConnectionClosed
from twisted.internet.interfaces import IStreamClientEndpoint
from twisted.internet.protocol import Factory
from twisted.internet.ssl import optionsForClientTLS
from twisted.internet.task import LoopingCall
from twisted.python.failure import Failure
from txredisapi import RedisProtocol, ResponseError

from wsmsg.dependency.gather import gather
from wsmsg.dependency.reopen import KeptOpen
from wsmsg.dependency.retry import RetryPolicy
from wsmsg.dependency.state import Dependency
from wsmsg.dependency.tls import trust_root
from wsmsg.errors import Unavailable
from wsmsg.settings.urls.redis import RedisUrl

#: One command and its words, to the reply.
Ask = Callable[..., "Deferred[Any]"]
#: Fires when the server does what is wanted of it; fails when it refuses.
Check = Callable[[Ask], "Deferred[Any]"]

_BEAT_S = 1.0

#: By the first word of a refusal, what it means to an operator.
_REFUSALS = {
    "WRONGPASS": "the user or the password is wrong",
    "NOAUTH": "it wants a user or a password",
    "NOPERM": "the user lacks a right",
    "READONLY": "it is read-only",
    "OOM": "it is full and takes no writes",
    "MISCONF": "it cannot write its data and takes no writes",
    "NOREPLICAS": "it has too few replicas and takes no writes",
    "LOADING": "it is reading its data",
    "MASTERDOWN": "it has lost its primary",
    "WRONGTYPE": "somebody else uses our keys, choose another prefix",
}


class RedisScript:
    """
    A program that the server runs as one.
    """

    def __init__(self, source: str) -> None:
        self.source = source
        self.sha = hashlib.sha1(source.encode(), usedforsecurity=False).hexdigest()


def ping(ask: Ask) -> Deferred[Any]:
    """
    The check that needs no right.
    """
    return ask("PING")


class RedisConnection:
    """
    Opened by L{start}, kept open until L{stop}.

    @param scripts: loaded before anything is asked.
    @param line: what speaks with the server.
    @param timeout_s: how long an attempt, and each reply, may take.
    """

    def __init__(
        self,
        url: RedisUrl,
        reactor: Any,
        *,
        retry: RetryPolicy,
        dependency: Dependency,
        check: Check = ping,
        scripts: Sequence[RedisScript] = (),
        line: Callable[[], WatchedRedisProtocol] | None = None,
        timeout_s: float = 2.0,
    ) -> None:
        self.url = url
        self.dependency = dependency
        self._reactor = reactor
        self._check = check
        self._scripts = scripts
        self._lines = _Lines.forProtocol(line or WatchedRedisProtocol)
        self._timeout_s = timeout_s
        self._line: WatchedRedisProtocol | None = None
        self._attempt: Deferred[Any] = succeed(None)
        self._kept = KeptOpen(self._open, reactor, retry, dependency)
        self._beat = LoopingCall(self._beats)
        self._beat.clock = reactor

    def start(self) -> None:
        """
        Begin with the first attempt.
        """
        self._kept.start()

    def stop(self) -> Deferred[None]:
        """
        Close it; what was asked and has no reply fails.

        @return: a Deferred that fires when nothing is left; never fails.
        """
        ends = [self._kept.stop()]
        if self._beat.running:
            self._beat.stop()
        self._attempt.cancel()
        line, self._line = self._line, None
        if line is not None:
            ends.append(line.end())
        return gather(ends).addCallback(lambda _: self.dependency.stopped())

    @property
    def up(self) -> bool:
        return self._line is not None

    def ask(self, *words: object) -> Deferred[Any]:
        """
        One command.  Several that are asked in one turn of the reactor leave together,
        and are carried out in their order.

        @return: a Deferred that fires with the reply, or fails with L{Unavailable}:
            then the connection is lost as well.
        """
        if self._line is None:
            return fail(self._kept.refusal())
        return self._asked(self._line, *words)

    def run(self, script: RedisScript, *args: object) -> Deferred[Any]:
        """
        Run a script, which is given the prefix as its only key.
        """
        return self.ask("EVALSHA", script.sha, 1, self.url.prefix, *args)

    # -- an attempt

    def _open(self) -> Deferred[None]:
        self._attempt = Deferred.fromCoroutine(self._connect())
        return self._attempt.addErrback(self._unavailable)

    async def _connect(self) -> None:
        opening: Deferred[Any] = self._endpoint().connect(self._lines)
        line: WatchedRedisProtocol = await opening.addTimeout(
            self._timeout_s, self._reactor
        )
        ask = partial(self._asked, line)
        try:
            if self.url.password:
                login = (self.url.user, self.url.password)
                await ask("AUTH", *(word for word in login if word))
            if self.url.db:
                await ask("SELECT", self.url.db)
            loads = [ask("SCRIPT", "LOAD", script.source) for script in self._scripts]
            await gather(loads)
            await self._check(ask)
            if line.problem:
                raise Unavailable(self._told(line.problem))
        except BaseException:
            line.transport.abortConnection()
            raise
        self._line = line
        line.on_loss(lambda: self._lost(line, self._told(line.problem)))
        self._beat.start(_BEAT_S, now=False)

    def _endpoint(self) -> IStreamClientEndpoint:
        host, port = self.url.address
        endpoint = HostnameEndpoint(
            self._reactor, host.encode(), port, timeout=self._timeout_s
        )
        if not self.url.tls:
            return endpoint
        wrapped: IStreamClientEndpoint = wrapClientTLS(
            optionsForClientTLS(host, trust_root(self.url.ca_file)), endpoint
        )
        return wrapped

    def _unavailable(self, failure: Failure) -> Failure:
        return Failure(Unavailable(self._reason(failure)))

    # -- while it is up

    def _beats(self) -> Deferred[Any]:
        # What fails has been told by then.
        return self._check(self.ask).addErrback(lambda _: None)

    def _asked(self, line: WatchedRedisProtocol, *words: object) -> Deferred[Any]:
        asked: Deferred[Any] = line.execute_command(*words)
        asked.addTimeout(self._timeout_s, self._reactor)
        return asked.addErrback(self._refused, line)

    def _refused(self, failure: Failure, line: WatchedRedisProtocol) -> Failure:
        if line.problem:
            reason = self._told(line.problem)
        else:
            reason = self._reason(failure)
        self._lost(line, reason)
        return Failure(Unavailable(reason))

    def _lost(self, line: WatchedRedisProtocol, reason: str) -> None:
        if line is not self._line:
            return
        self._line = None
        if self._beat.running:
            self._beat.stop()
        line.transport.abortConnection()
        self._kept.lost(Unavailable(reason))

    def _reason(self, failure: Failure) -> str:
        error = failure.value
        if isinstance(error, Unavailable):
            return error.reason
        return self._told(self._said(failure))

    def _told(self, said: str) -> str:
        return f"redis {self.url.place}: {said}"

    def _said(self, failure: Failure) -> str:
        error = failure.value
        if isinstance(error, ResponseError):
            text = str(error).strip()
            meaning = _REFUSALS.get(text.partition(" ")[0])
            return f"{meaning} ({text})" if meaning else f"it refused ({text})"
        if isinstance(error, TimeoutError):
            return f"no answer within {self._timeout_s:g} s"
        if isinstance(error, OSError) and error.strerror:
            return error.strerror
        return _message(failure)


class WatchedRedisProtocol(RedisProtocol):  # type: ignore[misc]
    """
    One connection, which logs in when it is told to.

    @ivar problem: why it was lost; empty: it was not.
    """

    def __init__(self) -> None:
        super().__init__(convertNumbers=False)
        self.problem = ""
        self._on_loss: Callable[[], object] = lambda: None
        self._gone: Deferred[None] = Deferred()

    def on_loss(self, call: Callable[[], object]) -> None:
        """
        Have this called when the connection is lost.
        """
        self._on_loss = call
        if self.problem:
            call()

    def end(self) -> Deferred[None]:
        """
        @return: a Deferred that fires when the connection is closed.
        """
        self.transport.abortConnection()
        return self._gone

    def connectionLost(self, reason: Failure) -> None:
        clean = reason.check(ConnectionClosed)
        self.problem = "the connection was closed" if clean else _message(reason)
        self._on_loss()
        super().connectionLost(reason)
        self._gone.callback(None)


class _Lines(Factory):
    """
    Makes them without a word in the log for each.
    """

    noisy = False


def _message(failure: Failure) -> str:
    return failure.getErrorMessage() or type(failure.value).__name__
