"""
The half of L{wsmsg.connect.upstream.upstream.Upstream} that reads.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Sequence

from twisted.internet.defer import Deferred, fail, succeed

from wsmsg.connect.upstream.interface import GroupView
from wsmsg.connect.upstream.queries import UpstreamQueries
from wsmsg.errors import Unsupported
from wsmsg.model import ConversationHead, Mark, Message, UserPresence


class UpstreamReads(ABC):
    """
    The reads of L{wsmsg.connect.upstream.interface.IUpstream}.
    """

    queries: UpstreamQueries
    unnumbered: bool

    def page(
        self, user: int, conversation: str, after: int, limit: int
    ) -> Deferred[tuple[Sequence[Message], int, bool]]:
        if self.unnumbered:
            return fail(_nothing())
        return self.queries.page(user, conversation, after, limit)

    def heads(
        self, user: int, since_ms: int, limit: int, after: str = ""
    ) -> Deferred[tuple[Sequence[ConversationHead], bool]]:
        if self.unnumbered:
            return fail(_nothing())
        return self.queries.heads(user, since_ms, limit, after)

    def group(
        self, user: int, conversation: str, after: int, limit: int
    ) -> Deferred[GroupView]:
        if self.unnumbered:
            return fail(_nothing())
        return self.queries.group(user, conversation, after, limit)

    def presence(self, users: Sequence[int]) -> Deferred[list[UserPresence]]:
        return self.queries.presence(users)

    def mark(self, user: int, marks: Sequence[Mark]) -> Deferred[list[bool]]:
        if self.unnumbered:
            return succeed([self.acknowledge(user, m.message_id) for m in marks])
        return self.queries.mark(user, marks)

    def unread(
        self, user: int, after: int, limit: int
    ) -> Deferred[tuple[Sequence[Message], int, bool]]:
        if self.unnumbered:
            return fail(_nothing())
        return self.queries.unread(user, after, limit)

    @abstractmethod
    def acknowledge(self, user: int, message_id: int) -> bool:
        """
        Tell a deployed Message that a user has seen this; once one is there.

        @return: whether there can be such a message.
        """


def _nothing() -> Unsupported:
    return Unsupported("the deployed Message behind this server keeps no such thing")
