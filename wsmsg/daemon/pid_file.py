"""
The names of twistd's pid file and log, and pid files that outlived their daemon.

twistd calls both files C{twistd.*} for every daemon, so two daemons in one folder
collide.  It also takes any process that has the number in the file for its daemon:
after a SIGKILL that may be a stranger, and in a container often is the new daemon
itself.
"""

from __future__ import annotations

import os
from collections.abc import Mapping, MutableMapping
from pathlib import Path
from typing import Any

from wsmsg.daemon.complaints import complain

#: Names of files by twistd's option, for a daemon that runs in the background.
_DEFAULTS = {"pidfile": "{}.pid", "logfile": "{}.log"}


def name_files(
    daemon: str, given: MutableMapping[str, Any], defaults: Mapping[str, Any]
) -> frozenset[str]:
    """
    Name the files that the command line does not name.  In the foreground there are
    none: the log is standard output, and the process belongs to whoever started it.

    @param given: the options of twistd, which are changed.
    @param defaults: twistd's defaults for them.
    @return: the options that were changed.
    """
    named = set()
    foreground = bool(given.get("nodaemon") or given.get("debug"))
    for option, name in _DEFAULTS.items():
        # By identity: --pidfile=twistd.pid asks for the name that is the default too.
        if given.get(option) is defaults.get(option):
            given[option] = "" if foreground else name.format(daemon)
            named.add(option)
    return frozenset(named)


def remove_stale(path: Path, daemon: str, *, ours: bool) -> None:
    """
    Remove a pid file whose daemon is gone, with a line on C{stderr}.

    @param ours: whether L{name_files} chose the name.  A file that the operator named
        may belong to another program that runs, so that it stays.
    @raise ValueError: its daemon runs, or the file may be of another program.
    @raise OSError: it cannot be read or removed.
    """
    text = path.read_text("ascii", "replace").strip()
    if text and not (text.isdecimal() and 0 < int(text) < 2**31):
        raise ValueError("it holds no process number; name another file")
    if not text:  # the machine stopped while the file was written
        reason = "it is empty"
    elif int(text) == os.getpid():
        reason = f"process {text} is this one"
    elif command := _command(int(text)):
        if _is_daemon(command, daemon):
            raise ValueError(
                f"twistd {daemon} runs already, as process {text}; stop it, or name "
                "another file"
            )
        reason = f"process {text} is {' '.join(command)[:200]!r}"
        if not ours:
            raise ValueError(f"{reason}; if the file is an old one, remove it")
    else:
        reason = f"there is no process {text}"
    path.unlink(missing_ok=True)
    complain(daemon, f"removed the old pid file {path}: {reason}")


def _command(pid: int) -> list[str]:
    """
    Return the command line of another process; empty if there is none.
    """
    try:
        line = Path(f"/proc/{pid}/cmdline").read_bytes()
    except FileNotFoundError:
        return []
    words = [word.decode("utf-8", "replace") for word in line.split(b"\0") if word]
    return words or ["a process without a command line"]


def _is_daemon(command: list[str], daemon: str) -> bool:
    return daemon in command and any("twist" in word for word in command)
