"""
The messages of a conversation that a user has read: all up to the read cursor, and
ranges above it.  No I/O.

Clients of wsmsg move a cursor; legacy clients acknowledge single messages.  An
acknowledged number makes a range or joins one, and the cursor absorbs a range that it
reaches.  Numbers that need no reading (the user's own messages, events, recalled
messages) join the ranges on both sides of them, as far as the store searched for them.
A shorter search is never wrong: the cursor only rises later.
"""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Iterable, Iterator, Sequence
from typing import NamedTuple

from wsmsg.model import FIRST_EVENT

#: Pairs of first and last number; rising, with at least one number between two ranges.
Ranges = tuple[tuple[int, int], ...]

#: The most ranges above one cursor.
MOST = 500
#: How far above a cursor the store searches for numbers that need no reading, step by
#: step as long as the cursor reaches the end of a step.
STEPS = (64, 1024, 16384)
# The same around each marked number.
_AROUND = 16


class ReadRanges(NamedTuple):
    """
    The numbers that a user has read.

    @ivar read: all numbers up to this one.
    @ivar ranges: further numbers above it.
    """

    read: int = 0
    ranges: Ranges = ()

    def __contains__(self, seq: object) -> bool:
        assert isinstance(seq, int)
        return seq <= self.read or contains(self.ranges, seq)


def contains(ranges: Sequence[tuple[int, int]], seq: int) -> bool:
    """
    Return L{True} if a number is in one of the ranges.
    """
    at = bisect_right(ranges, (seq, float("inf")))
    return at > 0 and seq <= ranges[at - 1][1]


def merged(ranges: Iterable[tuple[int, int]]) -> Ranges:
    """
    Return the fewest ranges with the same numbers.
    """
    whole: list[tuple[int, int]] = []
    for first, last in sorted(ranges):
        if whole and first <= whole[-1][1] + 1:
            whole[-1] = (whole[-1][0], max(whole[-1][1], last))
        elif first <= last:
            whole.append((first, last))
    return tuple(whole)


def scan_windows(read: int, seqs: Iterable[int], above: int) -> Ranges:
    """
    Return the windows to search for numbers that need no reading.

    @param read: the cursor.
    @param seqs: the marked numbers.
    @param above: how far to search above the cursor; one of L{STEPS}.
    """
    wanted = [(read + 1, read + above)]
    for seq in seqs:
        if seq > read:
            wanted.append((max(seq - _AROUND, read + 1), seq + _AROUND))
    return merged(wanted)


def is_skippable(kind: int, sender: int, user: int) -> bool:
    """
    Return L{True} if the user need not read such a message.
    """
    return kind >= FIRST_EVENT or sender == user


def advance(
    before: ReadRanges,
    marked: Iterable[tuple[int, int]] = (),
    passed: Iterable[int] = (),
    *,
    most: int = MOST,
) -> ReadRanges:
    """
    Return what a user has read after a change.

    @param marked: ranges that were read as well.
    @param passed: numbers that need no reading.
    @param most: the limit of ranges; the highest of the new ranges beyond it are
        dropped.
    """
    marked = merged(marked)
    real = merged((*before.ranges, *marked))
    read = before.read
    left = []
    for first, last in merged((*real, *((seq, seq) for seq in passed))):
        if first <= read + 1:
            read = max(read, last)
        elif _meets(real, first, last):
            left.append((first, last))
    while len(left) > most:
        # Only new ranges are dropped: the older ones were within the limit.
        new = [r for r in left if not _meets(before.ranges, *r)]
        if not new:
            break
        left.remove(new[-1])
    return ReadRanges(read, tuple(left))


def gaps(seen: ReadRanges) -> Iterator[tuple[int, int | None]]:
    """
    Iterate over the ranges that were not read; the last one has no end.
    """
    after = seen.read
    for first, last in seen.ranges:
        if first > after + 1:
            yield after + 1, first - 1
        after = max(after, last)
    yield after + 1, None


def _meets(ranges: Sequence[tuple[int, int]], first: int, last: int) -> bool:
    # Returns True if a number of the ranges is between these.
    at = bisect_right(ranges, (last, float("inf")))
    return at > 0 and ranges[at - 1][1] >= first
