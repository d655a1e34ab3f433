"""
Presence in Redis: L{IPresence} for many Messages, under one lease for each Connect.

This process keeps a copy of what it wrote.  Writes that failed while Redis was away, or
were lost with it, are made again as soon as it is back.  What another Message writes
about the same Connect stays as it is: the last one to write all users of a Connect
owns it.
"""

from __future__ import annotations

import uuid
from collections.abc import Callable, Iterable, Sequence
from typing import Any

import attrs
from twisted.internet.defer import Deferred, succeed
from twisted.python.failure import Failure
from zope.interface import implementer

from wsmsg.dependency.backend import BackendContext
from wsmsg.dependency.gather import gather
from wsmsg.dependency.retry import RetryPolicy
from wsmsg.dependency.state import Dependency
from wsmsg.message.presence import scripts
from wsmsg.message.presence.interface import LEASE_S, IPresence
from wsmsg.model import UserPresence
from wsmsg.redis.connection import Execute, RedisConnection, RedisScript
from wsmsg.settings.urls.redis import RedisUrl, read_redis_url

#: The most users in one call: Redis does nothing else meanwhile (some ms).
_CHUNK = 1000
#: Keys are written again after this part of the time for which they are kept.
_REFRESH = 3


@attrs.define(kw_only=True)
class _Written:
    """
    The users of one Connect, as this process wrote them.

    @ivar renewed_s: the time of the last renewal, in clock seconds.
    @ivar life: the name of the last full write; empty: Redis may lack it.
    @ivar written_s: the time of the last full write.
    """

    renewed_s: float
    users: set[int] = attrs.Factory(set)
    life: str = ""
    written_s: float = 0.0

    def renew(self, now_s: float) -> None:
        self.renewed_s = now_s

    def replace(self, users: Iterable[int]) -> None:
        self.users = set(users)

    def begin_life(self, now_s: float) -> str:
        """
        Begin a full write.

        @return: its name.
        """
        self.life, self.written_s = uuid.uuid4().hex, now_s
        return self.life

    def write_failed(self, life: str) -> None:
        """
        Note that Redis may lack what was written under this name.
        """
        if self.life == life:
            self.life = ""


