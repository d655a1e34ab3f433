"""
What keeps messages, groups, cursors and marks.

It has one contract suite (C{tests/contracts.py}) that every backend passes; what is
said of all backends in L{wsmsg.message.journal.interface} is true of it.
"""

from __future__ import annotations

from collections.abc import Sequence
from enum import Enum

import attrs
import msgspec
from twisted.internet.defer import Deferred
from zope.interface import Attribute, Interface

from wsmsg.model import Cursor, Mark, Message, MessageIdentity


class Outcome(Enum):
    """
    What became of one message in L{IMessageStore.insert}.
    """

    #: It is stored.
    INSERTED = "inserted"
    #: Its identity is stored already.
    REPEATED = "repeated"
    #: Another message has its number.
    TAKEN = "taken"
    #: It was not tried, because of one before it in the same conversation.
    SKIPPED = "skipped"
    #: The store will never take it.
    REFUSED = "refused"


@attrs.frozen
class HeadRow:
    """
    A conversation of a user, as the store has it.
    """

    conversation: str
    head: int
    time_ms: int


class MemberRow(msgspec.Struct, frozen=True, gc=False):
    """
    A member of a group.

    @ivar joined: the number of the change that made them one.
    """

    user: int
    joined: int


@attrs.frozen
class GroupPage:
    """
    A group with some of its members.

    @ivar owner: who made it.
    @ivar history: members read from number 1 on, not from their C{joined}.
    @ivar count: how many members there are in all.
    @ivar members: by user, rising.
    """

    conversation: str
    name: str
    owner: int
    history: bool
    count: int
    members: Sequence[MemberRow]


@attrs.frozen
class Marked:
    """
    What became of marks.

    @ivar known: one a mark: whether it is stored, or was before.
    @ivar risen: the cursors that rose, as they are now.
    """

    known: Sequence[bool]
    risen: Sequence[Cursor]


