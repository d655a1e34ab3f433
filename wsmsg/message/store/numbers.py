"""
The numbers of changes, and what they prove about a position.

Each shard numbers its changes.  A number is C{generation << BITS | counter}: a process
begins a generation before the first change that it numbers, so the numbers of a later
process are above all of an earlier one.  When a generation begins, the shard notes the
number at which it is, the I{end} of the generations before.  So a store can tell a
number that it once gave from one that it never did, also after it has given higher
ones: between an end and the first number of the generation that follows, it gave none.

A position that the store has sealed and that has such a number proves that the store
is an older copy of itself.  Docs: C{docs/decisions/0069-authentic-positions.md}.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from random import randrange

import attrs

from wsmsg.message.store.history import NameAndSecret, witness_of
from wsmsg.message.store.position import NOW, StorePosition, decode_position

#: The bits of a number that count the changes of a generation.
BITS = 40
#: A shard remembers the ends before so many generations.
ENDS = 16

_LAST_GENERATION = 1 << 22


@attrs.frozen
class Told:
    """
    A position as a store may use it.

    @ivar at: without the numbers that the store never gave, and empty if the position
        is of another history, or forged.
    @ivar ahead: the numbers that an authentic position has and that the store never
        gave, as texts of L{wsmsg.message.store.history.IHistory.witness}.
    @ivar forged: whether some text was sealed by someone else, or altered.
    """

    at: StorePosition
    ahead: Mapping[int, str]
    forged: bool


@attrs.frozen
class StoreNumbers:
    """
    The numbers of a store at a moment.

    @ivar name: of the history.
    @ivar changes: the highest number of each shard.
    @ivar ends: for each shard the last L{ENDS} ends of generations, rising.
    """

    name: NameAndSecret
    changes: Mapping[int, int]
    ends: Mapping[int, Sequence[int]] = attrs.field(factory=dict)

    def sealed(self, position: StorePosition) -> str:
        """
        Return the text of a position for clients.
        """
        return position.sealed(self.name.secret).encode()

    def now(self) -> str:
        """
        Return the position behind all that is stored.
        """
        return self.sealed(StorePosition(self.name.full, dict(self.changes)))

    def told(self, text: str, witness: str = "", *, anew: bool = False) -> Told:
        """
        Judge the position of a client.

        @param witness: a second position, for what it proves only.
        @param anew: begin a list behind what was told, where the position is in the
            middle of one.
        """
        position, forged = self._own(text if text != NOW else "")
        other, also_forged = self._own(witness)
        ahead = {**self._ahead(other), **self._ahead(position)}
        if anew:
            position = position.restarted()
        unknown = self._never_gave(position)
        if unknown:
            known = {s: n for s, n in position.since.items() if s not in unknown}
            position = StorePosition(position.epoch, known)
        return Told(position, ahead, forged or also_forged)

    def behind(self, witness: Mapping[int, str]) -> str:
        """
        As L{wsmsg.message.store.history.IHistory.behind}.
        """
        for shard, text in witness.items():
            name, _, digits = text.partition(":")
            if name != self.name.full or not (digits.isascii() and digits.isdigit()):
                continue
            number = int(digits[:20])
            if self.lacks(shard, number):
                now = self.changes.get(shard, 0)
                return (
                    f"change {number} of shard {shard} was stored, and the store, which"
                    f" is at {now}, never was there"
                )
        return ""

    def lacks(self, shard: int, number: int) -> bool:
        """
        Return whether the store never gave a number, as far as it remembers.
        """
        now = self.changes.get(shard, 0)
        if number > now:
            return True
        ends = self.ends.get(shard, ())
        if not any(end < number for end in ends):
            return False
        following = min((end for end in ends if end >= number), default=now)
        return number >> BITS < following >> BITS

    def _own(self, text: str) -> tuple[StorePosition, bool]:
        """
        Return a position if it is of this history, and whether it is forged.
        """
        position, nothing = decode_position(text), StorePosition(self.name.full)
        if position.epoch != self.name.full:
            return nothing, False
        if position.code and not position.is_sealed(self.name.secret):
            return nothing, True
        return position, False

    def _ahead(self, position: StorePosition) -> dict[int, str]:
        if not position.code:
            return {}
        numbers = self._never_gave(position)
        return {s: witness_of(self.name.full, n) for s, n in numbers.items()}

    def _never_gave(self, position: StorePosition) -> dict[int, int]:
        pairs = (*position.since.items(), *position.end.items())
        return {s: n for s, n in pairs if self.lacks(s, n)}


def following_generation(generation: int, most: int) -> int:
    """
    Return a generation to begin after this one.  Two processes that go on from the
    same one, as after a restore, mostly begin different ones.  The last generation
    there is may go on for ever: a restore then shows only as long as the store is
    behind.

    @param most: skip less than so many; there are 2^22.
    """
    return min(generation + randrange(1, most + 1), _LAST_GENERATION)


def with_end(ends: Sequence[int], end: int) -> list[int]:
    """
    Return the ends of a shard when a generation begins.

    @param end: the number at which the shard is.
    """
    return [*(e for e in ends if e < end), end][-ENDS:]
