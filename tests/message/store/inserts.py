"""
Inserts into one shard.
"""

from __future__ import annotations

from collections.abc import Sequence

from twisted.internet.defer import Deferred

from wsmsg.message.store.interface import IMessages, Outcome
from wsmsg.model import Message


def insert_into(
    store: IMessages, messages: Sequence[Message], stored_ms: int, shard: int = 0
) -> Deferred[list[Outcome]]:
    """
    Store messages of conversations of one shard.
    """
    return store.insert(messages, stored_ms, [shard] * len(messages))


async def changed_conversations(
    store: IMessages, user: int, position: str = "", limit: int = 9
) -> tuple[list[str], str]:
    """
    Return the names of a whole list, by pages, and the position at its end.
    """
    names: list[str] = []
    for _ in range(1000):
        page = await store.conversations_of(user, position, limit)
        names += [row.conversation for row in page.rows]
        position = page.position
        if not page.more:
            return names, position
    raise AssertionError("the list does not end")
