"""
The interface of the journal.

Every backend passes one contract suite (C{tests/contracts.py}).  All methods that reach
a backend take batches and return Deferreds.  Each of them fails with
L{wsmsg.errors.Unavailable} while the backend is away; the call may have been carried
out then, and may be repeated.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from enum import StrEnum
from typing import ClassVar

import attrs
import msgspec
from twisted.internet.defer import Deferred
from zope.interface import Attribute, Interface

from wsmsg.model import Message

#: The reason of the dead letters of messages under a used client id.
CONFLICT_REASON = "conflict: the sender used this client id for another message"
#: The reason of the dead letters of messages that can never be stored.
REFUSED_REASON = "the store refuses this message"


class LetterKind(StrEnum):
    """
    The kind of a dead letter.
    """

    #: A second message under a used client id; the sender was told.
    CONFLICT = "conflict"
    #: A message that the store refuses.
    REFUSED = "refused"
    #: A record that cannot be decoded, perhaps of a newer version.
    UNREADABLE = "unreadable"


_KINDS = {
    CONFLICT_REASON: LetterKind.CONFLICT,
    REFUSED_REASON: LetterKind.REFUSED,
}


def kind_of(reason: str) -> LetterKind:
    """
    Return the kind of a letter with this reason.
    """
    return _KINDS.get(reason, LetterKind.UNREADABLE)


class JournalEntry(msgspec.Struct, frozen=True, gc=False):
    """
    A record that was read from the journal.

    @ivar partition: all records of a conversation are in one partition.
    @ivar offset: the place in the partition; rises, perhaps with gaps.
    @ivar message: without a number; L{None} if the record cannot be decoded.
    @ivar value: the bytes of the record, for the dead letters.
    @ivar problem: why C{message} is L{None}.
    @ivar time_ms: the unix time at which it was appended, by the clock of the journal
        or of its producer; 0: not known.
    """

    partition: int
    offset: int
    message: Message | None
    value: bytes
    problem: str = ""
    time_ms: int = 0


@attrs.frozen
class DeadLetter:
    """
    A record that could not be delivered, kept with the reason.

    @ivar number: the number of the letter, for C{wsmsg dead-letters}.
    @ivar value: the bytes of the record; if the record was too long to be kept, its
        first bytes.
    @ivar size: the length of the record.
    """

    number: int
    partition: int
    offset: int
    reason: str
    value: bytes
    time_ms: int
    size: int = attrs.field()

    @size.default
    def _size_of_value(self) -> int:
        return len(self.value)

    @property
    def is_cut(self) -> bool:
        """
        The letter has only the first bytes of the record, and cannot be replayed.
        """
        return len(self.value) < self.size


@attrs.frozen
class Backlog:
    """
    The records that wait in a journal that no process uses.

    @cvar MOST_DEAD_LETTERS: dead letters are counted up to this number.
    @ivar unsettled: records that were accepted, and may not be stored.
    """

    MOST_DEAD_LETTERS: ClassVar[int] = 1000

    unsettled: int
    dead_letters: int


class IDeadLetters(Interface):
    """
    The records that could not be delivered.
    """

    def dead_letters(after: int, limit: int) -> Deferred[list[DeadLetter]]:
        """
        @return: a Deferred that fires with dead letters with numbers above C{after}, in
            order.
        """

    def replay(numbers: Sequence[int]) -> Deferred[list[int]]:
        """
        Append the dead letters of these numbers to the journal and remove them from the
        dead letters, both or neither.  Letters that were cut short stay.

        @return: a Deferred that fires with the numbers of those that were replayed.
        """


class IJournal(IDeadLetters):
    """
    The durable log: a message that is in it was accepted.
    """

    dependency = Attribute("The L{wsmsg.dependency.state.Dependency} with the state.")
    spacing_s = Attribute(
        "The seconds that appends should be apart; 0: their cost depends on the number "
        "of records alone."
    )
    content_bytes: int = Attribute(
        "The longest content of a message whose record fits, in bytes of UTF-8."
    )
    retention_s: float = Attribute(
        "The seconds after which the journal removes records, read or not; 0: never, "
        "or not known."
    )

    def start() -> None:
        """
        Open the journal and keep it open; failures go to C{dependency} and are retried.
        """

    def stop() -> Deferred[None]:
        """
        Finish the appends in flight, write the last commit, and close.

        @return: a Deferred that fires when nothing is left; never fails.
        """

    def append(messages: Sequence[Message]) -> Deferred[None]:
        """
        Make messages durable, in their order.

        @return: a Deferred that fires once B{all} are durable.
        @raise Unavailable: (as failure) some may be durable, some not.
        """

    def read(limit: int) -> Deferred[list[JournalEntry]]:
        """
        Read the next entries after those that were read before, or at first after the
        last commit, in the order of each partition.

        Only one read may be open at a time.

        @param limit: the most entries to return.
        @return: a Deferred that fires with a non-empty list of L{JournalEntry} as soon
            as there is one; with an empty list when the journal stops.
        """

    def rewind() -> None:
        """
        Read again from the last commit.
        """

    def commit(positions: Mapping[int, int]) -> None:
        """
        Note that all entries below these offsets are settled, and need not be read
        again.  They are written with the next append, or soon.

        @param positions: for each partition the offset after the last settled entry.
        """

    def on_revoked(forget: Callable[[], object]) -> None:
        """
        Call C{forget} when partitions were revoked from this process, and before
        anything is read of newly assigned ones: cached facts about their conversations
        may be out of date.  Records that were read of revoked partitions may still be
        settled; their commit has no effect.
        """

    def keep_witness(
        witness: Callable[[], Mapping[int, str]],
        found: Callable[[Mapping[int, str]], object],
    ) -> None:
        """
        Write a text for each partition together with its commits, and return it to
        whoever reads on from there.

        @param witness: returns the texts by partition, whenever commits are written.
        @param found: called with the texts of the last commits of partitions that this
            process has begun to read, or begins to read later.
        """

    def counts() -> Mapping[str, int]:
        """
        @return: C{lag}: unsettled records in the partitions of this process;
            C{unread}: those of them that L{read} has not returned yet;
            C{lag_bytes}: about their bytes, by the mean of the records appended here;
            C{in_flight}: records that are being appended; C{partitions}: the number of
            partitions that this process reads; C{from_memory}: records that L{read}
            returned, or will, as this process appended them and nothing came before
            them; C{dead_letters_dropped}: dead letters
            that this process removed, as newer ones of their kind took their place;
            C{records_lost}: records that were removed before this process read them.
        """

    def dead_letter(letters: Sequence[tuple[JournalEntry, str]]) -> Deferred[None]:
        """
        Put entries into the dead letters.  Of each kind the newest are kept, within
        L{wsmsg.message.journal.letters.BOUNDS}.  A record that is too long to be kept
        is cut short, and its size is kept with it.

        @param letters: pairs of an entry and the reason.
        @return: a Deferred that fires when they are durable.
        """
