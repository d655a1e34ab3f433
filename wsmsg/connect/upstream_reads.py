"""
The half of L{wsmsg.connect.upstream.Upstream} that reads.
"""

from __future__ import annotations

from collections.abc import Sequence

from twisted.internet.defer import Deferred

from wsmsg.connect.interfaces import GroupView
from wsmsg.connect.queries import Queries
from wsmsg.model import Head, Mark, Message, Presence


class UpstreamReads:
    """
    The reads of L{wsmsg.connect.interfaces.IUpstream}.
    """

    queries: Queries

    def page(
        self, user: int, conversation: str, after: int, limit: int
    ) -> Deferred[tuple[Sequence[Message], int, bool]]:
        return self.queries.page(user, conversation, after, limit)

    def heads(
        self, user: int, since_ms: int, limit: int, after: str = ""
    ) -> Deferred[tuple[Sequence[Head], bool]]:
        return self.queries.heads(user, since_ms, limit, after)

    def group(
        self, user: int, conversation: str, after: int, limit: int
    ) -> Deferred[GroupView]:
        return self.queries.group(user, conversation, after, limit)

    def presence(self, users: Sequence[int]) -> Deferred[list[Presence]]:
        return self.queries.presence(users)

    def mark(self, user: int, marks: Sequence[Mark]) -> Deferred[list[bool]]:
        return self.queries.mark(user, marks)

    def unread(
        self, user: int, after: int, limit: int
    ) -> Deferred[tuple[Sequence[Message], int, bool]]:
        return self.queries.unread(user, after, limit)
