"""
The watch over messages that were accepted and are not stored: it closes the gate before
they are too many, or too old.

While the store is away, messages wait in the journal.  That must end before the disk is
full, and long before the brokers' retention takes records that nobody has read.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Protocol

import attrs
from twisted.internet.interfaces import IReactorTime
from twisted.internet.task import LoopingCall
from twisted.logger import Logger

from wsmsg.message.ingress.gate import IntakeGate
from wsmsg.settings.values import MessageSettings

#: The interval of looks.
LOOK_S = 1.0
#: The gate opens again below this part of a bound, so that it does not swing.
_OPENS = 0.9
#: The oldest message may be as old as this part of the brokers' retention.
_OF_RETENTION = 0.25


@attrs.frozen
class BacklogBounds:
    """
    The most messages that may be accepted and not stored.
    """

    records: int
    n_bytes: int
    age_s: float

    @classmethod
    def of(cls, settings: MessageSettings) -> BacklogBounds:
        """
        Return the bounds in the settings.
        """
        return cls(settings.backlog_records, settings.backlog_bytes, settings.backlog_s)


class WatchedLog(Protocol):
    """
    The parts of L{wsmsg.message.log.interface.IMessageLog} that the watch reads.
    """

    @property
    def retention_s(self) -> float: ...

    def counts(self) -> Mapping[str, int]: ...

    def oldest_unstored_s(self) -> float: ...


class BacklogWatch:
    """
    Watches the backlog, from L{start} to L{stop}.

    @param keep: called with the number of messages that may not be stored.
    @ivar bounds: the bounds of the settings.
    """

    _log = Logger()

    def __init__(
        self,
        log: WatchedLog,
        gate: IntakeGate,
        clock: IReactorTime,
        *,
        bounds: BacklogBounds,
        keep: Callable[[int], object],
    ) -> None:
        self.bounds = bounds
        self._messages = log
        self._gate = gate
        self._keep = keep
        self._looks = LoopingCall(self._look)
        self._looks.clock = clock

    def apply_settings(self, settings: MessageSettings) -> None:
        """
        Apply the bounds.
        """
        self.bounds = BacklogBounds.of(settings)

    def start(self) -> None:
        """
        Look now, and every second.
        """
        self._looks.start(LOOK_S)

    def stop(self) -> None:
        """
        Look no more.
        """
        if self._looks.running:
            self._looks.stop()

    def _look(self) -> None:
        with self._log.failuresHandled("the backlog cannot be looked at"):
            counts = self._messages.counts()
            self._keep(counts["lag"])
            self._gate.set("backlog", self._problem(counts))

    def _problem(self, counts: Mapping[str, int]) -> str:
        bounds = self.bounds
        age_s = bounds.age_s
        if self._messages.retention_s:
            age_s = min(age_s, self._messages.retention_s * _OF_RETENTION)
        part = _OPENS if self._gate.closed_by("backlog") else 1.0
        if counts["lag"] >= bounds.records * part:
            return (
                f"{bounds.records} messages and more (backlog_records) wait to be "
                "stored"
            )
        if counts["lag_bytes"] >= bounds.n_bytes * part:
            return f"{bounds.n_bytes} bytes and more (backlog_bytes) wait to be stored"
        if self._messages.oldest_unstored_s() >= age_s * part:
            return f"messages have waited for {age_s:g} s to be stored (backlog_s)"
        return ""
