"""
The arguments of a page of messages, and its bounds, and pages of groups, as values.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import attrs
import msgspec

from wsmsg.model import Message

#: The most bytes of contents in a page, unless one message alone has more.
PAGE_BYTES = 256 * 1024


class PageSpan(NamedTuple):
    """
    The arguments of L{wsmsg.message.store.interface.IMessages.page}.
    """

    after: int
    before: int
    limit: int
    limit_bytes: int
    reader: int


class UnreadList(NamedTuple):
    """
    Some of a user's unread messages; see
    L{wsmsg.message.store.interface.IReadMarks.unread}.

    @ivar end: the conversation in which the work of one page ended, and the last number
        that is done there; L{None}: all of the conversations are done.
    """

    messages: Sequence[Message]
    end: tuple[str, int] | None = None


def fitting(messages: Sequence[Message], limit_bytes: int) -> Sequence[Message]:
    """
    Return the first messages whose contents have at most so many bytes, at least one.
    """
    size = 0
    for i, message in enumerate(messages):
        size += len(message.content.encode())
        if i and size > limit_bytes:
            return messages[:i]
    return messages


class MemberRow(msgspec.Struct, frozen=True, gc=False):
    """
    A member of a group.

    @ivar joined: the number of the change with which the user joined.
    """

    user: int
    joined: int


@attrs.frozen
class GroupPage:
    """
    A group with some of its members.

    @ivar owner: the user who created the group.
    @ivar history: members read from number 1 on, not from their C{joined}.
    @ivar count: the number of all members.
    @ivar members: by user, rising.
    @ivar more: whether there are further ones, as a query found.
    @ivar key: the application's own id of the group; empty: it has none.
    """

    conversation: str
    name: str
    owner: int
    history: bool
    count: int
    members: Sequence[MemberRow]
    more: bool = False
    key: str = ""
