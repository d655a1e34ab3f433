"""
The callbacks of a consumer.
"""

from __future__ import annotations

from collections.abc import Mapping
from threading import Event
from typing import Protocol

from wsmsg.message.journal.interface import JournalEntry
from wsmsg.message.journal.kafka.reading.ahead import Ahead


class Settled:
    """
    The answer of the reactor about partitions that are being revoked.

    @ivar positions: the settled positions.
    """

    def __init__(self) -> None:
        self.positions: Mapping[int, int] = {}
        self._event = Event()

    def set(self, positions: Mapping[int, int]) -> None:
        self.positions = positions
        self._event.set()

    def wait(self, timeout_s: float) -> Mapping[int, int]:
        self._event.wait(timeout_s)
        return self.positions


class ConsumerOwner(Protocol):
    """
    The owner of a consumer.  All methods but L{witness} are called in the reactor, in
    the order of the events.
    """

    def witness(self) -> Mapping[int, str]:
        """
        Return the text that is committed with the position of each partition.  Called
        in the thread.
        """

    def assigned(
        self, readings: Mapping[int, Ahead], witness: Mapping[int, str]
    ) -> None:
        """
        Partitions were assigned, and are read from their committed positions on, with
        the texts that were committed with these.
        """

    def read_anew(self, epoch: int, readings: Mapping[int, Ahead]) -> None:
        """
        Partitions are read from other positions on, in this epoch.
        """

    def revoking(self, partitions: frozenset[int], settled: Settled) -> None:
        """
        Partitions are being revoked: set C{settled} soon to the settled positions.
        """

    def revoked(self, partitions: frozenset[int]) -> None:
        """
        Partitions were lost; their positions cannot be committed any more.
        """

    def arrived(self, epoch: int, entries: list[JournalEntry]) -> None:
        """
        Records arrived, read in this epoch; the epoch counts rewinds.
        """

    def removed(self, partition: int, oldest: int) -> None:
        """
        Records that were not read are gone; reading continues with C{oldest}.
        """

    def commit_failed(self, partitions: frozenset[int]) -> None:
        """
        The positions of these partitions could not be committed.
        """

    def lost(self, reason: str, ruined: bool) -> None:
        """
        The brokers do not serve us.

        @param ruined: the consumer is useless, and another is needed.
        """
