"""
Presence in Redis: L{IPresence} for many Messages, under one lease for each Connect.

What Redis has been told is also here: so what could not be written while Redis was
away, or was lost with it, is told again as soon as it is back.  Of what another
Message tells about the same Connect nothing is changed; whoever told all users last is
believed.
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
from wsmsg.redis.connection import Ask, RedisConnection, RedisScript
from wsmsg.settings.urls.redis import RedisUrl, read_redis_url

#: Of how many users one call tells: Redis does nothing else meanwhile (some ms).
_CHUNK = 1000
#: Keys are told again after this part of the time for which they are kept.
_AGAIN = 3


@attrs.define(kw_only=True)
class _Told:
    """
    The users of one Connect.

    @ivar renewed_s: when it last showed that it lives, in clock seconds.
    @ivar life: the name of the last telling; empty: Redis may not have it.
    @ivar told_s: when all users were last told.
    """

    renewed_s: float
    users: set[int] = attrs.Factory(set)
    life: str = ""
    told_s: float = 0.0


@implementer(IPresence)
class RedisPresence:
    """
    Who is at which Connect, and when those who left were last seen.

    @param lease_s: how long a Connect is believed after it last showed that it lives.
    @param kept_s: for how long it is known when a user was last seen.
    @param clock: of the leases here; the reactor's unless given.
    @param now_ms: what Redis takes for the time; L{None}: its own.
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
        self._told: dict[str, _Told] = {}
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
        self._told.clear()
        return self._redis.stop()

    def replace(self, node: str, users: Sequence[int]) -> Deferred[None]:
        told = self._known(node)
        told.users = set(users)
        return self._tell(node, told)

    def change(
        self, node: str, online: Sequence[int], offline: Sequence[int]
    ) -> Deferred[None]:
        told = self._known(node)
        told.users.update(online)
        told.users.difference_update(offline)
        if self._must_tell(told):
            return self._tell(node, told)
        return self._change(node, told, online, offline)

    def renew(self, node: str) -> Deferred[None]:
        return self.change(node, [], [])

    def forget(self, node: str) -> Deferred[None]:
        told = self._told.pop(node, None)
        if told is None or not told.life:
            return succeed(None)
        return self._run(scripts.FORGET, node, told.life).addCallback(_nothing)

    def look_up(self, users: Sequence[int]) -> Deferred[list[UserPresence]]:
        found = gather(self._run(scripts.LOOK_UP, *chunk) for chunk in _chunks(users))
        return found.addCallback(_presence, users)

    # -- what Redis is told

    def _known(self, node: str) -> _Told:
        now_s = self._clock.seconds()
        silent_s = now_s - self._lease_s
        for name in [n for n, t in self._told.items() if t.renewed_s <= silent_s]:
            del self._told[name]
        told = self._told.setdefault(node, _Told(renewed_s=now_s))
        told.renewed_s = now_s
        return told

    def _must_tell(self, told: _Told) -> bool:
        old_s = self._clock.seconds() - told.told_s
        return not told.life or old_s > self._kept_s / _AGAIN

    def _tell(self, node: str, told: _Told) -> Deferred[None]:
        life = told.life = uuid.uuid4().hex
        told.told_s = self._clock.seconds()
        chunks = list(_chunks(list(told.users))) or [[]]
        calls = [
            self._run(
                scripts.TELL,
                node,
                life,
                int(at == 0),
                int(at == len(chunks) - 1),
                *chunk,
            )
            for at, chunk in enumerate(chunks)
        ]
        # A 0 among the replies: a newer telling has taken this one's place.
        return gather(calls).addCallbacks(
            _nothing, self._untold, errbackArgs=(told, life)
        )

    def _change(
        self, node: str, told: _Told, online: Sequence[int], offline: Sequence[int]
    ) -> Deferred[None]:
        life = told.life
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
        changed.addErrback(self._untold, told, life)
        return changed.addCallback(self._changed, node, told, life)

    def _changed(
        self, replies: list[int], node: str, told: _Told, life: str
    ) -> Deferred[None]:
        if 0 not in replies or told.life != life or self._told.get(node) is not told:
            return succeed(None)
        return self._tell(node, told)

    def _untold(self, failure: Failure, told: _Told, life: str) -> Failure:
        if told.life == life:
            told.life = ""
        return failure

    def _run(self, script: RedisScript, *args: object) -> Deferred[Any]:
        lease_ms = int(self._lease_s * 1000)
        return self._redis.run(script, lease_ms, self._kept_s, self._now_ms(), *args)

    def _check(self, ask: Ask) -> Deferred[Any]:
        return ask("EVALSHA", scripts.PROBE.sha, 1, self._redis.url.prefix)


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
    That it was done is all that there is to tell.
    """
