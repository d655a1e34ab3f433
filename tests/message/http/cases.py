"""
Message's HTTP API over doubles of the backends, in memory.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from io import BytesIO
from typing import Any

from twisted.internet.address import IPv4Address
from twisted.internet.defer import Deferred, fail, succeed
from twisted.internet.task import Clock
from twisted.trial.unittest import SynchronousTestCase
from twisted.web.test.requesthelper import DummyRequest

from tests.message.doubles import ManualJournal, MemoryStore, rules_by
from wsmsg.auth.identity import Authenticate, Identity
from wsmsg.errors import Overloaded, Unauthenticated
from wsmsg.http.access import Access
from wsmsg.http.errors import PlainError, Problem
from wsmsg.http.routes import Api
from wsmsg.message.cluster.message_ids import EPOCH_MS, MessageIds
from wsmsg.message.delivery.numbering import Numbering
from wsmsg.message.http.api import ApiServices, routes_of
from wsmsg.message.ingress.appends import Appends
from wsmsg.message.ingress.ingress import Ingress
from wsmsg.message.ingress.submit import SubmitAndWait
from wsmsg.message.journal.interface import JournalEntry
from wsmsg.message.legacy.history import History
from wsmsg.message.legacy.http import LegacyHttpCalls
from wsmsg.message.links.links import Links
from wsmsg.message.presence.memory import MemoryPresence
from wsmsg.message.queries.marks import Marks
from wsmsg.message.queries.queries import Queries
from wsmsg.model import Cursor, Message
from wsmsg.settings.http import HttpSettings
from wsmsg.settings.tokens import TokenSettings


class DeliveringJournal(ManualJournal):
    """
    What is appended is durable and stored at once, unless the test says otherwise.
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


def believing(settings: TokenSettings) -> Authenticate:
    """
    Believes the token C{token-of-<user>}.
    """

    def authenticate(token: str, user: int | None) -> Identity:
        name = token.removeprefix("Bearer ").removeprefix("token-of-")
        if not name.isdecimal():
            raise Unauthenticated("that is no token")
        if user not in (None, int(name)):
            raise Unauthenticated("the token is of another user than the one named")
        return Identity(int(name))

    return authenticate


class WebCase(SynchronousTestCase):
    """
    The API over doubles of the backends.

    @ivar key: the C{Authorization} header of what is asked.
    @ivar address: where it comes from.
    """

    key = ""
    address = "192.0.2.7"

    def setUp(self) -> None:
        self.clock = Clock()
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
        self.marks = Marks(self.store, self.receipts.append, self.clock)
        self.behind = ApiServices(
            self.store,
            SubmitAndWait(ingress, self.store, self.clock),
            Queries(self.store, presence, self.links.routes, page=50),
            self.links,
        )
        self.access = Access(HttpSettings(), self.clock, believing)
        legacy = LegacyHttpCalls(
            self.store,
            self.behind.submit,
            History(self.store, depth=100),
            self.marks.mark,
            self.clock,
            most_unread=lambda: self.access.settings.unread,
        )
        self.legacy_routes = legacy.routes()
        self.routes = routes_of(self.behind, self.legacy_routes)
        self.api = Api(self.routes, self.access.admit)

    def begin(self, method: str, path: str, body: object = None, **args: Any) -> Any:
        """
        Ask, without waiting for the answer.
        """
        request: Any = DummyRequest([p.encode() for p in f"api/v1/{path}".split("/")])
        request.method = method.encode()
        request.uri = request.path = b"/"
        request.args = {n.encode(): [str(v).encode()] for n, v in args.items()}
        raw = body if isinstance(body, bytes) else json.dumps(body).encode()
        request.content = BytesIO(raw if body is not None else b"")
        request.client = IPv4Address("TCP", self.address, 7)
        if self.key:
            request.requestHeaders.setRawHeaders("authorization", [self.key])
        self.api.render(request)
        self.clock.advance(0)
        return request

    def end(self, request: Any) -> tuple[int, Any]:
        """
        The status and the document of an answer.
        """
        self.assertEqual(request.finished, 1)
        written = b"".join(request.written)
        document = json.loads(written) if written else None
        if request.responseCode >= 400:
            assert document is not None
            kind = request.responseHeaders.getRawHeaders("content-type")[0]
            if kind == "application/json; charset=utf-8":
                self.assertEqual(set(document), set(PlainError.__struct_fields__))
                self.assertTrue(document["error"])
            else:
                self.assertEqual(kind, "application/problem+json; charset=utf-8")
                self.assertEqual(set(document), set(Problem.__struct_fields__))
                self.assertEqual(document["status"], request.responseCode)
                self.assertTrue(document["detail"])
        return request.responseCode, document

    def ask(self, method: str, path: str, body: object = None, **args: Any) -> Any:
        """
        Ask, and have the answer at once.
        """
        return self.end(self.begin(method, path, body, **args))

    def configure(self, **http: Any) -> None:
        """
        Apply other settings.
        """
        self.access.apply_settings(HttpSettings.model_validate(http))

    def say(self, content: str, **more: Any) -> Any:
        """
        Have 1 say something to 2.
        """
        body = {"client_id": content, "from": 1, "to": 2, "content": content}
        return self.ask("POST", "messages", {**body, **more})

    def say_with(self, **more: Any) -> Any:
        """
        The same with other fields.
        """
        body = {"client_id": "x", "from": 1, "to": 2, "content": "x"}
        return self.ask("POST", "messages", {**body, **more})
