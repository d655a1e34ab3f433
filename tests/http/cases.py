"""
Tests of an HTTP API in memory, and a small API for them.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from io import BytesIO
from typing import Any
from urllib.parse import unquote_to_bytes

from twisted.internet.address import IPv4Address
from twisted.internet.defer import Deferred
from twisted.internet.task import Clock
from twisted.trial.unittest import SynchronousTestCase
from twisted.web.test.requesthelper import DummyRequest

from wsmsg.auth.api_keys import NO_KEYS, ApiKey, Keyring, new_key
from wsmsg.auth.identity import Identity
from wsmsg.auth.scopes import GRANTED, Scope
from wsmsg.errors import Unauthenticated
from wsmsg.http.access import Access, AccessLevel, Identify
from wsmsg.http.changes import Change
from wsmsg.http.errors import PlainError, Problem
from wsmsg.http.forms import Answer, Form, Id, parse_int
from wsmsg.http.resource import Api
from wsmsg.http.routes import Call, Reply, Route
from wsmsg.settings.http import HttpSettings
from wsmsg.settings.tokens import TokenSettings


def key_of(secret: str, name: str = "all") -> ApiKey:
    """
    Return a key with this secret and all scopes.
    """
    return new_key(name, [scope.value for scope in GRANTED], secret=secret)[0]


def keyring(*keys: ApiKey) -> Keyring:
    """
    Return the keys of a listener; without any, it asks for none.
    """
    return Keyring(keys or None)


def believing(settings: TokenSettings) -> Identify:
    """
    Make what accepts the token C{token-of-<user>}.
    """

    async def authenticate(token: str, user: int) -> Identity:
        name = token.removeprefix("Bearer ").removeprefix("token-of-")
        if not name.isdecimal():
            raise Unauthenticated("that is no token")
        if user != int(name):
            raise Unauthenticated("the token is of another user than the one named")
        return Identity(int(name))

    return authenticate


class HttpCase(SynchronousTestCase):
    """
    Requests to an API, without connections.

    @ivar api: the API, which each test case makes.
    @ivar key: the C{Authorization} header of the requests.
    @ivar authorization: several such headers in place of C{key}.
    @ivar address: the address that they come from.
    @ivar headers: further headers of the requests.
    """

    key = ""
    authorization: Sequence[str] = ()
    address = "192.0.2.7"
    headers: Mapping[str, str] = {"content-type": "application/json"}
    api: Api

    def setUp(self) -> None:
        self.clock = Clock()
        self.keyring = NO_KEYS
        self.changes: list[Change] = []
        self.access = Access(
            HttpSettings(), self.clock, believing, keys=lambda: self.keyring
        )

    def begin(self, method: str, path: str, body: object = None, **args: Any) -> Any:
        """
        Make a request, without waiting for the answer.
        """
        parts = map(unquote_to_bytes, f"api/v1/{path}".split("/"))
        request: Any = DummyRequest(list(parts))
        request.method = method.encode()
        request.uri = request.path = b"/"
        request.args = {n.encode(): [str(v).encode()] for n, v in args.items()}
        raw = body if isinstance(body, bytes) else json.dumps(body).encode()
        request.content = BytesIO(raw if body is not None else b"")
        request.client = IPv4Address("TCP", self.address, 7)
        for name, value in self.headers.items():
            request.requestHeaders.setRawHeaders(name, [value])
        if self.authorization or self.key:
            given = self.authorization or [self.key]
            request.requestHeaders.setRawHeaders("authorization", given)
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

    def configure(
        self, keys: Sequence[str] = (), proxies: Sequence[str] = (), **http: Any
    ) -> None:
        """
        Apply other settings.

        @param keys: secrets of keys with all scopes; none: the listener asks for none.
        """
        self.access.apply_settings(HttpSettings.model_validate(http), proxies=proxies)
        self.keyring = keyring(*(key_of(s, f"key-{n}") for n, s in enumerate(keys)))

    def restrict(self, scopes: str, networks: str = "") -> str:
        """
        Ask for a key, and return the secret of one with these scopes and networks.
        """
        secret = "a-key-with-few-scopes"
        names = networks.split(",") if networks else []
        made, _ = new_key("few", scopes.split(","), names, secret)
        self.keyring = keyring(made)
        self.key = f"Bearer {secret}"
        return secret


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
        open_ = {"scope": None}
        return [
            _get("ping", self.ping),
            _get("open", self.ping, access=AccessLevel.ANYBODY, **open_),
            _get("healthz", self.ping, access=AccessLevel.UNLIMITED, root="/", **open_),
            _get("slow", self.slow),
            _post("slow", self.slow),
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
        if not call.path:
            call.concerns(note=form.user)
        self.notes.append(form)
        return Reply(201, Note(user=parse_int(form.user, "user"), text=form.text))

    async def make_own(self, call: Call) -> Reply:
        """
        Make a note, as its user.
        """
        await call.caller.check_user(call.id("user"))
        return await self.make(call)


def _get(pattern: str, answer: Any, **more: Any) -> Route:
    asked = {"scope": Scope.READ, **more}
    return Route(f"GET {pattern}", answer, {204: None}, **asked)


def _post(pattern: str, answer: Any, **more: Any) -> Route:
    asked = {"scope": Scope.SEND, "body": NewNote, **more}
    return Route(f"POST {pattern}", answer, {201: Note}, **asked)


class NotesCase(HttpCase):
    """
    Requests to L{NoteCalls}.
    """

    def setUp(self) -> None:
        super().setUp()
        self.calls = NoteCalls()
        self.api = Api(self.calls.routes(), self.access, audit=self.changes.append)
