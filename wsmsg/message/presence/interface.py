"""
The interface of presence.
"""

from __future__ import annotations

from collections.abc import Sequence

from twisted.internet.defer import Deferred
from zope.interface import Attribute, Interface

from wsmsg.model import UserPresence

#: The length of a lease in seconds.  With the time of a look-up it is still within the
#: 5 s of P9.  Where a primary falls silent, up to a second after its last renewal,
#: another Message becomes primary before the lease ends (C{_SUSPECT_BEATS} of Connect's
#: streams: 3 s).
LEASE_S = 4.5


class IPresence(Interface):
    """
    The presence of users for readers outside, under a lease for each Connect.
    """

    dependency = Attribute("The L{wsmsg.dependency.state.Dependency} with the state.")

    def start() -> None:
        """
        Open the backend and keep it open.
        """

    def stop() -> Deferred[None]:
        """
        @return: a Deferred that fires when nothing is left; never fails.
        """

    def replace(node: str, users: Sequence[int]) -> Deferred[None]:
        """
        Set the users of a Connect.

        @return: a Deferred that fires with L{None}.
        """

    def change(
        node: str, online: Sequence[int], offline: Sequence[int]
    ) -> Deferred[None]:
        """
        Add users to a Connect, and remove others.

        @return: a Deferred that fires with L{None}.
        """

    def renew(node: str) -> Deferred[None]:
        """
        Renew the lease of a Connect; when it expires, the users of the Connect are
        offline.

        @return: a Deferred that fires with L{None}.
        """

    def forget(node: str) -> Deferred[None]:
        """
        Remove a Connect with its users, unless another Message wrote it last: that one
        is its primary now.

        @return: a Deferred that fires with L{None}.
        """

    def look_up(users: Sequence[int]) -> Deferred[list[UserPresence]]:
        """
        @return: a Deferred that fires with one L{wsmsg.model.UserPresence} for each
            user, in order.
        """
