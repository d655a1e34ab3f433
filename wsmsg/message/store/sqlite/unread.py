"""
The unread messages of a user, in the file of the embedded store.

A page of them looks at a bounded number of messages.  To count or to find them, all
messages above the read cursors have to be looked at.  Each look is done in pieces, as
the look-up of every send waits for the same thread::

    conversations of the user, a page at a time --> ranges above the cursors
    pieces of these ranges --> what is unread in them
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable, Sequence
from typing import Any

import msgspec

from wsmsg.message.store.page_span import PAGE_BYTES, UnreadList
from wsmsg.message.store.sqlite.changes import GROUP_BUCKET
from wsmsg.model import (
    FIRST_EVENT,
    InvalidName,
    Message,
    is_group,
    members_of,
    storable_values,
)
from wsmsg.sqlite.file import SqliteFile, Unfit

#: So many messages are looked at in one piece, about.
PIECE = 5000
#: So many conversations of a user are read at once.
CONVERSATIONS = 500

_HEAD = "(SELECT max(seq) FROM messages WHERE conversation = c.id)"
# A page of the conversations of a user, with the last number that needs no reading (the
# cursor, or in a group without history the number before that of joining) and the head.
# A conversation of two moves to a higher bucket when it changes, and is found again.
# ?1: the user; ?2, ?3: the place of the last one before.
_MINE = f"""
    SELECT json_group_array(json_array(mine.bucket, c.id, c.name, max(
        coalesce(u.read, 0), iif(g.history = 0, coalesce(m.joined, 0) - 1, 0)
    ), coalesce({_HEAD}, 0)))
    FROM (
        SELECT bucket, conversation FROM members
        WHERE user = ?1 AND (bucket, conversation) > (?2, ?3)
        ORDER BY bucket, conversation LIMIT ?4
    ) AS mine
    CROSS JOIN conversations c ON c.id = mine.conversation
    LEFT JOIN cursors u ON u.conversation = c.id AND u.user = ?1
    LEFT JOIN groups g ON g.conversation = c.id
    LEFT JOIN group_members m ON m.conversation = c.id AND m.user = ?1
"""
# The same for some conversations; the user is in those of two.
_ASKED = f"""
    SELECT json_group_array(json_array(0, c.id, c.name, max(
        coalesce(u.read, 0), iif(g.history = 0, m.joined - 1, 0)
    ), coalesce({_HEAD}, 0)))
    FROM json_each(?2) AS asked CROSS JOIN conversations c ON c.name = asked.value
    LEFT JOIN cursors u ON u.conversation = c.id AND u.user = ?1
    LEFT JOIN groups g ON g.conversation = c.id
    LEFT JOIN group_members m ON m.conversation = c.id AND m.user = ?1
    WHERE g.conversation IS NULL OR m.joined
"""
# The range that may hold a message is the last one that begins at or before it: one
# step in the primary key of C{seen}.  The message is unread if the range ends before.
_IS_UNREAD = f"""
    m.kind < {FIRST_EVENT} AND m.sender <> ?1 AND m.withheld = 0 AND coalesce((
        SELECT last FROM seen s
        WHERE s.conversation = m.conversation AND s.user = ?1 AND s.first <= m.seq
        ORDER BY s.first DESC LIMIT 1
    ), 0) < m.seq
"""
_UNREAD = f"""
    FROM json_each(?2) AS piece CROSS JOIN messages m
        ON m.conversation = piece.value ->> 0
        AND m.seq > piece.value ->> 1 AND m.seq <= piece.value ->> 2
    WHERE {_IS_UNREAD}
"""
_COUNTS = f"""
    SELECT json_group_array(json_array(id, n)) FROM (
        SELECT m.conversation AS id, count(*) AS n {_UNREAD} GROUP BY m.conversation
    )
"""
_FOUND = f"""
    SELECT json_group_array(json_array(m.message_id, m.conversation, m.seq)) {_UNREAD}
        AND m.message_id IN (SELECT value FROM json_each(?3))
"""
# ?2 to ?4: the conversation, the numbers above which and up to which to look.
_SOME = f"""
    SELECT m.sender, m.client_id, m.message_id, m.content, m.kind, m.time_ms, m.seq,
           m.extra
    FROM messages m WHERE m.conversation = ?2 AND m.seq > ?3 AND m.seq <= ?4
        AND {_IS_UNREAD}
    ORDER BY m.seq LIMIT ?5
