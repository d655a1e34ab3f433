"""
The file of the embedded store, as its two threads use it.

Messages lie in the order in which they were stored, so that a batch touches few pages
whatever its conversations are.  Identity and number are unique indexes.  The head of a
conversation is the last entry of the latter, so that no message has to update it.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

import msgspec

from wsmsg.message.store.interface import Marked, Outcome
from wsmsg.message.store.sqlite.changes import (
    CHANGES,
    GROUP_BUCKET,
    Buckets,
    ConversationLists,
    of_two,
)
from wsmsg.message.store.sqlite.consent import CONSENT, ConsentRows
from wsmsg.message.store.sqlite.cursors import CursorMoves
from wsmsg.message.store.sqlite.events import APPLY, apply
from wsmsg.message.store.sqlite.groups import GROUPS, KEYS, PAST, SIZES, GroupRows
from wsmsg.message.store.sqlite.history import GENERATIONS, HistoryRow
from wsmsg.message.store.sqlite.marks import SEEN, SeenRows
from wsmsg.message.store.sqlite.pages import MessageRow, PageRows
from wsmsg.message.store.sqlite.unread import UnreadRows
from wsmsg.message.store.sqlite.usage import USAGE, UsageRows
from wsmsg.message.store.sqlite.users import (
    NAMES,
    REVOCATIONS,
    NameRows,
    RevocationRows,
)
from wsmsg.model import (
    Cursor,
    Mark,
    Message,
    MessageIdentity,
    storable_values,
)
from wsmsg.sqlite.file import MOST, SqliteFile, Unfit, select, write
from wsmsg.sqlite.schema import Schema

_FIRST = """
    CREATE TABLE conversations (
        id INTEGER PRIMARY KEY,
        name TEXT NOT NULL UNIQUE
    );
    CREATE TABLE members (
        user INTEGER NOT NULL,
        conversation INTEGER NOT NULL,
        PRIMARY KEY (user, conversation)
    ) WITHOUT ROWID;
    CREATE TABLE messages (
        id INTEGER PRIMARY KEY,
        conversation INTEGER NOT NULL,
        sender INTEGER NOT NULL,
        client_id TEXT NOT NULL,
        message_id INTEGER NOT NULL,
        content TEXT NOT NULL,
        kind INTEGER NOT NULL,
        time_ms INTEGER NOT NULL,
        stored_ms INTEGER NOT NULL,
        seq INTEGER NOT NULL CHECK (seq > 0)
    );
    CREATE UNIQUE INDEX messages_by_identity
        ON messages (conversation, sender, client_id);
    CREATE UNIQUE INDEX messages_by_number ON messages (conversation, seq);
    CREATE TABLE cursors (
        conversation INTEGER NOT NULL,
        user INTEGER NOT NULL,
        delivered INTEGER NOT NULL,
        read INTEGER NOT NULL,
        PRIMARY KEY (conversation, user)
    ) WITHOUT ROWID;
"""

_RESERVATIONS = """
    CREATE TABLE reservations (
        node_number INTEGER PRIMARY KEY,
        until_ms INTEGER NOT NULL
    );
"""

# A column at the end takes one byte in the rows of messages that have none.
_EXTRA = "ALTER TABLE messages ADD COLUMN extra TEXT NOT NULL DEFAULT '';"

# Ids mostly rise, so a new one goes to the end of the index.
_IDS = "CREATE INDEX IF NOT EXISTS messages_by_id ON messages (message_id)"

STORE = Schema(
    kind="store",
    application_id=0x77736D31,
    scripts=(
        _FIRST,
        GROUPS,
        SEEN,
        PAST,
        CHANGES,
        _RESERVATIONS,
        _EXTRA,
        GENERATIONS,
        REVOCATIONS,
        SIZES,
        USAGE,
        CONSENT,
        NAMES + KEYS,
    ),
    indexes=(_IDS,),
)

# One statement inserts a batch.  A conversation that does not exist yet gives NULL,
# which violates NOT NULL: the batch fails as a whole and is inserted row by row.
_INSERT = """
    INSERT INTO messages (conversation, sender, client_id, message_id, content, kind,
                          time_ms, seq, extra, withheld, stored_ms)
    SELECT c.id, column2, column3, column4, column5, column6, column7, column8, column9,
           column10, column11
    FROM {rows} LEFT JOIN conversations c ON c.name = column1
    WHERE column1 IS NOT NULL
"""
_INSERT_UNLESS_THERE = _INSERT.replace("INSERT", "INSERT OR IGNORE", 1)
_JSON = """
    json_array(c.name, m.sender, m.client_id, m.message_id, m.content, m.kind,
               m.time_ms, m.seq, m.extra, m.withheld)
