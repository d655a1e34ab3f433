"""
What keeps the presence of users for readers outside.
"""

from __future__ import annotations

from collections.abc import Sequence

from twisted.internet.defer import Deferred
from zope.interface import Attribute, Interface

from wsmsg.model import UserPresence

#: For how long a Connect is believed after it last showed that it lives, in seconds.
#: With what a look takes it is still within the 5 s of P9; and where a primary falls
#: silent, up to a second after it last renewed, another is one before that is over
#: (C{_SUSPECT_BEATS} of Connect's streams: 3 s).
LEASE_S = 4.5


class IPresence(Interface):
    """
    User state for readers outside, under a lease for each Connect.
    """

    dependency = Attribute(
        "The L{wsmsg.dependency.state.Dependency} that tells its state."
    )

    def start() -> None:
        """
        Open it and keep it open.
        """

    def stop() -> Deferred[None]:
        """
        @return: a Deferred that fires when nothing is left; never fails.
        """

    def replace(node: str, users: Sequence[int]) -> Deferred[None]:
        """
        These users, and no others, are at this Connect.

        @return: a Deferred that fires with L{None}.
        """

    def change(
        node: str, online: Sequence[int], offline: Sequence[int]
    ) -> Deferred[None]:
        """
        Users came to and left a Connect.

        @return: a Deferred that fires with L{None}.
        """

    def renew(node: str) -> Deferred[None]:
        """
        The Connect lives; without this for its lease its users are gone.

        @return: a Deferred that fires with L{None}.
        """

    def forget(node: str) -> Deferred[None]:
        """
        The Connect is gone, and its users with it; unless another Message than this
        one was the last to write it, which then is its primary.

        @return: a Deferred that fires with L{None}.
        """

    def look_up(users: Sequence[int]) -> Deferred[list[UserPresence]]:
        """
        @return: a Deferred that fires with a list of L{wsmsg.model.UserPresence}, one a
            user, in their order.
        """
