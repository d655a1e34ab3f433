"""
The command line and the environment of a worker.
"""

from __future__ import annotations

import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import attrs

from wsmsg.daemon.worker.share import WORKER, WorkerNumber

_RUN = "from twisted.scripts.twistd import run; run()"
#: Variables by which systemd addresses one process, which is the supervisor.
_OF_SYSTEMD = (
    *("NOTIFY_SOCKET", "WATCHDOG_PID", "WATCHDOG_USEC"),
    *("LISTEN_FDS", "LISTEN_PID", "LISTEN_FDNAMES"),
)


@attrs.frozen
class WorkerCommand:
    """
    The command of every worker.

    @ivar twistd: the options of twistd that the supervisor was given.
    @ivar daemon: C{connect} or C{message}.
    @ivar options: those of the daemon.
    @ivar environ: the environment of the supervisor.
    """

    twistd: Mapping[str, Any]
    daemon: str
    options: Sequence[str]
    environ: Mapping[str, str]

    def line(self, worker: WorkerNumber) -> list[str]:
        """
        Return the command line.
        """
        # -P: the working directory of the supervisor has no modules to import.
        python = [sys.executable, "-P", "-c", _RUN]
        twistd = ["--nodaemon", "--pidfile=", *self._log(worker)]
        return [*python, *twistd, self.daemon, *self.options]

    def variables(self, worker: WorkerNumber) -> dict[str, str]:
        """
        Return the environment.
        """
        kept = {k: v for k, v in self.environ.items() if k not in _OF_SYSTEMD}
        return {**kept, WORKER: str(worker)}

    def _log(self, worker: WorkerNumber) -> list[str]:
        given = self.twistd
        if given.get("logger"):
            return [f"--logger={given['logger']}"]
        if given.get("syslog"):
            return ["--syslog", f"--prefix={given.get('prefix') or ''}"]
        name = given.get("logfile") or ""
        if not name or name == "-":
            return []
        path = Path(name).absolute()
        return [f"--logfile={path.with_stem(f'{path.stem}-{worker.number}')}"]
