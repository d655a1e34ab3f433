"""
Pages of conversations in the file of the embedded store.
"""

from __future__ import annotations

import msgspec

from wsmsg.errors import Forbidden
from wsmsg.message.store.interface import PageSpan
from wsmsg.model import INT64_MAX, Message, is_group
from wsmsg.sqlite.file import SqliteFile, Unfit

# One statement sees one snapshot: the right of the reader is judged as it is after the
# last of the messages.  ?1: the conversation, ?6: the user who reads a group.
_ANY = "SELECT c.id, 0 AS floor FROM conversations c WHERE c.name = ?1"
_MEMBER = """
    SELECT c.id, iif(g.history, 0, r.joined - 1) AS floor FROM conversations c
    CROSS JOIN groups g ON g.conversation = c.id
    CROSS JOIN group_members r ON r.conversation = c.id AND r.user = ?6 AND r.joined
    WHERE c.name = ?1
"""
# The page grows message by message, and no message beyond it is read: each may have
# megabytes.  ?2: after, ?3: before, ?4: the most messages, ?5: the most bytes.
_PAGE = """
    WITH place AS ({place}),
    some(id, seq, n, bytes) AS (
        SELECT m.id, m.seq, 1, {size} FROM place CROSS JOIN messages m ON m.id = (
            SELECT id FROM messages
            WHERE conversation = place.id AND seq > max(?2, floor) AND seq < ?3
            ORDER BY seq {order} LIMIT 1
        ) WHERE ?4 > 0
        UNION ALL
        SELECT m.id, m.seq, n + 1, bytes + {size}
        FROM some CROSS JOIN place CROSS JOIN messages m ON m.id = (
            SELECT id FROM messages
            WHERE conversation = place.id AND seq > {after} AND seq < {before}
            ORDER BY seq {order} LIMIT 1
        ) WHERE n < ?4 AND bytes + {size} <= ?5
    )
    SELECT coalesce((SELECT max(seq) FROM messages WHERE conversation = place.id), 0), (
        SELECT json_group_array(json_array(
            ?1, sender, client_id, message_id, content, kind, time_ms, seq, extra
        )) FROM (
            SELECT m.* FROM some CROSS JOIN messages m ON m.id = some.id
            ORDER BY m.seq
        )
    ) FROM place
"""
_SIZE = "length(CAST(m.content AS BLOB))"
_FORTH = {"order": "ASC", "after": "some.seq", "before": "?3"}
_BACK = {"order": "DESC", "after": "max(?2, floor)", "before": "some.seq"}
_SQL = {
    (judged, back): _PAGE.format(
        place=_MEMBER if judged else _ANY, size=_SIZE, **(_BACK if back else _FORTH)
    )
    for judged in (False, True)
    for back in (False, True)
}

#: The fields of a message, in the order of L{Message}, up to C{extra}.
MessageRow = tuple[str, int, str, int, str, int, int, int, str]

_messages = msgspec.json.Decoder(list[MessageRow])


class PageRows:
    """
    The reads of pages.  Only the thread of the file may use it.
    """

    def __init__(self, file: SqliteFile) -> None:
        self._file = file

    def page(self, conversation: str, span: PageSpan) -> tuple[list[Message], int]:
        """
        As L{wsmsg.message.store.interface.IMessages.page}.
        """
        judged = bool(span.reader) and is_group(conversation)
        key = (
            conversation,
            span.after,
            span.before or INT64_MAX,
            span.limit,
            span.limit_bytes,
            *((span.reader,) if judged else ()),
        )
        try:
            row = self._file.row(_SQL[judged, bool(span.before)], key)
        except Unfit:
            row = None
        if row is not None:
            head, messages = row
            return [Message(*m) for m in _messages.decode(messages)], head
        if judged:
            raise Forbidden(f"user {span.reader} is not in {conversation}")
        return [], 0
