"""
Programs that the servers need, from Debian; and what to say where they are missing.
"""

from __future__ import annotations

import os
import shutil
import subprocess
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

#: What a program is in, for Debian.
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
    A server that cannot be installed, started or used; the text is for a person.
    """


def missing(programs: Sequence[str]) -> list[str]:
    """
    The programs that are not on the PATH.
    """
    return [p for p in programs if shutil.which(p) is None]


def need(programs: Sequence[str], say: Say) -> None:
    """
    Have these programs: as root, with apt-get, they are installed.

    @raise StackError: names what is missing and the package that has it.
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
        told = ", ".join(f"{p} (Debian: {PACKAGES[p]})" for p in absent)
        raise StackError(f"not on the PATH: {told}")


def run(
    command: Sequence[str],
    *,
    cwd: Path | None = None,
    environment: Mapping[str, str] | None = None,
    limit_s: float = 1200,
) -> str:
    """
    What a command writes.

    @raise StackError: where it failed, with the end of what it wrote.
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
