"""
Rows of the tables of capacity in C{docs/explanation/sizing.md}.
"""

from __future__ import annotations

from collections.abc import Iterator

from tools.capacity.checks import recorded
from tools.capacity.constants import CONSTANTS
from tools.capacity.model import MOST_PER_CONNECTION, Load, need

Row = tuple[str, ...]

CONNECTIONS = (1_000, 10_000, 100_000, 1_000_000, 10_000_000)
RATES = (10, 100, 1_000, 10_000, 100_000, 1_000_000)


def processes() -> Iterator[Row]:
    """
    Rows of processes and cores, by connections and messages a second.
    """
    yield ("connections", *(f"{rate:,} a second" for rate in RATES))
    for connections in CONNECTIONS:
        cells = [_cell(connections, rate) for rate in RATES]
        yield (f"{connections:,}", *cells)


def _cell(connections: int, rate: int) -> str:
    if rate > MOST_PER_CONNECTION * connections:
        return "-"
    found = need(Load(connections, rate))
    if found is None:
        return "too much"
    return f"{found.connects:,} + {found.messages:,}: {_short(found.cores)}"


def of_connections() -> Iterator[Row]:
    """
    Rows of what connections need, whatever they send.
    """
    yield (
        "connections",
        "memory of the daemons",
        "CPU of pings",
        "network of pings",
        "CPU of a login of all",
    )
    c = CONSTANTS
    for connections in CONNECTIONS:
        found = need(Load(connections, 10))
        assert found is not None
        yield (
            f"{connections:,}",
            _bytes(found.memory),
            f"{_short(connections * c.ping_us / 1e6)} cores",
            _bits(8 * connections * c.ping_bytes),
            f"{_short(connections * c.login_ms / 1e3)} s",
        )


def of_rates() -> Iterator[Row]:
    """
    Rows of what messages need, whoever sends them.
    """
    yield (
        "messages a second",
        "disk a day",
        "disk a year",
        "network of clients",
        "network between the daemons",
    )
    for rate in RATES:
        stored = rate * CONSTANTS.stored * 86_400
        yield (
            f"{rate:,}",
            _bytes(stored),
            _bytes(365 * stored),
            _bits(8 * rate * CONSTANTS.client_bytes),
            _bits(8 * rate * CONSTANTS.stream_bytes),
        )


def constants() -> Iterator[Row]:
    """
    Rows of the constants.
    """
    c = CONSTANTS
    yield ("constant", "value", "where it comes from")
    yield ("CPU of a message in a large batch, both daemons", f"{c.message_us:g} us")
    yield ("CPU of a batch up and down, both daemons", f"{c.cycle_us:,.0f} us")
    yield ("of it again for a further stream", f"{c.stream_us:g} us")
    yield ("wait of an acknowledgement", f"{c.linger_s * 1e3:g} ms")
    yield ("longest pause between batches", f"{c.most_s * 1e3:g} ms")
    yield ("hops and sync in the median latency", f"{c.hops_ms:g} ms")
    yield ("CPU of a delivery to a group of 1,000", f"{c.delivery_us:g} us")
    yield ("CPU of a login", f"{c.login_ms:.2f} ms")
    yield ("CPU of pings of a connection", f"{c.ping_us:g} us a second")
    yield ("memory of an idle connection at Connect", _kib(c.connection_connect))
    yield ("memory of its user at Message", _kib(c.connection_message))
    yield ("a Connect without connections", _bytes(c.connect))
    yield ("a Message without users", _bytes(c.message))
    yield ("disk of a message of 200 bytes", _bytes(c.stored))
    yield ("network of a message, clients", _bytes(c.client_bytes))
    yield ("network of a message, between the daemons", _bytes(c.stream_bytes))
    yield ("network of pings of a connection", f"{_bytes(c.ping_bytes)} a second")
    yield ("planned share of a core", f"{c.share:.0%}")
    yield ("connections of a Connect, at most", f"{c.connections:,}")


def _kib(value: float) -> str:
    return f"{value / 1024:.2g} KiB"


def checks() -> Iterator[Row]:
    """
    Rows of the comparisons of model, simulation and measurement.
    """
    yield ("load and figure", "the first", "the second", "difference")
    for one in recorded():
        wanted, found = (f"{x:,.3g}" for x in (one.wanted, one.found))
        if one.wanted >= 1_000:
            wanted, found = f"{one.wanted:,.0f}", f"{one.found:,.0f}"
        unit = one.unit
        row = (one.name, f"{wanted} {unit}", f"{found} {unit}")
        yield (*row, f"{one.difference:+.0%}")


def _short(value: float) -> str:
    return f"{value:,.0f}" if value >= 10 else f"{value:.2g}"


def _bytes(value: float) -> str:
    return _scaled(value, ("B", "kB", "MB", "GB", "TB", "PB"))


def _bits(value: float) -> str:
    return _scaled(value, ("bit/s", "kbit/s", "Mbit/s", "Gbit/s", "Tbit/s"))


def _scaled(value: float, units: tuple[str, ...]) -> str:
    for unit in units[:-1]:
        if value < 999.5:
            return f"{value:.3g} {unit}"
        value /= 1000
    return f"{value:.3g} {units[-1]}"
