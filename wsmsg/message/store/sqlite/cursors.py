"""
Raises cursors in the file of the embedded store, by cursors and by marks.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

import msgspec

from wsmsg.message.store.interface import Marked
from wsmsg.message.store.read_ranges import ReadRanges, merged
from wsmsg.message.store.sqlite.groups import GroupRows
from wsmsg.message.store.sqlite.marks import ReadQuery, SeenRows, store_ranges
from wsmsg.model import INT64_MAX, Cursor, InvalidName, Mark, is_group, members_of
from wsmsg.sqlite.file import SqliteFile, write

_Key = tuple[str, int]
#: Returns cursors and heads, of the conversations that exist.
_Heights = Callable[[Sequence[_Key]], dict[_Key, tuple[Cursor | None, int]]]

# "WHERE true" keeps the parser from reading ON CONFLICT as the condition of a join.
_MOVE = """
    INSERT INTO cursors (conversation, user, delivered, read)
    SELECT c.id, column2, column3, column4
    FROM {rows} CROSS JOIN conversations c ON c.name = column1
    WHERE true
    ON CONFLICT (conversation, user)
    DO UPDATE SET delivered = excluded.delivered, read = excluded.read
"""


class CursorMoves:
    """
    The changes of cursors and of the ranges above them.  Only the thread of the file
    may use it.
    """

    def __init__(
        self,
        file: SqliteFile,
        heights: _Heights,
        groups: GroupRows,
        seen: SeenRows,
    ) -> None:
        self._file = file
        self._heights = heights
        self._groups = groups
        self._seen = seen

    def move(self, cursors: Sequence[Cursor]) -> list[Cursor]:
        wanted: dict[_Key, Cursor] = {}
        for c in cursors:
            key = (c.conversation, c.user)
            wanted[key] = _raised(wanted.get(key), c, INT64_MAX)
        moving: dict[_Key, tuple[Cursor | None, Cursor]] = {}
        queries = []
        for key, (now, head) in self._heights(list(wanted)).items():
            moved = _raised(now, wanted[key], head)
            if moved != (now or Cursor(*key)) or moved.seen:
                moving[key] = (now, moved)
                if moved.seen or moved.read > (now.read if now else 0):
                    queries.append(
                        ReadQuery(
                            key,
                            now,
                            head,
                            read=moved.read,
                            marked=moved.seen,
                            passing=not moved.seen,
                        )
                    )
        seen, ranges = self._advance(queries)
        for key, after in seen.items():
            now, moved = moving[key]
            moving[key] = (now, _reaching(moved, after.read))
        return self._store(moving, ranges, seen)

    def mark(self, marks: Sequence[Mark]) -> Marked:
        places = [(m.conversation, m.seq) for m in marks]
        ids = self._seen.ids(places)
        keys = list(dict.fromkeys((m.conversation, m.user) for m in marks))
        floors = self._floors(keys)
        there = [
            (place in ids and m.message_id in (0, ids[place]))
            and m.seq > floors.get((m.conversation, m.user), INT64_MAX)
            for m, place in zip(marks, places, strict=True)
        ]
        numbers: dict[_Key, list[tuple[int, int]]] = {}
        for m, good in zip(marks, there, strict=True):
            if good:
                key = (m.conversation, m.user)
                numbers.setdefault(key, []).append((m.seq, m.seq))
        heights = self._heights(list(numbers))
        now = {key: cursor for key, (cursor, _) in heights.items()}
        queries = [
            ReadQuery(key, *heights[key], floor=floors[key], marked=merged(marked))
            for key, marked in numbers.items()
        ]
        seen, ranges = self._advance(queries, always=True)
        moving = {
            key: (now[key], _reaching(now[key] or Cursor(*key), after.read))
            for key, after in seen.items()
        }
        raised = self._store(moving, ranges, seen)
        known = [
            good and m.seq in seen[m.conversation, m.user]
            for m, good in zip(marks, there, strict=True)
        ]
        return Marked(known, raised)

    def _floors(self, keys: Sequence[_Key]) -> dict[_Key, int]:
        # The last number that a user may not read, for the users that may read at all.
        groups = [key for key in keys if is_group(key[0])]
        floors = {key: n - 1 for key, n in self._groups.readable_from(groups).items()}
        for name, user in keys:
            if not is_group(name) and user in _two(name):
                floors[name, user] = 0
        return floors

    def _advance(
        self, queries: Sequence[ReadQuery], *, always: bool = False
    ) -> tuple[dict[_Key, ReadRanges], dict[_Key, tuple[tuple[int, int], ...]]]:
        # Returns what was read after the change, and the ranges before it.  Unless
        # always, queries without ranges are left out: their cursors need no search.
        ranges = self._seen.ranges([q.key for q in queries])
        seen = {
            q.key: self._seen.advanced(q, ranges.get(q.key, ()))
            for q in queries
            if always or q.marked or q.key in ranges
        }
        return seen, ranges

    def _store(
        self,
        moving: dict[_Key, tuple[Cursor | None, Cursor]],
        ranges: dict[_Key, tuple[tuple[int, int], ...]],
        seen: dict[_Key, ReadRanges],
    ) -> list[Cursor]:
        raised, rows = [], []
        for key, (now, moved) in moving.items():
            moved = msgspec.structs.replace(moved, seen=())
            rose = moved != (now or Cursor(*key))
            if rose:
                raised.append(moved)
            if rose or now is None:
                rows.append((*key, moved.delivered, moved.read))
        if rows or any(after.ranges != ranges.get(k, ()) for k, after in seen.items()):
            with self._file.transaction():
                write(self._file, _MOVE, rows)
                store_ranges(self._file, ranges, seen.items())
        return raised


def _raised(now: Cursor | None, to: Cursor, head: int) -> Cursor:
    delivered, read, seen = (now.delivered, now.read, now.seen) if now else (0, 0, ())
    return Cursor(
        to.conversation,
        to.user,
        max(delivered, min(to.delivered, head)),
        max(read, min(to.read, head)),
        (*seen, *((first, min(last, head)) for first, last in to.seen)),
    )


def _reaching(cursor: Cursor, read: int) -> Cursor:
    return msgspec.structs.replace(
        cursor,
        read=max(cursor.read, read),
        delivered=max(cursor.delivered, read if read > cursor.read else 0),
    )


def _two(conversation: str) -> tuple[int, ...]:
    try:
        return members_of(conversation)
    except InvalidName:
        return ()
