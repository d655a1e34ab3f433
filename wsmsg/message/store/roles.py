"""
The part that all roles of the store share, and the role that keeps message ids from
being given out twice.
"""

from __future__ import annotations

from twisted.internet.defer import Deferred
from zope.interface import Attribute, Interface


class IStoreRole(Interface):
    """
    The part that all roles share.
    """

    dependency = Attribute(
        "The L{wsmsg.dependency.state.Dependency} with the state of the store."
    )


class IReservations(IStoreRole):
    """
    The times up to which message ids are reserved, by node number.
    """

    def reserve_ids(node_number: int, until_ms: int) -> Deferred[int]:
        """
        Reserve the ids of a node number up to a time, durably.  A time never falls.

        @param until_ms: in unix milliseconds.
        @return: a Deferred that fires with the time up to which ids were reserved
            before; 0: none were.
        """
