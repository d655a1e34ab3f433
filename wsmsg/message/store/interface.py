"""
The interface of the store: messages, groups and read marks, by role.

One store provides all three roles, as an L{IMessageStore}; each user of it depends on
the roles that it calls, so that a test double needs no more than those.

Every backend passes one contract suite (C{tests/contracts.py}).  All methods take
batches and return Deferreds.  Each of them fails with L{wsmsg.errors.Unavailable} while
the store is away; the call may have been carried out then, and may be repeated.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from enum import Enum

import attrs
from twisted.internet.defer import Deferred
from zope.interface import Attribute

from wsmsg.message.store.consent import BlockRow as BlockRow  # noqa: PLC0414
from wsmsg.message.store.consent import ConsentKey as ConsentKey  # noqa: PLC0414
from wsmsg.message.store.consent import IConsent as IConsent  # noqa: PLC0414
from wsmsg.message.store.consent import InvitationRow as InvitationRow  # noqa: PLC0414
from wsmsg.message.store.consent import ShownHead as ShownHead  # noqa: PLC0414
from wsmsg.message.store.history import IHistory as IHistory  # noqa: PLC0414
from wsmsg.message.store.page_span import PAGE_BYTES as PAGE_BYTES  # noqa: PLC0414
from wsmsg.message.store.page_span import GroupPage as GroupPage  # noqa: PLC0414
from wsmsg.message.store.page_span import MemberRow as MemberRow  # noqa: PLC0414
from wsmsg.message.store.page_span import PageSpan as PageSpan  # noqa: PLC0414
from wsmsg.message.store.page_span import UnreadList as UnreadList  # noqa: PLC0414
from wsmsg.message.store.position import NOW as NOW  # noqa: PLC0414
from wsmsg.message.store.position import (
    checked_position as checked_position,  # noqa: PLC0414
)
from wsmsg.message.store.position import (
    decode_position as decode_position,  # noqa: PLC0414
)
from wsmsg.message.store.roles import GroupCount as GroupCount  # noqa: PLC0414
from wsmsg.message.store.roles import INames as INames  # noqa: PLC0414
from wsmsg.message.store.roles import IReservations as IReservations  # noqa: PLC0414
from wsmsg.message.store.roles import IRevocations as IRevocations  # noqa: PLC0414
from wsmsg.message.store.roles import IStoreRole
from wsmsg.message.store.roles import ITopics as ITopics  # noqa: PLC0414
from wsmsg.message.store.roles import IUsage as IUsage  # noqa: PLC0414
from wsmsg.message.store.roles import UsageRow as UsageRow  # noqa: PLC0414
from wsmsg.model import Cursor, Mark, Message, MessageIdentity

#: The shard of imported conversations, which have no partition.
IMPORTS = -1


class Outcome(Enum):
    """
    The outcome of L{IMessages.insert} for one message.
    """

    #: The message is stored.
    INSERTED = "inserted"
    #: A message of this identity was stored before.
    REPEATED = "repeated"
    #: Another message has the number.
    TAKEN = "taken"
    #: Not tried: an earlier message of the same conversation was not inserted.
    SKIPPED = "skipped"
    #: The store will never take the message.
    REFUSED = "refused"


@attrs.frozen
class HeadRow:
    """
    One conversation in a user's list.

    @ivar head: the number of the last message.
    @ivar time_ms: when that was stored, in unix milliseconds.
    @ivar message_id: of that message; 0: not known.
    """

    conversation: str
    head: int
    time_ms: int
    message_id: int = 0


@attrs.frozen
class HeadList:
    """
    A page of a user's conversations; see L{IMessages.conversations_of}.

    @ivar position: where this list continues while there is C{more}; then, where the
        next list begins.
    @ivar ahead: what the reader's position proves that the store lacks, as texts of
        L{IHistory.witness}.
    @ivar forged: whether the reader's position was not made by the store, or altered.
    """

    rows: Sequence[HeadRow]
    position: str
    more: bool
    ahead: Mapping[int, str] = attrs.field(factory=dict)
    forged: bool = False


@attrs.frozen
class Marked:
    """
    The result of L{IReadMarks.mark}.

    @ivar known: for each mark, whether the message is stored as read, now or before.
    @ivar raised: the cursors that rose, as they are now.
    """

    known: Sequence[bool]
    raised: Sequence[Cursor]


class IMessages(IStoreRole, IHistory):
    """
    Messages by conversation and number, and the conversations of each user.
    """

    def insert(
        messages: Sequence[Message], stored_ms: int, shards: Sequence[int]
    ) -> Deferred[list[Outcome]]:
        """
        Store numbered messages, durably.

        Within one conversation the messages come with rising numbers, and B{a prefix}
        of them is stored: after the first that is not L{Outcome.INSERTED}, the rest
        of that conversation is L{Outcome.SKIPPED} and none of it is stored.  The heads
        of the conversations rise with the messages.  The conversations of all these
        messages count as changed, also of those that are L{Outcome.REPEATED}.

        Once a change is stored that removes a member, no read on behalf of that user
        returns what follows it, even before the change is applied; see L{apply}.

        Inserts into one shard are made one after another.
        @param stored_ms: now, in unix milliseconds, for the C{time_ms} of L{HeadRow}.
        @param shards: for each message the shard of its conversation: the partition of
            the journal, or L{IMPORTS}.
        @return: a Deferred that fires with one L{Outcome} for each message.
        """

    def find(
        identities: Sequence[MessageIdentity],
    ) -> Deferred[dict[MessageIdentity, Message]]:
        """
        @return: a Deferred that fires with the messages that are stored, by identity.
        """

    def by_ids(message_ids: Sequence[int]) -> Deferred[dict[int, Message]]:
        """
        @return: a Deferred that fires with the messages that are stored, by message id.
        """

    def heads(conversations: Sequence[str]) -> Deferred[dict[str, int]]:
        """
        @return: a Deferred that fires with the number of the last message of each of
            these conversations; 0 where there is none.
        """

    def page(
        conversation: str,
        after: int,
        limit: int,
        *,
        before: int = 0,
        reader: int = 0,
        limit_bytes: int = PAGE_BYTES,
    ) -> Deferred[tuple[list[Message], int]]:
        """
        Read messages of a conversation, for the server itself or on behalf of a user.

        The right of a user to read a group is judged in the same snapshot as the
        messages, and at their numbers: a page ends with the change that removes its
        reader, and begins with the number from which on the reader may read.

        @param limit: the most messages.
        @param before: return the last messages with numbers below this, instead of the
            first ones above C{after}; 0: no such bound.
        @param reader: the user who reads; 0: the server.  In a conversation of two, the
            caller checks the user.
        @param limit_bytes: the most bytes of contents.  One message is returned however
            long it is.
        @return: a Deferred that fires with messages with numbers above C{after}, in
            order, and the last number that may be read: usually the conversation's
            head.
        @raise Forbidden: (as failure) the reader is not a member of the group, or
            C{after} is not before the change that removes the reader.
        """

    def forget_shards() -> None:
        """
        Number no change as the owner of a shard before the store has confirmed it:
        another process may have stored messages of the same shards.
        """

    def conversations_of(
        user: int, position: str, limit: int, *, witness: str = "", anew: bool = False
    ) -> Deferred[HeadList]:
        """
        List the conversations of a user that changed since a position, including those
        of groups of which the user is a member now.

        A message that is stored when the list begins is in a row, or its conversation
        is in a list that begins at the final position of this one.  A position of
        another history, or none, lists all conversations.  The work for a page depends
        on its length, not on the number of the user's conversations: a page may have
        fewer rows than C{limit}, or none, and there may be C{more}.

        @param position: empty: from the beginning;
            L{wsmsg.message.store.position.NOW}: from the end, without rows.
        @param limit: above 0.
        @param witness: another position of the reader, only for what it proves.
        @param anew: begin a list, even if the position is in the middle of one.
        @return: a Deferred that fires with a L{HeadList} of at most C{limit} rows.
        """

    def apply(events: Sequence[Message]) -> Deferred[None]:
        """
        Apply stored events in their order, each as the module of its kind in
        L{wsmsg.events} says.  Applying events again, even after later ones, changes
        nothing.

        @return: a Deferred that fires when the changes are durable.
        """


class IGroups(IStoreRole):
    """
    Groups and their members.
    """

    def members(conversations: Sequence[str]) -> Deferred[dict[str, frozenset[int]]]:
        """
        @param conversations: the names of the groups' conversations.
        @return: a Deferred that fires with all current members of each group that
            exists, by conversation.
        """

    def members_at(
        places: Sequence[tuple[str, int]],
    ) -> Deferred[dict[tuple[str, int], frozenset[int]]]:
        """
        Look up who was a member at some place, by the changes that are applied.

        @param places: pairs of a group's conversation and a number.
        @return: a Deferred that fires with the members right after the message with
            that number, for each place whose group exists.
        """

    def readable_from(
        keys: Sequence[tuple[str, int]],
    ) -> Deferred[dict[tuple[str, int], int]]:
        """
        Look up the number from which on members may read.  A change that is stored and
        removes the user counts, even before it is applied.

        @param keys: pairs of a group's conversation and a user.
        @return: a Deferred that fires with the number for each key whose user is a
            member: 1, or the number with which the user joined if the group has no
            C{history}.
        """

    def group(conversation: str, after: int, limit: int) -> Deferred[GroupPage | None]:
        """
        @param after: return members with greater user numbers.
        @return: a Deferred that fires with a L{GroupPage} of at most C{limit} members,
            or with L{None} if there is no such group.
        """


class IReadMarks(IStoreRole):
    """
    Cursors, read marks of single messages, and the unread messages of each user.
    """

    def move_cursors(cursors: Sequence[Cursor]) -> Deferred[list[Cursor]]:
        """
        Raise cursors.  A cursor never falls and never passes its conversation's head.
        A cursor that reaches a range of messages that were marked above it rises to
        the end of that range; see L{mark}.

        @param cursors: their C{seen} ranges are treated as marks; only an import has
            any.
        @return: a Deferred that fires with the cursors that rose, as they are now.
        """

    def cursors(
        keys: Sequence[tuple[str, int]],
    ) -> Deferred[dict[tuple[str, int], Cursor]]:
        """
        @param keys: pairs of conversation and user.
        @return: a Deferred that fires with the L{Cursor} of each key for which one was
            ever moved or marked.
        """

    def mark(marks: Sequence[Mark]) -> Deferred[Marked]:
        """
        Mark single messages as read.

        Where the user has read all messages of a conversation up to some number, not
        counting those that need no reading (the user's own, events, messages that the
        user may not read), the C{read} cursor rises to it, and C{delivered} with it.

        The store keeps a bounded number of ranges above a cursor
        (L{wsmsg.message.store.read_ranges.MOST}).  A mark that would need one more is
        not C{known}, and its message stays unread.

        @param marks: with conversation and number.  A mark of a message that does not
            exist, that the user may not read, or whose C{message_id} is neither 0 nor
            the message's, is not C{known}.
        @return: a Deferred that fires with a L{Marked}.
        """

    def unread(
        user: int, places: Sequence[tuple[str, int]], limit: int
    ) -> Deferred[UnreadList]:
        """
        List unread messages of a user: no events, no recalled ones, none of the user's
        own, and in groups only those that the user may read now.  The work is bounded.

        @param places: conversations, each with the number behind which to begin.
        @return: a Deferred that fires with an L{UnreadList} of at most C{limit}
            messages and L{PAGE_BYTES}: one conversation after another, by number.
        """

    def unread_counts(
        user: int, conversations: Sequence[str]
    ) -> Deferred[dict[str, int]]:
        """
        @return: a Deferred that fires with the number of messages that the user has
            unread, for each of these conversations.
        """

    def located(
        user: int, message_ids: Sequence[int]
    ) -> Deferred[dict[int, tuple[str, int]]]:
        """
        Look up the conversation and number of unread messages.

        @return: a Deferred that fires with (conversation, number) by message id.
            Messages that the user has read, or was not sent, may be missing.
        """


class IConversations(IMessages, IGroups):
    """
    The roles of users that follow conversations into groups, and withhold messages.
    """

    consent: IConsent = Attribute("The L{IConsent} of the store.")


class IReaders(IGroups, IReadMarks):
    """
    The two roles of users that check membership before they move cursors.
    """


class IMessageStore(IConversations, IReaders, IReservations, IRevocations):
    """
    A store: all roles, and its life.
    """

    usage = Attribute("What users have used of their limits, an L{IUsage}.")
    names = Attribute("The names of users, an L{INames}.")
    topics = Attribute(
        "The topics of journals, an L{ITopics}; L{None}: one Message alone uses the "
        "store."
    )

    def start() -> None:
        """
        Open the store and keep it open; failures go to C{dependency} and are retried.
        """

    def stop() -> Deferred[None]:
        """
        Close the store.

        @return: a Deferred that fires when nothing of it is left; never fails.
        """
