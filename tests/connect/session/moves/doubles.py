"""
Moves of the clients of a node without I/O.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable

from twisted.internet.defer import succeed

from tests.connect.session.doubles import FakeNode
from wsmsg.connect.edge.admission import Admission
from wsmsg.connect.session.moves.alternatives import OtherConnect
from wsmsg.connect.session.moves.moves import Moves
from wsmsg.dependency.state import Dependency
from wsmsg.monitoring.health import Health, any_up


def no_others() -> Awaitable[list[OtherConnect]]:
    """
    Read the other Connects: there are none.
    """
    return succeed([])


def ready_health(node: FakeNode) -> Health:
    """
    Return the health of a daemon that is ready.
    """
    health, message = Health(node.clock, any_up), Dependency("message", node.clock)
    health.add(message)
    message.succeeded()
    health.started()
    return health


def moves_of(
    node: FakeNode,
    read_others: Callable[[], Awaitable[list[OtherConnect]]] = no_others,
    *,
    admission: Admission | None = None,
    health: Health | None = None,
) -> Moves:
    """
    Return the moves of a node, which pick the first sessions where they must choose.
    """
    return Moves(
        node.registry,
        admission or Admission(node.settings.limits, node.clock),
        health or ready_health(node),
        node.clock,
        own=lambda: OtherConnect("here", "", node.registry.count, 100, True),
        read_others=read_others,
        sample=lambda sessions, n: list(sessions[:n]),
    )
