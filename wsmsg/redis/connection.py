"""
One connection to a Redis, opened again whenever it is lost.

Each attempt makes a new connection: it looks the host up again, whose address may have
changed in a failover, logs in, loads the scripts, and checks that the server serves us.
The check is repeated each second, so that a server shows which begins to refuse writes.
Any error reply counts as a loss, with the reason; the connection is dialled again,
perhaps to another server, until one serves.

A server that sends nothing for L{STALL_S}, though it is asked twice a second, is lost:
the socket is dead, or the server hangs.  A reply may take longer while others arrive.

txredisapi's own reconnection is not used: it ends for good when a login fails, and
calls that are made meanwhile wait for ever.

Importing this module imports the reactor.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Sequence
from functools import partial
from typing import Any

from twisted.internet.defer import Deferred, TimeoutError, fail, maybeDeferred, succeed
from twisted.internet.endpoints import HostnameEndpoint, wrapClientTLS
from twisted.internet.error import ConnectionClosed
from twisted.internet.interfaces import IStreamClientEndpoint
from twisted.internet.protocol import Factory
from twisted.internet.ssl import optionsForClientTLS
from twisted.internet.task import LoopingCall
from twisted.logger import Logger
from twisted.python.failure import Failure
from txredisapi import RedisProtocol, ResponseError

from wsmsg.dependency.gather import gather
from wsmsg.dependency.reopen import STALL_S, KeptOpen
from wsmsg.dependency.retry import RetryPolicy
from wsmsg.dependency.state import Dependency
from wsmsg.dependency.tls import trust_root
from wsmsg.errors import Unavailable
from wsmsg.settings.urls.redis import RedisUrl

#: Sends the words of one command; fires with the reply.
Execute = Callable[..., "Deferred[Any]"]
#: Sends commands to see whether the server serves us; fails if it does not.
Check = Callable[[Execute], "Deferred[Any]"]

#: The beats of the time for which a server may be silent; of these, one in four makes
#: the check, and another one pings.
_BEATS = 5
_CHECK_EVERY = 4

#: Errors of the server, by their first word, in terms of an operator.
_REFUSALS = {
    "WRONGPASS": "the user or the password is wrong",
    "NOAUTH": "it wants a user or a password",
    "NOPERM": "the user lacks a right",
    "READONLY": "it is read-only",
    "OOM": "it is full and takes no writes",
    "MISCONF": "it cannot write its data and takes no writes",
    "NOREPLICAS": "it has too few replicas and takes no writes",
    "LOADING": "it is loading its data",
    "MASTERDOWN": "it has lost its primary",
    "WRONGTYPE": "another program uses our keys, choose another prefix",
}


class RedisScript:
    """
    A Lua script, which the server runs as one atomic step.
    """

    def __init__(self, source: str) -> None:
        self.source = source
        self.sha = hashlib.sha1(source.encode(), usedforsecurity=False).hexdigest()


def ping(execute: Execute) -> Deferred[Any]:
    """
    The check that needs no permission.
    """
    return execute("PING")


class RedisConnection:
    """
    A connection that is opened by L{start} and kept open until L{stop}.

    @param check: run at each attempt, and each second while the connection is up.
    @param scripts: loaded at each attempt.
    @param protocol: makes the protocol of each connection.
    @param timeout_s: the limit for each step of an attempt.
    @param silence_s: for how long the server may be silent while it is up.
    """

    _log = Logger()

    def __init__(
        self,
        url: RedisUrl,
        reactor: Any,
        *,
        retry: RetryPolicy,
        dependency: Dependency,
        check: Check = ping,
        scripts: Sequence[RedisScript] = (),
        protocol: Callable[[], WatchedRedisProtocol] | None = None,
        timeout_s: float = 2.0,
        silence_s: float = STALL_S,
    ) -> None:
        self.url = url
        self.dependency = dependency
        self._reactor = reactor
        self._check = check
        self._scripts = scripts
        self._factory = _QuietFactory.forProtocol(protocol or WatchedRedisProtocol)
        self._timeout_s = timeout_s
        self._silence_s = silence_s
        self._beats = 0
        self._heard = 0
        self._silent = 0
        self._protocol: WatchedRedisProtocol | None = None
        self._attempt: Deferred[Any] = succeed(None)
        self._kept = KeptOpen(self._open, reactor, retry, dependency)
        self._beat = LoopingCall(self._each_beat)
        self._beat.clock = reactor

    def start(self) -> None:
        """
        Make the first attempt.
        """
        self._kept.start()

    def stop(self) -> Deferred[None]:
        """
        Close the connection; commands without a reply fail.

        @return: a Deferred that fires when nothing is left; never fails.
        """
        ends = [self._kept.stop()]
        if self._beat.running:
            self._beat.stop()
        self._attempt.cancel()
        protocol, self._protocol = self._protocol, None
        if protocol is not None:
            ends.append(protocol.end())
        return gather(ends).addCallback(lambda _: self.dependency.stopped())

    @property
    def up(self) -> bool:
        return self._protocol is not None

    def execute(self, *words: object) -> Deferred[Any]:
        """
        Send one command.  Commands of one turn of the reactor leave together, and the
        server executes them in their order.

        @return: a Deferred that fires with the reply.
        @raise Unavailable: (as failure) the connection is lost.
        """
        if self._protocol is None:
            return fail(self._kept.refusal())
        return self._asked(self._protocol, *words)

    def run(self, script: RedisScript, *args: object) -> Deferred[Any]:
        """
        Run a script, with the prefix of the URL as its only key.
        """
        return self.execute("EVALSHA", script.sha, 1, self.url.prefix, *args)

    # -- an attempt

    def _open(self) -> Deferred[None]:
        self._attempt = Deferred.fromCoroutine(self._connect())
        return self._attempt.addErrback(self._unavailable)

    async def _connect(self) -> None:
        opening: Deferred[Any] = self._endpoint().connect(self._factory)
        protocol: WatchedRedisProtocol = await opening.addTimeout(
            self._timeout_s, self._reactor
        )
        execute = partial(self._sent, protocol)
        try:
            if self.url.password:
                login = (self.url.user, self.url.password)
                await execute("AUTH", *(word for word in login if word))
            if self.url.db:
                await execute("SELECT", self.url.db)
            loads = [
                execute("SCRIPT", "LOAD", script.source) for script in self._scripts
            ]
            await gather(loads)
            await self._check(execute)
            if protocol.problem:
                raise Unavailable(self._at_place(protocol.problem))
        except Exception:
            protocol.transport.abortConnection()
            raise
        self._protocol = protocol
        protocol.on_loss(lambda: self._lost(protocol, self._at_place(protocol.problem)))
        self._beats = self._heard = self._silent = 0
        self._beat.start(self._silence_s / _BEATS, now=False)

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

    def _each_beat(self) -> None:
        protocol = self._protocol
        assert protocol is not None
        # Beats count, not seconds: a process that stood still first reads what waits.
        is_silent = protocol.waits and protocol.heard == self._heard
        self._silent = self._silent + 1 if is_silent else 0
        self._heard = protocol.heard
        if self._silent >= _BEATS:
            why = f"no answer within {self._silence_s:g} s"
            self._lost(protocol, self._at_place(why))
            return
        self._beats += 1
        if self._beats % _CHECK_EVERY == 0:
            self._ask(self._check)
        elif self._beats % _CHECK_EVERY == _CHECK_EVERY // 2:
            self._ask(ping)

    def _ask(self, check: Check) -> None:
        # LoopingCall makes no further call after a failure.
        maybeDeferred(check, self.execute).addErrback(self._not_checked)

    def _not_checked(self, failure: Failure) -> None:
        # Unavailable has been reported as a loss by then.
        if not failure.check(Unavailable):
            self._log.failure("{place} is not checked", failure, place=self.url.place)

    def _sent(self, protocol: WatchedRedisProtocol, *words: object) -> Deferred[Any]:
        """
        Send a command of an attempt.
        """
        reply: Deferred[Any] = protocol.execute_command(*words)
        reply.addTimeout(self._timeout_s, self._reactor)
        return reply.addErrback(self._refused, protocol)

    def _asked(self, protocol: WatchedRedisProtocol, *words: object) -> Deferred[Any]:
        reply: Deferred[Any] = protocol.execute_command(*words)
        return reply.addErrback(self._refused, protocol)

    def _refused(self, failure: Failure, protocol: WatchedRedisProtocol) -> Failure:
        if protocol.problem:
            reason = self._at_place(protocol.problem)
        else:
            reason = self._reason(failure)
        self._lost(protocol, reason)
        return Failure(Unavailable(reason))

    def _lost(self, protocol: WatchedRedisProtocol, reason: str) -> None:
        if protocol is not self._protocol:
            return
        self._protocol = None
        if self._beat.running:
            self._beat.stop()
        protocol.transport.abortConnection()
        self._kept.lost(Unavailable(reason))

    def _reason(self, failure: Failure) -> str:
        error = failure.value
        if isinstance(error, Unavailable):
            return error.reason
        return self._at_place(self._meaning(failure))

    def _at_place(self, said: str) -> str:
        return f"redis {self.url.place}: {said}"

    def _meaning(self, failure: Failure) -> str:
        error = failure.value
        if isinstance(error, ResponseError):
            text = str(error).strip()
            meaning = _REFUSALS.get(text.partition(" ")[0])
            return f"{meaning} ({text})" if meaning else f"it refuses ({text})"
        if isinstance(error, TimeoutError):
            return f"no answer within {self._timeout_s:g} s"
        if isinstance(error, OSError) and error.strerror:
            return error.strerror
        return _message(failure)


class WatchedRedisProtocol(RedisProtocol):  # type: ignore[misc]
    """
    The protocol of one connection, which does not log in by itself.

    @ivar problem: the reason of the loss; empty while the connection is open.
    @ivar heard: how often data arrived.
    """

    def __init__(self) -> None:
        super().__init__(convertNumbers=False)
        self.problem = ""
        self.heard = 0
        self._on_loss: Callable[[], object] = lambda: None
        self._gone: Deferred[None] = Deferred()

    def on_loss(self, call: Callable[[], object]) -> None:
        """
        Have C{call} called when the connection is lost, at once if it is already.
        """
        self._on_loss = call
        if self.problem:
            call()

    @property
    def waits(self) -> bool:
        """
        True while a command has no reply yet.
        """
        return bool(self.replyQueue.waiting)

    def dataReceived(self, data: bytes, unpause: bool = False) -> None:
        self.heard += 1
        super().dataReceived(data, unpause)

    def end(self) -> Deferred[None]:
        """
        Close the connection.

        @return: a Deferred that fires when it is closed.
        """
        self.transport.abortConnection()
        return self._gone

    def connectionLost(self, reason: Failure) -> None:
        clean = reason.check(ConnectionClosed)
        self.problem = "the connection was closed" if clean else _message(reason)
        self._on_loss()
        super().connectionLost(reason)
        self._gone.callback(None)


class _QuietFactory(Factory):
    """
    Makes protocols without a log line for each.
    """

    noisy = False


def _message(failure: Failure) -> str:
    return failure.getErrorMessage() or type(failure.value).__name__