"""
_HEAD = "(SELECT max(seq) FROM messages WHERE conversation = c.id)"

# CROSS JOIN makes SQLite keep the order of the tables: it looks up each key by the
# unique indexes, and never scans messages, whatever its statistics say.
_FIND = f"""
    SELECT json_group_array({_JSON}) FROM {{rows}}
    CROSS JOIN conversations c ON c.name = column1
    CROSS JOIN messages m
        ON m.conversation = c.id AND m.sender = column2 AND m.client_id = column3
"""
_BY_IDS = f"""
    SELECT json_group_array({_JSON}) FROM {{rows}}
    CROSS JOIN messages m INDEXED BY messages_by_id ON m.message_id = column1
    CROSS JOIN conversations c ON c.id = m.conversation
"""
_HEADS = f"""
    SELECT json_group_array(json_array(c.name, {_HEAD})) FROM {{rows}}
    CROSS JOIN conversations c ON c.name = column1
"""
# A cursor rises no further than its user may read.
_SHOWN_HEAD = """(
    SELECT iif(m.withheld AND m.sender <> column2, m.withheld - 1, m.seq)
    FROM messages m WHERE m.conversation = c.id ORDER BY m.seq DESC LIMIT 1
)"""
_CURSORS = """
    SELECT json_group_array(json_array(
        c.name, column2, u.delivered, u.read, coalesce({head}, 0)
    ))
    FROM {{rows}} CROSS JOIN conversations c ON c.name = column1
    LEFT JOIN cursors u ON u.conversation = c.id AND u.user = column2
