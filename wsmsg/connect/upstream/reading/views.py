"""
The answers of Message to reads.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import attrs

from wsmsg.model import ConversationHead, Message


@attrs.frozen
class HeadsView:
    """
    Conversations of a user that changed since a position.

    @ivar position: where this list continues while there is C{more}; then, where the
        next list begins.
    @ivar epoch: of the history that the numbers belong to.
    """

    heads: Sequence[ConversationHead]
    more: bool
    position: str
    epoch: str


@attrs.frozen
class ComparedHeads:
    """
    The heads of conversations that a session was pushed in.

    @ivar heads: one for each number that was given; 0: the user may not read the
        conversation.
    @ivar epoch: of the history that the heads belong to.
    @ivar witness: for clients to keep: it proves later how far the store was.
    """

    heads: Sequence[int]
    epoch: str
    witness: str = ""


@attrs.frozen
class PageView:
    """
    Messages of a conversation, by rising seq.

    @ivar head: the highest seq of the conversation.
    @ivar more: whether more messages follow.
    @ivar epoch: of the history that the numbers belong to.
    """

    messages: Sequence[Message]
    head: int
    more: bool
    epoch: str


@attrs.frozen
class UnreadView:
    """
    Unread messages of a user, one conversation after another, each by rising seq.

    @ivar more: whether more may follow, also behind a page without messages.
    @ivar position: where the list continues.
    """

    messages: Sequence[Message]
    more: bool
    position: str


@attrs.frozen
class GroupView:
    """
    A group with some of its members.

    @ivar count: the number of all members.
    @ivar members: pairs of a user and the seq at which the user joined, by user.
    @ivar more: whether members with greater ids follow.
    """

    name: str
    owner: int
    history: bool
    count: int
    members: Sequence[tuple[int, int]]
    more: bool = False
    key: str = ""


@attrs.frozen
class BlocksView:
    """
    Some blocks of a user.

    @ivar blocks: pairs of a target (L{wsmsg.events.block}) and the time in unix ms.
    @ivar more: whether blocks of targets behind these follow.
    """

    blocks: Sequence[tuple[str, int]]
    more: bool


class InvitationView(NamedTuple):
    """
    An open invitation of a user.

    @ivar conversation: of the group.
    @ivar by: the user who invited.
    @ivar name: of the group.
    @ivar time_ms: when, in unix milliseconds.
    @ivar expires_ms: when it ends.
    """

    conversation: str
    by: int
    name: str
    time_ms: int
    expires_ms: int


@attrs.frozen
class InvitationsView:
    """
    Some open invitations of a user.

    @ivar next: where the list continues; empty: it is complete.
    """

    invitations: Sequence[InvitationView]
    next: str
