"""
The figures of a benchmark, with their aims.

They are figures only: nothing passes or fails by them.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator

import msgspec

from wsmsg.bench.load.plan import LoadResult

#: CPU a message of Connect and Message together, as a multiple of the echo server's.
AIM_CPU = 14.0
#: The same with the journal in Kafka and the store in MongoDB.
AIM_CPU_STACK = 20.0
#: p99 in milliseconds at half of saturation.
AIM_P99_MS = 25.0
#: The same on Kafka and MongoDB.
AIM_P99_STACK_MS = 50.0
#: Memory of an idle connection to Connect, as a multiple of the echo server's.
AIM_MEMORY = 1.4
#: CPU milliseconds a login of Connect and Message together.
AIM_LOGIN_MS = 2.0
#: CPU of a delivery to a member of a group at Connect, as a multiple of an echo's.
AIM_GROUP = 1.5


_OURS = ("connect", "message")


class Report(msgspec.Struct, kw_only=True):
    """
    The results of all measurements; L{None} for those that were not made.

    @ivar servers: the servers that Message uses, by name; empty: files of its own.
    @ivar floor: the echo server under the same load; C{floor_one}: with one connection
        that has many messages in flight, where reads and writes cost next to nothing;
        C{floor_idle}: with idle connections.
    @ivar saturation: Connect and Message in a closed loop.
    @ivar latency: the same in an open loop at C{rate}.
    @ivar floor_before: the echo server in an open loop at C{rate} over as many
        connections, just before L{latency}; C{floor_after}: just after.  The share of
        the machine in a p99 changes by the minute.
    @ivar group: one group; C{group_floor}: the echo server with as many connections.
    @ivar floor_logins: the echo server while connections open, with a message each;
        C{chat_logins}: Connect and Message at as many logins.
    @ivar chat_idle: Connect with idle connections.
    """

    pairs: int
    size: int
    window: int
    idle: int
    members: int = 0
    logins: int = 0
    servers: tuple[str, ...] = ()
    rate: float = 0.0
    floor: LoadResult | None = None
    floor_one: LoadResult | None = None
    floor_idle: LoadResult | None = None
    floor_before: LoadResult | None = None
    floor_after: LoadResult | None = None
    saturation: LoadResult | None = None
    latency: LoadResult | None = None
    group: LoadResult | None = None
    group_floor: LoadResult | None = None
    floor_logins: LoadResult | None = None
    chat_logins: LoadResult | None = None
    chat_idle: LoadResult | None = None


class Figure(msgspec.Struct, frozen=True):
    """
    One line of the table.

    @ivar value: L{None} if a measurement that it needs was not made.
    @ivar aim: upper limit to aim at, if there is one.
    """

    name: str
    value: float | None
    unit: str = ""
    aim: float | None = None


def cpu_us(
    result: LoadResult | None, names: Collection[str] | None = None
) -> float | None:
    """
    Return CPU microseconds a message of all measured processes, or of some.
    """
    if result is None:
        return None
    wanted = [name for name in result.usage if names is None or name in names]
    each = [result.cpu_us(name) for name in wanted]
    known = [one for one in each if one is not None]
    return sum(known) if known else None


def login_ms(
    result: LoadResult | None, names: Collection[str] | None = None
) -> float | None:
    """
    Return CPU milliseconds a connection of all measured processes, or of some.
    """
    if result is None:
        return None
    wanted = [name for name in result.usage if names is None or name in names]
    known = [one for name in wanted if (one := result.login_ms(name)) is not None]
    return sum(known) if known else None


def idle_kib(result: LoadResult | None, name: str) -> float | None:
    """
    Return KiB of resident memory a connection, in the process with this name.
    """
    used = result.usage.get(name) if result is not None else None
    if result is None or used is None or not result.connections:
        return None
    return (used.rss_after - used.rss_before) / result.connections / 1024


def ratio(of: float | None, to: float | None) -> float | None:
    """
    Return one figure as a multiple of the other, if both are known.
    """
    return of / to if of is not None and to else None


def figures(report: Report) -> Iterator[tuple[str, list[Figure]]]:
    """
    Return all lines, by heading.
    """
    if report.floor is not None or report.floor_idle is not None:
        yield "floor: a bare Autobahn echo server", _floor(report)
    if report.saturation is not None:
        on = f", on {', '.join(report.servers)}" if report.servers else ""
        heading = (
            f"saturation: closed loop, {report.pairs} pairs, "
            f"window {report.window}, {report.size} bytes{on}"
        )
        yield heading, _load(report.saturation)
    if report.latency is not None:
        heading = f"latency: open loop, {report.rate:.0f} messages a second"
        yield heading, [*_load(report.latency), *_echo_latency(report)]
    if report.group is not None:
        heading = f"group: {report.members} connected members, {report.size} bytes"
        yield heading, [*_group(report.group), *_group_floor(report)]
    if report.chat_logins is not None:
        yield f"logins: {report.logins}, all at once", _logins(report)
    if report.chat_idle is not None:
        yield f"idle: {report.idle} connections to Connect", _idle(report.chat_idle)
    yield "compared with the floor", ratios(report)


def ratios(report: Report) -> list[Figure]:
    """
    Return the lines that have aims.
    """
    p99 = report.latency.latency.p99 if report.latency is not None else None
    aim, aim_ms = AIM_CPU, AIM_P99_MS
    if report.servers:
        aim, aim_ms = AIM_CPU_STACK, AIM_P99_STACK_MS
    ours = ratio(cpu_us(report.saturation, _OURS), cpu_us(report.floor))
    ours_ms = login_ms(report.chat_logins, _OURS)
    return [
        Figure("CPU a message, connect + message", ours, "x", aim),
        *_with_servers(report),
        Figure("p99 at half of saturation", p99, "ms", aim_ms),
        Figure(
            "the same, compared with the echo's p99", ratio(p99, _echo_p99(report)), "x"
        ),
        Figure(
            "CPU of connect a delivery to a group",
            ratio(cpu_us(report.group, ["connect"]), cpu_us(report.group_floor)),
            "x",
            AIM_GROUP,
        ),
        Figure(
            "the same, compared with one connection's echo",
            ratio(cpu_us(report.group, ["connect"]), cpu_us(report.floor_one)),
            "x",
        ),
        Figure("CPU a login, connect + message", ours_ms, "ms", AIM_LOGIN_MS),
        Figure(
            "the same, compared with an echo connection",
            ratio(ours_ms, login_ms(report.floor_logins)),
            "x",
        ),
        Figure(
            "memory of an idle connection",
            ratio(
                idle_kib(report.chat_idle, "connect"),
                idle_kib(report.floor_idle, "echo"),
            ),
            "x",
            AIM_MEMORY,
        ),
    ]


def _with_servers(report: Report) -> Iterator[Figure]:
    measured = report.saturation.usage if report.saturation is not None else {}
    names = [name for name in report.servers if name in measured]
    if names:
        whole = ratio(cpu_us(report.saturation), cpu_us(report.floor))
        yield Figure(f"the same with {' + '.join(names)}", whole, "x")


def _floor(report: Report) -> list[Figure]:
    lines = []
    if report.floor is not None:
        lines += [
            Figure("throughput", report.floor.per_second, "/s"),
            Figure("CPU a message", cpu_us(report.floor), "us"),
            _others(report.floor),
        ]
    if report.floor_one is not None:
        lines.append(
            Figure("CPU a message, one connection", cpu_us(report.floor_one), "us")
        )
    if report.floor_idle is not None:
        lines.append(
            Figure("memory of an idle one", idle_kib(report.floor_idle, "echo"), "KiB")
        )
    return lines


def _load(result: LoadResult) -> list[Figure]:
    totals, latency = result.totals, result.latency
    lines = [Figure("throughput", result.per_second, "/s")]
    lines += [
        Figure(f"CPU a message, {name}", result.cpu_us(name), "us")
        for name in result.usage
    ]
    lines += [
        Figure(f"latency {name}", getattr(latency, name), "ms")
        for name in ("p50", "p90", "p99", "max")
    ]
    if result.lateness.count:
        lines.append(Figure("of it the load's own, p99", result.lateness.p99, "ms"))
    if result.delivered:
        own_us = result.own_cpu_s * 1e6 / result.delivered
        lines.append(Figure("CPU a message, load", own_us, "us"))
    lines += [
        _others(result),
        Figure("accepted", totals.accepted),
        Figure("lost", totals.lost),
        Figure("doubled", totals.doubled),
    ]
    return lines + list(_odd(result))


def _group(result: LoadResult) -> list[Figure]:
    latency, whole = result.latency, result.to_all
    seconds = result.seconds or 1.0
    lines = [
        Figure("messages", whole.count / seconds, "/s"),
        Figure("deliveries", result.per_second, "/s"),
    ]
    lines += [
        Figure(f"CPU a delivery, {name}", result.cpu_us(name), "us")
        for name in result.usage
    ]
    if result.delivered:
        own_us = result.own_cpu_s * 1e6 / result.delivered
        lines.append(Figure("CPU a delivery, load", own_us, "us"))
    for what, of in (("a delivery", latency), ("to all", whole)):
        lines += [Figure(f"{what}, {n}", getattr(of, n), "ms") for n in ("p50", "p99")]
    lines += [
        _others(result),
        Figure("accepted", result.totals.accepted),
        Figure("lost deliveries", result.totals.lost),
        Figure("doubled", result.totals.doubled),
    ]
    return lines + list(_odd(result))


def _group_floor(report: Report) -> Iterator[Figure]:
    if report.group_floor is not None:
        name = "CPU an echo, as many connections"
        yield Figure(name, cpu_us(report.group_floor), "us")
    if report.floor_one is not None:
        yield Figure("CPU an echo, one connection", cpu_us(report.floor_one), "us")


def _echo_latency(report: Report) -> Iterator[Figure]:
    for when, result in (
        ("before", report.floor_before),
        ("after", report.floor_after),
    ):
        if result is not None:
            p99 = result.latency.p99
            yield Figure(f"p99 of the bare echo just {when}", p99, "ms")


def _echo_p99(report: Report) -> float | None:
    """
    Return the mean p99 of the two echo runs, in ms.
    """
    both = [report.floor_before, report.floor_after]
    known = [result.latency.p99 for result in both if result is not None]
    return sum(known) / len(known) if known else None


def _others(result: LoadResult) -> Figure:
    """
    Return the CPU that anything else used: figures of a busy machine mean little.
    """
    cores = result.others_cpu_s / result.seconds if result.seconds else 0.0
    return Figure("busy with anything else", cores, "cores")


def _logins(report: Report) -> list[Figure]:
    result = report.chat_logins
    assert result is not None
    lines = [Figure("logins", result.connections / result.seconds, "/s")]
    lines += [
        Figure(f"CPU a login, {name}", result.login_ms(name), "ms")
        for name in result.usage
    ]
    echo_ms = login_ms(report.floor_logins)
    lines += [Figure("CPU of an echo connection", echo_ms, "ms"), _others(result)]
    return lines + list(_odd(result))


def _idle(result: LoadResult) -> list[Figure]:
    lines = [
        Figure(f"memory of one, {name}", idle_kib(result, name), "KiB")
        for name in result.usage
    ]
    lines += [
        Figure(f"CPU, {name}", 100 * used.cpu_s / result.seconds, "% of a core")
        for name, used in result.usage.items()
    ]
    return lines + list(_odd(result))


def _odd(result: LoadResult) -> Iterator[Figure]:
    """
    Return the counts that are 0 in a good run, if they are not.
    """
    totals = result.totals
    for name in ("unanswered", "unordered", "holes"):
        if getattr(totals, name):
            yield Figure(name, getattr(totals, name))
    for code, count in totals.rejected.items():
        yield Figure(f"rejected: {code}", count)
    for reason, count in result.closed.items():
        yield Figure(f"connections ended: {reason}", count)
    for name, count in result.other_frames.items():
        yield Figure(f"frames of no use: {name}", count)


def as_text(report: Report) -> str:
    """
    Return the table for people.
    """
    lines = []
    for heading, rows in figures(report):
        lines.append(heading)
        lines += [_line(row) for row in rows]
        lines.append("")
    return "\n".join(lines)


def _line(figure: Figure) -> str:
    value = "not measured" if figure.value is None else number(figure.value)
    unit = figure.unit if figure.value is not None else ""
    aim = "" if figure.aim is None else f"   (aim: at most {figure.aim:g})"
    return f"  {figure.name:<38}{value:>12} {unit}{aim}".rstrip()


def number(value: float) -> str:
    """
    Return a figure with as many digits as mean anything.
    """
    if isinstance(value, int) or abs(value) >= 1000:
        return f"{value:,.0f}"
    return f"{value:.3g}" if abs(value) < 10 else f"{value:.1f}"


def as_json(report: Report) -> bytes:
    """
    Return all measurements, and the figures of the table, as JSON.
    """
    table = {
        heading: [msgspec.structs.asdict(row) for row in rows]
        for heading, rows in figures(report)
    }
    whole = {"measured": report, "figures": table}
    return msgspec.json.format(msgspec.json.encode(whole), indent=2)
