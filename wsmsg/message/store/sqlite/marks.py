"""
Read ranges in the file of the embedded store.

Each range of read messages above a cursor is a row.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence

import attrs
import msgspec

from wsmsg.message.store.read_ranges import (
    STEPS,
    Ranges,
    ReadRanges,
    advance,
    scan_windows,
)
from wsmsg.model import FIRST_EVENT, Cursor
from wsmsg.sqlite.file import SqliteFile, select, write

#: The tables that version 3 of the store added.
SEEN = """
    CREATE TABLE seen (
        conversation INTEGER NOT NULL,
        user INTEGER NOT NULL,
        first INTEGER NOT NULL,
        last INTEGER NOT NULL,
        PRIMARY KEY (conversation, user, first)
    ) WITHOUT ROWID;
"""

_Key = tuple[str, int]

_SEEN = """
    SELECT json_group_array(json_array(c.name, s.user, s.first, s.last))
    FROM {rows} CROSS JOIN conversations c ON c.name = column1
    CROSS JOIN seen s ON s.conversation = c.id AND s.user = column2
"""
_PLACED = """
    SELECT json_group_array(json_array(c.name, m.seq, m.message_id))
    FROM {rows} CROSS JOIN conversations c ON c.name = column1
    CROSS JOIN messages m ON m.conversation = c.id AND m.seq = column2
"""
# The messages that need no reading: events, and the user's own.
_PASSED = f"""
    SELECT json_group_array(m.seq) FROM conversations c
    CROSS JOIN messages m ON m.conversation = c.id AND m.seq BETWEEN ? AND ?
    WHERE c.name = ? AND (m.kind >= {FIRST_EVENT} OR m.sender = ?)
"""
_ADD = """
    INSERT OR REPLACE INTO seen (conversation, user, first, last)
    SELECT c.id, column2, column3, column4
    FROM {rows} CROSS JOIN conversations c ON c.name = column1
"""
_DROP = """
    DELETE FROM seen WHERE (conversation, user, first) IN (
        SELECT c.id, column2, column3
        FROM {rows} CROSS JOIN conversations c ON c.name = column1
    )
"""

_seen = msgspec.json.Decoder(list[tuple[str, int, int, int]])
_placed = msgspec.json.Decoder(list[tuple[str, int, int]])
_seqs = msgspec.json.Decoder(list[int])


@attrs.frozen
class ReadQuery:
    """
    A change to the messages that one user has read in one conversation.

    @ivar now: the cursor; L{None}: there is none yet.
    @ivar head: the number of the last message.
    @ivar floor: messages up to this number need no reading.
    @ivar read: the cursor that was given.
    @ivar marked: ranges that were read as well; all of their messages exist.
    @ivar passing: whether the cursor may pass messages that need no reading.
    """

    key: _Key
    now: Cursor | None
    head: int
    floor: int = 0
    read: int = 0
    marked: Ranges = ()
    passing: bool = True


class SeenRows:
    """
    The reads of ranges.  Only the thread of the file may use it.
    """

    def __init__(self, file: SqliteFile) -> None:
        self._file = file

    def ranges(self, keys: Sequence[_Key]) -> dict[_Key, Ranges]:
        """
        Return the ranges above the cursors, without keys that have none.
        """
        found: dict[_Key, Ranges] = {}
        for name, user, first, last in select(self._file, _SEEN, keys, _seen):
            found[name, user] = (*found.get((name, user), ()), (first, last))
        return found

    def ids(self, places: Sequence[tuple[str, int]]) -> dict[tuple[str, int], int]:
        """
        Return the ids of the messages that exist.
        """
        found = select(self._file, _PLACED, list(dict.fromkeys(places)), _placed)
        return {(name, seq): message_id for name, seq, message_id in found}

    def advanced(self, query: ReadQuery, ranges: Ranges) -> ReadRanges:
        """
        Return what the user has read after a change.
        """
        now = query.now.read if query.now else 0
        before = seen = ReadRanges(max(now, query.read, query.floor), ranges)
        if not query.passing:
            return advance(before, query.marked)
        passed: set[int] = set()
        seqs = [seq for marked in query.marked for seq in marked]
        for above in STEPS:
            reach = seen.read + above
            for first, last in scan_windows(seen.read, seqs, above):
                last = min(last, query.head)
                if first <= last and (first, last) not in query.marked:
                    passed.update(self._passed(*query.key, first, last))
            seen = advance(before, query.marked, passed)
            if seen.read < reach:
                break
            seqs = []
        return seen

    def _passed(self, name: str, user: int, first: int, last: int) -> list[int]:
        (found,) = self._file.row(_PASSED, (first, last, name, user))
        return _seqs.decode(found)


def store_ranges(
    file: SqliteFile,
    before: Mapping[_Key, Ranges],
    after: Iterable[tuple[_Key, ReadRanges]],
) -> None:
    """
    Store ranges, inside of a transaction.
    """
    dropped, added = [], []
    for key, seen in after:
        old, new = before.get(key, ()), seen.ranges
        dropped += [(*key, first) for first, last in old if (first, last) not in new]
        added += [(*key, *r) for r in new if r not in old]
    write(file, _DROP, dropped)
    write(file, _ADD, added)
