"""
The history of a store: in another one, numbers may be given a second time.
"""

from __future__ import annotations

from twisted.internet.defer import Deferred
from zope.interface import Attribute, Interface


class IHistory(Interface):
    """
    A store that knows which history its numbers belong to.
    """

    epoch: str = Attribute(
        "The random name of this history of the store, as it was read last: in another "
        "one, numbers may be given a second time.  Empty before it was read."
    )

    def read_epoch() -> Deferred[str]:
        """
        @return: a Deferred that fires with the epoch as it is now: another process may
            have begun one.
        """

    def renew_epoch(known: str) -> Deferred[str]:
        """
        Begin another epoch, unless that is done: because the store was replaced with an
        older copy, so that messages that readers have are not in it.

        @param known: the epoch to end.
        @return: a Deferred that fires with the epoch of the store.
        """
