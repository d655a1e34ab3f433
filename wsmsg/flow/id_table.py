"""
A table of ids, sorted, in 12 to 30 bytes an entry.

An entry is a pair of an id (a signed number of 64 bits) and a number of 32 bits.  A
dict of such ids takes 62 to 108 bytes an entry, half of it for the int objects of its
keys.  The table has no objects for entries: it keeps them in two parallel arrays, cut
into blocks so that an insertion moves at most 6 KiB (a B+ tree of two levels)::

    first ids      1001        1530        2000         by block, as objects
    first numbers     0           7           0
    ids            1001 1001 ..   1530 ..     2000 ..
    numbers           0    4 ..      7 ..        0 ..

Finding, adding and removing an entry takes two to five binary searches, each of at
most log2 n steps.  No sequence of ids makes that slower, as there is no hash, and there
is no moment in which the whole table is copied.
"""

from __future__ import annotations

from array import array
from bisect import bisect_left, bisect_right
from collections.abc import Iterable, Iterator, Mapping
from heapq import merge
from itertools import groupby

#: The most entries of a block; a full one is cut into two halves.
BLOCK = 512

#: A block below this joins the next one, if both together have at most L{_JOINED}.
_SMALL = BLOCK // 4
_JOINED = BLOCK * 3 // 4


