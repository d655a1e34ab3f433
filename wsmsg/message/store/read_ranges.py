"""
What of a conversation a user has seen: all up to the read cursor, and ranges above it.

Clients of ours say how far they have read, others acknowledge single messages.  A
number that was acknowledged makes a range or is joined to one; a range that the cursor
reaches is swallowed by it.  Numbers that nobody has to see (the user's own messages,
events, what was recalled) join what is on both sides of them, as far as one looked
for them: not to look is never wrong, the cursor only rises later then.
"""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Iterable, Iterator, Sequence
from typing import NamedTuple

from wsmsg.model import FIRST_EVENT

#: Ranges, first and last number each; rising, and with a number between any two.
Ranges = tuple[tuple[int, int], ...]

#: The most ranges above one cursor.
MOST = 500
#: How far above a cursor one looks for what it may pass, at first and then.
STEPS = (64, 1024, 16384)
# The same around each number that is marked.
_AROUND = 16


class ReadRanges(NamedTuple):
    """
    What a user has seen.

    @ivar read: all up to this number.
    @ivar ranges: more, above it.
    """

    read: int = 0
    ranges: Ranges = ()

    def __contains__(self, seq: object) -> bool:
        assert isinstance(seq, int)
        return seq <= self.read or contains(self.ranges, seq)


def contains(ranges: Sequence[tuple[int, int]], seq: int) -> bool:
    """
    Whether a number is in one of them.
    """
    at = bisect_right(ranges, (seq, float("inf")))
    return at > 0 and seq <= ranges[at - 1][1]


def merged(ranges: Iterable[tuple[int, int]]) -> Ranges:
    """
    As few ranges as have the same numbers.
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
    Where to look for numbers that nobody has to see.

    @param read: the cursor.
    @param seqs: what is marked.
    @param above: how far to look above the cursor; one of L{STEPS}.
    """
    wanted = [(read + 1, read + above)]
    for seq in seqs:
        if seq > read:
            wanted.append((max(seq - _AROUND, read + 1), seq + _AROUND))
    return merged(wanted)


def is_skippable(kind: int, sender: int, user: int, *, alone: bool) -> bool:
    """
    Whether nobody waits for this user to see such a message.

    @param alone: the conversation is that of the user with themself.
    """
    return kind >= FIRST_EVENT or (sender == user and not alone)


def advance(
    before: ReadRanges,
    marked: Iterable[tuple[int, int]] = (),
    passed: Iterable[int] = (),
    *,
    most: int = MOST,
) -> ReadRanges:
    """
    What was seen after some more was.

    @param marked: ranges that were seen as well.
    @param passed: numbers that nobody has to see.
    @param most: the ranges that there may be; new ones that are too much, the highest,
        are not taken.
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
        # Older ranges are never more than they may be.
        new = [r for r in left if not _meets(before.ranges, *r)]
        if not new:
            break
        left.remove(new[-1])
    return ReadRanges(read, tuple(left))


def gaps(seen: ReadRanges) -> Iterator[tuple[int, int | None]]:
    """
    What was not seen: first and last number each, without a last one at the end.
    """
    after = seen.read
    for first, last in seen.ranges:
        if first > after + 1:
            yield after + 1, first - 1
        after = max(after, last)
    yield after + 1, None


def _meets(ranges: Sequence[tuple[int, int]], first: int, last: int) -> bool:
    # Whether any number of the ranges is between these.
    at = bisect_right(ranges, (last, float("inf")))
    return at > 0 and ranges[at - 1][1] >= first
