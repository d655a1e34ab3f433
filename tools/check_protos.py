"""
Checks C{protos/} with buf: by its rules, and against the protos of the last release::

    python -m tools.check_protos               list what is wrong; then exit status 1
    python -m tools.check_protos --baseline    make the baseline anew

The last release is the newest tag C{v*} behind the commit that is checked out.  Where
there is none, or no repository, it is the baseline, C{protos/baseline.txtpb}.
"""

from __future__ import annotations

import io
import subprocess
import sys
import sysconfig
import tarfile
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent

_BASELINE = Path("protos") / "baseline.txtpb"


def problems(root: Path = ROOT) -> list[str]:
    """
    Return what buf finds.

    @param root: the folder with C{protos}.
    """
    found = _buf("lint", root / "protos")
    with released(root) as (name, protos):
        broken = _buf("breaking", root / "protos", "--against", protos)
    return [*found, *(f"{line} (compared with {name})" for line in broken)]


@contextmanager
def released(root: Path) -> Iterator[tuple[str, Path]]:
    """
    Provide the protos of the last release, and its name.
    """
    tag = b""
    # A file in a worktree, and a folder in a clone.
    if (root / ".git").exists():
        tag = _git(root, "describe", "--tags", "--abbrev=0", "--match", "v*")
    archive = tag and _git(root, "archive", tag.decode().strip(), "protos")
    if not tag or not archive:
        yield str(_BASELINE), root / _BASELINE
        return
    with tempfile.TemporaryDirectory() as folder:
        with tarfile.open(fileobj=io.BytesIO(archive)) as files:
            files.extractall(folder, filter="data")
        yield tag.decode().strip(), Path(folder) / "protos"


def make_baseline(root: Path = ROOT) -> list[str]:
    """
    Write the baseline.

    @return: what keeps buf from it.
    """
    into = ("--exclude-source-info", "--output", root / _BASELINE)
    return _buf("build", root / "protos", *into)


def _buf(*arguments: str | Path) -> list[str]:
    buf = Path(sysconfig.get_path("scripts")) / "buf"
    done = subprocess.run(
        [buf, *arguments], capture_output=True, text=True, check=False
    )
    lines = (done.stdout + done.stderr).splitlines()
    if done.returncode and not lines:
        return [f"buf {arguments[0]}: exit status {done.returncode}"]
    return lines if done.returncode else []


def _git(root: Path, *arguments: str) -> bytes:
    try:
        done = subprocess.run(
            ["git", "-C", root, *arguments], capture_output=True, check=False
        )
    except FileNotFoundError:
        return b""
    return b"" if done.returncode else done.stdout


def main(arguments: list[str]) -> int:
    found = make_baseline() if arguments == ["--baseline"] else problems()
    print(*found, sep="\n", end="\n" if found else "")
    return 1 if found else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
