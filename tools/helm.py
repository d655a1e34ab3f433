"""
Helm, for the tests of the chart::

    python -m tools.helm    build it with Go, into the user's cache, unless it is there
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

VERSION = "v3.22.0"

_CACHE = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache")
_BUILT = _CACHE / "wsmsg-tools" / f"helm-{VERSION}" / "helm"


def helm() -> Path | None:
    """
    Return the program: the one that was built, or one that is installed.
    """
    if _BUILT.exists():
        return _BUILT
    installed = shutil.which("helm")
    return None if installed is None else Path(installed)


def main() -> int:
    found = helm()
    if found is not None:
        print(f"helm: {found}")
        return 0
    if shutil.which("go") is None:
        print("helm is built with Go, which is missing")
        return 1
    module = f"helm.sh/helm/v3/cmd/helm@{VERSION}"
    print(f"building {module}, which takes minutes", flush=True)
    environment = {**os.environ, "GOBIN": str(_BUILT.parent)}
    return subprocess.run(
        ["go", "install", module], env=environment, check=False
    ).returncode


if __name__ == "__main__":
    sys.exit(main())