class IdTable:
    """
    Pairs of an id and a number.  C{len} counts the different ids.

    @param ids: the first ids, each once and in ascending order, with the number 0.
    """

    __slots__ = ("_count", "_first_ids", "_first_numbers", "_ids", "_numbers")

    def __init__(self, ids: array[int] | None = None) -> None:
        self._fill(ids or array("q"))

    def __len__(self) -> int:
        return self._count

    def __contains__(self, id: int) -> bool:
        return self.get(id) is not None

    def get(self, id: int) -> int | None:
        """
        Return the smallest number of an id; L{None} if the table does not have the id.
        """
        block, at, has = self._first_of(id)
        return self._numbers[block][at] if has else None

    def numbers(self, id: int) -> Iterator[int]:
        """
        Return all numbers of an id, in ascending order.  The table must not change
        meanwhile.
        """
        block, at, has = self._first_of(id)
        while has and block < len(self._ids):
            ids = self._ids[block]
            if ids[at] != id:
                return
            yield from self._numbers[block][at : bisect_right(ids, id, at)]
            block, at = block + 1, 0

    def ids(self) -> array[int]:
        """
        Return the different ids, in ascending order.
        """
        found = array("q")
        for block in self._ids:
            found.extend(block)
        if len(found) == self._count:
            return found
        return array("q", (id for id, _ in groupby(found)))

    def having(self, numbers: Iterable[int]) -> array[int]:
        """
        Return the ids with one of these numbers.
        """
        wanted, found = frozenset(numbers), array("q")
        for ids, block in zip(self._ids, self._numbers, strict=True):
            if not wanted.isdisjoint(block):
                pairs = zip(ids, block, strict=True)
                found.extend(id for id, number in pairs if number in wanted)
        return found

    def add(self, id: int, number: int = 0) -> bool:
        """
        Add a pair, if the table does not have it.

        @return: whether the id is a new one.
        """
        block, at = self._find(id, number)
        if not self._ids:
            return self._insert(0, 0, id, number)
        ids = self._ids[block]
        if at < len(ids) and ids[at] == id and self._numbers[block][at] == number:
            return False
        if at and at < len(ids):
            is_new = ids[at] != id and ids[at - 1] != id
        else:
            is_new = not self._is_beside(id, block, at)
        self._insert(block, at, id, number)
        self._count += is_new - 1
        return is_new

    def setdefault(self, id: int, number: int) -> int:
        """
        Give an id this number, if it has none.

        @return: the number that it has.
        """
        block, at, has = self._first_of(id)
        if has:
            return self._numbers[block][at]
        self._insert(block, at, id, number)
        return number

    def add_all(self, ids: array[int]) -> None:
        """
        Add the pairs of these ids and 0 to a table in which every number is 0, in one
        pass over both.

        @param ids: in ascending order.
        """
        both = merge(self.ids(), ids)
        self._fill(array("q", (id for id, _ in groupby(both))))

    def discard(self, id: int, number: int = 0) -> bool:
        """
        Remove a pair, if the table has it.

        @return: whether that was the last pair of the id.
        """
        block, at = self._find(id, number)
        if block >= len(self._ids):
            return False
        ids, numbers = self._ids[block], self._numbers[block]
        if at >= len(ids) or ids[at] != id or numbers[at] != number:
            return False
        del ids[at], numbers[at]
        is_gone = not self._is_beside(id, block, at)
        self._count -= is_gone
        if not ids:
            self._delete_block(block)
        elif not at:
            self._set_first(block)
        if ids and len(ids) < _SMALL:
            self._join(block)
        return is_gone

    def put(self, id: int, number: int) -> None:
        """
        Give an id this number in place of the one that it has, if it has any.
        """
        block, at, has = self._first_of(id)
        if has:
            self._numbers[block][at] = number
            if not at:
                self._set_first(block)
        else:
            self._insert(block, at, id, number)

    def pop(self, id: int) -> int | None:
        """
        Remove an id that has one number.

        @return: the number; L{None} if the table does not have the id.
        """
        number = self.get(id)
        if number is not None:
            self.discard(id, number)
        return number

    def renumber(self, changes: Mapping[int, int]) -> None:
        """
        Replace numbers, where each id has one.
        """
        for at, block in enumerate(self._numbers):
            if not changes.keys().isdisjoint(block):
                self._numbers[at] = array("I", (changes.get(n, n) for n in block))
                self._set_first(at)

    # ---------------------------------------------------------------- the blocks

    def _fill(self, ids: array[int]) -> None:
        starts = range(0, len(ids), _JOINED)
        self._ids = [ids[at : at + _JOINED] for at in starts]
        self._numbers = [array("I", bytes(4 * len(block))) for block in self._ids]
        self._first_ids = [block[0] for block in self._ids]
        self._first_numbers = [0] * len(self._ids)
        self._count = len(ids)

    def _find(self, id: int, number: int) -> tuple[int, int]:
        """
        Return the block, and the place in it, of the first pair that is not below this
        one; of a pair that goes between two blocks, the end of the first.
        """
        first_ids = self._first_ids
        block = bisect_right(first_ids, id) - 1
        if block < 0:
            return 0, 0
        if first_ids[block] == id and self._first_numbers[block] > number:
            same = bisect_left(first_ids, id, 0, block)
            firsts = self._first_numbers
            block = max(0, bisect_right(firsts, number, same, block) - 1)
        ids, numbers = self._ids[block], self._numbers[block]
        at = bisect_left(ids, id)
        if at < len(ids) and numbers[at] < number and ids[at] == id:
            at = bisect_left(numbers, number, at, bisect_right(ids, id, at))
        return block, at

    def _first_of(self, id: int) -> tuple[int, int, bool]:
        """
        Return the block, and the place in it, of the first pair of an id, or else where
        it would go; and whether there is one.
        """
        block, at = self._find(id, 0)
        if block < len(self._ids):
            ids = self._ids[block]
            if at < len(ids):
                return block, at, ids[at] == id
            after = block + 1
            if after < len(self._ids) and self._first_ids[after] == id:
                return after, 0, True
        return block, at, False

    def _insert(self, block: int, at: int, id: int, number: int) -> bool:
        """
        Insert the first pair of an id.
        """
        self._count += 1
        if not self._ids:
            self._insert_block(0, array("q", (id,)), array("I", (number,)))
            return True
        ids, numbers = self._ids[block], self._numbers[block]
        ids.insert(at, id)
        numbers.insert(at, number)
        if not at:
            self._set_first(block)
        if len(ids) >= BLOCK:
            half = BLOCK // 2
            self._ids[block], self._numbers[block] = ids[:half], numbers[:half]
            self._insert_block(block + 1, ids[half:], numbers[half:])
        return True

    def _is_beside(self, id: int, block: int, at: int) -> bool:
        """
        Return whether a pair with this id stands before or at a place.
        """
        ids = self._ids[block]
        if (at and ids[at - 1] == id) or (at < len(ids) and ids[at] == id):
            return True
        if not at and block and self._ids[block - 1][-1] == id:
            return True
        after = block + 1
        return at >= len(ids) and after < len(self._ids) and self._ids[after][0] == id

    def _set_first(self, block: int) -> None:
        self._first_ids[block] = self._ids[block][0]
        self._first_numbers[block] = self._numbers[block][0]

    def _insert_block(self, block: int, ids: array[int], numbers: array[int]) -> None:
        self._ids.insert(block, ids)
        self._numbers.insert(block, numbers)
        self._first_ids.insert(block, ids[0])
        self._first_numbers.insert(block, numbers[0])

    def _delete_block(self, block: int) -> None:
        del self._ids[block], self._numbers[block]
        del self._first_ids[block], self._first_numbers[block]

    def _join(self, block: int) -> None:
        """
        Join a small block and the one after it, or the one before the last.
        """
        block = min(block, len(self._ids) - 2)
        if block < 0:
            return
        ids, more = self._ids[block], self._ids[block + 1]
        if len(ids) + len(more) <= _JOINED:
            self._ids[block] = ids + more
            self._numbers[block] = self._numbers[block] + self._numbers[block + 1]
            self._delete_block(block + 1)
