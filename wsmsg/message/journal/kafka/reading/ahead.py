"""
The records of a partition that are on hand before the consumer has fetched them.

A Message that appends a record to a partition of its own need not wait until the
brokers send it back: the acknowledgement tells its offset.  If this is the offset that
would be read next, no other record comes before it, and it is taken from memory.  The
consumer fetches it later, recognises it by its offset, and skips it.  Any other record
is left to the consumer, which then is the next one to say what follows.
"""

from __future__ import annotations


class Ahead:
    """
    One reading of a partition, from a position on.

    The consumer makes another one whenever it begins at another position by itself, so
    what was taken during an earlier reading never makes it skip a record.

    @ivar next: the offset of the next record; L{None}: not known until one is fetched.
        Used in the reactor only.
    @ivar taken: the offset after the last record that was taken from memory: the
        consumer skips what is below.  Set in the reactor, and read in the thread too.
    """

    __slots__ = ("next", "taken")

    def __init__(self, position: int | None) -> None:
        self.next = position
        self.taken = 0

    def fetched(self, offset: int) -> bool:
        """
        Return whether a record that was fetched is to be read: it was not taken before.
        """
        if offset < self.taken:
            return False
        self.next = offset + 1
        return True

    def take(self, offset: int) -> bool:
        """
        Return whether the record of this offset may be taken from memory, and note that
        it was.
        """
        if offset != self.next:
            return False
        self.next = self.taken = offset + 1
        return True
