"""
Blocks, invitations and withheld messages in the file of the embedded store.

A row of a block, or of an invitation, stays when it ends: C{changed} is the number of
the event that decided it last, so that an event that is applied again, after later
ones, has no effect.  Blocks are ordered by the seq in the user's own conversation,
invitations by message ids, as their events are in several conversations.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

import msgspec
from twisted.internet.defer import Deferred, succeed
from zope.interface import implementer

from wsmsg.dependency.reopen import KeptOpen
from wsmsg.dependency.state import Dependency
from wsmsg.dependency.worker import IWorker
from wsmsg.events.block import decode_block
from wsmsg.events.invitation import decode_invitation
from wsmsg.events.kind import InvalidContent
from wsmsg.message.store.consent import (
    BlockRow,
    ConsentKey,
    IConsent,
    InvitationRow,
    ShownHead,
)
from wsmsg.message.store.sqlite.changes import GROUP_BUCKET
from wsmsg.model import Message, other_of, storable_values
from wsmsg.sqlite.file import SqliteFile, select, write

#: The tables, and the column of messages, that a later version of the store added.  A
#: column at the end takes one byte in the rows of messages that are not withheld.
CONSENT = """
    CREATE TABLE blocks (
        user INTEGER NOT NULL,
        target TEXT NOT NULL,
        active INTEGER NOT NULL,
        changed INTEGER NOT NULL,
        time_ms INTEGER NOT NULL,
        PRIMARY KEY (user, target)
    ) WITHOUT ROWID;
    CREATE TABLE invitations (
        user INTEGER NOT NULL,
        name TEXT NOT NULL,
        inviter INTEGER NOT NULL,
        active INTEGER NOT NULL,
        changed INTEGER NOT NULL,
        time_ms INTEGER NOT NULL,
        PRIMARY KEY (user, name)
    ) WITHOUT ROWID;
    ALTER TABLE messages ADD COLUMN withheld INTEGER NOT NULL DEFAULT 0;
"""

_BLOCK = """
    INSERT INTO blocks (user, target, active, changed, time_ms) VALUES (?, ?, ?, ?, ?)
    ON CONFLICT (user, target) DO UPDATE SET active = excluded.active,
        changed = excluded.changed, time_ms = excluded.time_ms
    WHERE excluded.changed > changed
"""
_INVITE = """
    INSERT INTO invitations (user, name, inviter, active, changed, time_ms)
    VALUES (?, ?, ?, 1, ?, ?)
    ON CONFLICT (user, name) DO UPDATE SET inviter = excluded.inviter, active = 1,
        changed = excluded.changed, time_ms = excluded.time_ms
    WHERE excluded.changed > changed
"""
_CLOSE = """
    UPDATE invitations SET active = 0, changed = r.column3 FROM {rows} AS r
    WHERE user = r.column1 AND name = r.column2 AND changed < r.column3
"""
_BLOCKED = """
    SELECT json_group_array(json_array(b.user, b.target)) FROM {rows}
    CROSS JOIN blocks b ON b.user = column1 AND b.target = column2 AND b.active
"""
_BLOCKS = """
    SELECT target, time_ms FROM blocks WHERE user = ? AND target > ? AND active
    ORDER BY target LIMIT ?
"""
_BLOCK_COUNTS = """
    SELECT json_group_array(json_array(column1, (
        SELECT count(*) FROM blocks WHERE user = column1 AND active
    ))) FROM {rows} WHERE column1 IS NOT NULL
"""
_ACQUAINTED = f"""
    SELECT json_group_array(json_array(column1, column2)) FROM {{rows}}
    WHERE EXISTS (
        SELECT 1 FROM members a CROSS JOIN members b ON b.user = column2
            AND b.bucket = a.bucket AND b.conversation = a.conversation
        WHERE a.user = column1 AND a.bucket = {GROUP_BUCKET}
    )
