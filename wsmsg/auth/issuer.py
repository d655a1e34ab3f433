"""
The keys of an issuer (C{token.jwks}): fetched, kept, and fetched again.

They are fetched at the start, every five minutes, at a reload, and when a token names a
key that is not known, at most once in ten seconds.  Until a fetch that began after the
token came has ended, nobody knows whether the issuer has that key: the token is
C{unavailable}, with a time to wait, and it is refused only then.  The keys that are
known stay while the issuer is away.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Sequence
from typing import Any, Final

from twisted.internet.defer import CancelledError, Deferred
from twisted.internet.interfaces import IDelayedCall, IReactorTime
from twisted.logger import Logger
from twisted.python.failure import Failure

from wsmsg.auth.fetch import FetchFailed, read_file, url_fetch
from wsmsg.auth.key_set import (
    BadKeySet,
    KeyName,
    KeySet,
    no_such_key,
    read_key_set,
)
from wsmsg.auth.reread import NOTHING_READ, FileRead
from wsmsg.dependency.retry import Backoff
from wsmsg.dependency.state import Dependency
from wsmsg.errors import Unauthenticated, Unavailable, WsmsgError
from wsmsg.text.counted import plural

#: Seconds from a fetch to the next one, and the least of them.
REFRESH_S: Final = 300.0
FLOOR_S: Final = 10.0
#: Seconds for which a key that the issuer did not have is not asked for again.
MISSING_S: Final = 60.0
#: The most names of keys that are remembered, of each kind.
MOST_NAMES: Final = 1000

_LEAST_WAIT_S = 1.0


#: Fetches the key set; raises L{FetchFailed}.
Fetch = Callable[[], Awaitable[bytes]]


class IssuerKeys:
    """
    The keys of one issuer.

    @param place: the URL or the file, for operators.
    @ivar dependency: the state of the fetches.
    """

    _log = Logger()

    def __init__(
        self, place: str, fetch: Fetch, clock: IReactorTime, backoff: Backoff
    ) -> None:
        self.dependency = Dependency(f"keys {place}", clock, required=False)
        self._fetch = fetch
        self._clock = clock
        self._backoff = backoff
        self._keys = KeySet({})
        self._known = False
        self._failures = 0
        self._why = ""
        self._began_s = -FLOOR_S
        self._fetching: Deferred[None] | None = None
        self._next: IDelayedCall | None = None
        self._sought: dict[KeyName, None] = {}
        self._missing: dict[KeyName, float] = {}
        self._stopped = False

    def start(self) -> None:
        """
        Begin to fetch.
        """
        self._schedule(0.0)

    def stop(self) -> None:
        """
        Fetch no more.
        """
        self._stopped = True
        self._cancel()
        if self._fetching is not None:
            self._fetching.cancel()
        self.dependency.stopped()

    def reload(self) -> Sequence[FileRead]:
        """
        Fetch again now.

        @return: nothing: a line follows when another set of keys has been fetched.
        """
        self._schedule(0.0)
        return NOTHING_READ

    def find(self, kid: str, algorithm: str) -> Any | None:
        """
        Return a key: L{KeySet.find}.
        """
        return self._keys.find(kid, algorithm)

    def unknown(self, kid: str, algorithm: str) -> WsmsgError:
        """
        Return the error for a token whose key is not known, and look for the key.
        """
        name = KeyName(kid, algorithm)
        if self._known and not kid:
            reason = "the token names no key (kid), and the issuer has several or none"
            return Unauthenticated(reason, fault="key")
        now_s = self._clock.seconds()
        if now_s - self._missing.get(name, now_s - MISSING_S) < MISSING_S:
            return no_such_key()
        if len(self._sought) < MOST_NAMES:
            self._sought[name] = None
        if self.dependency.up:
            self.doubt()
        wait_s = _LEAST_WAIT_S
        if self._next is not None:
            wait_s = max(wait_s, self._next.getTime() - now_s + _LEAST_WAIT_S)
        return Unavailable("the token's key is not known yet", int(wait_s * 1000))

    def doubt(self) -> None:
        """
        Fetch as soon as the time since the last fetch allows it.
        """
        self._schedule(max(0.0, self._began_s + FLOOR_S - self._clock.seconds()))

    # ------------------------------------------------------------------- fetching

    def _schedule(self, after_s: float) -> None:
        """
        Fetch after this time, or before if that is due.
        """
        if self._stopped or self._fetching is not None:
            return
        due_s = self._clock.seconds() + after_s
        if self._next is not None:
            if self._next.getTime() <= due_s:
                return
            self._next.cancel()
        self._next = self._clock.callLater(after_s, self._begin)

    def _cancel(self) -> None:
        if self._next is not None:
            self._next.cancel()
            self._next = None

    def _begin(self) -> None:
        self._next = None
        self._began_s = self._clock.seconds()
        self._fetching = fetching = Deferred.fromCoroutine(self._fetch_once())
        fetching.addErrback(self._log_bug)
        fetching.addCallback(self._ended)

    def _log_bug(self, failure: Failure) -> None:
        if not failure.check(CancelledError):
            self._log.failure("fetching the key set", failure=failure)
            self._failed(f"a bug: {type(failure.value).__name__}", {})

    def _ended(self, _: object) -> None:
        self._fetching = None
        if self._stopped:
            return
        if self._failures:
            after_s = self._backoff(self._failures)
            self.dependency.failed(self._why, after_s)
            self._schedule(after_s)
        elif self._sought:
            self.doubt()
        else:
            self._schedule(REFRESH_S)

    async def _fetch_once(self) -> None:
        asked, self._sought = self._sought, {}
        self.dependency.attempting()
        try:
            found = read_key_set(await self._fetch())
        except (FetchFailed, BadKeySet) as e:
            self._failed(str(e), asked)
        else:
            self._failures = 0
            self._take(found)
            self._note_missing(asked)
            self.dependency.succeeded()

    def _failed(self, reason: str, asked: dict[KeyName, None]) -> None:
        self._failures += 1
        self._why = reason
        self._sought = {**asked, **self._sought}
        self.dependency.lost(reason)

    def _take(self, found: KeySet) -> None:
        if found.skipped != self._keys.skipped:
            for reason in found.skipped:
                self._log.warn("{keys}: {reason}", keys=self._name, reason=reason)
        if found.keys.keys() != self._keys.keys.keys():
            self._log.info(
                "{keys}: {n} {noun}: {names}",
                keys=self._name,
                n=len(found.keys),
                noun=plural(len(found.keys), "key"),
                names=", ".join(f"{n.kid!r} ({n.algorithm})" for n in found.keys),
            )
        self._keys, self._known = found, True

    @property
    def _name(self) -> str:
        return self.dependency.name

    def _note_missing(self, asked: dict[KeyName, None]) -> None:
        now_s = self._clock.seconds()
        gone = [n for n, at_s in self._missing.items() if now_s - at_s >= MISSING_S]
        for name in gone:
            del self._missing[name]
        for name in asked:
            if name not in self._keys.keys and len(self._missing) < MOST_NAMES:
                self._missing[name] = now_s


def issuer_keys(jwks: str, clock: IReactorTime, backoff: Backoff) -> IssuerKeys | None:
    """
    Make the keys of an issuer, not started.

    @param jwks: C{token.jwks}; empty: there is no issuer.
    """
    if not jwks:
        return None
    if "://" in jwks:
        return IssuerKeys(jwks, url_fetch(jwks, clock), clock, backoff)

    async def fetch() -> bytes:
        return read_file(jwks)

    return IssuerKeys(jwks, fetch, clock, backoff)


def check_file(jwks: str) -> None:
    """
    Read the key set, if it is in a file.

    @raise ValueError: it cannot be used; with a line for the operator.
    """
    if jwks and "://" not in jwks:
        try:
            read_key_set(read_file(jwks))
        except ValueError as e:
            raise ValueError(f"{jwks}: {e}") from None
