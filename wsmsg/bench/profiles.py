"""
The functions that use a daemon's time, from the cProfile that it wrote at its end.

cProfile makes Python calls much more expensive and C calls hardly so: trust the order
of the functions, and not the shares of small ones.  It sees the reactor's thread only.
"""

from __future__ import annotations

import pstats
from pathlib import Path
from typing import Any, cast

import msgspec


class Row(msgspec.Struct, frozen=True):
    """
    One function.

    @ivar own_s: seconds in the function itself.
    @ivar total_s: seconds including its callees.
    """

    name: str
    calls: int
    own_s: float
    total_s: float


def rows(path: Path) -> list[Row]:
    """
    Return all functions in a file of statistics, most own time first.

    @raise OSError: the file does not exist.
    """
    # Documented, but missing in the type stubs.
    stats = cast(dict[Any, Any], pstats.Stats(str(path)).stats)  # type: ignore[attr-defined]
    found = [
        Row(_name(where), calls, own_s, total_s)
        for where, (_, calls, own_s, total_s, _) in stats.items()
    ]
    return sorted(found, key=lambda row: row.own_s, reverse=True)


def _name(where: tuple[str, int, str]) -> str:
    file, line, function = where
    if file == "~":
        return function
    return f"{'/'.join(Path(file).parts[-2:])}:{line} {function}"


def as_text(title: str, found: list[Row], count: int = 30) -> str:
    """
    Return a table of the first functions by own time, and of the first of our own by
    total time.
    """
    whole_s = sum(row.own_s for row in found) or 1.0
    ours = [row for row in found if "/" in row.name]
    ours.sort(key=lambda row: row.total_s, reverse=True)
    lines = [f"{title}: by own time, of {whole_s:.1f} s"]
    lines += [_line(row, row.own_s, whole_s) for row in found[:count]]
    lines += ["", f"{title}: with all that they call"]
    lines += [_line(row, row.total_s, whole_s) for row in ours[:count]]
    return "\n".join([*lines, ""])


def _line(row: Row, seconds: float, whole_s: float) -> str:
    share = 100 * seconds / whole_s
    return f"  {share:5.1f}%  {seconds:7.2f} s  {row.calls:>9} calls  {row.name}"
