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

    @param receipt: called with each cursor that rose, and with the Connect whose only
        session of the user said it (empty: none); L{Links.receipt}.
    @param limit: the most cursors that wait; a further one is dropped and counted.  A
        cursor is cumulative: the next one from the client makes up for it.
    """

    def __init__(
        self,
        store: IReaders,
        receipt: Callable[[Cursor, str], object],
        clock: IReactorTime,
        *,
        limit: int = 100_000,
    ) -> None:
        self.dropped = 0
        self._store = store
        self._receipt = receipt
        self._limit = limit
        self._waiting: dict[tuple[str, int], tuple[Cursor, str]] = {}
        self._loop = BatchLoop(
            self._store_batch,
            lambda: bool(self._waiting),
            clock,
            linger_s=_LINGER_S,
            most_rest_s=_MOST_REST_S,
            pause=lambda failures: pause(store.dependency, clock, _MOST_REST_S),
        )

    def move(self, cursors: Iterable[Cursor], alone_at: str = "") -> None:
        """
        Store these cursors.  A message that is read counts as delivered.

        @param alone_at: the Connect where the session that said them is the only one
            of its user; empty: there are others, or none said them.
        """
        for c in cursors:
            if (c.conversation, c.user) in self._waiting or self._is_accepted(c):
                self._merge(c, alone_at)
            else:
                self.dropped += 1
        if self._waiting:
            self._loop.wake()

    def idle(self) -> Deferred[None]:
        """
        @return: a Deferred that fires when all cursors are stored.
        """
        return self._loop.when_idle()

    def _merge(self, c: Cursor, alone_at: str) -> None:
        key = (c.conversation, c.user)
        delivered, read = max(c.delivered, c.read), c.read
        if (waiting := self._waiting.get(key)) is not None:
            old, old_at = waiting
            delivered, read = max(delivered, old.delivered), max(read, old.read)
            alone_at = alone_at if alone_at == old_at else ""
        cursor = Cursor(c.conversation, c.user, delivered, read)
        self._waiting[key] = (cursor, alone_at)

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
        said = {key: self._waiting.pop(key) for key in keys}
        try:
            batch = await self._of_members([cursor for cursor, _ in said.values()])
            raised = await self._store.move_cursors(batch)
        except Unavailable:
            for cursor, alone_at in said.values():
                self._merge(cursor, alone_at)
            return False
        for cursor in raised:
            wanted, alone_at = said[cursor.conversation, cursor.user]
            # A cursor that met messages marked above it rose further than said.
            further = cursor.delivered > wanted.delivered or cursor.read > wanted.read
            self._receipt(cursor, "" if further else alone_at)
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
