"""
Groups in the file of the embedded store.

Current members are also in C{members}, next to the conversations of two users, so that
the conversations of a user are one list.  C{changed} is the number of the last event
that named the user, so that an event that is applied again, after later ones, has no
effect.
"""

from __future__ import annotations

from collections.abc import Sequence

import msgspec

from wsmsg.events.group_change import GroupChange, decode_change
from wsmsg.events.kind import InvalidContent
from wsmsg.message.store.interface import GroupPage, MemberRow
from wsmsg.message.store.sqlite.changes import GROUP_BUCKET
from wsmsg.model import Message
from wsmsg.sqlite.file import SqliteFile, Unfit, select, write

#: The tables that version 2 of the store added.
GROUPS = """
    CREATE TABLE groups (
        conversation INTEGER PRIMARY KEY,
        name TEXT NOT NULL,
        owner INTEGER NOT NULL,
        history INTEGER NOT NULL,
        made INTEGER NOT NULL
    );
    CREATE TABLE group_members (
        conversation INTEGER NOT NULL,
        user INTEGER NOT NULL,
        joined INTEGER NOT NULL,
        changed INTEGER NOT NULL,
        PRIMARY KEY (conversation, user)
    ) WITHOUT ROWID;
"""

#: The table that version 4 of the store added: memberships that ended, each from the
#: number with which the user joined to that of the change that removed the user.
PAST = """
    CREATE TABLE past_members (
        conversation INTEGER NOT NULL,
        user INTEGER NOT NULL,
        joined INTEGER NOT NULL,
        removed INTEGER NOT NULL,
        PRIMARY KEY (conversation, removed, user)
    ) WITHOUT ROWID;
"""

#: The column that a later version added: the number of members.
SIZES = """
    ALTER TABLE groups ADD COLUMN size INTEGER NOT NULL DEFAULT 0;
    UPDATE groups SET size = (
        SELECT count(*) FROM group_members m
        WHERE m.conversation = groups.conversation AND joined
    );
"""

#: The column that a later version added: the application's own id of the group.
KEYS = "ALTER TABLE groups ADD COLUMN key TEXT NOT NULL DEFAULT '';"

_MAKE = """
    INSERT OR IGNORE INTO groups (conversation, name, owner, history, made, key)
    VALUES (?, ?, ?, ?, ?, ?)
"""
# The rows are (group, user, number of the event).  A user whose C{joined} is 0 is not a
# member; the condition on C{changed} makes an event that was applied before a no-op.
_ADD = """
    INSERT INTO group_members (conversation, user, joined, changed)
    SELECT column1, column2, column3, column3 FROM {rows} WHERE column1 IS NOT NULL
    ON CONFLICT (conversation, user) DO UPDATE SET
        joined = iif(joined, joined, excluded.joined), changed = excluded.changed
    WHERE excluded.changed > changed
"""
_END = """
    INSERT OR IGNORE INTO past_members (conversation, user, joined, removed)
    SELECT g.conversation, g.user, g.joined, column3
    FROM {rows} CROSS JOIN group_members g
        ON g.conversation = column1 AND g.user = column2
    WHERE g.joined AND column3 > g.changed
"""
_REMOVE = """
    INSERT INTO group_members (conversation, user, joined, changed)
    SELECT column1, column2, 0, column3 FROM {rows} WHERE column1 IS NOT NULL
    ON CONFLICT (conversation, user) DO UPDATE SET
        joined = 0, changed = excluded.changed
    WHERE excluded.changed > changed
"""
_NAMED = """
    FROM {rows} CROSS JOIN group_members g
        ON g.conversation = column1 AND g.user = column2
"""
# C{members} follows C{group_members}: add the named users that are members now, and
# remove those that are not.
_LIST = f"""
    INSERT OR IGNORE INTO members (user, bucket, conversation, changed)
    SELECT g.user, {GROUP_BUCKET}, g.conversation, (SELECT max(id) FROM messages) + 1
    {_NAMED} WHERE g.joined
"""
_UNLIST = f"""
    DELETE FROM members WHERE (user, bucket, conversation) IN (
        SELECT g.user, {GROUP_BUCKET}, g.conversation {_NAMED} WHERE NOT g.joined
    )
"""
# The rows that C{members} won and lost tell how the group grew.
_RESIZE = "UPDATE groups SET size = size + ? WHERE conversation = ?"
_MEMBERS = """
    SELECT json_group_array(json_array(c.name, (
        SELECT json_group_array(user) FROM group_members
        WHERE conversation = c.id AND joined
    )))
    FROM {rows} CROSS JOIN conversations c ON c.name = column1
    CROSS JOIN groups g ON g.conversation = c.id
"""
_MEMBERS_AT = """
    SELECT json_group_array(json_array(c.name, column2, (
        SELECT json_group_array(user) FROM (
            SELECT user FROM group_members
            WHERE conversation = c.id AND joined AND joined <= column2
            UNION SELECT user FROM past_members
            WHERE conversation = c.id AND joined <= column2 AND removed > column2
        )
    )))
    FROM {rows} CROSS JOIN conversations c ON c.name = column1
    CROSS JOIN groups g ON g.conversation = c.id
"""
_READABLE_FROM = """
    SELECT json_group_array(json_array(c.name, m.user, iif(g.history, 1, m.joined)))
    FROM {rows} CROSS JOIN conversations c ON c.name = column1
    CROSS JOIN groups g ON g.conversation = c.id
    CROSS JOIN group_members m
        ON m.conversation = c.id AND m.user = column2 AND m.joined
"""
_GROUP = """
    SELECT g.name, g.owner, g.history, g.size, g.key, (
        SELECT json_group_array(json_array(user, joined)) FROM (
            SELECT user, joined FROM group_members
            WHERE conversation = c.id AND user > ?2 AND joined ORDER BY user LIMIT ?3
        )
    )
    FROM conversations c CROSS JOIN groups g ON g.conversation = c.id
    WHERE c.name = ?1
"""

