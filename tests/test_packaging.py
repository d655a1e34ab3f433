"""
Tests of the wheel that an operator installs, in an environment of its own.

The wheel itself is installed by pip; its dependencies are visible through a C{.pth}
file in that environment, so that this takes seconds and no network. (The line of a
C{.pth} adds a folder and does not run that folder's own C{.pth} files, so the editable
install of the tree stays invisible.) C{tox -e package} installs the dependencies too.
"""

from __future__ import annotations

import configparser
import os
import re
import shutil
import subprocess
import sys
import sysconfig
import venv
import zipfile
from functools import cache
from importlib.metadata import packages_distributions
from pathlib import Path
from typing import NamedTuple

from twisted.trial.unittest import SynchronousTestCase

from tests.laws import COMMON, LIBRARIES
from wsmsg.settings.urls.extras import EXTRAS

ROOT = Path(__file__).resolve().parent.parent
SOURCES = ("setup.cfg", "pyproject.toml", "MANIFEST.in", "README.md", "LICENSE")


def run(*command: str | Path, cwd: Path) -> str:
    """
    Run a command and return its output; it inherits only the PATH of this environment.
    """
    environment = {k: v for k, v in os.environ.items() if not k.startswith("PYTHON")}
    done = subprocess.run(
        [str(c) for c in command],
        cwd=cwd,
        env=environment,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        timeout=240,
        check=False,
    )
    if done.returncode != 0:
        raise AssertionError(f"{command} ended with {done.returncode}:\n{done.stdout}")
    return done.stdout


def build(folder: Path) -> Path:
    """
    Build the wheel from a copy of the sources, so that the remains of an old build are
    not in it.
    """
    source = folder / "source"
    leave = shutil.ignore_patterns("__pycache__", "dropin.cache")
    for package in ("wsmsg", "twisted"):
        shutil.copytree(ROOT / package, source / package, ignore=leave)
    for name in SOURCES:
        shutil.copy(ROOT / name, source / name)
    run(
        *(sys.executable, "-m", "build", "--wheel", "--no-isolation"),
        *("--outdir", folder, source),
        cwd=folder,
    )
    (wheel,) = folder.glob("*.whl")
    return wheel


def install(wheel: Path, folder: Path) -> Path:
    """
    Create a clean environment with the wheel.

    @return: its folder of commands.
    """
    venv.create(folder, with_pip=False)
    python = folder / "bin" / "python"
    pip = [sys.executable, "-m", "pip", "--python", str(python), "install"]
    run(*pip, "--quiet", "--no-deps", "--no-index", wheel, cwd=folder)
    site = Path(run(python, "-c", _SITE, cwd=folder).strip())
    (site / "dependencies.pth").write_text(sysconfig.get_path("purelib") + "\n")
    # twistd comes with Twisted, which this environment only sees.
    script = f"#!{python}\nfrom twisted.scripts.twistd import run\nrun()\n"
    (folder / "bin" / "twistd").write_text(script)
    (folder / "bin" / "twistd").chmod(0o755)
    return folder / "bin"


_SITE = "import sysconfig; print(sysconfig.get_path('purelib'))"


class Installed(NamedTuple):
    """
    The environment that has the wheel, with its commands.
    """

    folder: Path
    wheel: Path
    commands: Path


@cache
def installed() -> Installed:
    """
    Return the installed wheel, built once for each process of tests.
    """
    folder = Path("wheel-tests").absolute()
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir()
    wheel = build(folder)
    return Installed(folder, wheel, install(wheel, folder / "clean"))


#: Libraries that other libraries always bring.
COME_ALONG = {"cryptography", "txaio", "typing_extensions"}


class RequirementTests(SynchronousTestCase):
    """
    The declared dependencies.
    """

    def test_libraries(self) -> None:
        """
        Every library that the modules import is named in setup.cfg, as a requirement or
        in an extra.
        """
        parser = configparser.ConfigParser()
        parser.read(ROOT / "setup.cfg")
        extras = parser["options.extras_require"]
        lines = parser["options"]["install_requires"].split("\n")
        for extra in EXTRAS:
            lines += extras[extra].split("\n")
        named = {re.split(r"[\s\[><=;]", line.strip())[0].lower() for line in lines}
        owners = packages_distributions()
        missing = {
            library
            for library in {*LIBRARIES, *COMMON} - COME_ALONG
            if library.partition(".")[0] not in sys.stdlib_module_names
            and not {
                name.lower().replace("_", "-") for name in owners[library]
            }.intersection({n.replace("_", "-") for n in named})
        }
        self.assertEqual(missing, set())


class WheelTests(SynchronousTestCase):
    """
    The wheel and what it installs.
    """

    def test_contents(self) -> None:
        """
        The wheel has every module, every data file and the plugin, and none of the
        tests.
        """
        with zipfile.ZipFile(installed().wheel) as archive:
            names = {n for n in archive.namelist() if ".dist-info/" not in n}
        want = {
            str(path.relative_to(ROOT))
            for path in (ROOT / "wsmsg").rglob("*")
            if path.is_file() and path.suffix != ".pyc"
        }
        want.add("twisted/plugins/wsmsg_plugins.py")
        self.assertEqual(want - names, set())
        self.assertEqual({n.partition("/")[0] for n in names}, {"wsmsg", "twisted"})
        self.assertNotIn("twisted/__init__.py", names)

    def test_installed_is_used(self) -> None:
        """
        The other tests of this class import the installed package, not the tree.
        """
        code = "import wsmsg; print(wsmsg.__file__)"
        where = run(installed().commands / "python", "-c", code, cwd=installed().folder)
        self.assertIn(str(installed().folder / "clean"), where)

    def test_twistd_lists_both(self) -> None:
        """
        C{twistd --help} lists C{connect} and C{message}.
        """
        listed = run(installed().commands / "twistd", "--help", cwd=installed().folder)
        self.assertRegex(listed, r"(?m)^ +connect +The edge: ")
        self.assertRegex(listed, r"(?m)^ +message +The core: ")

    def test_twistd_knows_their_options(self) -> None:
        """
        C{twistd connect --help} and C{twistd message --help} list their options.
        """
        for name in ("connect", "message"):
            told = run(
                installed().commands / "twistd", name, "--help", cwd=installed().folder
            )
            self.assertIn("--config", told)

    def test_command(self) -> None:
        """
        C{wsmsg --help} lists its commands.
        """
        told = run(installed().commands / "wsmsg", "--help", cwd=installed().folder)
        for command in ("chat", "demo", "token", "status", "doctor", "bench"):
            self.assertIn(command, told)
