"""
Presence subscriptions: which sessions watch which users.

A session that watches a user takes about 21 bytes here: 8 in the list of its users, and
an entry of the table of users and sessions.  A session that watches anybody takes about
250 more.
"""

from __future__ import annotations

from array import array
from collections.abc import Collection, Iterable, Iterator, Sequence
from typing import Generic, TypeVar

from wsmsg.flow.id_table import IdTable
from wsmsg.stream.contract import MOST_WATCHED

S = TypeVar("S")


class Watchers(Generic[S]):
    """
    Maps users to the sessions that watch them, and sessions to the users they watch.

    A query for presence and the pushes of presence overtake each other.  A session
    that asks has the users recorded whose presence changes until the answer is there:
    for those, the push is newer than the answer.

    @param limit: the most users that all sessions watch together.
    """

    def __init__(self, limit: int = MOST_WATCHED) -> None:
        self._limit = limit
        self._table = IdTable()
        self._users: dict[S, array[int]] = {}
        self._places = Places[S]()
        self._changed: dict[S, set[int]] = {}

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
        self._changed.pop(session, None)
        removed = self._unwatch(session, self._users.get(session, ()))
        self._forget(session)
        return removed

    def record(self, session: S) -> set[int]:
        """
        Start recording for a session, from the beginning.

        @return: the users whose presence changed; it grows until L{stop_recording}.
        """
        changed = self._changed[session] = set()
        return changed

    def stop_recording(self, session: S, changed: set[int]) -> bool:
        """
        Stop recording.

        @param changed: what L{record} returned.
        @return: whether that was the latest recording of this session; if not, a newer
            query is under way or the session has ended.
        """
        if self._changed.get(session) is not changed:
            return False
        del self._changed[session]
        return True

    def note_change(self, user: int) -> None:
        """
        Record that the presence of a user changed.
        """
        if self._changed:
            for session in self.of(user):
                if session in self._changed:
                    self._changed[session].add(user)

    def _unwatch(self, session: S, users: Iterable[int]) -> list[int]:
        if session not in self._users:
            return []
        place, discard = self._places.of(session), self._table.discard
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
