"""
The interface of a store that is read from beginning to end, for an export.

Conversations come in the order of their names, by code points; within one, messages by
number and cursors by user.  The order is the same in all backends, so that two stores
can be compared while they are read.
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
    A conversation and the number of its last message.
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
    A store that is read in pieces of bounded size.
    """

    def open() -> Deferred[None]:
        """
        Begin to read.  Where the backend has snapshots, all reads see the store of this
        moment.

        @raise Unavailable: (as failure) with the reason.
        """

    def close() -> Deferred[None]:
        """
        @return: a Deferred that fires when nothing is left; never fails.
        """

    def epoch() -> Deferred[str]:
        """
        @return: a Deferred that fires with the epoch of the store.
        """

    def secret() -> Deferred[str]:
        """
        @return: a Deferred that fires with the secret of the store, which goes along
            with the epoch; empty if the store has none yet.
        """

    def revocations() -> Deferred[dict[int, int]]:
        """
        As L{wsmsg.message.store.interface.IRevocations.revocations}.
        """

    def names(after: int, limit: int) -> Deferred[list[tuple[str, int]]]:
        """
        @return: a Deferred that fires with at most C{limit} pairs of a name and its
            user, of users above C{after}, by user.
        """

    def conversations(after: str, limit: int) -> Deferred[list[StoreExtent]]:
        """
        @return: a Deferred that fires with at most C{limit} L{StoreExtent}s, of the
            conversations that have messages and names greater than C{after}.
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
        @param after: return only cursors with greater (conversation, user).
        @return: a Deferred that fires with at most C{limit} cursors of these
            conversations, with their C{seen} ranges, in order.
        """

    def group(conversation: str, after: int, limit: int) -> Deferred[GroupPage | None]:
        """
        As L{wsmsg.message.store.interface.IGroups.group}.
        """
