"""
What moving a store needs beside L{wsmsg.message.store.interface.IMessageStore}: to read
all of it, in an order of its own, in pieces of bounded size.

Conversations come in the order of their names, by code points; within one, messages
by number and cursors by user.  Every backend has the same order, so that two stores
can be read side by side and compared.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

from twisted.internet.defer import Deferred
from zope.interface import Interface

from wsmsg.message.store.interface import GroupPage
from wsmsg.model import Cursor, Message


class StoreExtent(NamedTuple):
    """
    A conversation and its last number.
    """

    conversation: str
    head: int


class Span(NamedTuple):
    """
    The messages of a conversation with numbers above C{after} and up to C{last}.
    """

    conversation: str
    after: int
    last: int


class IStoreArchive(Interface):
    """
    A whole store, to be read from its beginning to its end.
    """

    def open() -> Deferred[None]:
        """
        Begin to read.  Where the backend can hold a moment still, what is read is
        the store of this moment.

        @raise Unavailable: (as failure) with the reason.
        """

    def close() -> Deferred[None]:
        """
        @return: a Deferred that fires when nothing is left; never fails.
        """

    def conversations(after: str, limit: int) -> Deferred[list[StoreExtent]]:
        """
        @return: a Deferred that fires with the L{StoreExtent}s of the conversations
        that
            have messages and names greater than C{after}, at most C{limit}.
        """

    def messages(spans: Sequence[Span]) -> Deferred[list[Message]]:
        """
        @param spans: with rising conversations, each of them once.
        @return: a Deferred that fires with all messages of the spans, in order.
        """

    def cursors_in(
        conversations: Sequence[str], after: tuple[str, int], limit: int
    ) -> Deferred[list[Cursor]]:
        """
        @param after: only those whose (conversation, user) is greater.
        @return: a Deferred that fires with the cursors of these conversations, with
            what was C{seen} above them, at most C{limit}, in order.
        """

    def group(conversation: str, after: int, limit: int) -> Deferred[GroupPage | None]:
        """
        The same as L{wsmsg.message.store.interface.IGroups.group}.
        """
