"""
The way of cursors into the store, and to the other members.

::

    move --.--> told at once ----> stored within a second
           `--> stored soon -----> told

A cursor is told at once if L{ToldCursors} knows that the store would agree.  The store
of one Message alone is a second behind then, so whoever reads cursors there waits for
L{CursorWriter.stored} first.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence

from twisted.internet.defer import Deferred
from twisted.internet.interfaces import IReactorTime

from wsmsg.dependency.wait import pause
from wsmsg.errors import Unavailable
from wsmsg.flow.batches import BatchLoop
from wsmsg.flow.idle import IdleWaiters
from wsmsg.message.links.recipients import ToldCursors
from wsmsg.message.store.interface import IReaders
from wsmsg.model import Cursor, InvalidName, group_in, is_group, members_of

_BATCH = 1000
_Key = tuple[str, int]
# Before a cursor is stored that is told only then, and one that was told.
_LINGER_S = 0.03
_TOLD_LINGER_S = 1.0
# The store has messages to insert as well.
_MOST_REST_S = 0.5


class CursorWriter:
    """
    Stores cursors in batches: a cursor is not worth a commit of its own.  Cursors of
    one user in one conversation are merged while they wait.

    @param receipt: called with each cursor that rose, and with the Connect whose only
        session of the user said it (empty: none); L{Links.receipt}.
    @param told: the cursors that were told; L{Links.told}.  L{None}: other Messages use
        the store as well, and would read it while it is behind; so each cursor is
        stored first.
    @param limit: the most cursors that wait; a further one is dropped and counted.  A
        cursor is cumulative: the next one from the client makes up for it.
    """

    def __init__(
        self,
        store: IReaders,
        receipt: Callable[[Cursor, str], object],
        clock: IReactorTime,
        *,
        told: ToldCursors | None = None,
        limit: int = 100_000,
    ) -> None:
        self.dropped = 0
        self._store = store
        self._receipt = receipt
        self._told = told
        self._limit = limit
        self._early: dict[_Key, Sequence[int]] = {}
        self._failing = False
        self._behind: Counter[int] = Counter()
        self._ended = IdleWaiters()
        self._waiting: dict[_Key, tuple[Cursor, str]] = {}
        self._loop = BatchLoop(
            self._store_batch,
            lambda: bool(self._waiting),
            clock,
            linger_s=_LINGER_S if told is None else _TOLD_LINGER_S,
            most_rest_s=_MOST_REST_S,
            pause=lambda failures: pause(store.dependency, clock, _MOST_REST_S),
        )

    def move(self, cursors: Iterable[Cursor], alone_at: str = "") -> None:
        """
        Store these cursors.  A message that is read counts as delivered.

        @param alone_at: the Connect where the session that said them is the only one
            of its user; empty: there are others, or none said them.
        """
        urgent = False
        for c in cursors:
            key = (c.conversation, c.user)
            if key in self._waiting or self._is_accepted(c):
                self._merge(c, alone_at)
                urgent = not self._may_linger(*self._waiting[key]) or urgent
            else:
                self.dropped += 1
        if self._waiting:
            self._loop.wake()
            if urgent:
                self._loop.hurry(_LINGER_S)

    def idle(self) -> Deferred[None]:
        """
        @return: a Deferred that fires when all cursors are stored, as soon as possible.
        """
        self._loop.hurry()
        return self._loop.when_idle()

    async def stored(self, user: int) -> None:
        """
        Wait until the store has what this user, and those who talk to them, were told;
        not while the store fails.
        """
        while self._behind[user] and self._loop.running and not self._failing:
            self._loop.hurry()
            await self._ended.wait(False)

    def _may_linger(self, cursor: Cursor, alone_at: str) -> bool:
        """
        Tell a cursor at once, if possible.

        @return: whether nobody waits for it to be stored.
        """
        if self._told is None:
            return False
        if is_group(cursor.conversation):
            # Nobody else is told, and the user has no other session.
            if alone_at:
                self._note_early(cursor, (cursor.user,))
            return bool(alone_at)
        ahead = self._told.ahead(cursor)
        if ahead is None:
            return False
        if not self._told.is_told(ahead):
            self._note_early(cursor, members_of(cursor.conversation))
            self._receipt(ahead, alone_at)
        return True

    def _note_early(self, cursor: Cursor, readers: Sequence[int]) -> None:
        key = (cursor.conversation, cursor.user)
        if key not in self._early:
            self._early[key] = readers
            self._behind.update(readers)

    def _forget_early(self, key: _Key) -> None:
        for user in self._early.pop(key, ()):
            self._behind[user] -= 1
            if not self._behind[user]:
                del self._behind[user]

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
        if self._waiting:
            self._loop.hurry(_LINGER_S)
        try:
            await self._store_said(said)
        except Unavailable:
            for cursor, alone_at in said.values():
                self._merge(cursor, alone_at)
            self._failing = True
        else:
            self._failing = False
        finally:
            for key in said.keys() - self._waiting.keys():
                self._forget_early(key)
            self._ended.fire()
        return not self._failing

    async def _store_said(self, said: Mapping[_Key, tuple[Cursor, str]]) -> None:
        batch = await self._of_members([cursor for cursor, _ in said.values()])
        for cursor in await self._store.move_cursors(batch):
            if self._told is None or not self._told.is_told(cursor):
                self._tell_stored(cursor, *said[cursor.conversation, cursor.user])

    def _tell_stored(self, cursor: Cursor, wanted: Cursor, alone_at: str) -> None:
        # A cursor that met messages marked above it rose further than said.
        further = cursor.delivered > wanted.delivered or cursor.read > wanted.read
        self._receipt(cursor, "" if further else alone_at)

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
