"""
Who owns a consumer of Kafka's library, as the consumer sees them.
"""

from __future__ import annotations

from collections.abc import Mapping
from threading import Event
from typing import Protocol

from wsmsg.message.journal.interface import JournalEntry


class Settled:
    """
    What the reactor answers when partitions are about to go.

    @ivar positions: what is settled of them.
    """

    def __init__(self) -> None:
        self.positions: Mapping[int, int] = {}
        self._event = Event()

    def tell(self, positions: Mapping[int, int]) -> None:
        self.positions = positions
        self._event.set()

    def wait(self, timeout_s: float) -> Mapping[int, int]:
        self._event.wait(timeout_s)
        return self.positions


class ConsumerOwner(Protocol):
    """
    Who owns a consumer; all of it is called in the reactor, in the order in which it
    happened.
    """

    def came(self, positions: Mapping[int, int | None]) -> None:
        """
        Partitions were given to us, committed up to there.
        """

    def going(self, partitions: frozenset[int], settled: Settled) -> None:
        """
        Partitions are taken away: tell soon what is settled.
        """

    def went(self, partitions: frozenset[int]) -> None:
        """
        Partitions were lost, and nothing can be committed any more.
        """

    def arrived(self, epoch: int, entries: list[JournalEntry]) -> None:
        """
        Records, of the time since so many rewinds.
        """

    def uncommitted(self, partitions: frozenset[int]) -> None:
        """
        These could not be committed.
        """

    def lost(self, reason: str, ruined: bool) -> None:
        """
        The brokers do not serve us.

        @param ruined: whether this consumer is of no use any more.
        """