_members = msgspec.json.Decoder(list[tuple[str, frozenset[int]]])
_at = msgspec.json.Decoder(list[tuple[str, int, frozenset[int]]])
_readable = msgspec.json.Decoder(list[tuple[str, int, int]])
_some = msgspec.json.Decoder(list[tuple[int, int]])


class GroupRows:
    """
    The reads of groups.  Only the thread of the file may use it.
    """

    def __init__(self, file: SqliteFile) -> None:
        self._file = file

    def members(self, conversations: Sequence[str]) -> dict[str, frozenset[int]]:
        keys = [(c,) for c in dict.fromkeys(conversations)]
        return dict(select(self._file, _MEMBERS, keys, _members))

    def members_at(
        self, places: Sequence[tuple[str, int]]
    ) -> dict[tuple[str, int], frozenset[int]]:
        found = select(self._file, _MEMBERS_AT, list(dict.fromkeys(places)), _at)
        return {(name, seq): members for name, seq, members in found}

    def readable_from(
        self, keys: Sequence[tuple[str, int]]
    ) -> dict[tuple[str, int], int]:
        found = select(self._file, _READABLE_FROM, keys, _readable)
        return {(name, user): first for name, user, first in found}

    def group(self, conversation: str, after: int, limit: int) -> GroupPage | None:
        try:
            row = self._file.row(_GROUP, (conversation, after, max(limit, 0)))
        except Unfit:
            row = None
        if row is None:
            return None
        name, owner, history, count, key, some = row
        members = [MemberRow(*m) for m in _some.decode(some)]
        return GroupPage(
            conversation, name, owner, bool(history), count, members, key=key
        )


def change_members(file: SqliteFile, group: int, event: Message) -> Sequence[int]:
    """
    Apply a group change, inside of a transaction.

    @return: the users that it adds.
    """
    try:
        change = decode_change(event.content)
    except InvalidContent:
        return ()
    if change.created:
        _make(file, group, event, change)
    made = file.row("SELECT made FROM groups WHERE conversation = ?", (group,))
    if made is None or (change.created and made[0] != event.seq):
        return ()
    more = 0
    for changes, users in (((_ADD,), change.add), ((_END, _REMOVE), change.remove)):
        rows = [(group, user, event.seq) for user in users]
        for statement in changes:
            write(file, statement, rows)
        more += write(file, _LIST, rows) - write(file, _UNLIST, rows)
    if more:
        file.run(_RESIZE, (more, group))
    return change.add


def _make(file: SqliteFile, group: int, event: Message, change: GroupChange) -> None:
    history, key = int(change.history), change.key
    file.run(_MAKE, (group, change.name, event.sender, history, event.seq, key))
