"""
The part that all roles of the store share; the role that keeps message ids from being
given out twice; and the role of revoked tokens.
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


class IRevocations(IStoreRole):
    """
    The times before which the tokens of users were revoked.
    """

    def revoke(user: int, before_ms: int) -> Deferred[int]:
        """
        Revoke the tokens of a user that were issued before a time, durably.  The time
        of a user never falls.

        @param before_ms: in unix milliseconds.
        @return: a Deferred that fires with the time of the user now.
        """

    def revocations() -> Deferred[dict[int, int]]:
        """
        @return: a Deferred that fires with the time of each user that has one.
        """

    def revocations_changed() -> Deferred[int]:
        """
        @return: a Deferred that fires with a number that is another one after each
            L{revoke}, also by another process.
        """

    def forget_revocations(until_ms: int) -> Deferred[None]:
        """
        Forget the times up to this one: all tokens that they concern have expired.
        """