"""
_INVITED = """
    SELECT json_group_array(json_array(i.user, i.name)) FROM {rows}
    CROSS JOIN invitations i ON i.user = column1 AND i.name = column2 AND i.active
        AND i.time_ms >= column3
"""
_INVITATIONS = """
    SELECT i.name, g.name, i.inviter, i.time_ms FROM invitations i
    CROSS JOIN conversations c ON c.name = i.name
    CROSS JOIN groups g ON g.conversation = c.id
    WHERE i.user = ? AND i.name > ? AND i.active AND i.time_ms >= ?
    ORDER BY i.name LIMIT ?
"""
_INVITATION_COUNTS = """
    SELECT json_group_array(json_array(column1, (
        SELECT count(*) FROM invitations
        WHERE user = column1 AND active AND time_ms >= column2
    ))) FROM {rows} WHERE column1 IS NOT NULL
"""
# The last message of a conversation, if it is withheld from the user, with the time of
# the last one before it that is not.
_SHOWN = """
    SELECT json_group_array(json_array(
        c.name, column2, m.withheld - 1, coalesce(l.stored_ms, 0),
        coalesce(l.message_id, 0)
    )) FROM {rows} CROSS JOIN conversations c ON c.name = column1
    CROSS JOIN messages m ON m.conversation = c.id AND m.withheld
        AND m.sender <> column2
        AND m.seq = (SELECT max(seq) FROM messages WHERE conversation = c.id)
    LEFT JOIN messages l ON l.conversation = c.id AND l.seq = m.withheld - 1