@implementer(IPresence)
class RedisPresence:
    """
    The users of each Connect, and when those who left were last seen.

    @param lease_s: the length of a lease.
    @param kept_s: for how long the time is kept at which a user was last seen.
    @param clock: for the leases kept here; the reactor unless given.
    @param now_ms: the time that Redis uses; L{None}: its own.
    """

    def __init__(
        self,
        url: RedisUrl,
        reactor: Any,
        *,
        retry: RetryPolicy,
        dependency: Dependency,
        lease_s: float = LEASE_S,
        kept_s: int = 30 * 86400,
        clock: Any = None,
        now_ms: Callable[[], int] | None = None,
        timeout_s: float = 2.0,
    ) -> None:
        self.dependency = dependency
        self._clock = clock or reactor
        self._lease_s = lease_s
        self._kept_s = kept_s
        self._now_ms = now_ms or (lambda: 0)
        self._written: dict[str, _Written] = {}
        self._redis = RedisConnection(
            url,
            reactor,
            retry=retry,
            dependency=dependency,
            check=self._check,
            scripts=scripts.ALL,
            timeout_s=timeout_s,
        )

    def start(self) -> None:
        self._redis.start()

    def stop(self) -> Deferred[None]:
        self._written.clear()
        return self._redis.stop()

    def replace(self, node: str, users: Sequence[int]) -> Deferred[None]:
        written = self._known(node)
        written.replace(users)
        return self._write_all(node, written)

    def change(
        self, node: str, online: Sequence[int], offline: Sequence[int]
    ) -> Deferred[None]:
        written = self._known(node)
        written.users.update(online)
        written.users.difference_update(offline)
        if self._must_write_all(written):
            return self._write_all(node, written)
        return self._change(node, written, online, offline)

    def renew(self, node: str) -> Deferred[None]:
        return self.change(node, [], [])

    def forget(self, node: str) -> Deferred[None]:
        written = self._written.pop(node, None)
        if written is None or not written.life:
            return succeed(None)
        return self._run(scripts.FORGET, node, written.life).addCallback(_nothing)

    def look_up(self, users: Sequence[int]) -> Deferred[list[UserPresence]]:
        found = gather(self._run(scripts.LOOK_UP, *chunk) for chunk in _chunks(users))
        return found.addCallback(_presence, users)

    # -- writing

    def _known(self, node: str) -> _Written:
        now_s = self._clock.seconds()
        silent_s = now_s - self._lease_s
        for name in [n for n, t in self._written.items() if t.renewed_s <= silent_s]:
            del self._written[name]
        written = self._written.setdefault(node, _Written(renewed_s=now_s))
        written.renew(now_s)
        return written

    def _must_write_all(self, written: _Written) -> bool:
        old_s = self._clock.seconds() - written.written_s
        return not written.life or old_s > self._kept_s / _REFRESH

    def _write_all(self, node: str, written: _Written) -> Deferred[None]:
        life = written.begin_life(self._clock.seconds())
        chunks = list(_chunks(list(written.users))) or [[]]
        calls = [
            self._run(
                scripts.REPLACE,
                node,
                life,
                int(at == 0),
                int(at == len(chunks) - 1),
                *chunk,
            )
            for at, chunk in enumerate(chunks)
        ]
        # A 0 among the replies: a newer full write has replaced this one.
        return gather(calls).addCallbacks(
            _nothing, self._write_failed, errbackArgs=(written, life)
        )

    def _change(
        self,
        node: str,
        written: _Written,
        online: Sequence[int],
        offline: Sequence[int],
    ) -> Deferred[None]:
        life = written.life
        calls = [
            self._run(scripts.CHANGE, node, life, len(chunk), *chunk)
            for chunk in _chunks(online)
        ]
        calls += [
            self._run(scripts.CHANGE, node, life, 0, *chunk)
            for chunk in _chunks(offline)
        ]
        if not calls:
            calls = [self._run(scripts.CHANGE, node, life, 0)]
        changed = gather(calls)
        changed.addErrback(self._write_failed, written, life)
        return changed.addCallback(self._changed, node, written, life)

    def _changed(
        self, replies: list[int], node: str, written: _Written, life: str
    ) -> Deferred[None]:
        if (
            0 not in replies
            or written.life != life
            or self._written.get(node) is not written
        ):
            return succeed(None)
        return self._write_all(node, written)

    def _write_failed(self, failure: Failure, written: _Written, life: str) -> Failure:
        written.write_failed(life)
        return failure

    def _run(self, script: RedisScript, *args: object) -> Deferred[Any]:
        lease_ms = int(self._lease_s * 1000)
        return self._redis.run(script, lease_ms, self._kept_s, self._now_ms(), *args)

    def _check(self, execute: Execute) -> Deferred[Any]:
        return execute("EVALSHA", scripts.PROBE.sha, 1, self._redis.url.prefix)


def make_presence(context: BackendContext) -> RedisPresence:
    """
    Make the presence for the settings of a Message.
    """
    settings = context.settings
    password = settings.presence_password.get_secret_value()
    return RedisPresence(
        read_redis_url(settings.presence, password),
        context.reactor,
        retry=context.retry,
        dependency=context.dependency,
    )


def _presence(replies: Iterable[str], users: Sequence[int]) -> list[UserPresence]:
    seen: list[tuple[int, int]] = []
    for reply in replies:
        now_ms, *each = (int(word) for word in reply.split(" "))
        seen += [(ms, now_ms) for ms in each]
    return [
        UserPresence(user, ms < 0, now_ms if ms < 0 else ms)
        for user, (ms, now_ms) in zip(users, seen, strict=True)
    ]


def _chunks(users: Sequence[int]) -> Iterable[Sequence[int]]:
    return (users[at : at + _CHUNK] for at in range(0, len(users), _CHUNK))


def _nothing(_: object) -> None:
    """
    Replace the replies with L{None}.
    """
