"""
Makes C{wsmsg/connect/pages}, the chat page as browsers get it, from C{clients/chat} and
C{clients/typescript}::

    python -m tools.make_pages            write it
    python -m tools.make_pages --check    say what differs, with exit status 1

It needs Node, and what C{python -m tools.typescript} installs.
"""

from __future__ import annotations

import subprocess
import sys
import tempfile
from pathlib import Path

from tools.typescript import PACKAGE

ROOT = Path(__file__).resolve().parent.parent
SOURCES = ROOT / "clients" / "chat" / "src"
PAGES = ROOT / "wsmsg" / "connect" / "pages"

#: What the page needs of a browser: those of 2023.
_BROWSERS = "chrome112,firefox116,safari16.4"
_BUNDLES = ("main.ts", "chat.css")
_COPIES = ("index.html", "icon.svg")


def wanted() -> dict[str, bytes]:
    """
    Return the files that the sources make, by file name.

    @raise subprocess.CalledProcessError: esbuild refuses them, and has said why.
    """
    with tempfile.TemporaryDirectory() as folder:
        made = Path(folder) / "chat"
        for source in _BUNDLES:
            subprocess.run(
                [
                    *("npx", "--no-install", "esbuild", str(SOURCES / source)),
                    *("--bundle", "--minify", "--format=esm", "--charset=utf8"),
                    *(f"--target={_BROWSERS}", "--log-level=warning"),
                    f"--outfile={made}{'.js' if source.endswith('.ts') else '.css'}",
                ],
                check=True,
                cwd=PACKAGE,
                stdin=subprocess.DEVNULL,
            )
        files = {path.name: path.read_bytes() for path in Path(folder).iterdir()}
    return files | {name: (SOURCES / name).read_bytes() for name in _COPIES}


def made() -> dict[str, bytes]:
    """
    Return the files in the tree, by file name.
    """
    own = (path for path in PAGES.iterdir() if path.is_file() and path.suffix != ".py")
    return {path.name: path.read_bytes() for path in own}


def differences() -> list[str]:
    """
    Return the files in the tree that are not what the sources make.
    """
    want, have = wanted(), made()
    return sorted(n for n in {*want, *have} if want.get(n) != have.get(n))


def main() -> int:
    stale = differences()
    if sys.argv[1:] == ["--check"]:
        for name in stale:
            print(f"{PAGES / name}: is not what the sources make; run make pages")
        return 1 if stale else 0
    want = wanted()
    for name in stale:
        (PAGES / name).unlink(missing_ok=True)
        if name in want:
            (PAGES / name).write_bytes(want[name])
        print(f"{name}: {'made' if name in want else 'removed'}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
