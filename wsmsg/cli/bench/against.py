"""
The options of C{wsmsg bench} for the comparison with other systems.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping

import click

from wsmsg.bench.against.comparison import NAMES, Comparing, OtherSystem
from wsmsg.bench.against.systems import FLOOR, SYSTEMS
from wsmsg.bench.against.table import Comparison
from wsmsg.bench.scenarios import NAMES as ALL
from wsmsg.bench.scenarios import Choice, StartServers

_KNOWN = ", ".join(SYSTEMS)


def against_option(
    context: click.Context, parameter: click.Parameter, value: tuple[str, ...]
) -> dict[str, str]:
    """
    Return the URL of each system by name; empty for a floor that has none.
    """
    urls = {}
    for one in value:
        name, _, url = one.partition("=")
        if name == "openim":
            raise click.BadParameter(
                "there is no adapter for openim; the comparison page says why"
            )
        if name not in SYSTEMS:
            raise click.BadParameter(f"{name!r} is not one of {_KNOWN}")
        if name in urls:
            raise click.BadParameter(f"{name} is named twice")
        system = SYSTEMS[name]
        try:
            urls[name] = "" if name == FLOOR and not url else system.address(url)
        except ValueError as e:
            raise click.BadParameter(f"{name}: {e}") from None
    return urls


def keys_option(
    context: click.Context, parameter: click.Parameter, value: tuple[str, ...]
) -> dict[str, str]:
    """
    Return the contents of C{NAME=FILE} by name.
    """
    keys = {}
    for one in value:
        name, _, path = one.partition("=")
        if name not in SYSTEMS or not path:
            raise click.BadParameter(f"{one!r} is not NAME=FILE with one of {_KNOWN}")
        try:
            with open(path, encoding="utf-8") as file:
                keys[name] = file.read().strip()
        except (OSError, UnicodeDecodeError) as e:
            reason = e.strerror if isinstance(e, OSError) else "is not text"
            raise click.BadParameter(f"{path}: {reason}") from None
    return keys


def only_of(only: tuple[str, ...]) -> tuple[str, ...]:
    """
    Return the measurements of a comparison.

    @raise UsageError: one of them is made for wsmsg alone.
    """
    if only == ALL:
        return NAMES
    for name in only:
        if name not in NAMES:
            known = ", ".join(NAMES)
            raise click.UsageError(f"--against has {known}, and not {name}")
    return only


def compare(
    choice: Choice,
    urls: Mapping[str, str],
    keys: Mapping[str, str],
    pids: Mapping[str, int],
    *,
    start: StartServers,
    tell: Callable[[str], object],
) -> Comparison:
    """
    Measure wsmsg and the systems at these URLs.

    @param pids: processes; those of a system have its name, or begin with it and a dot.
    """
    others = []
    for name, url in urls.items():
        mine = {p: pid for p, pid in pids.items() if p.partition(".")[0] == name}
        for process, pid in mine.items():
            if not os.path.exists(f"/proc/{pid}"):
                raise click.UsageError(
                    f"--pid {process}={pid}: there is no such process"
                )
        others.append(OtherSystem(SYSTEMS[name], url, keys.get(name, ""), mine))
    return Comparing(choice, others, start, tell).run()