"""

_Mine = list[tuple[int, int, str, int, int]]
_mine = msgspec.json.Decoder(_Mine)
_counts = msgspec.json.Decoder(list[tuple[int, int]])
_found = msgspec.json.Decoder(list[tuple[int, int, int]])


class UnreadLook:
    """
    A look at unread messages that is not finished.

    @ivar place: where the next page of conversations begins; L{None}: none is left.
    """

    def __init__(self, user: int) -> None:
        self.user = user
        self.place: tuple[int, int] | None = (GROUP_BUCKET, 0)
        self.names: dict[int, str] = {}
        self._left: deque[tuple[int, int, int]] = deque()

    def __bool__(self) -> bool:
        return bool(self._left) or (self.place is not None)

    @property
    def needs_conversations(self) -> bool:
        """
        The next piece needs a page of conversations.
        """
        return not self._left and self.place is not None

    def add(self, page: _Mine, limit: int) -> None:
        """
        Add a page of conversations, of at most C{limit} of them.
        """
        self.place = max(row[:2] for row in page) if len(page) == limit else None
        for _, conversation, name, read, head in page:
            if read < head and conversation not in self.names:
                self.names[conversation] = name
                for first in range(read, head, PIECE):
                    self._left.append((conversation, first, min(first + PIECE, head)))

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

    def end(self) -> None:
        """
        Look at nothing more.
        """
        self.place = None
        self._left.clear()


class UnreadCounting(UnreadLook):
    """
    A count of the unread messages of some conversations.

    @ivar counts: the unread messages so far, by conversation.
    """

    def __init__(self, user: int, conversations: Iterable[str]) -> None:
        super().__init__(user)
        self.counts = dict.fromkeys(conversations, 0)

    def counted(self, found: Iterable[tuple[int, int]]) -> None:
        """
        Add the unread messages of pieces.
        """
        for conversation, n in found:
            self.counts[self.names[conversation]] += n


class UnreadSearch(UnreadLook):
    """
    A search for unread messages by their ids.

    @ivar places: the conversation and the number of those found so far.
    """

    def __init__(self, user: int, message_ids: Iterable[int]) -> None:
        super().__init__(user)
        self.wanted = set(filter(lambda i: storable_values((i,)), message_ids))
        self.places: dict[int, tuple[str, int]] = {}
        self.found([])

    def found(self, rows: Iterable[tuple[int, int, int]]) -> None:
        """
        Add what was found in pieces.
        """
        for message_id, conversation, seq in rows:
            self.places[message_id] = (self.names[conversation], seq)
            self.wanted.discard(message_id)
        if not self.wanted:
            self.end()


class UnreadRows:
    """
    The steps of each look.  Only the thread of the file may use it.
    """

    def __init__(self, file: SqliteFile) -> None:
        self._file = file

    def count_on(self, counting: UnreadCounting) -> None:
        """
        Count on for a piece.
        """
        if counting.needs_conversations:
            user = counting.user
            names = [c for c in counting.counts if _may_be_in(user, c)]
            page = self._row(_ASKED, user, _json(names))
            counting.add(_mine.decode(page[0]) if page else [], len(names) + 1)
        if pieces := counting.next_pieces():
            (found,) = self._file.row(_COUNTS, (counting.user, _json(pieces)))
            counting.counted(_counts.decode(found))

    def search_on(self, search: UnreadSearch) -> None:
        """
        Search on for a piece.
        """
        if pieces := self._next_pieces(search):
            keys = (search.user, _json(pieces), _json(list(search.wanted)))
            (found,) = self._file.row(_FOUND, keys)
            search.found(_found.decode(found))

    def unread(
        self, user: int, places: Sequence[tuple[str, int]], limit: int
    ) -> UnreadList:
        """
        List unread messages; about L{PIECE} numbers are looked at.
        """
        there = self._standings(user, [name for name, _ in places])
        found: list[Message] = []
        room, left = PAGE_BYTES, PIECE
        for name, after in places:
            conversation, read, head = there.get(name, (0, 0, 0))
            low = max(read, after)
            while low < head:
                if len(found) >= limit or left <= 0:
                    return UnreadList(found, (name, low))
                high = min(low + left, head)
                keys = (user, conversation, low, high, limit - len(found))
                for row in self._file.rows(_SOME, keys):
                    message = Message(name, *row)
                    room -= len(message.content.encode())
                    if found and room < 0:
                        return UnreadList(found, (name, low))
                    found.append(message)
                    low = message.seq
                low = low if len(found) >= limit else high
                left -= max(high - low, 1)
        return UnreadList(found)

    def _standings(
        self, user: int, conversations: Iterable[str]
    ) -> dict[str, tuple[int, int, int]]:
        # By name, the row of each conversation, the last number that needs no reading,
        # and the head.
        names = [c for c in conversations if _may_be_in(user, c)]
        page = self._row(_ASKED, user, _json(names))
        rows = _mine.decode(page[0]) if page else []
        return {
            name: (conversation, read, head)
            for _, conversation, name, read, head in rows
        }

    def _next_pieces(self, look: UnreadLook) -> Sequence[tuple[int, int, int]]:
        if look.needs_conversations:
            assert look.place is not None
            page = self._row(_MINE, look.user, *look.place, CONVERSATIONS)
            look.add(_mine.decode(page[0]) if page else [], CONVERSATIONS)
        return look.next_pieces()

    def _row(self, sql: str, user: int, *more: Any) -> Any:
        try:
            return self._file.row(sql, (user, *more))
        except Unfit:
            return None  # a key that cannot be stored has no rows


def _json(value: object) -> str:
    return msgspec.json.encode(value).decode()


def _may_be_in(user: int, conversation: str) -> bool:
    try:
        if not storable_values((conversation,)):
            return False
        return is_group(conversation) or user in members_of(conversation)
    except InvalidName:
        return False
