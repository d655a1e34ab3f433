"""
A page of a list of conversations in progress; no I/O.

A list has phases: groups, conversations of two, and these in windows
(L{wsmsg.message.store.windows}).  The place in its position begins with the phase.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

import attrs

from wsmsg.message.store.interface import HeadRow
from wsmsg.message.store.position import StorePosition
from wsmsg.model import storable_values

GROUPS, OF_TWO, IN_WINDOWS = "g", "d", "w"


@attrs.define
class ListPage:
    """
    A page.

    @ivar at: where it ends.
    """

    user: int
    limit: int
    at: StorePosition
    rows: list[HeadRow] = attrs.field(factory=list)

    @property
    def phase(self) -> int | str:
        """
        The phase of the list; empty: the list is complete.
        """
        return self.at.place[0] if self.at.place else ""

    @property
    def room(self) -> int:
        """
        The number of rows that the page has room for.
        """
        return self.limit - len(self.rows)

    def add(self, rows: Iterable[HeadRow]) -> None:
        """
        Add rows.
        """
        self.rows += rows

    def finish(self) -> None:
        """
        End the list.
        """
        self.at = StorePosition(self.at.epoch, self.at.end)

    def move(self, since: dict[int, int], *place: int | str) -> None:
        """
        End at a place, with what is told by then.
        """
        self.at = StorePosition(self.at.epoch, since, self.at.end, place)

    def tell(self, shard: int, number: int = 0) -> None:
        """
        Note that all shards below this one are told, and this one up to a number,
        which must be one that the store gave: a position proves where the store was.
        """
        passed = {s: n for s, n in self.at.end.items() if s < shard}
        if number:
            # The last row may have changed after the list began.
            passed[shard] = min(number, self.at.end[shard])
        self.move({**self.at.since, **passed}, *self.at.place)


def is_place(place: Sequence[Any], *phases: str) -> bool:
    """
    Return whether a list is in one of these phases, at a place that may be.
    """
    match place:
        case (str(phase), str(name)) if phase == GROUPS:
            return phase in phases and storable_values((name,))
        case (str(phase), int(), int(), str(name)) if phase == OF_TWO:
            return phase in phases and storable_values((name,))
        case (str(phase), int(), int(), str(name), int()) if phase == IN_WINDOWS:
            return phase in phases and storable_values((name,))
        case _:
            return False
