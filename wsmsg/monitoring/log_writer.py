"""
The writers of the log, which drop and count the lines that the destination does not
take, and write the number once it takes lines again.

A file takes lines at once, unless its disk is full.  A pipe, a terminal or the socket
of a log collector may stop taking lines; there a thread waits for the destination, and
nobody waits for the thread.  Lines that do not fit into its queue are dropped.
"""

from __future__ import annotations

import threading
from collections.abc import Callable
from typing import Protocol

#: The most characters in the queue; as many again may be on their way.
QUEUE_CHARACTERS = 2**20


class Out(Protocol):
    """
    A destination of lines.
    """

    def write(self, text: str, /) -> object: ...

    def flush(self) -> object: ...


class ILogWriter(Protocol):
    """
    A writer of lines.

    @ivar dropped: lines that were dropped because the destination took no more, or
        failed.
    """

    dropped: int

    def write(self, line: str, /) -> None:
        """
        Write a line, or drop it; never fails.
        """

    def flush(self, timeout_s: float, /) -> bool:
        """
        Wait until all lines are written, but no longer than C{timeout_s}.

        @return: whether they are.
        """


class FileLogWriter:
    """
    Writes each line at once, in the thread that logs it.

    @ivar dropped: as of L{ILogWriter}.
    @param note: returns the line that tells of so many dropped ones.
    """

    def __init__(self, out: Out, note: Callable[[int], str]) -> None:
        self.dropped = 0
        self._out = out
        self._note = note
        self._untold = 0
        self._lock = threading.Lock()

    def write(self, line: str) -> None:
        with self._lock:
            try:
                if self._untold:
                    self._out.write(self._note(self._untold))
                    self._untold = 0
                self._out.write(line)
                self._out.flush()
            except Exception:  # noqa: BLE001 - there is no other place to log it
                self.dropped += 1
                self._untold += 1

    def flush(self, timeout_s: float) -> bool:
        return True


class LogWriter:
    """
    A queue of lines, and the thread that writes them.

    @ivar dropped: as of L{ILogWriter}.
    @param note: returns the line that tells of so many dropped ones.
    """

    def __init__(self, out: Out, note: Callable[[int], str]) -> None:
        self.dropped = 0
        self._out = out
        self._note = note
        self._changed = threading.Condition()
        self._lines: list[str] = []
        self._queued = 0
        self._untold = 0
        self._writing = False
        thread = threading.Thread(target=self._run, name="log", daemon=True)
        thread.start()

    def write(self, line: str) -> None:
        with self._changed:
            if self._queued + len(line) > QUEUE_CHARACTERS:
                self._drop(1)
                return
            self._lines.append(line)
            self._queued += len(line)
            self._changed.notify_all()

    def flush(self, timeout_s: float) -> bool:
        with self._changed:
            return self._changed.wait_for(
                lambda: not self._lines and not self._writing, timeout_s
            )

    def _drop(self, lines: int) -> None:
        self.dropped += lines
        self._untold += lines

    def _run(self) -> None:
        while True:
            with self._changed:
                self._writing = False
                self._changed.notify_all()
                self._changed.wait_for(lambda: self._lines)
                self._writing = True
                # Lines are dropped only while the queue is full, so after all of these.
                lines, self._lines, self._queued = self._lines, [], 0
                untold, self._untold = self._untold, 0
            try:
                self._out.write("".join(lines) + (self._note(untold) if untold else ""))
                self._out.flush()
            except Exception:  # noqa: BLE001 - there is no other place to log it
                with self._changed:
                    self._drop(len(lines))
                    self._untold += untold
