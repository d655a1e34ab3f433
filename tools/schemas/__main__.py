"""
The command that writes or checks the schemas.
"""

from __future__ import annotations

import sys
from collections.abc import Callable, Mapping
from pathlib import Path

from tools.schemas import asyncapi, openapi

ROOT = Path(__file__).resolve().parent.parent.parent

#: The files, each with what makes its text.
FILES: Mapping[str, Callable[[], str]] = {
    "docs/openapi.json": openapi.text,
    "docs/asyncapi.yaml": asyncapi.text,
}


def stale() -> list[str]:
    """
    Return the files that are not what the code makes.
    """
    return [name for name, make in FILES.items() if _current(name) != make()]


def _current(name: str) -> str | None:
    path = ROOT / name
    return path.read_text(encoding="utf-8") if path.exists() else None


def main(arguments: list[str]) -> int:
    differ = stale()
    for name in differ:
        print(f"{name}: differs from the code; run make docs")
        if arguments != ["--check"]:
            (ROOT / name).write_text(FILES[name](), encoding="utf-8")
    return 1 if differ and arguments == ["--check"] else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
