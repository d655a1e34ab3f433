"""
Presence of users, for callers of the HTTP and gRPC APIs.
"""

from __future__ import annotations

from collections.abc import Container, Iterable, Sequence
from typing import Protocol

from twisted.internet.defer import Deferred
from twisted.logger import Logger

from wsmsg.errors import BadRequest, WsmsgError
from wsmsg.model import INT64_MAX, UserPresence

#: The maximum of users in one call.
MOST_USERS = 10_000


class PresenceReads(Protocol):
    """
    The part of L{wsmsg.connect.upstream.interface.IUpstreamReads} that this needs.
    """

    @property
    def judges(self) -> bool: ...

    def presence(
        self, users: Sequence[int], asker: int = 0
    ) -> Deferred[list[UserPresence]]: ...


class PresenceSource(Protocol):
    """
    The part of L{wsmsg.connect.upstream.interface.IUpstream} that this needs.
    """

    @property
    def up(self) -> bool: ...

    @property
    def reads(self) -> PresenceReads: ...


class OnlineStatus:
    """
    Answers from the sessions of this node, and from Message for all others.

    @param here: the users that have a session on this node.
    @param upstream: Message; while no stream is up, only users with a session here
        count as online.
    """

    _log = Logger()

    def __init__(self, here: Container[int], upstream: PresenceSource) -> None:
        self._here = here
        self._upstream = upstream

    async def of(self, users: Sequence[int], asker: int = 0) -> dict[int, bool]:
        """
        Return for each user, in the given order, whether the user is online.  A number
        that no user can have is offline, as for the legacy Connect.

        @param asker: the user who asks, from whom others may be hidden; 0: a service.
        @raise BadRequest: there are too many users, or some are not int64.
        """
        check_users(users)
        # Where users may be hidden, Message is asked about those who are here, too.
        may_hide = bool(asker) and self._upstream.reads.judges
        status = {user: user in self._here and not may_hide for user in users}
        others = [user for user, here in status.items() if not here and user > 0]
        if others and self._upstream.up:
            status.update(await self._elsewhere(others, asker))
        return status

    async def _elsewhere(self, users: Sequence[int], asker: int) -> dict[int, bool]:
        try:
            found = await self._upstream.reads.presence(users, asker)
        except WsmsgError as e:
            self._log.warn(
                "cannot read the presence of users elsewhere: {e}", e=e.reason
            )
            return {}
        return {p.user: True for p in found if p.online and not p.hidden}


def check_users(users: Iterable[object]) -> None:
    """
    Check the users of a call.

    @raise BadRequest: there are too many users, or some are not int64.
    """
    for count, user in enumerate(users, 1):
        if count > MOST_USERS:
            raise BadRequest(f"user_ids has more than {MOST_USERS} entries")
        if type(user) is not int or not -INT64_MAX <= user + 1 <= INT64_MAX + 1:
            shown = repr(user)[:40]
            raise BadRequest(f"user_ids has {shown}, which is not a user id")
