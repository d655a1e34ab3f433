"""
The way of cursors into the store, and from there to the other members.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable

from twisted.internet.defer import Deferred
from twisted.internet.interfaces import IReactorTime

from wsmsg.dependency.wait import pause
from wsmsg.errors import Unavailable
from wsmsg.flow.batches import BatchLoop
from wsmsg.message.store.interface import IReaders
from wsmsg.model import Cursor, InvalidName, group_in, is_group, members_of

_BATCH = 1000
_LINGER_S = 0.03
# The store has messages to insert as well.
_MOST_REST_S = 0.5


class CursorWriter:
    """
    Stores cursors in batches: a cursor is not worth a commit of its own.  Cursors of
    one user in one conversation are merged while they wait.

    @param receipt: called with each cursor that rose; L{Links.receipt}.
    @param limit: the most cursors that wait; a further one is dropped and counted.  A
        cursor is cumulative: the next one from the client makes up for it.
    """

    def __init__(
        self,
        store: IReaders,
        receipt: Callable[[Cursor], object],
        clock: IReactorTime,
        *,
        limit: int = 100_000,
    ) -> None:
        self.dropped = 0
        self._store = store
        self._receipt = receipt
        self._limit = limit
        self._waiting: dict[tuple[str, int], Cursor] = {}
        self._loop = BatchLoop(
            self._store_batch,
            lambda: bool(self._waiting),
            clock,
            linger_s=_LINGER_S,
            most_rest_s=_MOST_REST_S,
            pause=lambda failures: pause(store.dependency, clock, _MOST_REST_S),
        )

    def move(self, cursors: Iterable[Cursor]) -> None:
        """
        Store these cursors.  A message that is read counts as delivered.
        """
        for c in cursors:
            if (c.conversation, c.user) in self._waiting or self._is_accepted(c):
                self._merge(c)
            else:
                self.dropped += 1
        if self._waiting:
            self._loop.wake()

    def idle(self) -> Deferred[None]:
        """
        @return: a Deferred that fires when all cursors are stored.
        """
        return self._loop.when_idle()

    def _merge(self, c: Cursor) -> None:
        key = (c.conversation, c.user)
        old = self._waiting.get(key)
        self._waiting[key] = Cursor(
            c.conversation,
            c.user,
            max(c.delivered, c.read, old.delivered if old else 0),
            max(c.read, old.read if old else 0),
        )

    def _is_accepted(self, cursor: Cursor) -> bool:
        try:
            if is_group(cursor.conversation):
                member = bool(group_in(cursor.conversation))  # the store knows more
            else:
                member = cursor.user in members_of(cursor.conversation)
        except InvalidName:
            return False
        return member and len(self._waiting) < self._limit

    async def _store_batch(self) -> bool:
        keys = list(self._waiting)[:_BATCH]
        batch = [self._waiting.pop(k) for k in keys]
        try:
            batch = await self._of_members(batch)
            raised = await self._store.move_cursors(batch)
        except Unavailable:
            for cursor in batch:
                self._merge(cursor)
            return False
        for cursor in raised:
            self._receipt(cursor)
        return True

    async def _of_members(self, cursors: list[Cursor]) -> list[Cursor]:
        keys = [(c.conversation, c.user) for c in cursors if is_group(c.conversation)]
        if not keys:
            return cursors
        readable = await self._store.readable_from(keys)
        return [
            c
            for c in cursors
            if not is_group(c.conversation) or (c.conversation, c.user) in readable
        ]
