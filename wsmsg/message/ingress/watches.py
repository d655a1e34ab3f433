"""
The watches that close the gate, made for the settings of a Message.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import cast

from twisted.internet.defer import Deferred
from twisted.internet.interfaces import IReactorTime

from wsmsg.dependency.worker import TimeAndThreads, Worker
from wsmsg.message.ingress.backlog_watch import (
    BacklogBounds,
    BacklogWatch,
    WatchedLog,
)
from wsmsg.message.ingress.disk_watch import DiskWatch
from wsmsg.message.ingress.gate import IntakeGate
from wsmsg.monitoring.metrics import Metrics
from wsmsg.settings.values import MessageSettings


class IntakeWatches:
    """
    The watches over the disk and over the backlog, which start and stop together.

    @param files: the files of embedded backends.
    @param keep: as for L{BacklogWatch}.
    """

    def __init__(
        self,
        gate: IntakeGate,
        reactor: IReactorTime,
        settings: MessageSettings,
        *,
        files: Sequence[Path],
        log: WatchedLog,
        keep: Callable[[int], object],
    ) -> None:
        self._gate = gate
        self.disk = DiskWatch(
            files,
            gate,
            reactor,
            Worker("wsmsg-disk", cast("TimeAndThreads", reactor)),
            reserve_bytes=settings.disk_reserve_bytes,
        )
        self.backlog = BacklogWatch(
            log,
            gate,
            reactor,
            bounds=BacklogBounds.of(settings),
            keep=keep,
        )

    def apply_settings(self, settings: MessageSettings) -> None:
        """
        Apply the bounds and the reserve.
        """
        self.disk.apply_settings(settings)
        self.backlog.apply_settings(settings)

    def register_metrics(self, metrics: Metrics) -> None:
        """
        Register the metrics of the gate and of the disk.
        """
        self._gate.register_metrics(metrics)
        self.disk.register_metrics(metrics)

    def start(self) -> None:
        """
        Begin to watch.
        """
        self.disk.start()
        self.backlog.start()

    def stop(self) -> Deferred[None]:
        """
        @return: a Deferred that fires when nothing is left of the watches.
        """
        self.backlog.stop()
        return self.disk.stop()
