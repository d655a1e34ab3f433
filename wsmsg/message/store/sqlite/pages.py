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
# A user of a conversation of two does not get what is withheld from them.
_SHOWN = "(withheld = 0 OR sender = ?6)"
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
                AND {shown}
            ORDER BY seq {order} LIMIT 1
        ) WHERE ?4 > 0
        UNION ALL
        SELECT m.id, m.seq, n + 1, bytes + {size}
        FROM some CROSS JOIN place CROSS JOIN messages m ON m.id = (
            SELECT id FROM messages
            WHERE conversation = place.id AND seq > {after} AND seq < {before}
                AND {shown}
            ORDER BY seq {order} LIMIT 1
        ) WHERE n < ?4 AND bytes + {size} <= ?5
    )
    SELECT coalesce((
        SELECT {head} FROM messages WHERE conversation = place.id
        ORDER BY seq DESC LIMIT 1
    ), 0), (
        SELECT json_group_array(json_array(
            ?1, sender, client_id, message_id, content, kind, time_ms, seq, extra,
            withheld
        )) FROM (
            SELECT m.* FROM some CROSS JOIN messages m ON m.id = some.id
            ORDER BY m.seq
        )
    ) FROM place
"""
_SIZE = "length(CAST(m.content AS BLOB))"
_FORTH = {"order": "ASC", "after": "some.seq", "before": "?3"}
_BACK = {"order": "DESC", "after": "max(?2, floor)", "before": "some.seq"}
_ALL = {"place": _ANY, "shown": "true", "head": "seq"}
_TO = {
    "all": _ALL,
    "member": {**_ALL, "place": _MEMBER},
    "one": {
        **_ALL,
        "shown": _SHOWN,
        "head": f"iif({_SHOWN}, seq, withheld - 1)",
    },
}
_SQL = {
    (to, back): _PAGE.format(size=_SIZE, **parts, **(_BACK if back else _FORTH))
    for to, parts in _TO.items()
    for back in (False, True)
}

#: The fields of a message, in the order of L{Message}, up to C{withheld}.
MessageRow = tuple[str, int, str, int, str, int, int, int, str, int]

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
        to = _kind_of(conversation, span)
        key = (
            conversation,
            span.after,
            span.before or INT64_MAX,
            span.limit,
            span.limit_bytes,
            *((span.reader,) if to != "all" else ()),
        )
        try:
            row = self._file.row(_SQL[to, bool(span.before)], key)
        except Unfit:
            row = None
        if row is not None:
            head, messages = row
            return [Message(*m) for m in _messages.decode(messages)], head
        if to == "member":
            raise Forbidden(f"user {span.reader} is not in {conversation}")
        return [], 0


def _kind_of(conversation: str, span: PageSpan) -> str:
    if not span.reader:
        return "all"
    return "member" if is_group(conversation) else "one"
