"""
Read ranges in the file of the embedded store, and unread messages.

Each range of read messages above a cursor is a row.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import attrs
import msgspec

from wsmsg.message.store.id_order import OLDER_FROM
from wsmsg.message.store.read_ranges import (
    STEPS,
    Ranges,
    ReadRanges,
    advance,
    scan_windows,
)
from wsmsg.model import (
    FIRST_EVENT,
    Cursor,
    InvalidName,
    Message,
    is_group,
    members_of,
    storable_values,
)
from wsmsg.sqlite.file import SqliteFile, Unfit, select, write

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

#: So many messages are looked at in one piece of a count, about.
PIECE = 5000

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
# The conversations of a user, with the last number that needs no reading: the cursor,
# or in a group without history the number before that of joining.
# ?1: the user.
_MINE = """
    SELECT c.id, c.name, max(
        coalesce(u.read, 0), iif(g.history = 0, coalesce(m.joined, 0) - 1, 0)
    ) AS read
    FROM members
    CROSS JOIN conversations c ON c.id = members.conversation
    LEFT JOIN cursors u ON u.conversation = c.id AND u.user = ?1
    LEFT JOIN groups g ON g.conversation = c.id
    LEFT JOIN group_members m ON m.conversation = c.id AND m.user = ?1
    WHERE members.user = ?1
"""
# The range that may hold a message is the last one that begins at or before it: one
# step in the primary key of C{seen}.  The message is unread if the range ends before.
_IS_UNREAD = f"""
    m.kind < {FIRST_EVENT} AND m.sender <> ?1 AND coalesce((
        SELECT last FROM seen s
        WHERE s.conversation = m.conversation AND s.user = ?1 AND s.first <= m.seq
        ORDER BY s.first DESC LIMIT 1
    ), 0) < m.seq
"""
_UNREAD = f"""
    FROM mine CROSS JOIN messages m ON m.conversation = mine.id AND m.seq > mine.read
    WHERE {_IS_UNREAD}
"""
_OLDER = f"message_id < {OLDER_FROM}"  # as id_order: 0 comes first
# MATERIALIZED: the count and the page both read the list, which is computed once.
_LIST = f"""
    WITH mine AS ({_MINE}),
    unread AS MATERIALIZED (SELECT mine.name, m.id, m.message_id {_UNREAD})
    SELECT (SELECT count(*) FROM unread), (
        SELECT json_group_array(json_array(name, sender, client_id, message_id,
                                           content, kind, time_ms, seq))
        FROM (
            SELECT name, m.* FROM (
                SELECT * FROM unread
                WHERE ({_OLDER}, message_id) > (?2 BETWEEN 1 AND {OLDER_FROM - 1}, ?2)
                ORDER BY {_OLDER}, message_id LIMIT ?3
            ) AS some CROSS JOIN messages m ON m.id = some.id
            ORDER BY some.{_OLDER}, some.message_id
        )
    )
"""
# The same for some conversations, with their heads; the user is in those of two.
_ASKED = """
    SELECT json_group_array(json_array(c.id, c.name, max(
        coalesce(u.read, 0), iif(g.history = 0, m.joined - 1, 0)
    ), (SELECT max(seq) FROM messages WHERE conversation = c.id)))
    FROM json_each(?2) AS asked CROSS JOIN conversations c ON c.name = asked.value
    LEFT JOIN cursors u ON u.conversation = c.id AND u.user = ?1
    LEFT JOIN groups g ON g.conversation = c.id
    LEFT JOIN group_members m ON m.conversation = c.id AND m.user = ?1
    WHERE g.conversation IS NULL OR m.joined
"""
_COUNTS = f"""
    SELECT json_group_array(json_array(id, n)) FROM (
        SELECT m.conversation AS id, count(*) AS n FROM json_each(?2) AS piece
        CROSS JOIN messages m ON m.conversation = piece.value ->> 0
            AND m.seq > piece.value ->> 1 AND m.seq <= piece.value ->> 2
        WHERE {_IS_UNREAD} GROUP BY m.conversation
    )
