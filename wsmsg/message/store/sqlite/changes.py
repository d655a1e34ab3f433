"""
The conversations of a user by their last change, in the file of the embedded store.

Messages lie in the order in which they were stored, by rising ids, and one process
writes them; so the id of its last message is the number of a conversation's change.
An index by that number would be written with each message.  Instead, C{members} has
it in steps of C{2**STEP}, the I{bucket}, which a conversation reaches once in so many
messages of the store.  Groups may have many members, and have the bucket -1 always:
they are read by their ids, a bounded number for each page.

A user who joins a group is told of it: C{changed} in C{members} is the number of that
change.  The group's own may be lower, as the message with the change is stored first.

Positions have the id with the generation above it (L{wsmsg.message.store.numbers}),
which L{wsmsg.message.store.sqlite.history} begins.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence

from wsmsg.message.store.history import above_head, epoch_of
from wsmsg.message.store.interface import HeadList, HeadRow
from wsmsg.message.store.numbers import BITS, StoreNumbers
from wsmsg.message.store.position import NOW, StorePosition
from wsmsg.message.store.sqlite.history import SHARD, read_numbers
from wsmsg.model import InvalidName, members_of
from wsmsg.sqlite.file import SqliteFile, Unfit, write

#: A bucket has the numbers that are equal without so many of their lowest bits.
STEP = 12

#: The bucket of all groups.
GROUP_BUCKET = -1
# The most groups that are looked at for a page.
_SCAN = 1000

_HEAD = "(SELECT max(seq) FROM messages WHERE conversation = c.id)"

#: The tables that version 4 of the store added.
CHANGES = f"""
    CREATE TABLE history (epoch TEXT NOT NULL);
    INSERT INTO history VALUES (lower(hex(randomblob(8))));
    ALTER TABLE conversations ADD COLUMN bucket INTEGER NOT NULL DEFAULT {GROUP_BUCKET};
    UPDATE conversations AS c SET bucket = coalesce((
        SELECT id >> {STEP} FROM messages WHERE conversation = c.id AND seq = {_HEAD}
    ), 0) WHERE name LIKE 'u:%';
    ALTER TABLE members RENAME TO members_before;
    CREATE TABLE members (
        user INTEGER NOT NULL,
        bucket INTEGER NOT NULL,
        conversation INTEGER NOT NULL,
        changed INTEGER NOT NULL DEFAULT 0,
        PRIMARY KEY (user, bucket, conversation)
    ) WITHOUT ROWID;
    INSERT INTO members (user, bucket, conversation)
    SELECT b.user, c.bucket, c.id
    FROM members_before b CROSS JOIN conversations c ON c.id = b.conversation;
    DROP TABLE members_before;
"""

_CURSOR = f"""
    SELECT max(u.delivered, u.read), coalesce({_HEAD}, 0) FROM conversations c
    CROSS JOIN cursors u ON u.conversation = c.id
    WHERE c.name = ? AND u.user = ?
"""
_ROW = f"""
    SELECT c.name, m.seq, m.stored_ms, m.message_id, max(m.id, u.changed) AS change,
        u.bucket, c.id
    FROM members u
    CROSS JOIN conversations c ON c.id = u.conversation
    CROSS JOIN messages m ON m.conversation = c.id AND m.seq = {_HEAD}
    WHERE u.user = ?1
"""
_GROUPS = f"""
    {_ROW} AND u.bucket = {GROUP_BUCKET} AND u.conversation > ?2
    ORDER BY u.conversation LIMIT ?3
"""
# A row value alone: with another condition on the bucket, SQLite would search by that.
_OF_TWO = f"""
    {_ROW} AND (u.bucket, u.conversation) > (?2, ?3) AND m.id >= ?4
    ORDER BY u.bucket, u.conversation LIMIT ?5
"""
_MOVE_MEMBERS = """
    UPDATE members SET bucket = r.column3
    FROM {rows} AS r CROSS JOIN conversations c ON c.name = r.column1
    WHERE members.user = r.column2 AND members.bucket = c.bucket
        AND members.conversation = c.id
"""
_MOVE = """
    UPDATE conversations SET bucket = r.column2 FROM {rows} AS r
    WHERE name = r.column1
