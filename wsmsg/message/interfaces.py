"""
What Message needs of its backends.

Each interface has one contract suite (C{tests/contracts.py}) that every backend
passes.  All methods that touch a backend take whole batches and return Deferreds;
all of them fail with L{wsmsg.errors.Unavailable} when the backend is not there, and
then it is not known whether they were carried out: every call may be repeated.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from enum import Enum

import attrs
import msgspec
from twisted.internet.defer import Deferred
from zope.interface import Attribute, Interface

from wsmsg.model import Cursor, Identity, Message


class Entry(msgspec.Struct, frozen=True, gc=False):
    """
    One record read from the journal.

    @ivar partition: records of one conversation are all in one partition.
    @ivar offset: its place there; rises, perhaps with holes.
    @ivar message: without a number; L{None} where the record cannot be decoded.
    @ivar value: the record as it was stored, for the dead letters.
    @ivar fault: why C{message} is L{None}.
    """

    partition: int
    offset: int
    message: Message | None
    value: bytes
    fault: str = ""


@attrs.frozen
class DeadLetter:
    """
    A record that could not be processed, kept with its reason.

    @ivar number: its own number, for C{wsmsg dead-letters}.
    """

    number: int
    partition: int
    offset: int
    reason: str
    value: bytes
    time_ms: int


class IJournal(Interface):
    """
    The durable log: what is in it was accepted.
    """

    dependency = Attribute("The L{wsmsg.dependency.Dependency} that tells its state.")
    spacing_s = Attribute(
        "What two appends, and two reads, are to be apart to be cheap, in seconds; 0: "
        "they cost by the record."
    )

    def start() -> None:
        """
        Open it and keep it open; failures go to C{dependency} and are retried.

        @return: L{None}; it does not wait.
        """

    def stop() -> Deferred[None]:
        """
        Finish what is in flight, write the last commit, close.

        @return: a Deferred that fires when nothing is left; never fails.
        """

    def append(messages: Sequence[Message]) -> Deferred[None]:
        """
        Make these durable, in their order.

        @param messages: a sequence of L{Message}.
        @return: a Deferred that fires with L{None} once B{all} are durable.
        @raise Unavailable: (as failure) some may be durable, some not.
        """

    def read(limit: int) -> Deferred[list[Entry]]:
        """
        The next entries after those read before (at first: after the last commit),
        in the order of each partition.

        Only one read may be open at a time.

        @param limit: the most entries to give.
        @return: a Deferred that fires with a non-empty list of L{Entry} when there
            are some; with an empty one when the journal is stopping.
        """

    def rewind() -> None:
        """
        Read again from the last commit.
        """

    def commit(positions: Mapping[int, int]) -> None:
        """
        All entries below these offsets are settled and need never be read again.

        @param positions: mapping of partition to the offset after the last settled.
        @return: L{None}; it is written with the next append or soon by itself.
        """

    def on_revoked(forget: Callable[[], object]) -> None:
        """
        Have this called when partitions were taken away from this process: what is
        remembered of conversations may not be true any more.  What was read of those
        partitions may still be settled; committing it is then without effect.  It is
        called again before anything is read of partitions that came.
        """

    def counts() -> Mapping[str, int]:
        """
        @return: C{lag}: records in the partitions of this process that are not
            settled; C{in_flight}: records that are being appended; C{partitions}: how
            many of them are read by this process.
        """

    def bury(letters: Sequence[tuple[Entry, str]]) -> Deferred[None]:
        """
        Put entries into the dead letters.

        @param letters: a sequence of pairs (L{Entry}, reason).
        @return: a Deferred that fires with L{None} when that is durable.
        """

    def dead_letters(after: int, limit: int) -> Deferred[list[DeadLetter]]:
        """
        @return: a Deferred that fires with a list of L{DeadLetter} with numbers
            above C{after}, in their order.
        """

    def exhume(numbers: Sequence[int]) -> Deferred[list[int]]:
        """
        Append the dead letters of these numbers to the journal again and take them
        out of the dead letters, both or neither.

        @return: a Deferred that fires with the numbers that were there.
        """


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


class Member(msgspec.Struct, frozen=True, gc=False):
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
    members: Sequence[Member]


class IMessageStore(Interface):
    """
    Messages by conversation and number; cursors; who is in which conversation.
    """

    dependency = Attribute("The L{wsmsg.dependency.Dependency} that tells its state.")

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

    def find(identities: Sequence[Identity]) -> Deferred[dict[Identity, Message]]:
        """
        @param identities: a sequence of L{Identity}.
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
        conversation's head.

        @param cursors: a sequence of L{wsmsg.model.Cursor}.
        @return: a Deferred that fires with a list of those that rose, as they are
            now.
        """

    def cursors(
        keys: Sequence[tuple[str, int]],
    ) -> Deferred[dict[tuple[str, int], Cursor]]:
        """
        @param keys: a sequence of (conversation, user).
        @return: a Deferred that fires with a dict of key to L{Cursor}; what was
            never moved is not in it.
        """


def identities(messages: Sequence[Message]) -> list[Identity]:
    """
    Their identities, in their order.
    """
    return [m.identity for m in messages]
