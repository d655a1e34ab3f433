"""
Programs that the servers need, from Debian, and the error if one is missing.
"""

from __future__ import annotations

import os
import shutil
import subprocess
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

#: The Debian package of each program.
PACKAGES = {
    "java": "default-jre-headless",
    "mvn": "maven",
    "openssl": "openssl",
    "redis-server": "redis-server",
    "cargo": "cargo",
    "cmake": "cmake",
    "cc": "gcc",
}

Say = Callable[[str], object]


class StackError(Exception):
    """
    A server cannot be installed, started or used.  The text is for a person.
    """


def missing(programs: Sequence[str]) -> list[str]:
    """
    Return the programs that are not on the PATH.
    """
    return [p for p in programs if shutil.which(p) is None]


def need(programs: Sequence[str], say: Say) -> None:
    """
    Require these programs; as root, install missing ones with apt-get.

    @raise StackError: a program is missing; names its package.
    """
    absent = missing(programs)
    if absent and os.geteuid() == 0 and shutil.which("apt-get"):
        packages = [PACKAGES[p] for p in absent]
        say(f"apt-get install {' '.join(packages)}")
        quiet = {"DEBIAN_FRONTEND": "noninteractive"}
        run(["apt-get", "update", "-q"], environment=quiet)
        install = ["apt-get", "install", "-q", "-y", "--no-install-recommends"]
        run([*install, *packages], environment=quiet)
        absent = missing(programs)
    if absent:
        names = ", ".join(f"{p} (Debian: {PACKAGES[p]})" for p in absent)
        raise StackError(f"not on the PATH: {names}")


def run(
    command: Sequence[str],
    *,
    cwd: Path | None = None,
    environment: Mapping[str, str] | None = None,
    limit_s: float = 1200,
) -> str:
    """
    Run a command and return its output.

    @raise StackError: the command failed; has the end of its output.
    """
    try:
        done = subprocess.run(
            command,
            cwd=cwd,
            env={**os.environ, **(environment or {})},
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            errors="replace",
            timeout=limit_s,
            check=False,
        )
    except subprocess.TimeoutExpired:
        raise StackError(f"{command[0]}: not finished after {limit_s:.0f} s")
    except OSError as e:
        raise StackError(f"{command[0]}: {e.strerror}")
    if done.returncode != 0:
        end = "\n".join(done.stdout.splitlines()[-12:])
        raise StackError(
            f"{' '.join(command[:3])} ended with {done.returncode}:\n{end}"
        )
    return done.stdout