"""

_keys = msgspec.json.Decoder(list[ConsentKey])
_counts = msgspec.json.Decoder(list[tuple[int, int]])
_shown = msgspec.json.Decoder(list[tuple[str, int, int, int, int]])


class ConsentRows:
    """
    The rows.  Only the thread of the file may use it.

    @ivar may_withhold: whether there has ever been a block; other threads may read it.
    """

    def __init__(self, file: SqliteFile) -> None:
        self._file = file
        self.may_withhold = True
        self._note: Callable[[bool], object] = bool

    def on_blocks(self, note: Callable[[bool], object]) -> None:
        """
        Have C{may_withhold} noted, whenever it is found, by a call from the thread.
        """
        self._note = note

    def open(self) -> None:
        """
        Look whether there are blocks.
        """
        self._found(self._file.row("SELECT 1 FROM blocks LIMIT 1") is not None)

    def _found(self, may_withhold: bool) -> None:
        self.may_withhold = may_withhold
        self._note(may_withhold)

    # -- events, inside of a transaction

    def block(self, event: Message) -> None:
        """
        Apply a block.
        """
        try:
            change = decode_block(event.content)
        except InvalidContent:
            return
        self._found(True)
        row = (event.sender, change.target, int(change.on), event.seq, event.time_ms)
        self._file.run(_BLOCK, row)

    def invite(self, event: Message) -> None:
        """
        Apply an invitation, unless it is withheld from the user who is invited.
        """
        invited = other_of(event.conversation, event.sender)
        try:
            group = decode_invitation(event.content)
        except InvalidContent:
            return
        if invited and not event.withheld:
            row = (invited, group, event.sender, event.message_id, event.time_ms)
            self._file.run(_INVITE, row)

    def decline(self, event: Message) -> None:
        """
        Apply the refusal of an invitation.
        """
        try:
            group = decode_invitation(event.content)
        except InvalidContent:
            return
        self.close([event.sender], group, event.message_id)

    def close(self, users: Sequence[int], group: str, message_id: int) -> None:
        """
        Close the invitations of these users to a group that were made before an event.
        """
        write(self._file, _CLOSE, [(user, group, message_id) for user in users])

    # -- reads

    def blocked(self, keys: Sequence[ConsentKey]) -> frozenset[ConsentKey]:
        return frozenset(select(self._file, _BLOCKED, keys, _keys))

    def blocks(self, user: int, after: str, limit: int) -> list[BlockRow]:
        if not storable_values((user, after)):
            return []
        return [BlockRow(*r) for r in self._file.rows(_BLOCKS, (user, after, limit))]

    def block_counts(self, users: Sequence[int]) -> dict[int, int]:
        return dict(select(self._file, _BLOCK_COUNTS, [(u,) for u in users], _counts))

    def shown_heads(
        self, keys: Sequence[tuple[str, int]]
    ) -> dict[tuple[str, int], ShownHead]:
        found = select(self._file, _SHOWN, keys, _shown)
        return {(name, user): ShownHead(*head) for name, user, *head in found}

    def acquainted(
        self, pairs: Sequence[tuple[int, int]]
    ) -> frozenset[tuple[int, int]]:
        return frozenset(select(self._file, _ACQUAINTED, pairs, _counts))

    def invited(
        self, keys: Sequence[ConsentKey], since_ms: int
    ) -> frozenset[ConsentKey]:
        rows = [(*key, since_ms) for key in keys]
        return frozenset(select(self._file, _INVITED, rows, _keys))

    def invitations(
        self, user: int, after: str, limit: int, since_ms: int
    ) -> list[InvitationRow]:
        if not storable_values((user, after)):
            return []
        found = self._file.rows(_INVITATIONS, (user, after, since_ms, limit))
        return [InvitationRow(*row) for row in found]

    def invitation_counts(self, users: Sequence[int], since_ms: int) -> dict[int, int]:
        rows = [(user, since_ms) for user in users]
        return dict(select(self._file, _INVITATION_COUNTS, rows, _counts))


@implementer(IConsent)
class SqliteConsent:
    """
    L{IConsent} in the file.

    @param kept: runs calls while the file is open.
    @param reading: the worker of the reads.
    @param rows: for the reads.
    @param written: of the writer, which notes the first block.
    """

    def __init__(
        self,
        kept: KeptOpen,
        reading: IWorker,
        rows: ConsentRows,
        written: ConsentRows,
        dependency: Dependency,
    ) -> None:
        self.dependency = dependency
        self._kept = kept
        self._reading = reading
        self._rows = rows
        self.may_withhold = True
        written.on_blocks(self._note)

    def _note(self, may_withhold: bool) -> None:
        # An attribute of its own: each batch of messages reads it.
        self.may_withhold = may_withhold

    def look_for_blocks(self) -> Deferred[None]:
        # No other process writes.
        return succeed(None)

    def blocked(self, keys: Sequence[ConsentKey]) -> Deferred[frozenset[ConsentKey]]:
        return self._kept.run(self._reading, self._rows.blocked, keys)

    def blocks(self, user: int, after: str, limit: int) -> Deferred[list[BlockRow]]:
        return self._kept.run(self._reading, self._rows.blocks, user, after, limit)

    def block_counts(self, users: Sequence[int]) -> Deferred[dict[int, int]]:
        return self._kept.run(self._reading, self._rows.block_counts, users)

    def shown_heads(
        self, keys: Sequence[tuple[str, int]]
    ) -> Deferred[dict[tuple[str, int], ShownHead]]:
        return self._kept.run(self._reading, self._rows.shown_heads, keys)

    def acquainted(
        self, pairs: Sequence[tuple[int, int]]
    ) -> Deferred[frozenset[tuple[int, int]]]:
        return self._kept.run(self._reading, self._rows.acquainted, pairs)

    def invited(
        self, keys: Sequence[ConsentKey], since_ms: int
    ) -> Deferred[frozenset[ConsentKey]]:
        return self._kept.run(self._reading, self._rows.invited, keys, since_ms)

    def invitations(
        self, user: int, after: str, limit: int, since_ms: int
    ) -> Deferred[list[InvitationRow]]:
        listing = self._rows.invitations
        return self._kept.run(self._reading, listing, user, after, limit, since_ms)

    def invitation_counts(
        self, users: Sequence[int], since_ms: int
    ) -> Deferred[dict[int, int]]:
        counting = self._rows.invitation_counts
        return self._kept.run(self._reading, counting, users, since_ms)
