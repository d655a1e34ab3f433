"""
The TypeScript client and the chat page: what their development needs, and the build::

    python -m tools.typescript             install as far as missing, check types, build
    python -m tools.typescript browser     the same, for tests in Chromium

It needs Node 20 or later with npm, and a registry of npm packages.  Without Node, or
without Chromium where that is asked for, it says so and exits with status 5, or with 1
if C{WSMSG_NODE} is C{required}.
"""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

_ROOT = Path(__file__).resolve().parent.parent
PACKAGE = _ROOT / "clients" / "typescript"
#: Bun and Deno, with which tests run the package; nobody needs them to build it.
RUNTIMES = _ROOT / "tests" / "typescript" / "runtimes"

#: The exit status of this program where Node is missing.
LEFT_OUT = 5

_NODE = 20
_PROJECTS = (
    "test/tsconfig.json",
    "../chat/tsconfig.json",
    "../chat/test/tsconfig.json",
)


def missing(*, browser: bool) -> str:
    """
    Return what is missing on this machine; empty: nothing.
    """
    if browser and shutil.which("chromium") is None:
        return "there is no chromium"
    node, npm = shutil.which("node"), shutil.which("npm")
    if node is None or npm is None:
        return f"there is no {'node' if node is None else 'npm'}"
    told = subprocess.run([node, "--version"], check=False, stdout=subprocess.PIPE)
    version = told.stdout.decode().strip()
    major = re.match(r"v(\d+)\.", version)
    if major is None or int(major[1]) < _NODE:
        return f"node is {version or 'broken'}, and must be {_NODE} or later"
    return ""


def is_installed(folder: Path) -> bool:
    """
    Return whether the installed packages are those of the folder's lock file.
    """
    lock, done = folder / "package-lock.json", folder / "node_modules" / ".lock"
    return done.is_file() and done.read_bytes() == lock.read_bytes()


def install(folder: Path) -> int:
    """
    Install the packages of a folder's lock file.

    @return: the exit status of npm.
    """
    status = _status("npm", "ci", "--ignore-scripts", "--no-progress", at=folder)
    if status == 0 and folder == RUNTIMES:
        # The only script that is needed: it takes the build for this processor.
        status = _status("node", "node_modules/bun/install.js", at=folder)
    if status == 0:
        lock = folder / "package-lock.json"
        (folder / "node_modules" / ".lock").write_bytes(lock.read_bytes())
    return status


def build() -> int:
    """
    Check the types, and write the package to C{dist} and the tests, also those of the
    chat page, to C{build}.

    @return: the exit status of the compiler, or of the bundler.
    """
    status = _status("npm", "run", "--silent", "build")
    if status:
        return status
    for project in _PROJECTS:
        status = _status("npx", "--no-install", "tsc", "-p", project)
        if status:
            return status
    return 0


def _status(*command: str, at: Path = PACKAGE) -> int:
    done = subprocess.run(command, check=False, cwd=at, stdin=subprocess.DEVNULL)
    return done.returncode


def main(arguments: list[str]) -> int:
    problem = missing(browser="browser" in arguments)
    if problem:
        print(f"-- the TypeScript client is left out: {problem}")
        return 1 if os.environ.get("WSMSG_NODE") == "required" else LEFT_OUT
    for folder in (PACKAGE, RUNTIMES):
        if not is_installed(folder) and install(folder):
            return 1
    return build()


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
