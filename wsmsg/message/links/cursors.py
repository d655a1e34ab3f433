"""
How far users are: gathered, stored in batches, told to the other members.
"""

from __future__ import annotations

from collections.abc import Iterable

from twisted.internet.defer import Deferred
from twisted.internet.interfaces import IReactorTime
from twisted.internet.task import deferLater
from twisted.logger import Logger

from wsmsg.dependency.wait import pause
from wsmsg.errors import Unavailable
from wsmsg.message.links.links import Links
from wsmsg.message.store.interface import IReaders
from wsmsg.model import Cursor, InvalidName, group_in, is_group, members_of
from wsmsg.rpc import rest_pb2

_BATCH = 1000
_LINGER_S = 0.03
# A store that is slow rests for so many times what a batch took, at the most so long:
# it has messages to store, and what waits meanwhile is merged.
_REST = 3
_MOST_REST_S = 0.5


class CursorWriter:
    """
    They wait a moment for company before they are stored, and what comes while one
    batch is being stored makes the next: a cursor is worth no commit of its own.  The
    slower the store, the longer they wait, so that it is busy with them for a quarter
    of the time at the most.

    @param limit: cursors that may wait; a further one is dropped and counted (a
        cursor is cumulative: the client's next one says as much and more).
    """

    _log = Logger()

    def __init__(
        self,
        store: IReaders,
        links: Links,
        clock: IReactorTime,
        *,
        limit: int = 100_000,
    ) -> None:
        self.dropped = 0
        self._store = store
        self._links = links
        self._clock = clock
        self._limit = limit
        self._waiting: dict[tuple[str, int], Cursor] = {}
        self._storing: Deferred[None] | None = None
        self._rested = 0.0

    def move(self, cursors: Iterable[rest_pb2.Cursor]) -> None:
        """
        Users say how far they are.
        """
        for c in cursors:
            key = (c.conversation, c.user)
            old = self._waiting.get(key)
            if old is None and not self._may_wait(c):
                self.dropped += 1
                continue
            self._waiting[key] = Cursor(
                c.conversation,
                c.user,
                max(c.delivered, c.read, old.delivered if old else 0),
                max(c.read, old.read if old else 0),
            )
        if self._waiting and self._storing is None:
            self._storing = Deferred.fromCoroutine(self._store_all())
            self._storing.addErrback(
                lambda failure: self._log.failure("storing cursors", failure)
            )

    def idle(self) -> Deferred[None]:
        """
        @return: a Deferred that fires when none waits.
        """
        done: Deferred[None] = Deferred()
        if self._storing is None:
            done.callback(None)
        else:
            self._storing.addBoth(lambda _: done.callback(None))
        return done

    def _may_wait(self, cursor: rest_pb2.Cursor) -> bool:
        try:
            if is_group(cursor.conversation):
                member = bool(group_in(cursor.conversation))  # the store knows more
            else:
                member = cursor.user in members_of(cursor.conversation)
        except InvalidName:
            return False
        return member and len(self._waiting) < self._limit

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

    async def _store_all(self) -> None:
        try:
            while self._waiting:
                await deferLater(
                    self._clock,
                    max(_LINGER_S, self._rested - self._clock.seconds()),
                )
                begun = self._clock.seconds()
                keys = list(self._waiting)[:_BATCH]
                batch = [self._waiting.pop(k) for k in keys]
                try:
                    batch = await self._of_members(batch)
                    rose = await self._store.move_cursors(batch)
                except Unavailable:
                    for cursor in batch:
                        self._waiting.setdefault(
                            (cursor.conversation, cursor.user), cursor
                        )
                    await pause(self._store.dependency, self._clock, _MOST_REST_S)
                    continue
                ended = self._clock.seconds()
                rest_s = min(_REST * (ended - begun), _MOST_REST_S)
                self._rested = ended + rest_s
                for cursor in rose:
                    self._links.receipt(cursor)
        finally:
            self._storing = None
