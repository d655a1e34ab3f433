"""
The conversations of a user, with the cursors that belong to them.
"""

from __future__ import annotations

from collections.abc import Mapping

from wsmsg.message.store.interface import HeadRow
from wsmsg.model import ConversationHead, Cursor, is_group, members_of


def with_cursors(conversation: str, user: int) -> tuple[int, ...]:
    """
    Return the users whose cursors a head shows: both of a conversation of two, but only
    the user's own in a group.
    """
    return (user,) if is_group(conversation) else members_of(conversation)


def shown_head(
    row: HeadRow,
    user: int,
    cursors: Mapping[tuple[str, int], Cursor],
    unread: Mapping[str, int],
) -> ConversationHead:
    """
    Return a conversation as its user sees it.

    @param cursors: those of L{with_cursors}, by conversation and user.
    @param unread: the number of unread messages, by conversation.
    """
    name = row.conversation
    members = [cursors.get((name, m)) for m in with_cursors(name, user)]
    own = cursors.get((name, user))
    return ConversationHead(
        name,
        row.head,
        row.time_ms,
        own.delivered if own else 0,
        own.read if own else 0,
        tuple(c for c in members if c is not None and c.user != user),
        unread.get(name, 0),
        row.message_id,
    )
