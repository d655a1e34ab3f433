"""
Events as the MongoDB store applies them, one function for each kind.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping, Sequence

from wsmsg.events.block import BLOCK
from wsmsg.events.group_change import GROUP
from wsmsg.events.invitation import DECLINE, INVITATION
from wsmsg.events.recall import RECALL, decode_recall
from wsmsg.message.store.mongo.connection import MongoConnection
from wsmsg.message.store.mongo.consent import (
    apply_blocks,
    apply_declines,
    apply_invitations,
    close_accepted,
)
from wsmsg.message.store.mongo.documents import change
from wsmsg.message.store.mongo.groups import MongoGroups, write_updates
from wsmsg.model import FIRST_EVENT, RECALLED, Message


async def _recall(connection: MongoConnection, events: Sequence[Message]) -> None:
    updates = [
        change(
            {
                "conversation": e.conversation,
                "seq": decode_recall(e.content),
                "sender": e.sender,
                "kind": {"$lt": FIRST_EVENT},
            },
            {"$set": {"content": "", "kind": RECALLED}, "$unset": {"extra": ""}},
        )
        for e in events
        if decode_recall(e.content)
    ]
    if updates:
        await write_updates(connection, "messages", updates)


async def _change_members(
    connection: MongoConnection, events: Sequence[Message]
) -> None:
    await MongoGroups(connection).change_members(events)
    await close_accepted(connection, events)


#: For each kind the function that applies its events; those of one kind in their order.
APPLY: Mapping[int, Callable[[MongoConnection, Sequence[Message]], Awaitable[None]]] = {
    RECALL: _recall,
    GROUP: _change_members,
    BLOCK: apply_blocks,
    INVITATION: apply_invitations,
    DECLINE: apply_declines,
}


async def apply(connection: MongoConnection, events: Sequence[Message]) -> None:
    """
    Apply events, in a few round trips for each kind.
    """
    for kind, apply_kind in APPLY.items():
        some = [event for event in events if event.kind == kind]
        if some:
            await apply_kind(connection, some)
