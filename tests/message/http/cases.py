"""
Message's HTTP API over doubles of the backends.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from twisted.internet.defer import Deferred, fail, succeed
from twisted.internet.task import Clock

from tests.http.cases import HttpCase
from tests.message.doubles import ManualJournal, MemoryStore, rules_by
from wsmsg.errors import Overloaded
from wsmsg.http.resource import Api
from wsmsg.message.cluster.message_ids import EPOCH_MS, MessageIds
from wsmsg.message.delivery.numbering import Numbering
from wsmsg.message.http.api import ApiServices, routes_of
from wsmsg.message.ingress.ingress import Ingress
from wsmsg.message.ingress.submit import SubmitAndWait
from wsmsg.message.journal.interface import JournalEntry
from wsmsg.message.journal.record import decode
from wsmsg.message.legacy.history import History
from wsmsg.message.legacy.http import LegacyHttpCalls
from wsmsg.message.life.lives import Lives
from wsmsg.message.life.others import OtherMessages
from wsmsg.message.links.links import Links
from wsmsg.message.log.appends import Appends
from wsmsg.message.presence.memory import MemoryPresence
from wsmsg.message.queries.marks import Marks
from wsmsg.message.queries.queries import Queries
from wsmsg.model import Cursor, Message
from wsmsg.rpc import rest_pb2


class DeliveringJournal(ManualJournal):
    """
    A journal whose messages are durable and stored at once, unless the test says
    otherwise.
    """

    def __init__(self, delivery: Numbering) -> None:
        super().__init__()
        self.delivery = delivery
        self.delivers = True
        self.refuses = False

    def append(self, messages: Sequence[Message]) -> Deferred[None]:
        if self.refuses:
            return fail(Overloaded("too much", 1500))
        super().append(messages)
        entries = [JournalEntry(0, i, m, b"") for i, m in enumerate(messages)]
        if self.delivers:
            Deferred.fromCoroutine(self.delivery.store(entries))
        return succeed(None)


def _nobody(
    address: str, request: rest_pb2.QueryRequest, timeout_s: float
) -> Deferred[rest_pb2.QueryResponse]:
    raise AssertionError("there is no other Message")


class ApiCase(HttpCase):
    """
    The API over doubles of the backends.

    @cvar named: whether users have names.
    """

    named = False

    def setUp(self) -> None:
        super().setUp()
        self.not_stored: set[str] = set()
        self.store = MemoryStore()
        self.store.start()
        delivery = Numbering(self.store, lambda: 5, heads_cached=10)
        self.journal = DeliveringJournal(delivery)
        ingress = Ingress(
            Appends(self.journal, self.store, Clock()),
            self.store,
            MessageIds(lambda: EPOCH_MS),
            lambda: EPOCH_MS,
            rules=rules_by(self.store, lambda: EPOCH_MS),
            limit=20,
            content_bytes=100,
        )
        presence = MemoryPresence(self.clock)
        self.links = Links(
            presence, self.clock, grace_s=1, limit_records=9, limit_bytes=99
        )
        self.receipts: list[Cursor] = []
        self.revoked: list[tuple[int, int]] = []
        self.marks = Marks(self.store, self.receipts.append, self.clock)
        self.behind = ApiServices(
            self.store,
            SubmitAndWait(ingress, self.store, self.clock),
            Queries(
                self.store,
                presence,
                self.links.routes,
                page=50,
                names=self.store.names if self.named else None,
                may_be_unstored=self.may_be_unstored,
            ),
            self.links,
            self.revoke,
            Lives(
                "one",
                self.store,
                self.journal,
                self.links.lives,
                OtherMessages(tuple, _nobody),
                self.clock,
                decode=decode,
            ),
        )
        legacy = LegacyHttpCalls(
            self.store,
            self.behind.queries,
            self.behind.submit,
            History(self.store, self.behind.queries.check_stored, depth=100),
            self.marks.mark,
            most_unread=lambda: self.access.settings.unread,
        )
        self.legacy_routes = legacy.routes
        routes = routes_of(self.behind, self.legacy_routes, named=self.named)
        self.routes = [*routes, *self.legacy_routes()]
        self.api = Api(
            routes,
            self.access,
            more=self.legacy_routes,
            audit=self.changes.append,
        )

    async def may_be_unstored(self, conversation: str, user: int) -> bool:
        return conversation in self.not_stored

    async def revoke(self, user: int, before_ms: int) -> tuple[int, int]:
        """
        Record a revocation.
        """
        self.revoked.append((user, before_ms))
        return before_ms, 1

    def link(self, node: str, *users: int) -> Any:
        """
        Open a stream of a Connect with these users.
        """
        hello = rest_pb2.SubscribeRequest(connect_service_id=node, incarnation="x")
        link, _ = self.links.subscribe(hello, "own")
        link.opened(lambda: None, lambda reason: None)
        whole = rest_pb2.PresenceDelta.Snapshot.WHOLE
        delta = rest_pb2.PresenceDelta(number=1, snapshot=whole, online=users)
        self.links.users.apply_presence(link, delta)
        return link

    def send(self, content: str, **more: Any) -> Any:
        """
        Send a message from 1 to 2.
        """
        body = {"client_id": content, "from": 1, "to": 2, "content": content}
        return self.ask("POST", "messages", {**body, **more})

    def send_with(self, **more: Any) -> Any:
        """
        Send a message from 1 to 2 with other fields.
        """
        body = {"client_id": "x", "from": 1, "to": 2, "content": "x"}
        return self.ask("POST", "messages", {**body, **more})
