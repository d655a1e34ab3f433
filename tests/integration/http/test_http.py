"""
Tests of the HTTP APIs of both daemons.
"""

from __future__ import annotations

import asyncio
import os
from http import HTTPStatus
from typing import Any, ClassVar

from openapi_schema_validator import OAS31Validator

from tests.conformance.plain_http import Answer, ask, read_answer
from tests.integration.cases import eventually, with_daemons
from tests.integration.http.cases import HttpTestCase
from wsmsg.errors import Close


class HttpTests(HttpTestCase):
    """
    The HTTP API on loopback, without keys.
    """

    message: ClassVar[dict[str, Any]] = {
        "http.receive_s": "2",
        "http.body_bytes": "100000",
        "group_members": "5",
    }

    @with_daemons
    async def test_send(self) -> None:
        """
        A message that a service sends for a user reaches the other user's devices;
        repeating the request sends nothing again.
        """
        anna, ben = self.user(), self.user()
        phone = await self.device(ben)
        first = await self.send(anna, ben, "hello")
        received = await phone.expect("deliver", content="hello")
        self.assertEqual(received.message_id, int(first["message_id"]))
        body = {"client_id": "hello", "from": anna, "to": ben, "content": "hello"}
        again = await self.ask("POST", "messages", body)
        self.assertEqual((again.status, again.document), (200, first))
        await phone.pong()
        self.assertEqual(len(phone.all("deliver")), 1)

    @with_daemons
    async def test_read(self) -> None:
        """
        Reading a conversation over HTTP marks it as read and notifies the sender's
        devices.
        """
        anna, ben = self.user(), self.user()
        phone = await self.device(anna)
        for content in ("a", "b"):
            await self.send(anna, ben, content)
        messages = await self.unread(ben, 2)
        self.assertEqual([m["content"] for m in messages], ["a", "b"])
        await self.post(
            "messages/mark-read", user_id=ben, message_ids=[messages[1]["id"]]
        )
        (left,) = await self.unread(ben, 1)
        self.assertEqual(left["content"], "a")
        name = f"u:{anna}:{ben}"
        await self.post(f"users/{ben}/read", conversation=name, seq=1)
        await phone.expect("receipt", user=ben, read=2)
        answer = await self.ask("GET", f"users/{ben}/unread")
        self.assertEqual(answer.document["total"], 0)

    @with_daemons
    async def test_legacy_words(self) -> None:
        """
        A legacy client finds its field names, null instead of empty lists, and, from a
        page that C{http.origins} allows, the CORS headers of browsers.
        """
        page = {"headers": {"Origin": "http://localhost:3000"}}
        body = {"user_id": self.user()}
        answer = await self.ask("POST", "messages/unread", body, **page)
        self.assertEqual(answer.body.strip(), b'{"messages":null,"total":0}')
        allowed = answer.headers["access-control-allow-origin"]
        self.assertEqual(allowed, "http://localhost:3000")
        answer = await ask(self.port, "GET", "/health")
        self.assertEqual(answer.document["status"], "ok")
        for path in ("messages/unread", "messages/send"):
            answer = await self.ask("OPTIONS", path, **page)
            self.assertEqual(answer.status, 204)
            methods = answer.headers["access-control-allow-methods"]
            self.assertIn("POST", methods)

    @with_daemons
    async def test_kick(self) -> None:
        """
        A service ends the session of one device, then all sessions of the user; the
        clients do not reconnect.
        """
        anna, ben = self.user(), self.user()
        phone, tablet = await self.device(anna), await self.device(anna, "tablet")
        other = await self.device(ben)
        gone = await self.ask("DELETE", f"users/{anna}/sessions/phone?reason=lost%20it")
        self.assertEqual((gone.status, gone.document), (200, {"connects": 1}))
        self.assertEqual(await phone.closed(), Close.KICKED)
        await tablet.pong()
        await self.ask("DELETE", f"users/{anna}/sessions")
        self.assertEqual(await tablet.closed(), Close.KICKED)
        await other.pong()

        async def offline() -> bool:
            answer = await self.ask("GET", f"presence?users={anna},{ben}")
            told = [p["online"] for p in answer.document["presence"]]
            return told == [False, True]

        await eventually("only the other is online", offline)
        await (await self.device(anna)).pong()

    @with_daemons
    async def test_every_route(self) -> None:
        """
        Each route in the OpenAPI description exists, and answers its first example and
        an empty request as described.
        """
        answer = await self.ask("GET", "openapi.json")
        described = answer.document
        asked = 0
        for path, operations in described["paths"].items():
            for method, operation in operations.items():
                nothing: dict[str, Any] = {}
                for body in (self.example(described, operation), nothing):
                    url = path.replace("{user}", str(self.user())).replace("{", "")
                    url = url.replace("}", "") + self.arguments(operation)
                    answer = await ask(self.port, method.upper(), url, body)
                    self.hold(described, operation, answer)
                    asked += 1
        self.assertGreaterEqual(asked, 40)

    def example(self, described: Any, operation: Any, *, whole: bool = False) -> Any:
        """
        Return an example of the body of an operation's request.

        @param whole: whether to include all optional fields.
        """
        if "requestBody" not in operation:
            return None
        schema = operation["requestBody"]["content"]["application/json"]["schema"]
        name = schema["$ref"].rpartition("/")[2]
        form = described["components"]["schemas"][name]
        user = self.user()
        return {
            field: _some(rule, field, user)
            for field, rule in form["properties"].items()
            if whole or field in (*form.get("required", ()), "to", "from", "user_id")
        }

    def arguments(self, operation: Any) -> str:
        """
        Return the required arguments of an operation.
        """
        query = [
            f"{p['name']}=1"
            for p in operation["parameters"]
            if p["in"] == "query" and p["required"]
        ]
        return "?" + "&".join(query) if query else ""

    def assert_no_fault(self, answer: Answer, told: Any) -> None:
        """
        Check that the server does not blame itself; what is turned off is unsupported.
        """
        if answer.status != HTTPStatus.NOT_IMPLEMENTED:
            self.assertLess(answer.status, 500, told)

    def hold(self, described: Any, operation: Any, answer: Answer) -> None:
        """
        Check that a response matches the description of its operation.
        """
        told = (operation["operationId"], answer)
        self.assert_no_fault(answer, told)
        responses = operation["responses"]
        response = responses.get(str(answer.status), responses["default"])
        if str(answer.status) not in responses:
            self.assertGreaterEqual(answer.status, 400, told)
        if "content" not in response:
            self.assertEqual(answer.body, b"", told)
            return
        ((kind, media),) = response["content"].items()
        self.assertEqual(answer.headers["content-type"], f"{kind}; charset=utf-8")
        form = OAS31Validator({**media["schema"], **described})
        problems = [e.message for e in form.iter_errors(answer.document)]
        self.assertEqual(problems, [], told)

    @with_daemons
    async def test_hostile_bodies(self) -> None:
        """
        Malformed bodies are refused with a reason, and Message keeps running.
        """
        described = (await self.ask("GET", "openapi.json")).document
        posts = [
            path
            for path, operations in described["paths"].items()
            if "post" in operations
        ]
        bodies = [
            b"",
            b"\xff\xfe",
            b"\0" * 1000,
            b"{",
            b'{"a":' * 5000,
            b"[" * 99_999,
            b'"\\ud800"',
            b"9" * 5000,
            b"1e999999",
            os.urandom(2000),
            b'{"user_id": 1' + b"0" * 4000 + b"}",
        ]
        for path in posts:
            url = path.replace("{user}", "1").replace("{group}", "1")
            for body in bodies:
                answer = await ask(self.port, "POST", url, body=body)
                self.assertIn(answer.status, (400, 404), (path, body[:9], answer))
                self.assertTrue(answer.document["code"])
        await self.healthy()

    @with_daemons
    async def test_hostile_fields(self) -> None:
        """
        Each field of each request body, absent or malformed, is refused or does no
        harm.
        """
        described = (await self.ask("GET", "openapi.json")).document
        nothing: tuple[Any, ...] = ([], {})
        odd: tuple[Any, ...] = (
            None,
            0,
            -1,
            2**63,
            2**64,
            10**400,
            0.5,
            True,
            *nothing,
            "",
            "\0",
            "x" * 300,
        )
        for path, operations in described["paths"].items():
            if "post" not in operations:
                continue
            whole = self.example(described, operations["post"], whole=True)
            url = path.replace("{user}", "1").replace("{group}", "1")
            for field in whole:
                less = {k: v for k, v in whole.items() if k != field}
                bodies = [less, *({**whole, field: value} for value in odd)]
                for body in bodies:
                    answer = await ask(self.port, "POST", url, body)
                    self.assert_no_fault(answer, (path, body, answer))
        await self.healthy()

    @with_daemons
    async def test_huge_body(self) -> None:
        """
        A body over the limit is refused while the client sends it, and the client can
        read the response.
        """
        for head in (b"Content-Length: 30000000", b"Transfer-Encoding: chunked"):
            reader, writer = await asyncio.open_connection("127.0.0.1", self.port)
            begin = b"POST /api/v1/messages HTTP/1.1\r\nHost: localhost\r\n%s\r\n\r\n"
            writer.write(begin % head)
            piece = b"fa00\r\n" + b" " * 64000 + b"\r\n"
            for _ in range(20):
                writer.write(piece)
            answer = read_answer(await asyncio.wait_for(reader.read(), 10), "POST")
            writer.close()
            self.assertEqual(answer.status, 413)
            self.assertEqual(answer.document["code"], "too_large")
        await self.healthy()

    @with_daemons
    async def test_slow_body(self) -> None:
        """
        A body that arrives too slowly is refused after C{http.receive_s}; other
        requests are not delayed.
        """
        reader, writer = await asyncio.open_connection("127.0.0.1", self.port)
        writer.write(b"POST /api/v1/messages HTTP/1.1\r\nContent-Length: 99\r\n\r\n")
        reading = asyncio.ensure_future(reader.read())
        while not reading.done():
            writer.write(b" ")
            await self.healthy()
            await asyncio.wait([reading], timeout=0.2)
        writer.close()
        answer = read_answer(await reading, "POST")
        self.assertEqual((answer.status, answer.document["code"]), (408, "stale"))

    async def healthy(self) -> None:
        """
        Check that Message still serves.
        """
        answer = await ask(self.port, "GET", "/readyz")
        self.assertEqual(answer.status, 200)


