"""
Presence subscriptions: which sessions watch which users.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Sequence
from typing import Generic, TypeVar

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
        self._sessions: dict[int, set[S]] = {}
        self._users: dict[S, tuple[int, ...]] = {}
        self._changed: dict[S, set[int]] = {}

    def users(self) -> list[int]:
        """
        Return all watched users.
        """
        return list(self._sessions)

    def of(self, user: int) -> Iterable[S]:
        """
        Return the sessions that watch a user.
        """
        return self._sessions.get(user, ())

    def has_room(self, users: Collection[int]) -> bool:
        """
        Return whether a session may watch these users too.
        """
        room = self._limit - len(self._sessions)
        return len(users) <= room or sum(u not in self._sessions for u in users) <= room

    def replace(self, session: S, users: Sequence[int]) -> tuple[list[int], list[int]]:
        """
        Have a session watch these users in place of those that it watches.

        @return: the users that no session watched before, and those that none watches
            any more.
        """
        before = self._users.pop(session, ())
        added = self._watch(session, users)
        if users:
            self._users[session] = tuple(users)
        return added, self._unwatch(session, set(before).difference(users))

    def add(self, session: S, users: Sequence[int]) -> list[int]:
        """
        Have a session watch these users too.

        @param users: users that the session does not watch yet.
        @return: the users that no session watched before.
        """
        self._users[session] = (*self._users.get(session, ()), *users)
        return self._watch(session, users)

    def remove(self, session: S) -> list[int]:
        """
        Forget a session.

        @return: the users that no session watches any more.
        """
        self._changed.pop(session, None)
        return self._unwatch(session, self._users.pop(session, ()))

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
            for session in self._sessions.get(user, ()):
                if session in self._changed:
                    self._changed[session].add(user)

    def _watch(self, session: S, users: Iterable[int]) -> list[int]:
        added = []
        for user in users:
            watchers = self._sessions.get(user)
            if watchers is None:
                watchers = self._sessions[user] = set()
                added.append(user)
            watchers.add(session)
        return added

    def _unwatch(self, session: S, users: Iterable[int]) -> list[int]:
        removed = []
        for user in users:
            watchers = self._sessions[user]
            watchers.discard(session)
            if not watchers:
                del self._sessions[user]
                removed.append(user)
        return removed