"""
_LOCATED = f"""
    WITH mine AS ({_MINE})
    SELECT json_group_array(json_array(m.message_id, mine.name, m.seq)) {_UNREAD}
        AND m.message_id IN (SELECT value FROM json_each(?2))
"""

_seen = msgspec.json.Decoder(list[tuple[str, int, int, int]])
_placed = msgspec.json.Decoder(list[tuple[str, int, int]])
_messages = msgspec.json.Decoder(list[tuple[str, int, str, int, str, int, int, int]])
_seqs = msgspec.json.Decoder(list[int])
_asked = msgspec.json.Decoder(list[tuple[int, str, int, int | None]])
_counts = msgspec.json.Decoder(list[tuple[int, int]])
_located = msgspec.json.Decoder(list[tuple[int, str, int]])


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


class UnreadCounting:
    """
    A count of unread messages that is not finished.  The work goes with the messages
    above the read cursors, and is done in pieces.

    @ivar counts: the unread messages so far, by conversation.
    """

    def __init__(self, user: int, counts: dict[str, int]) -> None:
        self.user = user
        self.counts = counts
        self._names: dict[int, str] = {}
        self._left: deque[tuple[int, int, int]] = deque()

    def __bool__(self) -> bool:
        return bool(self._left)

    def add(self, place: int, name: str, read: int, head: int) -> None:
        """
        Add the messages of a conversation above the read cursor.
        """
        self._names[place] = name
        for first in range(read, head, PIECE):
            self._left.append((place, first, min(first + PIECE, head)))

    def next_pieces(self) -> list[tuple[int, int, int]]:
        """
        Take the next pieces: a conversation, and the numbers above the first and up to
        the last.
        """
        pieces = []
        size = 0
        while self._left and size < PIECE:
            pieces.append(self._left.popleft())
            size += pieces[-1][2] - pieces[-1][1]
        return pieces

    def counted(self, found: Iterable[tuple[int, int]]) -> None:
        """
        Add the unread messages of pieces.
        """
        for place, n in found:
            self.counts[self._names[place]] += n


class SeenRows:
    """
    The reads of ranges and of unread messages.  Only the thread of the file may use it.
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

    def unread(self, user: int, after_id: int, limit: int) -> tuple[list[Message], int]:
        row = self._of(_LIST, user, after_id, max(limit, 0))
        if row is None:
            return [], 0
        total, messages = row
        return [Message(*m) for m in _messages.decode(messages)], total

    def counting(self, user: int, conversations: Sequence[str]) -> UnreadCounting:
        """
        Begin to count the unread messages of some conversations.
        """
        names = [
            c for c in conversations if storable_values((c,)) and _may_be_in(user, c)
        ]
        row = self._of(_ASKED, user, _json(names))
        counting = UnreadCounting(user, dict.fromkeys(conversations, 0))
        for place, name, read, head in _asked.decode(row[0]) if row else []:
            counting.add(place, name, read, head or 0)
        self.count_on(counting)
        return counting

    def count_on(self, counting: UnreadCounting) -> None:
        """
        Look at the next messages of a count: a bounded number, as others wait for the
        thread.
        """
        pieces = counting.next_pieces()
        if pieces:
            row = self._of(_COUNTS, counting.user, _json(pieces))
            counting.counted(_counts.decode(row[0]))

    def located(
        self, user: int, message_ids: Sequence[int]
    ) -> dict[int, tuple[str, int]]:
        row = self._of(_LOCATED, user, _json(message_ids))
        found = _located.decode(row[0]) if row else []
        return {message_id: (name, seq) for message_id, name, seq in found}

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

    def _of(self, sql: str, user: int, *more: Any) -> Any:
        try:
            return self._file.row(sql, (user, *more))
        except Unfit:
            return None


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


def _json(value: object) -> str:
    return msgspec.json.encode(value).decode()


def _may_be_in(user: int, conversation: str) -> bool:
    try:
        if is_group(conversation):
            return storable_values((conversation,))
        return user in members_of(conversation)
    except InvalidName:
        return False
