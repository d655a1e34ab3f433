"""
Presence subscriptions: which sessions watch which users.

A session that watches a user takes about 21 bytes here: 8 in the list of its users, and
an entry of the table of users and sessions.  A session that watches anybody takes about
250 more.  A user who is hidden from a session takes about 13 more.
"""

from __future__ import annotations

from array import array
from collections.abc import Callable, Collection, Iterable, Iterator, Sequence
from typing import Generic, TypeVar

from wsmsg.flow.id_table import IdTable
from wsmsg.model import UserPresence
from wsmsg.protocol import frames
from wsmsg.stream.contract import MOST_WATCHED

S = TypeVar("S")


class Watchers(Generic[S]):
    """
    Maps users to the sessions that watch them, and sessions to the users they watch.

    A query for presence and the pushes of presence overtake each other.  The pushes to
    a session that asks are kept until the answer is there: they are newer than it, and
    only the answer says which users are hidden from the session.

    @param limit: the most users that all sessions watch together.
    """

    def __init__(self, limit: int = MOST_WATCHED) -> None:
        self._limit = limit
        self._table = IdTable()
        self._users: dict[S, array[int]] = {}
        self._places = Places[S]()
        self._hidden = IdTable()
        self._waiting: dict[S, None] = {}
        self._kept: dict[S, dict[int, UserPresence]] = {}
        self._on_doubt: Callable[[S, Sequence[int]], object] = lambda *_: None

    def users(self) -> array[int]:
        """
        Return all watched users.
        """
        return self._table.ids()

    def of(self, user: int) -> Iterator[S]:
        """
        Return the sessions that watch a user.  They must not change meanwhile.
        """
        return map(self._places.at, self._table.numbers(user))

    def has_room(self, users: Collection[int]) -> bool:
        """
        Return whether a session may watch these users too.
        """
        room = self._limit - len(self._table)
        return len(users) <= room or sum(u not in self._table for u in users) <= room

    def replace(self, session: S, users: Sequence[int]) -> tuple[list[int], list[int]]:
        """
        Have a session watch these users in place of those that it watches.

        @return: the users that no session watched before, and those that none watches
            any more.
        """
        before = set(self._users.get(session, ()))
        added = self.add(session, [user for user in users if user not in before])
        removed = self._unwatch(session, before.difference(users))
        if users:
            self._users[session] = array("q", users)
        else:
            self._forget(session)
        return added, removed

    def add(self, session: S, users: Sequence[int]) -> list[int]:
        """
        Have a session watch these users too.

        @param users: users that the session does not watch yet.
        @return: the users that no session watched before.
        """
        if not users:
            return []
        watched = self._users.get(session)
        if watched is None:
            watched = self._users[session] = array("q")
        watched.extend(users)
        place, add = self._places.of(session), self._table.add
        return [user for user in users if add(user, place)]

    def remove(self, session: S) -> list[int]:
        """
        Forget a session.

        @return: the users that no session watches any more.
        """
        self._kept.pop(session, None)
        self._waiting.pop(session, None)
        removed = self._unwatch(session, self._users.get(session, ()))
        self._forget(session)
        return removed

    def record(self, session: S) -> dict[int, UserPresence]:
        """
        Keep the pushes to a session from now on, as it asks for presence.

        @return: what L{answered} needs.
        """
        kept = self._kept[session] = {}
        return kept

    def answered(
        self,
        session: S,
        kept: dict[int, UserPresence],
        found: Iterable[UserPresence],
    ) -> list[UserPresence]:
        """
        Take the answer to the query of a session, and which users are hidden from it.

        @param kept: what L{record} returned.
        @return: what the session is to be told; nothing if that was not its latest
            query, or if it has ended.
        """
        if not self.stop_recording(session, kept):
            return []
        told = []
        for presence in found:
            user = presence.user
            self.judged(session, presence)
            newer = kept.pop(user, presence)
            told.append(presence if presence.hidden else newer)
        return told + [newer for newer in kept.values() if self._sees(session, newer)]

    def stop_recording(self, session: S, kept: dict[int, UserPresence]) -> bool:
        """
        Keep pushes no longer, if that was the latest query of the session.
        """
        if self._kept.get(session) is not kept:
            return False
        del self._kept[session]
        return True

    def judged(self, session: S, presence: UserPresence) -> bool:
        """
        Note whether a watched user is hidden from a session.

        @return: whether that has changed.
        """
        if not (presence.hidden or self._hidden) or session not in self._users:
            return False
        user, place = presence.user, self._places.of(session)
        was_hidden = place in self._hidden.numbers(user)
        if presence.hidden == was_hidden or place not in self._table.numbers(user):
            return False
        if presence.hidden:
            self._hidden.add(user, place)
        else:
            self._hidden.discard(user, place)
        return True

    def hide(self, session: S, users: Iterable[int]) -> None:
        """
        Hide users from a session that watches them, until they are judged.
        """
        for user in users:
            self.judged(session, UserPresence(user, online=False, hidden=True))
        self.not_judged(session)

    def not_judged(self, session: S) -> None:
        """
        Note that a session waits for a judgement.
        """
        if session in self._users:
            self._waiting[session] = None

    def take_waiting(self) -> list[S]:
        """
        Return the sessions that wait for a judgement, and forget that they do.
        """
        waiting, self._waiting = list(self._waiting), {}
        return waiting

    @property
    def hides(self) -> bool:
        """
        True while any user is hidden from a session.
        """
        return bool(self._hidden)

    def sessions(self) -> list[S]:
        """
        Return the sessions that watch anybody.
        """
        return list(self._users)

    def watched_by(self, session: S) -> Sequence[int]:
        """
        Return the users whom a session watches.
        """
        return self._users.get(session, ())

    def on_doubt(self, judge: Callable[[S, Sequence[int]], object]) -> None:
        """
        Have sessions, and users whom they watch, judged when there is doubt.
        """
        self._on_doubt = judge

    def doubt(self, session: S, users: Iterable[int]) -> None:
        """
        Have those of the users judged again whom the session watches.
        """
        if session in self._users:
            place = self._places.of(session)
            watched = [u for u in users if place in self._table.numbers(u)]
            if watched:
                self._on_doubt(session, watched)

    def to_tell(self, presence: UserPresence) -> Sequence[S]:
        """
        Return the sessions that are to be told the presence of a user now.
        """
        watching = tuple(self.of(presence.user))
        if self._hidden and watching:
            watching = tuple(s for s in watching if self._sees(s, presence))
        if not self._kept:
            return watching
        for session in watching:
            if session in self._kept:
                self._kept[session][presence.user] = presence
        return [session for session in watching if session not in self._kept]

    def _sees(self, session: S, presence: UserPresence) -> bool:
        if not self._hidden or session not in self._users:
            return session in self._users
        return self._places.of(session) not in self._hidden.numbers(presence.user)

    def _unwatch(self, session: S, users: Iterable[int]) -> list[int]:
        if session not in self._users:
            return []
        place, discard = self._places.of(session), self._table.discard
        if self._hidden:
            users = list(users)
            for user in users:
                self._hidden.discard(user, place)
        return [user for user in users if discard(user, place)]

    def _forget(self, session: S) -> None:
        if self._users.pop(session, None) is not None:
            self._places.free(session)


class Places(Generic[S]):
    """
    A small number for each of some objects; a number that is free again is given to the
    next object.
    """

    def __init__(self) -> None:
        self._numbers: dict[S, int] = {}
        self._objects: dict[int, S] = {}
        self._free: list[int] = []

    def of(self, it: S) -> int:
        """
        Return the number of an object, which has it until L{free}.
        """
        number = self._numbers.get(it)
        if number is None:
            number = self._free.pop() if self._free else len(self._objects)
            self._numbers[it], self._objects[number] = number, it
        return number

    def at(self, number: int) -> S:
        """
        Return the object that has a number.
        """
        return self._objects[number]

    def free(self, it: S) -> None:
        """
        Take the number back from an object.
        """
        number = self._numbers.pop(it)
        del self._objects[number]
        self._free.append(number)


def to_presence(presence: UserPresence) -> frames.Presence:
    """
    Convert presence to the client protocol.  A user who is online has no last-seen
    time, and neither has a hidden one.
    """
    presence = presence.shown()
    last_seen_ms = 0 if presence.online else presence.last_seen_ms
    return frames.Presence(presence.user, presence.online, last_seen_ms)
