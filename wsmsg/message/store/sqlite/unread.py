"""
The unread messages of a user, in the file of the embedded store.

To list, to count or to find them, all messages above the read cursors have to be
looked at.  Each look is done in pieces, as the look-up of every send waits for the same
thread::

    conversations of the user, a page at a time --> ranges above the cursors
    pieces of these ranges --> what is unread in them
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable, Sequence
from heapq import nsmallest
from typing import Any

import msgspec

from wsmsg.message.store.id_order import OLDER_FROM, id_order
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
_UNREAD = f"""
    FROM json_each(?2) AS piece CROSS JOIN messages m
        ON m.conversation = piece.value ->> 0
        AND m.seq > piece.value ->> 1 AND m.seq <= piece.value ->> 2
    WHERE m.kind < {FIRST_EVENT} AND m.sender <> ?1 AND coalesce((
        SELECT last FROM seen s
        WHERE s.conversation = m.conversation AND s.user = ?1 AND s.first <= m.seq
        ORDER BY s.first DESC LIMIT 1
    ), 0) < m.seq
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
_OLDER = f"message_id < {OLDER_FROM}"  # as id_order: 0 comes first
# MATERIALIZED: the count and the rows both read the list, which is computed once.
_OLDEST = f"""
    WITH unread AS MATERIALIZED (SELECT m.message_id, m.id {_UNREAD})
    SELECT (SELECT count(*) FROM unread), (
        SELECT json_group_array(json_array(message_id, id)) FROM (
            SELECT message_id, id FROM unread
            WHERE ({_OLDER}, message_id) > (?3 BETWEEN 1 AND {OLDER_FROM - 1}, ?3)
            ORDER BY {_OLDER}, message_id LIMIT ?4
        )
    )
"""
_MESSAGES = f"""
    SELECT json_group_array(json_array(c.name, m.sender, m.client_id, m.message_id,
                                       m.content, m.kind, m.time_ms, m.seq))
    FROM json_each(?1) AS one CROSS JOIN messages m ON m.id = one.value
    CROSS JOIN conversations c ON c.id = m.conversation
    WHERE m.kind < {FIRST_EVENT}
"""

_Mine = list[tuple[int, int, str, int, int]]
_mine = msgspec.json.Decoder(_Mine)
_counts = msgspec.json.Decoder(list[tuple[int, int]])
_found = msgspec.json.Decoder(list[tuple[int, int, int]])
_oldest = msgspec.json.Decoder(list[tuple[int, int]])
_messages = msgspec.json.Decoder(list[tuple[str, int, str, int, str, int, int, int]])


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


class UnreadListing(UnreadLook):
    """
    The oldest unread messages above an id, and the number of all.

    @ivar total: the number so far.
    @ivar oldest: id and row of the oldest so far, in order.
    @ivar messages: these messages, once the listing is finished.
    """

    def __init__(self, user: int, after_id: int, limit: int) -> None:
        super().__init__(user)
        self.after_id = after_id
        self.limit = max(limit, 0)
        self.total = 0
        self.oldest: list[tuple[int, int]] = []
        self.messages: list[Message] = []

    def found(self, total: int, rows: list[tuple[int, int]]) -> None:
        """
        Add what was found in pieces.
        """
        self.total += total
        if rows:
            rows = [*self.oldest, *rows]
            self.oldest = nsmallest(self.limit, rows, key=lambda row: id_order(row[0]))

    def finish(self, messages: list[Message]) -> None:
        """
        Take the messages, in any order.
        """
        self.messages = sorted(messages, key=lambda m: id_order(m.message_id))


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

    def list_on(self, listing: UnreadListing) -> None:
        """
        List on for a piece, and read the messages after the last one.
        """
        if pieces := self._next_pieces(listing):
            user, after_id, limit = listing.user, listing.after_id, listing.limit
            row = self._row(_OLDEST, user, _json(pieces), after_id, limit)
            if row is None:
                listing.end()
            else:
                listing.found(row[0], _oldest.decode(row[1]))
        if not listing and listing.oldest:
            (found,) = self._file.row(
                _MESSAGES, (_json([row for _, row in listing.oldest]),)
            )
            listing.finish([Message(*m) for m in _messages.decode(found)])

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
