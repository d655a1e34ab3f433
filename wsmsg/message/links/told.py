"""
The cursors that were told last, by which the next one can be told before it is stored.

A cursor never falls and never passes the head of its conversation.  The store holds it
to that; this module knows enough for the usual case, the acknowledgement of what was
just pushed.  Where it does not know, the cursor is told when it is stored.
"""

from __future__ import annotations

from collections.abc import Iterable

from wsmsg.model import Cursor, Message, is_group


class ToldCursors:
    """
    The last cursors and heads of recent conversations of two.

    @param limit: the most cursors, and the most heads; beyond it, the oldest are
        forgotten.
    """

    def __init__(self, limit: int = 50_000) -> None:
        self._limit = limit
        self._heads: dict[str, int] = {}
        self._cursors: dict[tuple[str, int], Cursor] = {}

    def pushed(self, messages: Iterable[Message]) -> None:
        """
        Note messages that are stored.
        """
        heads = self._heads
        for m in messages:
            name = m.conversation
            # What is withheld is not there for its recipient, whose cursor stops.
            if not m.withheld and not is_group(name) and m.seq > heads.get(name, 0):
                heads[name] = m.seq
        while len(heads) > self._limit:
            del heads[next(iter(heads))]

    def told(self, cursor: Cursor) -> None:
        """
        Note a cursor that the members are told.
        """
        cursors, key = self._cursors, (cursor.conversation, cursor.user)
        if not is_group(cursor.conversation):
            known = cursors.get(key)
            cursors[key] = cursor if known is None else raised(known, cursor)
            if len(cursors) > self._limit:
                del cursors[next(iter(cursors))]

    def ahead(self, cursor: Cursor) -> Cursor | None:
        """
        Return how far the user is by this cursor, if the store would agree as far as
        this Message knows; L{None}: only the store can say.
        """
        known = self._cursors.get((cursor.conversation, cursor.user))
        if known is None or cursor.delivered > self._heads.get(cursor.conversation, 0):
            return None
        return raised(known, cursor)

    def is_told(self, cursor: Cursor) -> bool:
        """
        Return whether the members know of this cursor.
        """
        known = self._cursors.get((cursor.conversation, cursor.user))
        return known is not None and raised(known, cursor) == known


def raised(cursor: Cursor, to: Cursor) -> Cursor:
    """
    Return the higher numbers of both cursors.
    """
    delivered = max(cursor.delivered, to.delivered)
    return Cursor(
        cursor.conversation, cursor.user, delivered, max(cursor.read, to.read)
    )
