"""
The watch over the disk of the embedded files: it closes the gate before the disk is
full.

What was accepted has to be stored, and the store's file grows by it; so the last of the
space is kept for that.  A look costs a system call in a thread, every few seconds: the
disk may hang.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path

from twisted.internet.defer import Deferred
from twisted.internet.interfaces import IDelayedCall, IReactorTime
from twisted.logger import Logger

from wsmsg.dependency.worker import IWorker
from wsmsg.message.ingress.gate import IntakeGate
from wsmsg.monitoring.metrics import Metrics
from wsmsg.settings.values import MessageSettings
from wsmsg.sqlite.space import (
    IN_MEMORY,
    REMOTE,
    DiskSpace,
    file_system_of,
    space_at,
)

#: The interval of looks at the disk, and that of a disk that is almost at its reserve.
LOOK_S = 2.0
LOOK_SOON_S = 0.25
#: So many reserves are almost one.
_ALMOST = 4
#: The reserve is at most this part of a file system, so that a small one is usable.
_MOST = 10
_MIB = 2**20


class DiskWatch:
    """
    Watches the file systems of these files, from L{start} to L{stop}.

    @param worker: makes the system calls.
    @param space: returns the space for a file.
    @param file_system: returns the kind of the file system of a file.
    @ivar reserve_bytes: below this free space the gate closes; 0: never.
    @ivar free_bytes: the free space of the fullest file system at the last look; -1:
        there was none.
    """

    _log = Logger()

    def __init__(
        self,
        files: Sequence[Path],
        gate: IntakeGate,
        clock: IReactorTime,
        worker: IWorker,
        *,
        reserve_bytes: int,
        space: Callable[[Path], DiskSpace] = space_at,
        file_system: Callable[[Path], str] = file_system_of,
    ) -> None:
        self.free_bytes = -1
        self.reserve_bytes = reserve_bytes
        self._files = files
        self._gate = gate
        self._worker = worker
        self._space = space
        self._file_system = file_system
        self._clock = clock
        self._next: IDelayedCall | None = None
        self._stopping = False

    def apply_settings(self, settings: MessageSettings) -> None:
        """
        Apply the reserve.
        """
        self.reserve_bytes = settings.disk_reserve_bytes

    def register_metrics(self, metrics: Metrics) -> None:
        """
        Register the metric of the free space, if there are files to watch.
        """
        if self._files:
            metrics.gauge(
                "wsmsg_message_disk_free_bytes",
                "Free space of the fullest disk with an embedded file",
                lambda: None if self.free_bytes < 0 else self.free_bytes,
            )

    def start(self) -> None:
        """
        Look now, and every few seconds.
        """
        if self._files:
            self._worker.do(self._kinds).addCallbacks(self._report_kinds, self._failed)
            self._look()

    def stop(self) -> Deferred[None]:
        """
        @return: a Deferred that fires when nothing is left of the watch.
        """
        self._stopping = True
        if self._next is not None:
            self._next.cancel()
            self._next = None
        return self._worker.quit()

    def _kinds(self) -> dict[Path, str]:
        return {file: self._file_system(file) for file in self._files}

    def _report_kinds(self, kinds: dict[Path, str]) -> None:
        for file, kind in kinds.items():
            if kind in REMOTE:
                self._gate.alarms.raise_alarm(
                    "file_system",
                    f"{file} is on a network file system ({kind}), which may lose what "
                    "SQLite has written",
                )
            elif kind in IN_MEMORY:
                self._log.warn(
                    "{file} is in memory ({kind}): it does not survive a restart of "
                    "the machine",
                    file=str(file),
                    kind=kind,
                )

    def _look(self) -> None:
        self._next = None
        looked: Deferred[float] = self._worker.do(self._fullest).addCallback(
            self._looked
        )
        looked.addErrback(self._failed).addCallback(self._look_again)

    def _look_again(self, delay_s: float) -> None:
        if not self._stopping:
            self._next = self._clock.callLater(delay_s, self._look)

    def _fullest(self) -> tuple[int, int, Path]:
        found = []
        for file in self._files:
            space = self._space(file)
            found.append((space.free, space.total, file))
        return min(found)

    def _looked(self, fullest: tuple[int, int, Path]) -> float:
        free, total, file = fullest
        self.free_bytes = free
        reserve = min(self.reserve_bytes, total // _MOST)
        if self._gate.closed_by("disk"):
            # Not open and closed by turns.
            reserve += reserve // _MOST
        if free >= reserve:
            self._gate.set("disk", "")
        else:
            self._gate.set(
                "disk",
                f"the disk of {file} is almost full: {free // _MIB} MiB are free, and "
                f"{reserve // _MIB} MiB are kept",
            )
        return LOOK_SOON_S if free < reserve * _ALMOST else LOOK_S

    def _failed(self, failure: object) -> float:
        # The journal reports a disk that fails.
        self._log.debug("the space of the disk is not known: {why}", why=str(failure))
        return LOOK_S
