"""
Events as the SQLite store applies them, one function for each kind.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence

from wsmsg.events.block import BLOCK
from wsmsg.events.group_change import GROUP
from wsmsg.events.invitation import DECLINE, INVITATION
from wsmsg.events.recall import RECALL, decode_recall
from wsmsg.message.store.sqlite.consent import ConsentRows
from wsmsg.message.store.sqlite.groups import change_members
from wsmsg.model import FIRST_EVENT, RECALLED, Message
from wsmsg.sqlite.file import SqliteFile

_RECALL = f"""
    UPDATE messages SET content = '', extra = '', kind = {RECALLED}
    WHERE conversation = ? AND seq = ? AND sender = ? AND kind < {FIRST_EVENT}
"""


def _recall(
    file: SqliteFile, consent: ConsentRows, conversation: int, event: Message
) -> None:
    file.run(_RECALL, (conversation, decode_recall(event.content), event.sender))


def _change_members(
    file: SqliteFile, consent: ConsentRows, conversation: int, event: Message
) -> None:
    consent.close(
        change_members(file, conversation, event), event.conversation, event.message_id
    )


def _block(
    file: SqliteFile, consent: ConsentRows, conversation: int, event: Message
) -> None:
    consent.block(event)


def _invite(
    file: SqliteFile, consent: ConsentRows, conversation: int, event: Message
) -> None:
    consent.invite(event)


def _decline(
    file: SqliteFile, consent: ConsentRows, conversation: int, event: Message
) -> None:
    consent.decline(event)


#: For each kind the function that applies an event to the rows of a conversation.
APPLY: Mapping[int, Callable[[SqliteFile, ConsentRows, int, Message], None]] = {
    GROUP: _change_members,
    RECALL: _recall,
    BLOCK: _block,
    INVITATION: _invite,
    DECLINE: _decline,
}


def apply(file: SqliteFile, consent: ConsentRows, events: Sequence[Message]) -> None:
    """
    Apply events in their order, inside of a transaction.
    """
    for event in events:
        row = file.row(
            "SELECT id FROM conversations WHERE name = ?", (event.conversation,)
        )
        if row is not None and event.kind in APPLY:
            APPLY[event.kind](file, consent, row[0], event)
