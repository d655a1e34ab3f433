"""
The model: CPU of the daemons from the rate of messages and the number of streams.

A message costs little by itself; what costs is a *cycle*, a batch that goes from
Connect to Message and back, whatever is in it::

    CPU of a message = message_us + cycle_us x cycles a message

Each stream begins a batch when something waits, and batches keep a pause on average, so
of C{e} events a second it makes ::

    k = the smaller of e and 1 / pause    an open loop
    k = rate / messages in flight         a closed one: they travel together

batches.  An event is a message, or an acknowledgement that no message took along within
C{linger_s}.  The pause follows from the busy share of the process, by the rule of the
code (L{wsmsg.stream.spacing.pause_at}), and the share from the batches: a fixed point.

With C{C} Connects and C{M} Messages there are C x M streams, and a message whose users
are at two Connects travels on two of them.  A further stream costs its frames again
(C{stream_us}), and the rest of a cycle is the process's own.
"""

from __future__ import annotations

import math
from collections.abc import Iterator

import attrs

from tools.capacity.constants import CONSTANTS, Constants
from wsmsg.stream.spacing import pause_at

_STEPS = 200
#: More messages a second than this for each connection are no people's.
MOST_PER_CONNECTION = 10.0
#: Processes of a kind, at most; each has a stream to all of the other kind.
_MOST = 20_000
_DAY_S = 86_400


@attrs.frozen
class Load:
    """
    The load of one installation.

    @ivar rate: messages a second between two people.
    @ivar in_flight: in a closed loop, the messages in flight; 0: an open loop.
    """

    connections: float
    rate: float
    in_flight: int = 0


@attrs.frozen
class Shares:
    """
    The busy shares of one Connect and of one Message, of a core.
    """

    connect: float
    message: float


@attrs.frozen
class Need:
    """
    The processes, cores and bytes that a load needs.

    @ivar connects: processes.
    @ivar cores_connect: busy cores of all of them together.
    @ivar memory: bytes, of all processes.
    @ivar disk_day: bytes a day, before replication.
    @ivar clients_bits: bits a second between clients and Connects.
    @ivar streams_bits: bits a second between Connects and Messages.
    """

    connects: int
    messages: int
    cores_connect: float
    cores_message: float
    memory: float
    disk_day: float
    clients_bits: float
    streams_bits: float

    @property
    def cores(self) -> float:
        return self.cores_connect + self.cores_message


def batches(events: float, pause_s: float) -> float:
    """
    Return the batches a second of a stream with so many events a second.
    """
    return min(events, 1.0 / pause_s) if pause_s else events


def shares(
    load: Load, connects: int = 1, messages: int = 1, constants: Constants = CONSTANTS
) -> Shares:
    """
    Return the busy shares of the processes, more than 1 if they cannot do it.
    """
    found = Shares(0.0, 0.0)
    for _ in range(_STEPS):
        new = _shares(load, connects, messages, found, constants)
        # Halfway: the rule for the pause is steep between its two bounds.
        found = Shares(
            (found.connect + new.connect) / 2, (found.message + new.message) / 2
        )
    return found


def _shares(
    load: Load, connects: int, messages: int, now: Shares, constants: Constants
) -> Shares:
    c = constants
    travels = 1.0 if connects == 1 else 2.0 - 1.0 / connects
    rate = travels * load.rate / (connects * messages)
    events = rate * (1.0 + math.exp(-rate * c.linger_s))
    one_us, frames_us = c.message_us / 2, c.stream_us / 2
    own_us = c.cycle_us / 2 - frames_us

    def busy(pause_s: float, streams: int, share_of_rate: float) -> float:
        each = batches(events, pause_s)
        if load.in_flight:
            each = load.rate / load.in_flight
        # What comes on several streams at once is one turn of the process.
        own = min(each * streams, max(each, batches(each * streams, c.most_s)))
        used_us = one_us * share_of_rate + frames_us * each * streams + own_us * own
        return used_us / 1e6

    ping_s = c.ping_us / 1e6 * load.connections / connects
    # The frames up are spaced by Connect, those down by Message.
    pause_s = (pause_at(now.connect) + pause_at(now.message)) / 2
    return Shares(
        ping_s + busy(pause_s, messages, load.rate * travels / connects),
        busy(pause_s, connects, load.rate / messages),
    )


def cpu_us(load: Load, constants: Constants = CONSTANTS) -> float:
    """
    Return the CPU of a message at one Connect and one Message.
    """
    found = shares(load, constants=constants)
    return (found.connect + found.message) * 1e6 / load.rate


def need(load: Load, constants: Constants = CONSTANTS) -> Need | None:
    """
    Return what a load needs with the fewest processes, each below the planned share;
    L{None} if no number of them is enough.
    """
    c = constants
    least = math.ceil(load.connections / c.connections)
    best: tuple[int, int, Shares] | None = None
    for connects in _counts(least):
        if best is not None and connects >= best[0] + best[1]:
            break
        for messages in _counts(1):
            if best is not None and connects + messages >= best[0] + best[1]:
                break
            found = shares(load, connects, messages, c)
            if found.connect > c.share and messages > 1:
                break  # more Messages are more streams of each Connect
            if max(found.connect, found.message) <= c.share:
                best = (connects, messages, found)
                break
    return None if best is None else _need(load, *best, c)


def _counts(least: int) -> Iterator[int]:
    """
    Return numbers of processes to try: all at first, then in steps of a tenth.
    """
    count = max(1, least)
    while count <= _MOST:
        yield count
        count = max(count + 1, int(count * 1.1))


def _need(
    load: Load, connects: int, messages: int, found: Shares, constants: Constants
) -> Need:
    c = constants
    users = load.connections * (c.connection_connect + c.connection_message)
    clients = load.rate * c.client_bytes + load.connections * c.ping_bytes
    travels = 1.0 if connects == 1 else 2.0 - 1.0 / connects
    return Need(
        connects=connects,
        messages=messages,
        cores_connect=found.connect * connects,
        cores_message=found.message * messages,
        memory=connects * c.connect + messages * c.message + users,
        disk_day=load.rate * c.stored * _DAY_S,
        clients_bits=8 * clients,
        streams_bits=8 * load.rate * c.stream_bytes * travels,
    )