class IMessageStore(Interface):
    """
    Messages by conversation and number; cursors; who is in which conversation.
    """

    dependency = Attribute(
        "The L{wsmsg.dependency.state.Dependency} that tells its state."
    )

    def start() -> None:
        """
        Open it and keep it open; failures go to C{dependency} and are retried.
        """

    def stop() -> Deferred[None]:
        """
        @return: a Deferred that fires when nothing is left; never fails.
        """

    def insert(messages: Sequence[Message], stored_ms: int) -> Deferred[list[Outcome]]:
        """
        Store numbered messages.  Durable when it fires.

        Within one conversation the messages come with rising numbers and B{a prefix}
        of them is stored: after the first that is not L{Outcome.INSERTED} the rest
        of that conversation is L{Outcome.SKIPPED} and nothing of it is stored.
        The heads of the conversations move with the messages.

        @param messages: a sequence of L{Message} with their numbers.
        @param stored_ms: now, in unix milliseconds; see L{conversations_of}.
        @return: a Deferred that fires with a list of L{Outcome}, one a message.
        """

    def find(
        identities: Sequence[MessageIdentity],
    ) -> Deferred[dict[MessageIdentity, Message]]:
        """
        @param identities: a sequence of L{MessageIdentity}.
        @return: a Deferred that fires with a dict of those stored, by identity, to
            L{Message}.
        """

    def heads(conversations: Sequence[str]) -> Deferred[dict[str, int]]:
        """
        @return: a Deferred that fires with a dict of conversation to its last
            number, 0 for one that has no message.
        """

    def page(
        conversation: str, after: int, limit: int
    ) -> Deferred[tuple[list[Message], int]]:
        """
        @return: a Deferred that fires with a pair: the messages with numbers above
            C{after} in their order, at most C{limit}; and the conversation's head.
        """

    def conversations_of(
        user: int, since_ms: int, limit: int, after: str = ""
    ) -> Deferred[list[HeadRow]]:
        """
        The user's conversations, those of groups of which the user is a member now
        among them, whose last message was stored at C{since_ms} or
        later, oldest change first, then by name.  The time of storing counts, not
        that of acceptance: a message may be accepted, wait in the journal while a
        client syncs, and be stored after.

        @param after: of those that changed at C{since_ms} itself, only the ones with
            a greater name, so that a list goes on where another one ended.
        @return: a Deferred that fires with a list of L{HeadRow}, at most C{limit}.
        """

    def apply(events: Sequence[Message]) -> Deferred[None]:
        """
        Carry out what stored messages of the kinds L{wsmsg.model.GROUP} and
        L{wsmsg.model.RECALL} say, in their order.  Doing it again, even after later
        events, changes nothing: a user's membership goes by the event with the
        highest number that names the user.

          - C{created}: the group is there, its sender the owner; where it was made
            before by another message, this is nothing.
          - C{add}, C{remove}: membership from this number on.  Adding a member who
            is one already changes nothing.
          - a recall: the message of that number in the same conversation, if it has
            the same sender and is no event, keeps its identity, number, id and time,
            loses its content and has the kind L{wsmsg.model.RECALLED}.

        @param events: a sequence of L{Message} that are stored, with their numbers.
        @return: a Deferred that fires with L{None} when that is durable.
        """

    def members(conversations: Sequence[str]) -> Deferred[dict[str, frozenset[int]]]:
        """
        @param conversations: a sequence of names of groups' conversations.
        @return: a Deferred that fires with a dict of conversation to all users who
            are members now; a group that is not there is not in it.
        """

    def readable_from(
        keys: Sequence[tuple[str, int]],
    ) -> Deferred[dict[tuple[str, int], int]]:
        """
        From which number on members may read.

        @param keys: a sequence of (group's conversation, user).
        @return: a Deferred that fires with a dict of key to number: 1, or where the
            group has no C{history} that at which the user joined.  Who is no member
            now is not in it.
        """

    def group(conversation: str, after: int, limit: int) -> Deferred[GroupPage | None]:
        """
        @param after: members with greater numbers than this user.
        @return: a Deferred that fires with a L{GroupPage} of at most C{limit}
            members; with L{None} if there is no such group.
        """

    def move_cursors(cursors: Sequence[Cursor]) -> Deferred[list[Cursor]]:
        """
        Raise cursors; one that would fall stays, and none goes past its
        conversation's head.  One that reaches what was marked as seen above it goes on
        to the end of that; see L{mark}.

        @param cursors: a sequence of L{wsmsg.model.Cursor}; what is C{seen} in one
            counts as marked, and as no more than that: it comes of another store.
        @return: a Deferred that fires with a list of those that rose, as they are
            now.
        """

    def cursors(
        keys: Sequence[tuple[str, int]],
    ) -> Deferred[dict[tuple[str, int], Cursor]]:
        """
        @param keys: a sequence of (conversation, user).
        @return: a Deferred that fires with a dict of key to L{Cursor}; where nothing
            was ever moved or marked there is none.
        """

    def mark(marks: Sequence[Mark]) -> Deferred[Marked]:
        """
        Let single messages count as seen.

        Where all of a conversation up to some number was seen, or is nothing that has
        to be (the user's own, events, what the user may not read), the C{read} cursor
        rises to it, and C{delivered} with it.

        The store keeps a bounded number of ranges above a cursor
        (L{wsmsg.message.store.read_ranges.MOST}).  A mark that would need one more is
        not taken: it is not C{known}, and what it is of stays unread.

        @param marks: a sequence of L{wsmsg.model.Mark} with conversation and number.
            One of a message that is not there, that the user may not read, or that
            has another C{message_id} than the mark (unless that is 0) is not C{known}.
        @return: a Deferred that fires with a L{Marked}.
        """

    def unread(
        user: int, after_id: int, limit: int
    ) -> Deferred[tuple[list[Message], int]]:
        """
        What a user was sent and has not seen: no event, nothing that was recalled,
        none of the user's own except what they say to themself, and of groups only
        what they may read now.

        @param after_id: messages with greater ids than this.
        @return: a Deferred that fires with a pair: at most C{limit} L{Message} by
            C{message_id}, rising; and how many are unread in all.
        """

    def unread_counts(
        user: int, conversations: Sequence[str]
    ) -> Deferred[dict[str, int]]:
        """
        @return: a Deferred that fires with a dict of each of these conversations to
            how many messages the user has unread there.
        """

    def located(
        user: int, message_ids: Sequence[int]
    ) -> Deferred[dict[int, tuple[str, int]]]:
        """
        Where messages are that a user has not seen.

        @return: a Deferred that fires with a dict of message id to (conversation,
            number); what the user has seen, or has not been sent, need not be in it.
        """


def identities(messages: Sequence[Message]) -> list[MessageIdentity]:
    """
    Their identities, in their order.
    """
    return [m.identity for m in messages]
