"""
The plug-in that lets Connect work with a legacy Message
(L{wsmsg.connect.upstream.context.UnnumberedMode}).

A legacy Message keeps nothing that a client could read.  So Connect knows only the
presence of its own users, and a client may do no more than send and mark as seen.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from twisted.internet.defer import Deferred, fail, succeed
from twisted.internet.interfaces import IStreamClientEndpoint
from zope.interface import implementer

from wsmsg.connect.legacy.upstream.acks import AckQueue
from wsmsg.connect.legacy.upstream.endpoint import legacy_endpoint
from wsmsg.connect.legacy.upstream.repeats import RepeatFilter
from wsmsg.connect.legacy.upstream.stream import LegacyCounters, LegacyUpstreamStream
from wsmsg.connect.upstream.context import Stream, StreamOwner, UpstreamContext
from wsmsg.connect.upstream.endpoint import Hello
from wsmsg.connect.upstream.interface import (
    IEdge,
    IUpstreamReads,
    NewSend,
    OnAnswer,
)
from wsmsg.errors import Unsupported
from wsmsg.model import Mark, UserPresence
from wsmsg.settings.values import ConnectSettings


@implementer(IUpstreamReads)
class LegacyReads:
    """
    The reads while Message is a legacy one.

    @param pool_changed: called when there are acknowledgements to write.
    """

    def __init__(
        self, edge: IEdge, acks: AckQueue, pool_changed: Callable[[], object]
    ) -> None:
        self.judges = False
        self._edge = edge
        self._acks = acks
        self._pool_changed = pool_changed

    def page(
        self, user: int, conversation: str, after: int, limit: int
    ) -> Deferred[Any]:
        return fail(_unsupported())

    def heads(
        self,
        user: int,
        position: str,
        limit: int,
        *,
        continued: bool,
        witness: str = "",
    ) -> Deferred[Any]:
        return fail(_unsupported())

    def compare(self, pushed: Sequence[tuple[int, str, int]]) -> Deferred[Any]:
        return fail(_unsupported())

    def group(
        self, user: int, conversation: str, after: int, limit: int
    ) -> Deferred[Any]:
        return fail(_unsupported())

    def blocks(self, user: int, after: str, limit: int) -> Deferred[Any]:
        return fail(_unsupported())

    def invitations(self, user: int, after: str, limit: int) -> Deferred[Any]:
        return fail(_unsupported())

    def unread(self, user: int, position: str, limit: int) -> Deferred[Any]:
        return fail(_unsupported())

    def presence(
        self, users: Sequence[int], asker: int = 0
    ) -> Deferred[list[UserPresence]]:
        has_user = self._edge.has_user
        return succeed([UserPresence(user, has_user(user)) for user in users])

    def mark(self, user: int, marks: Sequence[Mark]) -> Deferred[list[bool]]:
        return succeed([self._acknowledge(user, m.message_id) for m in marks])

    def _acknowledge(self, user: int, message_id: int) -> bool:
        if message_id > 0:
            self._acks.add(user, message_id)
            self._pool_changed()
        return message_id > 0


class LegacyUpstream:
    """
    The behaviour of Connect while its Message is a legacy one.

    @param pool_changed: called when there are acknowledgements to write.
    """

    def __init__(
        self, context: UpstreamContext, pool_changed: Callable[[], object]
    ) -> None:
        self._context = context
        self._acks = AckQueue()
        self._counters = LegacyCounters()
        self._repeats = RepeatFilter(context.sends.send)
        self.reads: IUpstreamReads = LegacyReads(context.edge, self._acks, pool_changed)

    def endpoint(
        self, address: str, hello: Hello, settings: ConnectSettings
    ) -> IStreamClientEndpoint:
        return legacy_endpoint(address, hello, settings)

    def open_stream(
        self, name: str, owner: StreamOwner, settings: ConnectSettings
    ) -> Stream:
        return LegacyUpstreamStream(
            name,
            owner,
            self._context,
            self._acks,
            self._counters,
            stalled_s=settings.upstream.stalled_s,
        )

    def send(self, new: NewSend, on_answer: OnAnswer) -> None:
        self._repeats.send(new, on_answer)

    def user_joined(self, user: int) -> None:
        self._context.edge.presence(UserPresence(user, True))

    def user_left(self, user: int) -> None:
        seen_ms = int(self._context.unix_s() * 1000)
        self._context.edge.presence(UserPresence(user, False, seen_ms))

    def stats(self) -> dict[str, int]:
        acks, counters = self._acks, self._counters
        return {
            "sends_repeated": self._repeats.repeated,
            "failures": counters.failures,
            "odd_events": counters.odd_events,
            "acks_waiting": len(acks),
            "acks_confirmed": acks.confirmed,
            "acks_early": acks.early,
            "acks_shed": acks.shed,
        }


def _unsupported() -> Unsupported:
    return Unsupported("the legacy Message behind this server keeps no such thing")
