"""
The revoked tokens of users: of each user, the time before which they were issued.

The store keeps the times.  Each Message has all of them in memory, tells them to each
Connect in the welcome of its stream, and passes on what is added.  Other Messages may
use the store, so each looks twice a second whether another one has added any.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from typing import Final

from twisted.internet.defer import Deferred
from twisted.internet.interfaces import IReactorTime
from twisted.internet.task import LoopingCall
from twisted.logger import Logger

from wsmsg.auth.identity import Identity
from wsmsg.errors import (
    BadRequest,
    Overloaded,
    Unauthenticated,
    Unavailable,
    WsmsgError,
)
from wsmsg.message.store.interface import IRevocations
from wsmsg.settings.tokens import TokenSettings

#: The interval at which the store is asked for changes of other Messages.
LOOK_S: Final = 0.5
#: The most users whose tokens may be revoked at a time.
MOST_USERS: Final = 100_000
#: The most by which a revocation may lie in the future, for clocks that differ.
AHEAD_MS: Final = 60_000

_FORGET_S = 3600.0


class RevokedTokens:
    """
    The revoked tokens, as this Message knows them.

    @param tell: tells all Connects; returns the number of those with a stream.
    @param settings: returns C{http.token}, for the longest lifetime of a token.
    """

    _log = Logger()

    def __init__(
        self,
        store: IRevocations,
        clock: IReactorTime,
        *,
        tell: Callable[[Mapping[int, int]], int],
        settings: Callable[[], TokenSettings],
        unix_s: Callable[[], float] = time.time,
    ) -> None:
        self._store = store
        self._clock = clock
        self._tell = tell
        self._settings = settings
        self._unix_s = unix_s
        self._known: dict[int, int] | None = None
        self._seen = 0
        self._looking: Deferred[None] | None = None
        self._forgotten_s = clock.seconds()
        self._ticking = LoopingCall(self._tick)
        self._ticking.clock = clock

    def start(self) -> None:
        """
        Begin to read the store.
        """
        self._ticking.start(LOOK_S)

    def stop(self) -> None:
        """
        Read no more.
        """
        if self._ticking.running:
            self._ticking.stop()
        if self._looking is not None:
            self._looking.cancel()

    def known(self) -> Mapping[int, int] | None:
        """
        Return the time of each user that has one, in unix milliseconds; L{None}: the
        store has not told them yet.
        """
        return self._known

    def check(self, identity: Identity) -> None:
        """
        Check that a token is not revoked.

        @raise Unauthenticated: it is.
        @raise Unavailable: the revoked tokens are not known yet.
        """
        if self._known is None:
            raise Unavailable("the revoked tokens are not known yet", 1000)
        if identity.issued_s * 1000 < self._known.get(identity.user, 0):
            raise Unauthenticated("the token was revoked", fault="revoked")

    async def revoke(self, user: int, before_ms: int) -> tuple[int, int]:
        """
        Revoke the tokens of a user that were issued before a time, and tell all
        Connects.

        @return: the time of the user now, and the number of Connects that are told.
        @raise WsmsgError: C{BadRequest}: the time is in the future; C{Overloaded}: the
            tokens of too many users are revoked.
        """
        if before_ms > self._unix_s() * 1000 + AHEAD_MS:
            raise BadRequest("before is in the future")
        known = self._known
        if known is not None and user not in known and len(known) >= MOST_USERS:
            raise Overloaded(
                f"the tokens of {MOST_USERS} users are revoked; with"
                " http.token.max_lifetime_s set, these are forgotten in time"
            )
        now_ms = await self._store.revoke(user, before_ms)
        if self._known is not None:
            self._known[user] = max(now_ms, self._known.get(user, 0))
        return now_ms, self._tell({user: now_ms})

    # ------------------------------------------------------------------- the store

    def _tick(self) -> None:
        if self._looking is None and self._store.dependency.up:
            self._looking = Deferred.fromCoroutine(self._look())
            self._looking.addBoth(self._looked)

    def _is_old(self) -> bool:
        waited_s = self._clock.seconds() - self._forgotten_s
        return self._settings().max_lifetime_s > 0 and waited_s >= _FORGET_S

    def _looked(self, _: object) -> None:
        self._looking = None

    async def _look(self) -> None:
        try:
            await self._read()
            if self._is_old():
                await self._forget()
        except WsmsgError as e:
            self._log.debug("revoked tokens cannot be read: {reason}", reason=e.reason)
        except Exception:  # noqa: BLE001 - a guard
            self._log.failure("revoked tokens cannot be read")

    async def _read(self) -> None:
        changed = await self._store.revocations_changed()
        if self._known is not None and changed == self._seen:
            return
        found = await self._store.revocations()
        before, first = self._known or {}, self._known is None
        # What was revoked here meanwhile may not be in what was read.
        known = {u: max(found.get(u, 0), before.get(u, 0)) for u in found | before}
        self._known, self._seen = known, changed
        news = {u: t for u, t in known.items() if t > before.get(u, 0)}
        if news or first:
            self._tell(news)

    async def _forget(self) -> None:
        """
        Forget the times that concern only tokens that have expired.
        """
        self._forgotten_s = self._clock.seconds()
        token = self._settings()
        keep_s = token.max_lifetime_s + 2 * token.leeway_s
        until_ms = int((self._unix_s() - keep_s) * 1000) - AHEAD_MS
        await self._store.forget_revocations(until_ms)
        if self._known is not None:
            self._known = {u: t for u, t in self._known.items() if t > until_ms}
