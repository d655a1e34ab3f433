"""
A process that outlives whoever started it, and is known by its pid file.
"""

from __future__ import annotations

import os
import select
import signal
import subprocess
from collections.abc import Mapping, Sequence
from pathlib import Path


class Process:
    """
    One program, started and ended any number of times.

    The pid file has the pid and when the kernel started it, so that another process
    which has got the same pid meanwhile is left alone.

    @param log: where what it writes is added.
    """

    def __init__(self, pid_file: Path, log: Path) -> None:
        self._pid_file = pid_file
        self._log = log
        self._child: subprocess.Popen[bytes] | None = None

    @property
    def pid(self) -> int | None:
        """
        Its pid; L{None} where it does not run, or is not the one that was started.
        """
        pid = self._pid_or_rest()
        return None if pid is None or _state(pid) == "Z" else pid

    def _pid_or_rest(self) -> int | None:
        # Of several threads the first may be over while others hold the port.
        try:
            pid, began = map(int, self._pid_file.read_text().split())
        except (OSError, ValueError):
            return None
        return pid if _began(pid) == began else None

    def start(
        self,
        command: Sequence[str],
        *,
        cwd: Path,
        detached: bool,
        environment: Mapping[str, str] | None = None,
    ) -> None:
        """
        Start it.

        @param detached: whether it survives the end of the terminal or of the group
            of processes that started it.
        """
        self._pid_file.parent.mkdir(parents=True, exist_ok=True)
        with self._log.open("ab") as log:
            self._child = subprocess.Popen(
                command,
                cwd=cwd,
                env={**os.environ, **(environment or {})},
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                start_new_session=detached,
            )
        began = _began(self._child.pid)
        self._pid_file.write_text(f"{self._child.pid} {began or 0}\n")

    def ended(self, within_s: float) -> bool:
        """
        Wait for its end, for so long at the most.

        @return: whether it has ended.
        """
        pid = self._pid_or_rest()
        if pid is None:
            return True
        try:
            handle = os.pidfd_open(pid)
        except ProcessLookupError:
            return True
        try:
            poll = select.poll()
            poll.register(handle, select.POLLIN)
            over = bool(poll.poll(within_s * 1000))
        finally:
            os.close(handle)
        if over and self._child is not None:
            self._child.wait()
        return over

    def stop(self, limit_s: float = 10) -> None:
        """
        SIGTERM, and SIGKILL where that did not end it in time.
        """
        if self._signal(signal.SIGTERM) and not self.ended(limit_s):
            self.kill()
        self._pid_file.unlink(missing_ok=True)

    def kill(self) -> None:
        """
        SIGKILL.
        """
        if self._signal(signal.SIGKILL):
            self.ended(10)
        self._pid_file.unlink(missing_ok=True)

    def suspend(self) -> None:
        """
        SIGSTOP: it holds its port and its connections, and never answers.
        """
        self._signal(signal.SIGSTOP)

    def resume(self) -> None:
        """
        SIGCONT.
        """
        self._signal(signal.SIGCONT)

    def log_end(self, lines: int = 8) -> str:
        """
        The end of its log.
        """
        try:
            text = self._log.read_text(errors="replace")
        except OSError:
            return ""
        return "\n".join(text.splitlines()[-lines:])

    def _signal(self, number: signal.Signals) -> bool:
        pid = self.pid
        if pid is None:
            return False
        os.kill(pid, number)
        return True


def _began(pid: int) -> int | None:
    fields = _stat(pid)
    return int(fields[19]) if fields else None


def _state(pid: int) -> str:
    return (_stat(pid) or ["Z"])[0]


def _stat(pid: int) -> list[str]:
    # From the third field on; the second, the name, may have blanks and brackets in it.
    try:
        stat = Path(f"/proc/{pid}/stat").read_text()
    except OSError:
        return []
    return stat.rpartition(")")[2].split()
