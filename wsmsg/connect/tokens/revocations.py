"""
The revoked tokens of users, as the Messages tell them.
"""

from __future__ import annotations

from collections.abc import Iterable
from heapq import nlargest
from typing import Final

from wsmsg.auth.identity import Identity
from wsmsg.errors import Unauthenticated

#: The most users of which a time is kept: twice those that Message keeps, as it may
#: have forgotten others.
MOST_USERS: Final = 200_000

REVOKED = "the token was revoked"


class Revocations:
    """
    The times before which the tokens of users are revoked.
    """

    def __init__(self) -> None:
        self._before_ms: dict[int, int] = {}

    def __len__(self) -> int:
        return len(self._before_ms)

    def add(self, revoked: Iterable[tuple[int, int]]) -> list[int]:
        """
        Add users and times.

        @return: the users whose times rose.
        """
        known = self._before_ms
        risen = []
        for user, before_ms in revoked:
            if before_ms > known.get(user, 0):
                known[user] = before_ms
                risen.append(user)
        if len(known) > MOST_USERS:
            # Message forgets the oldest, whose tokens have expired.
            newest = nlargest(MOST_USERS, known.items(), key=lambda item: item[1])
            self._before_ms = dict(newest)
        return risen

    def is_revoked(self, identity: Identity) -> bool:
        """
        Return whether the token of an identity is revoked.  One that does not say when
        it was issued counts as older than any time.
        """
        before_ms = self._before_ms.get(identity.user)
        return before_ms is not None and identity.issued_s * 1000 < before_ms

    def check(self, identity: Identity) -> Identity:
        """
        Return the identity, if its token is not revoked.

        @raise Unauthenticated: it is.
        """
        if self.is_revoked(identity):
            raise Unauthenticated(REVOKED, fault="revoked")
        return identity
