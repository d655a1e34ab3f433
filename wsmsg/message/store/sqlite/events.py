"""
Events as the SQLite store applies them, one function for each kind.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence

from wsmsg.events.group_change import GROUP
from wsmsg.events.recall import RECALL, decode_recall
from wsmsg.message.store.sqlite.groups import change_members
from wsmsg.model import FIRST_EVENT, RECALLED, Message
from wsmsg.sqlite.file import SqliteFile

_RECALL = f"""
    UPDATE messages SET content = '', extra = '', kind = {RECALLED}
    WHERE conversation = ? AND seq = ? AND sender = ? AND kind < {FIRST_EVENT}
"""


def _recall(file: SqliteFile, conversation: int, event: Message) -> None:
    file.run(_RECALL, (conversation, decode_recall(event.content), event.sender))


#: For each kind the function that applies an event to the rows of a conversation.
APPLY: Mapping[int, Callable[[SqliteFile, int, Message], None]] = {
    GROUP: change_members,
    RECALL: _recall,
}


def apply(file: SqliteFile, events: Sequence[Message]) -> None:
    """
    Apply events in their order, inside of a transaction.
    """
    for event in events:
        row = file.row(
            "SELECT id FROM conversations WHERE name = ?", (event.conversation,)
        )
        if row is not None and event.kind in APPLY:
            APPLY[event.kind](file, row[0], event)
