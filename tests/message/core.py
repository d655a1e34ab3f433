"""
The parts of a Message behind its streams and queries, composed over doubles in memory.
"""

from __future__ import annotations

from typing import Any

from twisted.internet.task import Clock

from tests.message.doubles import ManualJournal, MemoryStore, rules_by
from tests.message.presence.doubles import RecordingPresence
from wsmsg.message.cluster.message_ids import MessageIds
from wsmsg.message.ingress.ingress import Ingress
from wsmsg.message.links.cursors import CursorWriter
from wsmsg.message.links.links import Links
from wsmsg.message.links.recipients import MemberCache
from wsmsg.message.links.stream import StreamContext
from wsmsg.message.links.typing import TypingSignals
from wsmsg.message.log.appends import Appends
from wsmsg.message.queries.queries import Queries
from wsmsg.message.query_rpc import QueryAdapter
from wsmsg.stream.clocks import ClockOffsets


class MemoryCore:
    """
    A Message of the life C{life}, in which every message is accepted at 1000.

    @param clock: for links, cursors and typing.
    @ivar streams: what the streams of Connects use.
    @ivar queries: answers queries.
    """

    def __init__(self, clock: Any, *, grace_s: float, limit_records: int) -> None:
        self.journal = ManualJournal()
        self.store = MemoryStore()
        self.presence = RecordingPresence()
        self.links = Links(
            self.presence,
            clock,
            grace_s=grace_s,
            limit_records=limit_records,
            limit_bytes=10**6,
        )
        self.ingress = Ingress(
            Appends(self.journal, self.store, Clock()),
            self.store,
            MessageIds(lambda: 5),
            lambda: 1000,
            rules=rules_by(self.store, lambda: 1000),
            limit=100,
            content_bytes=1000,
        )
        self.streams = StreamContext(
            node="m",
            incarnation="life",
            links=self.links,
            ingress=self.ingress,
            cursors=CursorWriter(self.store, self.links.receipt, clock),
            typing=TypingSignals(
                self.store, MemberCache(self.store, limit=100), self.links, clock
            ),
            keepalive_s=1.0,
            content_bytes=1000,
            clocks=ClockOffsets(lambda: 0.0, lambda: 0.0),
        )
        self.queries = QueryAdapter(
            Queries(self.store, self.presence, self.links.routes, page=9)
        )
