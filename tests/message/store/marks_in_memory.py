"""
The cursors and read marks of the store in a dict, and its state.
"""

from __future__ import annotations

from collections.abc import Sequence

from twisted.internet.defer import Deferred, succeed
from twisted.internet.task import Clock

from tests.message.store.read_ranges_in_memory import SeenInMemory
from wsmsg.dependency.state import Dependency
from wsmsg.errors import Unavailable
from wsmsg.message.store.interface import Marked, UnreadList
from wsmsg.model import Cursor, Mark

#: By message id, a conversation and a seq.
_Places = dict[int, tuple[str, int]]


class MemoryReadMarks:
    """
    Provides L{wsmsg.message.store.interface.IReadMarks} from a dict.

    @ivar located_for: the users for whom messages were located by id.
    @ivar marks: the marks stored, by batch.
    """

    def __init__(self, seen: SeenInMemory) -> None:
        self.dependency = Dependency("store", Clock())
        self.dependency.succeeded()
        self._seen = seen
        self.moved = seen.moved
        self.located_for: list[int] = []
        self.marks: list[Sequence[Mark]] = []

    def start(self) -> None:
        self.dependency.succeeded()

    def stop(self) -> Deferred[None]:
        return succeed(None)

    @property
    def down(self) -> bool:
        """
        True while all calls fail.
        """
        return not self.dependency.up

    @down.setter
    def down(self, down: bool) -> None:
        if down:
            self.dependency.lost("the store is down")
        else:
            self.dependency.succeeded()

    def _check(self) -> None:
        if self.down:
            raise Unavailable("the store is down")

    async def _move(self, cursors: Sequence[Cursor]) -> list[Cursor]:
        self._check()
        self.moved.update(((c.conversation, c.user), c) for c in cursors)
        return list(cursors)

    def move_cursors(self, cursors: Sequence[Cursor]) -> Deferred[list[Cursor]]:
        return Deferred.fromCoroutine(self._move(cursors))

    def cursors(
        self, keys: Sequence[tuple[str, int]]
    ) -> Deferred[dict[tuple[str, int], Cursor]]:
        return succeed({k: self.moved[k] for k in keys if k in self.moved})

    async def _mark(self, marks: Sequence[Mark]) -> Marked:
        self._check()
        self.marks.append(marks)
        return self._seen.mark(marks)

    def mark(self, marks: Sequence[Mark]) -> Deferred[Marked]:
        return Deferred.fromCoroutine(self._mark(marks))

    async def _unread(
        self, user: int, places: Sequence[tuple[str, int]], limit: int
    ) -> UnreadList:
        self._check()
        unread = self._seen.unread(user)
        found = [
            m
            for name, after in places
            for m in sorted(unread, key=lambda m: m.seq)
            if m.conversation == name and m.seq > after
        ]
        if len(found) <= limit:
            return UnreadList(found)
        last = found[limit - 1]
        return UnreadList(found[:limit], (last.conversation, last.seq))

    def unread(
        self, user: int, places: Sequence[tuple[str, int]], limit: int
    ) -> Deferred[UnreadList]:
        return Deferred.fromCoroutine(self._unread(user, places, limit))

    async def _counts(self, user: int, names: Sequence[str]) -> dict[str, int]:
        self._check()
        unread = [m.conversation for m in self._seen.unread(user)]
        return {name: unread.count(name) for name in names}

    def unread_counts(
        self, user: int, conversations: Sequence[str]
    ) -> Deferred[dict[str, int]]:
        return Deferred.fromCoroutine(self._counts(user, conversations))

    async def _located(self, user: int, ids: Sequence[int]) -> _Places:
        self._check()
        self.located_for.append(user)
        found = (m for m in self._seen.unread(user) if m.message_id in ids)
        return {m.message_id: (m.conversation, m.seq) for m in found}

    def located(self, user: int, message_ids: Sequence[int]) -> Deferred[_Places]:
        return Deferred.fromCoroutine(self._located(user, message_ids))