"""

_Rows = list[tuple[str, int, int, int, int, int, int]]


class ConversationLists:
    """
    The reads.  Only the thread of the file may use it.
    """

    def __init__(self, file: SqliteFile) -> None:
        self._file = file

    def numbers(self) -> StoreNumbers:
        return read_numbers(self._file)

    def epoch(self) -> str:
        return epoch_of(self.numbers().name.full)

    def secret(self) -> str:
        return self.numbers().name.secret

    def position_now(self) -> str:
        return self.numbers().now()

    def behind(self, witness: Mapping[int, str]) -> str:
        return self.numbers().behind(witness)

    def passes_head(self, conversation: str, user: int) -> str:
        if self.numbers().name.renewed:
            return ""
        for mark, head in self._file.rows(_CURSOR, (conversation, user)):
            return above_head(conversation, user, mark, head)
        return ""

    def conversations_of(
        self, user: int, position: str, limit: int, witness: str, anew: bool
    ) -> HeadList:
        # First the end, then the rows: what is stored in between is above the end.
        now = self.numbers()
        told = now.told(position, witness, anew=anew)
        at, rows = told.at, list[HeadRow]()
        if not at.end or not _is_place(at.place):
            at = StorePosition(now.name.full, at.since, dict(now.changes), ("g", 0))
        if position == NOW:
            at = StorePosition(now.name.full, dict(now.changes))
        else:
            at = self._listed(user, at, limit, rows)
        more = bool(at.place)
        return HeadList(rows, now.sealed(at), more, told.ahead, told.forged)

    def _listed(
        self, user: int, at: StorePosition, limit: int, rows: list[HeadRow]
    ) -> StorePosition:
        try:
            if at.place[0] == "g":
                at = self._groups(user, at, limit, rows)
            if at.place[0] == "d" and len(rows) < limit:
                at = self._of_two(user, at, limit - len(rows), rows)
        except Unfit:
            rows.clear()
            return StorePosition(at.epoch, at.end)
        return at

    def _groups(
        self, user: int, at: StorePosition, limit: int, rows: list[HeadRow]
    ) -> StorePosition:
        since = _id_of(at)
        last, seen = at.place[1], 0
        most = max(limit, _SCAN)
        for *row, change, _, group in self._file.rows(_GROUPS, (user, last, most)):
            last, seen = group, seen + 1
            if change >= since:
                rows.append(HeadRow(*row))
                if len(rows) == limit:
                    break
        if seen == most or len(rows) == limit:
            return StorePosition(at.epoch, at.since, at.end, ("g", last))
        return StorePosition(at.epoch, at.since, at.end, ("d", since >> STEP, -1))

    def _of_two(
        self, user: int, at: StorePosition, limit: int, rows: list[HeadRow]
    ) -> StorePosition:
        since = _id_of(at)
        _, bucket, conversation = at.place
        # One more than the page has room for, to know whether there is more.
        found: _Rows = list(
            self._file.rows(
                _OF_TWO, (user, max(int(bucket), 0), conversation, since, limit + 1)
            )
        )
        rows += (HeadRow(*row[:4]) for row in found[:limit])
        if len(found) <= limit:
            return StorePosition(at.epoch, at.end)
        # The bucket may be above the change: it is chosen before messages are stored.
        # So only the place, and not the position, tells how far the list is.
        *_, bucket, conversation = found[limit - 1]
        return StorePosition(at.epoch, at.since, at.end, ("d", bucket, conversation))


def _id_of(at: StorePosition) -> int:
    return at.since.get(SHARD, 0) & ((1 << BITS) - 1)


def _is_place(place: Sequence[int | str]) -> bool:
    match place:
        case ("g", int()) | ("d", int(), int()):
            return True
        case _:
            return False


class Buckets:
    """
    Moves conversations of two to the bucket of their last message, as they are stored.
    """

    def __init__(self, file: SqliteFile) -> None:
        self._file = file
        self._next: int | None = None
        self._bucket = -1
        self._there: set[str] = set()

    def forget(self) -> None:
        """
        Begin with what the file has: a batch was not stored as a whole.
        """
        self._next = None
        self._there.clear()

    def outdated(self, names: Iterable[str], count: int) -> dict[str, int]:
        """
        Return the conversations that are not in their bucket once C{count} more
        messages are stored, each with the bucket.  The caller moves them, and stores
        the messages, or calls L{forget}.
        """
        if self._next is None:
            (self._next,) = self._file.row(
                "SELECT coalesce((SELECT max(id) FROM messages), 0) + 1"
            )
        self._next += count
        bucket = self._next >> STEP
        if bucket != self._bucket:
            self._bucket = bucket
            self._there.clear()
        outdated = dict.fromkeys((n for n in names if n not in self._there), bucket)
        self._there.update(outdated)
        return outdated

    def move(self, outdated: dict[str, int]) -> None:
        """
        Move conversations, inside of a transaction.
        """
        members = [
            (name, user, bucket)
            for name, bucket in outdated.items()
            for user in of_two(name)
        ]
        if members:
            write(self._file, _MOVE_MEMBERS, members)
            write(self._file, _MOVE, list(dict.fromkeys((m[0], m[2]) for m in members)))


def of_two(name: str) -> tuple[int, ...]:
    """
    Return the members of a conversation of two; of another one, none.
    """
    try:
        return members_of(name)
    except InvalidName:
        return ()
