"""
The two wheels that the tree makes, and environments that have them installed.

pip installs the wheels.  Their dependencies, as the wheels declare them, are files of
this environment, linked into the new one with their metadata.  So it has what C{pip
install} would bring and nothing else, needs no network, and is made in seconds.
"""

from __future__ import annotations

import io
import os
import shutil
import subprocess
import sys
import tarfile
import venv
from collections.abc import Iterator, Sequence
from functools import cache
from importlib.metadata import Distribution, distribution
from pathlib import Path
from typing import NamedTuple

from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

from tests.syntax import ROOT

#: What is copied of the tree; the rest of a checkout may hold the remains of builds.
FOLDERS = ("wsmsg", "wsmsg_client", "twisted")
FILES = ("setup.cfg", "pyproject.toml", "MANIFEST.in", "README.md", "LICENSE")
CLIENT = Path("clients") / "python"

_SITE = "import sysconfig; print(sysconfig.get_path('purelib'))"


def run(*command: str | Path, cwd: Path, status: int = 0) -> str:
    """
    Run a command and return its output; it sees nothing of the tree.

    @param status: the exit status that it must have.
    """
    done = subprocess.run(
        [str(c) for c in command],
        cwd=cwd,
        env=environ(),
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        timeout=240,
        check=False,
    )
    if done.returncode != status:
        raise AssertionError(f"{command} ended with {done.returncode}:\n{done.stdout}")
    return done.stdout


def environ() -> dict[str, str]:
    """
    Return the environment of this process without what changes the path of imports.
    """
    return {k: v for k, v in os.environ.items() if not k.startswith("PYTHON")}


class Wheels(NamedTuple):
    """
    The wheels, and the folder that they and their environments are in.
    """

    folder: Path
    server: Path
    client: Path


@cache
def _folder() -> Path:
    """
    Return the folder of all wheels and environments, empty at first.
    """
    folder = Path("wheel-tests").absolute()
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir()
    return folder


@cache
def wheels() -> Wheels:
    """
    Return the wheels, built once for each process of tests.
    """
    folder = _folder()
    source = folder / "source"
    leave = shutil.ignore_patterns("__pycache__", "dropin.cache", "*.egg-info", "build")
    for name in FOLDERS:
        shutil.copytree(ROOT / name, source / name, ignore=leave)
    for name in FILES:
        shutil.copy(ROOT / name, source / name)
    shutil.copytree(ROOT / CLIENT, source / CLIENT, symlinks=True, ignore=leave)
    return Wheels(folder, _built(source, folder), _built(source / CLIENT, folder))


@cache
def wheels_at(commit: str) -> Sequence[Path]:
    """
    Return the wheels that the tree made at a commit; none, if this tree is no checkout
    with that commit in its history.
    """
    folder = _folder() / commit
    git = ("git", "-C", str(ROOT), "archive", "--format=tar", commit)
    archive = subprocess.run(git, capture_output=True, check=False)
    if archive.returncode:
        return ()
    source = folder / "source"
    source.mkdir(parents=True)
    with tarfile.open(fileobj=io.BytesIO(archive.stdout)) as files:
        files.extractall(source, filter="data")
    sources = [source]
    if (source / CLIENT / "pyproject.toml").exists():
        sources.append(source / CLIENT)
    return [_built(one, folder) for one in sources]


def _built(source: Path, folder: Path) -> Path:
    into = folder / f"dist-{source.name}"
    run(
        *(sys.executable, "-m", "build", "--wheel", "--no-isolation"),
        *("--outdir", into, source),
        cwd=folder,
    )
    (wheel,) = into.glob("*.whl")
    return wheel


class Environment(NamedTuple):
    """
    An environment of its own.

    @ivar site: the folder with what is installed.
    @ivar commands: the folder with its commands.
    """

    site: Path
    commands: Path

    def python(self, code: str) -> str:
        """
        Run a program, and return what it prints.
        """
        return run(self.commands / "python", "-c", code, cwd=self.site.parent)

    def run(self, command: str, *arguments: str, status: int = 0) -> str:
        """
        Run a command of this environment, and return what it prints.

        @param status: the exit status that it must have.
        """
        program = self.commands / command
        return run(program, *arguments, cwd=self.site.parent, status=status)

    def pip(self, *arguments: str | Path, status: int = 0) -> str:
        """
        Run pip for this environment.
        """
        command = (sys.executable, "-m", "pip", "--python", self.commands / "python")
        options = ("--disable-pip-version-check", "--no-input", *arguments)
        return run(*command, *options, cwd=self.site.parent, status=status)

    def install(self, *packages: Path) -> None:
        """
        Install wheels without their dependencies.
        """
        options = ("--quiet", "--no-deps", "--no-index", "--force-reinstall")
        self.pip("install", *options, *packages)


@cache
def environment(name: str, *packages: Path) -> Environment:
    """
    Return an environment with wheels and with what these declare, made on first use.

    @param name: of its folder.
    """
    folder = _folder() / name
    venv.create(folder, with_pip=False)
    python = folder / "bin" / "python"
    site = Path(run(python, "-c", _SITE, cwd=folder).strip())
    made = Environment(site, folder / "bin")
    made.install(*packages)
    here = [Distribution.at(path) for path in site.glob("*.dist-info")]
    for needed in _closure(here):
        _link(needed, site)
    # twistd comes with Twisted, whose commands are not among its linked files.
    script = f"#!{python}\nfrom twisted.scripts.twistd import run\nrun()\n"
    (folder / "bin" / "twistd").write_text(script)
    (folder / "bin" / "twistd").chmod(0o755)
    return made


def _closure(roots: Sequence[Distribution]) -> Iterator[Distribution]:
    """
    Yield what distributions require, and what that requires, and so on.
    """
    seen = {(canonicalize_name(root.name), "") for root in roots}
    given = {name for name, _ in seen}
    found: set[str] = set()
    waiting: list[tuple[Distribution, str]] = [(root, "") for root in roots]
    while waiting:
        needing, extra = waiting.pop()
        for text in needing.requires or ():
            needed = Requirement(text)
            if needed.marker and not needed.marker.evaluate({"extra": extra}):
                continue
            name = canonicalize_name(needed.name)
            for wanted in ("", *needed.extras):
                if (name, wanted) not in seen and name not in given:
                    seen.add((name, wanted))
                    waiting.append((distribution(name), wanted))
            if name not in found | given:
                found.add(name)
                yield distribution(name)


def _link(installed: Distribution, site: Path) -> None:
    for file in installed.files or ():
        if ".." in file.parts or file.is_absolute():
            continue  # commands and manual pages
        (site / file).parent.mkdir(parents=True, exist_ok=True)
        (site / file).symlink_to(str(installed.locate_file(file)))
