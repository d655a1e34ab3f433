"""
The measured constants of the capacity model.  Whoever measures one again changes it
here, with the day and the commit; the tables of the docs follow by C{make docs}.
"""

from __future__ import annotations

from typing import Final

import attrs

from wsmsg.stream.spacing import BUSY, IDLE, MOST_S

#: The code and the day of the figures below, unless a line says otherwise.
COMMIT: Final = "554c4750"
MEASURED: Final = "1 December 2026"
MACHINE: Final = "two shared cores of an AMD EPYC, Python 3.11.7, the load beside it"


@attrs.frozen(kw_only=True)
class Constants:
    """
    The constants, for messages of 200 bytes between two people.

    @ivar message_us: CPU of a message in a batch so large that nothing else counts,
        both daemons; half of it at each.
    @ivar cycle_us: CPU of a batch that goes up from Connect and comes down again,
        whatever is in it, both daemons; half of it at each.
    @ivar stream_us: the share of it that each further stream of a process costs again:
        a frame up and one down of a busy process, both ends.
    @ivar linger_s: how long an acknowledgement waits for a message to travel with.
    @ivar hops_ms: of the median latency, what is neither CPU of a cycle nor a wait for
        a stream: the sync of the disk, hops between threads, and the client.
    @ivar load_us: CPU of a message at the load generator of C{wsmsg bench}.
    @ivar cores: of the machine of the measurements, for both daemons and the load.
    @ivar acknowledge_s: how often a client reports how far it is.
    @ivar delivery_us: CPU of a delivery to a member of a group of 1,000, both daemons.
    @ivar login_ms: CPU of a login, both daemons.
    @ivar ping_us: CPU each second of a connection that sends nothing, at Connect.
    @ivar connection_connect: bytes of an idle connection at Connect.
    @ivar connection_message: bytes of its user at Message.
    @ivar connect: bytes of a Connect without connections.
    @ivar message: bytes of a Message without users.
    @ivar stored: bytes on disk of a message.
    @ivar client_bytes: bytes of a message between clients and Connect, with headers
        of WebSocket, TCP and IP: sent, accepted, delivered, acknowledged, receipt.
    @ivar stream_bytes: bytes of the same between Connect and Message.
    @ivar ping_bytes: bytes each second of a connection that sends nothing.
    @ivar connections: most connections of one Connect (C{limits.connections}).
    @ivar share: of a core that a process is planned to use at the busiest time.
    """

    message_us: float = 93.0
    cycle_us: float = 2_000.0
    stream_us: float = 240.0
    linger_s: float = 0.02
    hops_ms: float = 1.6
    load_us: float = 40.0
    cores: float = 2.0
    acknowledge_s: float = 0.1
    delivery_us: float = 9.2
    login_ms: float = 0.40
    ping_us: float = 17.0
    connection_connect: float = 3.1 * 1024
    connection_message: float = 0.45 * 1024
    connect: float = 106e6
    message: float = 104e6
    stored: float = 377.0
    client_bytes: float = 1_420.0
    stream_bytes: float = 730.0
    ping_bytes: float = 82.0
    connections: int = 50_000
    share: float = 0.6
    idle: float = IDLE
    busy: float = BUSY
    most_s: float = MOST_S


CONSTANTS: Final = Constants()


@attrs.frozen
class Reference:
    """
    One figure of C{wsmsg bench} on the quiet machine.

    @ivar rate: messages a second: of an open loop the wanted ones, of a closed one
        those that it carried.
    @ivar in_flight: messages in flight of a closed loop; 0: an open loop.
    @ivar cpu_us: CPU of a message, both daemons; 0: not measured on this code.
    @ivar p50_ms: the median latency; 0: not measured.
    """

    rate: float
    in_flight: int = 0
    cpu_us: float = 0.0
    p50_ms: float = 0.0


#: What the model must give; C{message_us} and C{cycle_us} were fitted to their CPU.
REFERENCES: Final = (
    Reference(50.0, p50_ms=3.8),
    Reference(500.0, cpu_us=871.0, p50_ms=6.0),
    Reference(2_000.0, cpu_us=300.0, p50_ms=9.3),
    Reference(8_970.0, in_flight=100, cpu_us=117.0),
    Reference(14_870.0, in_flight=1_000, cpu_us=94.0),
)