class NamedHttpTests(HttpTests):
    """
    The same where users have names.
    """

    message: ClassVar[dict[str, Any]] = {**HttpTests.message, "users.names": "true"}
    connect: ClassVar[dict[str, Any]] = {"users.names": "true"}

    @with_daemons
    async def test_names_beside(self) -> None:
        """
        Answers have the names of the users whom they mention beside their fields, as
        the description says.
        """
        anna, ben = f"anna-{self.user()}@example.org", f"ben-{self.user()}@example.org"
        claimed = await self.ask("PUT", "names", {"names": [anna, ben]})
        first, second = map(str, claimed.document["users"])
        both = {first: anna, second: ben}
        made = await self.ask(
            "POST",
            "groups",
            {"client_id": anna, "owner": anna, "name": "crew", "members": [ben]},
        )
        self.assertEqual((made.status, made.document["names"]), (201, {first: anna}))
        group = made.document["group"]
        await self.ask(
            "POST",
            "messages",
            {"client_id": anna, "from": anna, "to": ben, "content": "hello"},
        )
        await self.ask(
            "POST",
            f"users/{anna}/blocks",
            {"client_id": f"b {anna}", "user": ben, "on": True},
        )
        pair = "u:{}:{}".format(*sorted(claimed.document["users"]))
        for path in (
            f"groups/{group}",
            f"groups/{group}/members",
            f"conversations/{pair}/messages?user={anna}",
            f"users/{ben}/conversations",
            f"users/{ben}/unread",
            f"users/{anna}/groups",
            f"users/{anna}/blocks",
            f"users/{anna}/invitations",
            f"presence?users={anna},{ben}",
        ):
            answer = await self.ask("GET", path)
            self.assertEqual(answer.status, 200, (path, answer))
            mentioned = answer.document.get("names", {})
            self.assertLessEqual(mentioned.items(), both.items(), path)
            if "invitations" not in path and "unread" not in path:
                self.assertTrue(mentioned, (path, answer))


def _some(rule: Any, field: str, user: int) -> Any:
    if field in ("users", "members"):
        return [user]
    if rule.get("type") == "array":
        return []
    if field == "conversation":
        return f"u:1:{user}"
    if "anyOf" in rule or rule.get("type") == "integer":
        return user
    return f"x{user}" if rule.get("type") == "string" else True
