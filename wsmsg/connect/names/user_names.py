"""
The names of users that this node knows, and the look-ups of others.

A name never changes its number, so what is known stays right.  The cache is bounded,
and what was forgotten is looked up again.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from functools import partial
from typing import TypeVar

import attrs
from twisted.internet.defer import Deferred, fail, gatherResults, succeed
from twisted.internet.interfaces import IReactorTime
from twisted.logger import Logger
from twisted.python.failure import Failure
from zope.interface import implementer

from wsmsg.connect.names.interface import IUserNames
from wsmsg.connect.names.mentions import in_answer
from wsmsg.errors import Internal, WsmsgError
from wsmsg.monitoring.metrics import Metrics
from wsmsg.names import MOST_NAMES, is_given, number_in

T = TypeVar("T")

#: The most names that a node remembers.
CACHED = 100_000
#: How long a node remembers that a user has no name, and of how many.
NAMELESS_S = 10.0
NAMELESS = 10_000
#: The least seconds between two warnings about look-ups that fail.
WARN_S = 10.0

#: Asks Message: names, users, whether to claim.  The Deferred fires with numbers by
#: name.
Query = Callable[[Sequence[str], Sequence[int], bool], Deferred[dict[str, int]]]


@attrs.define
class _Batch:
    """
    The look-ups that will be one query.
    """

    claim: bool
    names: dict[str, None] = attrs.Factory(dict)
    users: dict[int, None] = attrs.Factory(dict)
    waiting: list[Deferred[dict[str, int]]] = attrs.Factory(list)

    def has_room(self, more: int) -> bool:
        """
        Return whether so many names and users fit in.
        """
        return len(self.names) + len(self.users) + more <= MOST_NAMES

    def add(
        self, names: Iterable[str], users: Iterable[int]
    ) -> Deferred[dict[str, int]]:
        """
        @return: a Deferred that fires with all that the query finds.
        """
        self.names.update(dict.fromkeys(names))
        self.users.update(dict.fromkeys(users))
        found: Deferred[dict[str, int]] = Deferred()
        self.waiting.append(found)
        return found


@implementer(IUserNames)
class UserNames:
    """
    The names of a node.

    @param cached: the most names to remember; the oldest are forgotten.
    @ivar asked: queries so far.
    @ivar failed: those of them that failed.
    """

    _log = Logger()

    def __init__(
        self, query: Query, clock: IReactorTime, *, cached: int = CACHED
    ) -> None:
        self.asked = self.failed = 0
        self._query = query
        self._clock = clock
        self._cached = cached
        self._users: dict[str, int] = {}
        self._names: dict[int, str] = {}
        self._nameless: dict[int, float] = {}
        self._next: dict[bool, _Batch] = {}
        self._warned_s = -WARN_S

    def __len__(self) -> int:
        return len(self._users)

    def known(self, names: Iterable[str]) -> dict[str, int]:
        found = {}
        for name in names:
            user = self._users.get(name) or _plain(name)
            if user:
                found[name] = user
        return found

    def among(self, users: Iterable[int]) -> dict[int, str]:
        names = self._names
        return {user: names[user] for user in users if user in names}

    def lacking(self, users: Iterable[int]) -> list[int]:
        names = self._names
        lacking = {u for u in users if is_given(u) and u not in names}
        if lacking and self._nameless:
            now_s = self._clock.seconds()
            lacking -= {u for u in lacking if self._nameless.get(u, 0.0) > now_s}
        return sorted(lacking)

    def find(
        self, names: Sequence[str], users: Sequence[int]
    ) -> Deferred[dict[str, int]]:
        found = self.known(names)
        found.update((n, u) for u, n in self.among(users).items())
        unknown = [name for name in dict.fromkeys(names) if name not in found]
        lacking = self.lacking(users)
        if not unknown and not lacking:
            return succeed(found)
        wanted = {*unknown}, {*lacking}

        def take(answers: list[dict[str, int]]) -> dict[str, int]:
            for answer in answers:
                found.update(
                    pair
                    for pair in answer.items()
                    if pair[0] in wanted[0] or pair[1] in wanted[1]
                )
            return found

        parts = [
            *(self._look_up(part, (), False) for part in _parts(unknown)),
            *(self._look_up((), part, False) for part in _parts(lacking)),
        ]
        finding = gatherResults(parts, consumeErrors=True)
        return finding.addCallbacks(take, _first_error)

    def claim(self, name: str) -> Deferred[int]:
        user = self._users.get(name)
        if user is not None:
            return succeed(user)
        return self._look_up((name,), (), True).addCallback(_number_of, name)

    def prepare(self, answer: T) -> Deferred[T]:
        lacking = self.lacking(in_answer(answer))
        if not lacking:
            return succeed(answer)
        # The failure is counted and logged, and the frame says less.
        return self.find((), lacking).addBoth(lambda _: answer)

    def register_metrics(self, metrics: Metrics) -> None:
        """
        Have the counters read by each scrape.
        """
        for name, text, read in (
            ("name_queries", "Queries for names of users", lambda: self.asked),
            (
                "name_queries_failed",
                "Queries for names of users that failed",
                lambda: self.failed,
            ),
        ):
            metrics.counter(f"wsmsg_connect_{name}", text, read)
        metrics.gauge(
            "wsmsg_connect_names_known", "Names of users in memory", lambda: len(self)
        )

    # ---------------------------------------------------------------- look-ups

    def _look_up(
        self, names: Sequence[str], users: Sequence[int], claim: bool
    ) -> Deferred[dict[str, int]]:
        batch = self._next.get(claim)
        if batch is None or not batch.has_room(len(names) + len(users)):
            batch = self._next[claim] = _Batch(claim)
            self._clock.callLater(0, self._ask, batch)
        return batch.add(names, users)

    def _ask(self, batch: _Batch) -> None:
        if self._next.get(batch.claim) is batch:
            del self._next[batch.claim]
        self.asked += 1
        try:
            asked = self._query(list(batch.names), list(batch.users), batch.claim)
        except Exception:  # noqa: BLE001 - a guard: sessions wait for each answer
            asked = fail()
        asked.addCallback(self._learn, batch)
        asked.addErrback(self._not_answered)
        for waiting in batch.waiting:
            asked.addBoth(partial(_pass_on, waiting))
        # Each one that waits has the failure.
        asked.addErrback(lambda _: None)

    def _learn(self, found: dict[str, int], batch: _Batch) -> dict[str, int]:
        for name, user in found.items():
            self._users[name] = user
            self._names[user] = name
        while len(self._users) > self._cached:
            name = next(iter(self._users))
            del self._names[self._users.pop(name)]
        until_s = self._clock.seconds() + NAMELESS_S
        for user in batch.users:
            self._nameless.pop(user, None)
            if user not in self._names:
                self._nameless[user] = until_s
        while len(self._nameless) > NAMELESS:
            del self._nameless[next(iter(self._nameless))]
        return found

    def _not_answered(self, failure: Failure) -> Failure:
        self.failed += 1
        error = failure.value
        if not isinstance(error, WsmsgError):
            self._log.failure("looking up names of users", failure)
            return Failure(Internal("internal error"))
        now_s = self._clock.seconds()
        if now_s - self._warned_s >= WARN_S:
            self._warned_s = now_s
            self._log.warn(
                "names of users cannot be looked up: {reason}", reason=error.reason
            )
        return failure


def _plain(name: str) -> int:
    """
    Return the number that a name is; 0: it is none, or one that is given to names.
    """
    number = number_in(name) if name else 0
    return 0 if is_given(number) else number


def _parts(items: Sequence[T]) -> list[Sequence[T]]:
    return [items[i : i + MOST_NAMES] for i in range(0, len(items), MOST_NAMES)]


def _number_of(found: dict[str, int], name: str) -> int:
    if name not in found:
        raise Internal("Message gave the user no number")
    return found[name]


def _first_error(failure: Failure) -> Failure:
    """
    Return what made one of several look-ups fail.
    """
    inner = getattr(failure.value, "subFailure", None)
    return inner if isinstance(inner, Failure) else failure


def _pass_on(waiting: Deferred[T], result: T) -> T:
    waiting.callback(result)
    return result
