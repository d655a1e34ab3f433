"""
Tests of an HTTP API in memory, and a small API for them.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from io import BytesIO
from typing import Any

from twisted.internet.address import IPv4Address
from twisted.internet.defer import Deferred
from twisted.internet.task import Clock
from twisted.trial.unittest import SynchronousTestCase
from twisted.web.test.requesthelper import DummyRequest

from wsmsg.auth.identity import Authenticate, Identity
from wsmsg.errors import Unauthenticated
from wsmsg.http.access import Access, AccessLevel
from wsmsg.http.errors import PlainError, Problem
from wsmsg.http.forms import Answer, Form, Id, parse_int
from wsmsg.http.resource import Api
from wsmsg.http.routes import Call, Reply, Route
from wsmsg.settings.http import HttpSettings
from wsmsg.settings.tokens import TokenSettings


def believing(settings: TokenSettings) -> Authenticate:
    """
    Make what accepts the token C{token-of-<user>}.
    """

    def authenticate(token: str, user: int | None) -> Identity:
        name = token.removeprefix("Bearer ").removeprefix("token-of-")
        if not name.isdecimal():
            raise Unauthenticated("that is no token")
        if user not in (None, int(name)):
            raise Unauthenticated("the token is of another user than the one named")
        return Identity(int(name))

    return authenticate


class HttpCase(SynchronousTestCase):
    """
    Requests to an API, without connections.

    @ivar api: the API, which each test case makes.
    @ivar key: the C{Authorization} header of the requests.
    @ivar address: the address that they come from.
    @ivar headers: further headers of the requests.
    """

    key = ""
    address = "192.0.2.7"
    headers: Mapping[str, str] = {"content-type": "application/json"}
    api: Api

    def setUp(self) -> None:
        self.clock = Clock()
        self.access = Access(HttpSettings(), self.clock, believing)

    def begin(self, method: str, path: str, body: object = None, **args: Any) -> Any:
        """
        Make a request, without waiting for the answer.
        """
        request: Any = DummyRequest([p.encode() for p in f"api/v1/{path}".split("/")])
        request.method = method.encode()
        request.uri = request.path = b"/"
        request.args = {n.encode(): [str(v).encode()] for n, v in args.items()}
        raw = body if isinstance(body, bytes) else json.dumps(body).encode()
        request.content = BytesIO(raw if body is not None else b"")
        request.client = IPv4Address("TCP", self.address, 7)
        for name, value in self.headers.items():
            request.requestHeaders.setRawHeaders(name, [value])
        if self.key:
            request.requestHeaders.setRawHeaders("authorization", [self.key])
        self.api.render(request)
        self.clock.advance(0)
        return request

    def end(self, request: Any) -> tuple[int, Any]:
        """
        Return the status and the document of an answer.
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
        Make a request that is answered at once.
        """
        return self.end(self.begin(method, path, body, **args))

    def configure(self, **http: Any) -> None:
        """
        Apply other settings.
        """
        self.access.apply_settings(HttpSettings.model_validate(http))


class NewNote(Form):
    """
    The body of a request for a note.
    """

    user: Id
    text: str = ""


class Note(Answer):
    """
    A note.
    """

    user: Id
    text: str


class NoteCalls:
    """
    Calls with nothing behind them.

    @ivar waiting: fires when C{slow} may answer.
    @ivar notes: what C{POST notes} was given.
    """

    def __init__(self) -> None:
        self.waiting: Deferred[None] = Deferred()
        self.notes: list[NewNote] = []

    def routes(self) -> Sequence[Route]:
        """
        Return the routes.
        """
        users = {"access": AccessLevel.USERS}
        return [
            _get("ping", self.ping),
            _get("open", self.ping, access=AccessLevel.ANYBODY),
            _get("healthz", self.ping, access=AccessLevel.UNLIMITED, root="/"),
            _get("slow", self.slow),
            _get("broken", self.broken),
            _post("notes", self.make),
            _post("users/{user}/notes", self.make_own, **users),
        ]

    async def ping(self, call: Call) -> Reply:
        """
        Answer.
        """
        return Reply(204)

    async def slow(self, call: Call) -> Reply:
        """
        Answer when the test says so.
        """
        self.waiting = Deferred()
        await self.waiting
        return Reply(204)

    async def broken(self, call: Call) -> Reply:
        """
        Fail.
        """
        raise ZeroDivisionError

    async def make(self, call: Call) -> Reply:
        """
        Make a note.
        """
        form = call.body_as(NewNote)
        self.notes.append(form)
        return Reply(201, Note(user=parse_int(form.user, "user"), text=form.text))

    async def make_own(self, call: Call) -> Reply:
        """
        Make a note, as its user.
        """
        call.caller.check_user(call.id("user"))
        return await self.make(call)


def _get(pattern: str, answer: Any, **more: Any) -> Route:
    return Route(f"GET {pattern}", answer, {204: None}, **more)


def _post(pattern: str, answer: Any, **more: Any) -> Route:
    return Route(f"POST {pattern}", answer, {201: Note}, body=NewNote, **more)


class NotesCase(HttpCase):
    """
    Requests to L{NoteCalls}.
    """

    def setUp(self) -> None:
        super().setUp()
        self.calls = NoteCalls()
        self.api = Api(
            self.calls.routes(), self.access.admit, readable=self.access.readable
        )
