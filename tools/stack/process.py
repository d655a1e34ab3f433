"""
A process that outlives the one that started it, and is known by its pid file.
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
    One program, which may be started and stopped repeatedly.

    The pid file has the pid and the start time from the kernel, so that another process
    with the same pid is left alone.

    @param log: file to which its output is appended.
    """

    def __init__(self, pid_file: Path, log: Path) -> None:
        self._pid_file = pid_file
        self._log = log
        self._child: subprocess.Popen[bytes] | None = None

    @property
    def pid(self) -> int | None:
        """
        The pid; L{None} if the process does not run, or is another one.
        """
        pid = self._pid_or_rest()
        return None if pid is None or _state(pid) == "Z" else pid

    def _pid_or_rest(self) -> int | None:
        # The first thread may have ended while others still hold the port.
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
        Start the program.

        @param detached: it survives the end of the terminal, and of the process group
            that started it.
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
        Wait for the end of the process, at most C{within_s}.

        @return: whether the process has ended.
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
        Send SIGTERM, and SIGKILL if that does not end the process in time.
        """
        if self._signal(signal.SIGTERM) and not self.ended(limit_s):
            self.kill()
        self._pid_file.unlink(missing_ok=True)

    def kill(self) -> None:
        """
        Send SIGKILL.
        """
        if self._signal(signal.SIGKILL):
            self.ended(10)
        self._pid_file.unlink(missing_ok=True)

    def suspend(self) -> None:
        """
        Send SIGSTOP: the process keeps its port and connections, and never answers.
        """
        self._signal(signal.SIGSTOP)

    def resume(self) -> None:
        """
        Send SIGCONT.
        """
        self._signal(signal.SIGCONT)

    def log_end(self, lines: int = 8) -> str:
        """
        Return the end of its log.
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
    # From the third field on; the second, the name, may contain spaces and brackets.
    try:
        stat = Path(f"/proc/{pid}/stat").read_text()
    except OSError:
        return []
    return stat.rpartition(")")[2].split()