"""
_HEIGHTS = {
    False: _CURSORS.format(head=_HEAD),
    True: _CURSORS.format(head=_SHOWN_HEAD),
}

_messages = msgspec.json.Decoder(list[MessageRow])
_heads = msgspec.json.Decoder(list[tuple[str, int | None]])
_cursors = msgspec.json.Decoder(
    list[tuple[str, int, int | None, int | None, int]],
)


class StoreReader:
    """
    The reads.  Only one thread may use it.
    """

    def __init__(self, path: str, *, reads: bool = True) -> None:
        self._file = SqliteFile(path, STORE, reads=reads)
        self.groups = GroupRows(self._file)
        self.pages = PageRows(self._file)
        self.seen = SeenRows(self._file)
        self.unread = UnreadRows(self._file)
        self.lists = ConversationLists(self._file)
        self.revocations = RevocationRows(self._file)
        self.usage = UsageRows(self._file)
        self.consent = ConsentRows(self._file)
        self.names = NameRows(self._file)

    def open(self) -> None:
        self._file.open()

    def close(self) -> None:
        self._file.close()

    def find(
        self, identities: Sequence[MessageIdentity]
    ) -> dict[MessageIdentity, Message]:
        found = (
            _message(row) for row in select(self._file, _FIND, identities, _messages)
        )
        return {m.identity: m for m in found}

    def by_ids(self, ids: Sequence[int]) -> dict[int, Message]:
        rows = select(self._file, _BY_IDS, [(i,) for i in ids], _messages)
        return {m.message_id: m for m in map(_message, rows)}

    def heads(self, conversations: Sequence[str]) -> dict[str, int]:
        heads = dict.fromkeys(conversations, 0)
        for name, head in select(self._file, _HEADS, [(c,) for c in heads], _heads):
            heads[name] = head or 0
        return heads

    def cursors(self, keys: Sequence[tuple[str, int]]) -> dict[tuple[str, int], Cursor]:
        return {
            key: cursor for key, (cursor, _) in self.heights(keys).items() if cursor
        }

    def heights(
        self, keys: Sequence[tuple[str, int]]
    ) -> dict[tuple[str, int], tuple[Cursor | None, int]]:
        """
        Return cursors and heads, without the keys of conversations that do not exist.
        """
        return {
            (name, user): (
                None if delivered is None else Cursor(name, user, delivered, read),
                head,
            )
            for name, user, delivered, read, head in select(
                self._file, _HEIGHTS[self.consent.may_withhold], keys, _cursors
            )
        }


class StoreWriter(StoreReader):
    """
    The writes.  Only one thread may use it.
    """

    def __init__(self, path: str) -> None:
        super().__init__(path, reads=False)
        self._buckets = Buckets(self._file)
        self.history = HistoryRow(self._file)
        self._last = 0
        self._moves = CursorMoves(self._file, self.heights, self.groups, self.seen)

    def open(self) -> None:
        super().open()
        self.consent.open()
        self._buckets.forget()
        self.history.open()
        (self._last,) = self._file.row("SELECT coalesce(max(id), 0) FROM messages")

    def witness(self) -> dict[int, str]:
        """
        As L{wsmsg.message.store.history.IHistory.witness}; any thread may ask.
        """
        return self.history.witness(self._last)

    def insert(self, messages: Sequence[Message], stored_ms: int) -> list[Outcome]:
        rows = [(*_row(m), stored_ms) for m in messages]
        events = [m for m in messages if m.kind in APPLY]
        if not self.history.has_begun:
            self.history.begin()
        moves = self._buckets.outdated((row[0] for row in rows), len(rows))
        try:
            self._insert_all(rows, events, moves)
            self._last += len(rows)
            return [Outcome.INSERTED] * len(rows)
        except BaseException as e:
            self._buckets.forget()
            if not isinstance(e, Unfit):
                raise
        with self._file.transaction():
            outcomes = self._insert_prefixes(rows, moves)
            inserted = {
                m.identity
                for m, outcome in zip(messages, outcomes, strict=True)
                if outcome is Outcome.INSERTED
            }
            apply(
                self._file, self.consent, [m for m in events if m.identity in inserted]
            )
        self._last += len(inserted)
        return outcomes

    def apply(self, events: Sequence[Message]) -> None:
        with self._file.transaction():
            apply(self._file, self.consent, events)

    def reserve_ids(self, node_number: int, until_ms: int) -> int:
        with self._file.transaction():
            (before,) = self._file.row(
                "SELECT coalesce((SELECT until_ms FROM reservations"
                " WHERE node_number = ?), 0)",
                (node_number,),
            )
            self._file.run(
                "INSERT OR REPLACE INTO reservations VALUES (?, ?)",
                (node_number, max(before, until_ms)),
            )
        return int(before)

    def move_cursors(self, cursors: Sequence[Cursor]) -> list[Cursor]:
        return self._moves.move(cursors)

    def mark(self, marks: Sequence[Mark]) -> Marked:
        return self._moves.mark(marks)

    def _insert_all(
        self,
        rows: Sequence[tuple[Any, ...]],
        events: Sequence[Message],
        moves: dict[str, int],
    ) -> None:
        new = [row[0] for row in rows if row[7] == 1]
        if not new and not events and not moves and len(rows) <= MOST:
            # A single statement is a transaction, without BEGIN and COMMIT.
            write(self._file, _INSERT, rows)
            return
        with self._file.transaction():
            made = self._begin(new, moves)
            self._buckets.move({n: b for n, b in moves.items() if n not in made})
            write(self._file, _INSERT, rows)
            # In the same transaction: nobody reads on after a change that ends a right.
            apply(self._file, self.consent, events)

    def _insert_prefixes(
        self, rows: Sequence[tuple[Any, ...]], moves: dict[str, int]
    ) -> list[Outcome]:
        ended: set[str] = set()
        outcomes = []
        self._buckets.move({n: b for n, b in moves.items() if storable_values((n,))})
        for row in rows:
            if row[0] in ended:
                outcomes.append(Outcome.SKIPPED)
                continue
            outcome = self._insert_one(row, moves)
            outcomes.append(outcome)
            if outcome is not Outcome.INSERTED:
                ended.add(row[0])
        return outcomes

    def _insert_one(self, row: tuple[Any, ...], moves: dict[str, int]) -> Outcome:
        if not storable_values(row) or row[7] < 1:
            return Outcome.REFUSED
        self._begin([row[0]], moves)
        try:
            if write(self._file, _INSERT_UNLESS_THERE, [row]):
                return Outcome.INSERTED
        except Unfit:
            return Outcome.REFUSED
        there = self.find([MessageIdentity(*row[:3])])
        return Outcome.REPEATED if there else Outcome.TAKEN

    def _begin(self, names: Iterable[str], buckets: dict[str, int]) -> set[str]:
        """
        Make the rows of conversations that are new, and return their names.
        """
        new: set[str] = set()
        for name in names:
            members = of_two(name)
            bucket = buckets.get(name, 0) if members else GROUP_BUCKET
            made = self._file.run(
                "INSERT OR IGNORE INTO conversations (name, bucket) VALUES (?, ?)",
                (name, bucket),
            )
            if made.rowcount:
                new.add(name)
                for user in members:
                    self._file.run(
                        "INSERT INTO members (user, bucket, conversation)"
                        " VALUES (?, ?, ?)",
                        (user, bucket, made.lastrowid),
                    )
        return new


def _row(m: Message) -> tuple[Any, ...]:
    return (
        m.conversation,
        m.sender,
        m.client_id,
        m.message_id,
        m.content,
        m.kind,
        m.time_ms,
        m.seq,
        m.extra,
        m.withheld,
    )


def _message(row: tuple[Any, ...]) -> Message:
    return Message(*row)
