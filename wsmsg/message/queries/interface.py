"""
Reads and marks as the other packages of Message use them.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import NamedTuple, Protocol

import attrs
from twisted.internet.defer import Deferred

from wsmsg.errors import NotFound
from wsmsg.message.store.interface import BlockRow, GroupPage
from wsmsg.model import (
    ConversationHead,
    InvalidName,
    Mark,
    Message,
    UserPresence,
    group_in,
)

#: Marks messages as read by a user.  The Deferred fires with one bool for each mark:
#: whether there is such a message to the user.
Marking = Callable[[int, Sequence[Mark]], Deferred[list[bool]]]


class PushedNumber(NamedTuple):
    """
    The last number that a Connect pushed to a session in a conversation.
    """

    user: int
    conversation: str
    seq: int


@attrs.frozen
class ComparedNumbers:
    """
    The heads of the conversations of pushed numbers.

    @ivar heads: in their order; 0 where the user may not read the conversation.
    @ivar epoch: of the history.
    @ivar witness: a position that proves how far the store was before.
    """

    heads: Sequence[int]
    epoch: str
    witness: str = ""


@attrs.frozen
class ConversationPage:
    """
    Messages of a conversation, by rising seq.

    @ivar head: the last seq of the conversation.
    @ivar epoch: of the history that the seqs belong to.
    """

    messages: Sequence[Message]
    head: int
    epoch: str = ""

    @property
    def more(self) -> bool:
        """
        True if the conversation has messages after these.
        """
        return bool(self.messages) and self.messages[-1].seq < self.head


@attrs.frozen
class HeadsPage:
    """
    Conversations of a user that changed since a position.

    @ivar more: whether there are further ones.
    @ivar position: where this list continues, or the next one begins.
    @ivar epoch: of the history.
    """

    heads: Sequence[ConversationHead]
    more: bool
    position: str
    epoch: str


class OpenInvitation(NamedTuple):
    """
    An open invitation of a user.

    @ivar conversation: of the group.
    @ivar name: of the group.
    @ivar by: the user who invited.
    @ivar time_ms: when, in unix milliseconds.
    @ivar expires_ms: when it ends.
    """

    conversation: str
    name: str
    by: int
    time_ms: int
    expires_ms: int


@attrs.frozen
class UnreadPage:
    """
    Unread messages of a user, one conversation after another, each by rising seq.

    @ivar position: where the list continues, if there is C{more}.
    @ivar more: whether there may be further ones; the page may have none.
    """

    messages: Sequence[Message]
    position: str
    more: bool


class IQueries(Protocol):
    """
    Reads on behalf of users.  Every method raises L{wsmsg.errors.WsmsgError}: the user
    may not read, or a backend is unavailable.

    @ivar page_limit: the most items in one answer; a C{limit} of 0 asks for so many.
    @ivar hides_presence: whether presence may be hidden from an asker.
    """

    @property
    def page_limit(self) -> int: ...

    @property
    def hides_presence(self) -> bool: ...

    async def page(
        self,
        user: int,
        conversation: str,
        after: int,
        limit: int,
        *,
        before: int = 0,
    ) -> ConversationPage:
        """
        Read the messages of a conversation with a seq above C{after}.

        @param before: read the last of those with a seq below this; 0: the first ones.
        """

    async def heads(
        self,
        user: int,
        position: str,
        limit: int,
        *,
        continued: bool,
        witness: str = "",
    ) -> HeadsPage:
        """
        List the conversations of a user that changed since a position, which may prove
        that the store is an older copy of itself.

        @param position: of an earlier page; empty: from the beginning.
        @param continued: continue the list of the position where that page ended.  A
            list for a connection that was opened since begins anew instead.
        @param witness: a further position that the user was given, for its proof only.
        """

    async def compare(
        self, epoch: str, pushed: Sequence[PushedNumber]
    ) -> ComparedNumbers:
        """
        Look up the heads of the conversations that a Connect pushed, which may prove
        that the store is an older copy of itself.

        @param epoch: of the history in which the numbers were pushed.
        """

    async def group(
        self, user: int, conversation: str, after: int, limit: int
    ) -> GroupPage:
        """
        Read a group and its members with ids above C{after}.
        """

    async def blocks(
        self, user: int, after: str, limit: int
    ) -> tuple[Sequence[BlockRow], bool]:
        """
        List the blocks of a user whose targets are behind C{after}, by code points.

        @return: blocks, and whether there are more.
        """

    async def invitations(
        self, user: int, after: str, limit: int
    ) -> tuple[Sequence[OpenInvitation], str]:
        """
        List the open invitations of a user to groups whose conversations are behind
        C{after}, by code points.

        @return: invitations, and where the list continues; empty: it is complete.
        """

    async def unread(
        self, user: int, position: str, limit: int, *, after: int = 0
    ) -> UnreadPage:
        """
        Read the unread messages of a user.  The work for a page goes with its length.

        @param position: of the page before; empty: from the beginning.
        @param after: without a position, the id of the last message of the page before.
        """

    async def unread_total(self, user: int) -> int:
        """
        Count the unread messages of a user.
        """

    async def presence(
        self, users: Sequence[int], asker: int = 0
    ) -> Sequence[UserPresence]:
        """
        Return the presence of these users, in their order, hidden ones marked.

        @param asker: the user who is to be told; 0: nothing is hidden.
        """

    async def names(
        self, names: Sequence[str], users: Sequence[int], *, claim: bool = False
    ) -> Mapping[str, int]:
        """
        Return the numbers of these names, and the names of these users, by name.

        @param claim: give a number to each name that has none.
        @raise Unsupported: users have no names here.
        @raise BadRequest: there are too many, or this cannot be a name.
        """

    async def mark(self, user: int, marks: Sequence[Mark]) -> Sequence[bool]:
        """
        Mark messages as read by a user; see L{Marking}.
        """

    async def check_stored(self, conversation: str, user: int) -> None:
        """
        Check that the store knows whether a user is a member of a group.

        @param user: 0: whether there is the group.
        @raise Unavailable: the group may have been accepted, and is not stored yet.
        """


def check_group(conversation: str) -> str:
    """
    Return the name of a group's conversation.

    @raise NotFound: no group can have this name.
    """
    try:
        group_in(conversation)
    except InvalidName as e:
        raise NotFound(str(e)) from e
    return conversation
