"""
What Message needs of its backends.

Each interface has one contract suite (C{tests/contracts.py}) that every backend
passes.  All methods that touch a backend take whole batches and return Deferreds;
all of them fail with L{wsmsg.errors.Unavailable} when the backend is not there, and
then it is not known whether they were carried out: every call may be repeated.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import ClassVar

import attrs
import msgspec
from twisted.internet.defer import Deferred
from zope.interface import Attribute, Interface

from wsmsg.model import Message


class JournalEntry(msgspec.Struct, frozen=True, gc=False):
    """
    One record read from the journal.

    @ivar partition: records of one conversation are all in one partition.
    @ivar offset: its place there; rises, perhaps with holes.
    @ivar message: without a number; L{None} where the record cannot be decoded.
    @ivar value: the record as it was stored, for the dead letters.
    @ivar problem: why C{message} is L{None}.
    """

    partition: int
    offset: int
    message: Message | None
    value: bytes
    problem: str = ""


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


class IJournal(Interface):
    """
    The durable log: what is in it was accepted.
    """

    dependency = Attribute(
        "The L{wsmsg.dependency.state.Dependency} that tells its state."
    )
    spacing_s = Attribute(
        "What two appends are to be apart to be cheap, in seconds; 0: they cost by the "
        "record."
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

    def read(limit: int) -> Deferred[list[JournalEntry]]:
        """
        The next entries after those read before (at first: after the last commit),
        in the order of each partition.

        Only one read may be open at a time.

        @param limit: the most entries to give.
        @return: a Deferred that fires with a non-empty list of L{JournalEntry} when
        there
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

    def dead_letter(letters: Sequence[tuple[JournalEntry, str]]) -> Deferred[None]:
        """
        Put entries into the dead letters.

        @param letters: a sequence of pairs (L{JournalEntry}, reason).
        @return: a Deferred that fires with L{None} when that is durable.
        """

    def dead_letters(after: int, limit: int) -> Deferred[list[DeadLetter]]:
        """
        @return: a Deferred that fires with a list of L{DeadLetter} with numbers
            above C{after}, in their order.
        """

    def replay(numbers: Sequence[int]) -> Deferred[list[int]]:
        """
        Append the dead letters of these numbers to the journal again and take them
        out of the dead letters, both or neither.

        @return: a Deferred that fires with the numbers that were there.
        """
