"""
A store that the session of a legacy client reads, and a test case with both.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from twisted.internet.defer import fail, succeed
from twisted.trial.unittest import SynchronousTestCase

from tests.connect.legacy.clients.legacy_node import LegacyClient, LegacyNode, text
from tests.connect.session.doubles import NOW_S
from wsmsg import model
from wsmsg.connect.upstream.interface import HeadsView, PageView, UnreadView
from wsmsg.model import ConversationHead, Message

NOW_MS = int(NOW_S * 1000)


class Stored:
    """
    The store, as the upstream of a node reads it.

    @ivar fails: the error with which reads fail.
    @ivar seen: ids of messages that are not unread.
    @ivar pages: the pages that were read.
    @ivar unreads: the positions at which the unread messages were read.
    """

    def __init__(self, node: LegacyNode, *messages: Message) -> None:
        self.messages = list(messages)
        self.fails: Exception | None = None
        self.seen: set[int] = set()
        self.pages: list[tuple[str, int]] = []
        self.unreads: list[str] = []
        up: Any = node.upstream
        up.page, up.heads, up.unread = self._page, self._heads, self._unread
        up.presence = lambda users, asker=0: succeed([])

    def _page(self, user: int, conversation: str, after: int, limit: int) -> Any:
        self.pages.append((conversation, after))
        if self.fails is not None:
            return fail(self.fails)
        there = [m for m in self.messages if m.conversation == conversation]
        found = [m for m in there if m.seq > after]
        head = max((m.seq for m in there), default=0)
        return succeed(PageView(found[:limit], head, len(found) > limit, "e1"))

    def _heads(
        self,
        user: int,
        position: str,
        limit: int,
        *,
        continued: bool,
        witness: str = "",
    ) -> Any:
        if self.fails is not None:
            return fail(self.fails)
        end = len(self.messages)
        since = end if position == "now" else int(position or 0)
        last = {m.conversation: (n, m) for n, m in enumerate(self.messages)}
        changed = sorted(pair for pair in last.values() if pair[0] >= since)
        rows = [ConversationHead(m.conversation, m.seq, m.time_ms) for _, m in changed]
        more = len(rows) > limit
        at = changed[limit][0] if more else end
        return succeed(HeadsView(rows[:limit], more, str(at), "e1"))

    def _unread(self, user: int, position: str, limit: int) -> Any:
        self.unreads.append(position)
        if self.fails is not None:
            return fail(self.fails)
        left = [
            m
            for m in sorted(self.messages, key=lambda m: m.message_id)
            if m.message_id > int(position or 0)
            and m.message_id not in self.seen
            and m.sender != user
            and m.kind < model.FIRST_EVENT
        ]
        more = len(left) > limit
        at = str(left[limit - 1].message_id) if more else ""
        return succeed(UnreadView(left[:limit], more, at))


def texts(numbers: Sequence[int], **more: Any) -> list[Message]:
    """
    Return messages with these seqs from 7 to 8, sent now.
    """
    return [text(n, time_ms=NOW_MS + n, **more) for n in numbers]


class FeedTestCase(SynchronousTestCase):
    """
    A test with a client of user 8 and a store.
    """

    def begin(self, stored: Sequence[Message] = (), **legacy: Any) -> None:
        """
        Connect the client.
        """
        self.node = LegacyNode(legacy=legacy, page=3)
        self.store = Stored(self.node, *stored)
        self.client = self.node.connect(8)

    def push(self, *messages: Message, stored: bool = True) -> None:
        """
        Store messages and push them to the client.
        """
        self.store.messages += messages if stored else ()
        self.node.push(*messages, to=8)

    def heard(self, client: LegacyClient | None = None) -> list[int]:
        """
        Return the seqs of the messages received since the last call.
        """
        return [int(content) for content in (client or self.client).texts()]
