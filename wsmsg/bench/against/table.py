"""
The figures of a comparison: a row for each figure, a column for each system.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator

import msgspec

from wsmsg.bench.load.plan import LoadResult
from wsmsg.bench.report import cpu_us, idle_kib, number, ratio


class Measured(msgspec.Struct, kw_only=True):
    """
    The results of one system; L{None} for those that were not made.

    @ivar version: as the server says it; empty: it does not.
    """

    name: str
    version: str = ""
    saturation: LoadResult | None = None
    latency: LoadResult | None = None
    idle: LoadResult | None = None


class Comparison(msgspec.Struct, kw_only=True):
    """
    The results of all systems; the first is the floor.
    """

    pairs: int
    size: int
    window: int
    rate: float
    idle: int
    systems: list[Measured]


class FigureRow(msgspec.Struct, frozen=True):
    """
    One figure of all systems, in their order; L{None} where it was not measured.
    """

    name: str
    values: tuple[float | None, ...]


_Figure = Callable[[Measured], float | None]


def rows(comparison: Comparison) -> Iterator[tuple[str, list[FigureRow]]]:
    """
    Return the rows by heading.
    """
    floor, systems = comparison.systems[0], comparison.systems

    def row(
        name: str, figure: _Figure, *, compared: bool = False
    ) -> Iterator[FigureRow]:
        values = tuple(map(figure, systems))
        if any(value is not None for value in values):
            yield FigureRow(name, values)
            if compared:
                least = figure(floor)
                compare = tuple(ratio(value, least) for value in values)
                yield FigureRow("  compared with the floor, x", compare)

    heading = (
        f"closed loop: {comparison.pairs} pairs, {comparison.window} in flight for "
        f"each, {comparison.size} bytes"
    )
    yield (
        heading,
        [
            *row("messages a second", _of("saturation", _rate), compared=True),
            *row("CPU a message, us", _of("saturation", cpu_us), compared=True),
            *_checks("saturation", row),
        ],
    )
    yield (
        f"open loop: {comparison.rate:.0f} messages a second",
        [
            *row("p50, ms", _of("latency", _p50), compared=True),
            *row("p99, ms", _of("latency", _p99), compared=True),
            *row("CPU a message, us", _of("latency", cpu_us), compared=True),
            *row("messages a second", _of("latency", _rate)),
            *_checks("latency", row),
        ],
    )
    yield (
        f"idle: {comparison.idle} users",
        list(row("memory of one, KiB", _of("idle", _memory), compared=True)),
    )


def _checks(
    what: str, row: Callable[[str, _Figure], Iterator[FigureRow]]
) -> Iterator[FigureRow]:
    """
    Return the rows that say whether the others can be trusted.
    """
    yield from row("CPU of the load, us", _of(what, _own))
    yield from row("busy with anything else, cores", _of(what, _others))
    yield from row("lost", _of(what, lambda result: result.totals.lost))
    yield from row("sent twice", _of(what, lambda result: result.totals.doubled))
    yield from row("refused", _of(what, _refused))


def _of(what: str, figure: Callable[[LoadResult], float | None]) -> _Figure:
    def of(system: Measured) -> float | None:
        result: LoadResult | None = getattr(system, what)
        return None if result is None else figure(result)

    return of


def _rate(result: LoadResult) -> float:
    return result.per_second


def _p50(result: LoadResult) -> float:
    return result.latency.p50


def _p99(result: LoadResult) -> float:
    return result.latency.p99


def _own(result: LoadResult) -> float | None:
    return result.own_cpu_s * 1e6 / result.delivered if result.delivered else None


def _others(result: LoadResult) -> float | None:
    return result.others_cpu_s / result.seconds if result.seconds else None


def _refused(result: LoadResult) -> float:
    return sum(result.totals.rejected.values()) + sum(result.closed.values())


def _memory(result: LoadResult) -> float | None:
    """
    Return the memory of a user at the servers themselves, without their databases.
    """
    each = [idle_kib(result, name) for name in result.usage if "." not in name]
    known = [one for one in each if one is not None]
    return sum(known) if known else None


def as_text(comparison: Comparison) -> str:
    """
    Return the table for people.
    """
    names = [system.name for system in comparison.systems]
    lines = [_line("", names)]
    for heading, found in rows(comparison):
        if found:
            lines += [heading]
            lines += [_line("  " + r.name, map(_value, r.values)) for r in found]
    lines += ["", "versions"]
    for system in comparison.systems:
        lines.append(f"  {system.name:<14}{system.version or 'not told'}")
    for system in comparison.systems:
        for what in ("saturation", "latency"):
            lines += _oddities(f"{system.name}, {what}", getattr(system, what))
    return "\n".join([*lines, ""])


def _oddities(where: str, result: LoadResult | None) -> Iterator[str]:
    if result is None:
        return
    for reason, count in {**result.totals.rejected, **result.closed}.items():
        yield f"  {where}: {count} times: {reason}"
    if not result.usage:
        yield f"  {where}: no process was named (--pid), so its CPU is not known"


def _value(value: float | None) -> str:
    return "-" if value is None else number(value)


def _line(name: str, values: object) -> str:
    assert isinstance(values, (list, map))
    return f"{name:<34}" + "".join(f"{value:>12}" for value in values)


def as_json(comparison: Comparison) -> bytes:
    """
    Return all measurements, and the figures of the table, as JSON.
    """
    names = [system.name for system in comparison.systems]
    table = {
        heading: {r.name: dict(zip(names, r.values, strict=True)) for r in found}
        for heading, found in rows(comparison)
    }
    whole = {"measured": comparison, "figures": table}
    return msgspec.json.format(msgspec.json.encode(whole), indent=2)
