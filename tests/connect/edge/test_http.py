"""
HTTP on the public port.
"""

from __future__ import annotations

import json
from typing import Any

from hypothesis import given
from hypothesis import strategies as st
from twisted.internet.defer import Deferred
from twisted.trial.unittest import SynchronousTestCase

from tests.connect.websocket.port_in_memory import Edge, Wire
from wsmsg.dependency.state import Dependency

PATH = "/api/v1/connect/online_status"


def request(
    body: bytes = b"", method: str = "POST", path: str = PATH, **headers: str
) -> bytes:
    """
    Return an HTTP request.
    """
    lines = {"Host": "127.0.0.1", "Content-Length": str(len(body))}
    lines |= {"Content-Type": "application/json"} if body else {}
    lines |= {k.replace("_", "-"): v for k, v in headers.items()}
    head = "".join(f"{k}: {v}\r\n" for k, v in lines.items())
    return f"{method} {path} HTTP/1.1\r\n{head}\r\n".encode() + body


def users(*ids: Any) -> bytes:
    return json.dumps({"user_ids": ids}).encode()


class WebTests(SynchronousTestCase):
    """
    L{wsmsg.connect.edge.http}.
    """

    def setUp(self) -> None:
        self.edge = Edge()
        self.wire = self.edge.connect()

    def ask(self, data: bytes, wire: Wire | None = None) -> tuple[int, Any]:
        """
        Make a request.

        @return: the status and the JSON of the answer.
        """
        wire = wire or self.wire
        wire.send(data)
        answer = wire.transport.written()
        head, _, body = answer.partition(b"\r\n\r\n")
        self.assertNotIn(b"server:", head.lower())
        self.assertRegex(head, b"application/(problem.)?json")
        return int(head.split()[1]), json.loads(body)

    def test_online(self) -> None:
        """
        A user is online who has a session on this node, or on another node as Message
        says; a connection serves several requests.
        """
        expected = {"status": {"1001": True, "1002": True, "1003": False}}
        for _ in range(3):
            got = self.ask(request(users(1001, 1002, 1003)))
            self.assertEqual(got, (200, expected))

    def test_legacy_bytes(self) -> None:
        """
        An answer is byte for byte that of a legacy Connect, with its headers; those for
        pages of any site only where callers need a token.
        """
        self.wire = Edge(must_prove=True).connect()
        self.wire.send(request(users(1001, 1003), Authorization="good:1"))
        head, _, body = self.wire.transport.written().partition(b"\r\n\r\n")
        self.assertEqual(body, b'{"status":{"1001":true,"1003":false}}')
        lines = head.lower().split(b"\r\n")
        self.assertIn(b"content-type: application/json; charset=utf-8", lines)
        for name in (b"origin", b"headers", b"methods"):
            self.assertIn(b"access-control-allow-%s: *" % name, lines)

    def test_no_request(self) -> None:
        """
        Nothing after a malformed request line is parsed.
        """
        for more in (b"\r\n", b"A: b\r\n\r\n\r\n"):
            wire = self.edge.connect()
            wire.send(b"POST x\r\n\r\n")
            wire.send(more)
            self.assertTrue(wire.transport.written().startswith(b"HTTP/1.1 400 "))
        self.assertEqual(self.flushLoggedErrors(), [])

    def test_browser_asks_first(self) -> None:
        """
        A browser's preflight request is answered on every path; other answers have its
        headers too, where callers need a token.
        """
        self.wire = Edge(must_prove=True).connect()
        for path in (PATH, "/health", "/api/v1/connect/ws", "/nowhere"):
            self.wire.send(request(method="OPTIONS", path=path))
            head, _, body = self.wire.transport.written().partition(b"\r\n\r\n")
            self.assertEqual((head.split()[1], body), (b"204", b""))
            self.assertIn(b"access-control-allow-origin: *", head.lower())
        for data in (request(path="/x"), request(method="GET"), request(b"{")):
            self.wire.send(data)
            answer = self.wire.transport.written().lower()
            self.assertIn(b"access-control-allow-origin: *", answer)

    def test_browser_asks_for_a_token(self) -> None:
        """
        A preflight that asks for C{Authorization} is answered by that name, for which
        C{*} does not stand.
        """
        self.wire = Edge(must_prove=True).connect()
        asked = "authorization,content-type"
        self.wire.send(request(method="OPTIONS", Access_Control_Request_Headers=asked))
        answer = self.wire.transport.written().lower()
        self.assertIn(b"access-control-allow-headers: *, authorization\r\n", answer)

    def test_strings(self) -> None:
        """
        Ids may be strings, as JavaScript needs them above 2^53.
        """
        self.assertEqual(
            self.ask(request(users("1001", "9223372036854775807")))[1],
            {"status": {"1001": True, "9223372036854775807": False}},
        )

    def test_every_asked_user(self) -> None:
        """
        The answer has every number that was asked for, once: unknown users and numbers
        that no user can have as well; of nobody, it is empty.
        """
        asked = [1001, 1003, 1003, 0, -1, -(2**63), 2**63 - 1]
        expected = {str(user): user == 1001 for user in asked}
        got = self.ask(request(users(*asked)))
        self.assertEqual(got, (200, {"status": expected}))
        self.assertEqual(self.ask(request(users())), (200, {"status": {}}))

    def test_huge(self) -> None:
        """
        Ten thousand of the longest numbers are answered.
        """
        asked = range(2**63 - 10_000, 2**63)
        status, answer = self.ask(request(users(*map(str, asked))))
        self.assertEqual(status, 200)
        self.assertEqual(answer["status"], {str(user): False for user in asked})

    def test_bad_bodies(self) -> None:
        """
        A body without a list of users is refused with the reason.
        """
        for body, reason in (
            (b"", "the body: "),
            (b"{", "the body: "),
            (b"\xff", "the body: "),
            (b"[" * 60000, "the body: "),
            (b"[]", "the body: "),
            (b"{}", "user_ids"),
            (b'{"user_ids": 1001}', "user_ids"),
            (users(True), "user_ids"),
            (users(1.5), "user_ids"),
            (users("x"), "not a user id"),
            (users(2**63), "not a user id"),
            (users("9" * 5000), "not a user id"),
            (users(-(2**63) - 1), "not a user id"),
            (users(*range(1, 10_002)), "more than 10000"),
        ):
            status, answer = self.ask(request(body))
            self.assertEqual((status, answer["code"]), (400, "bad_request"))
            self.assertIn(reason, answer["error"])

    @given(st.binary(max_size=100))
    def test_garbage(self, body: bytes) -> None:
        """
        Any body is answered.
        """
        self.assertEqual(self.ask(request(body))[0], 400)

    def test_long_strings(self) -> None:
        """
        A string that is longer than an id, or written differently, is not an id.
        """
        for user in ("0" * 19 + "1", "1001" + "0" * 20, "01001", "+1001", "1_001"):
            status, said = self.ask(request(users(user)))
            self.assertEqual((status, said["code"]), (400, "bad_request"), user)

    def test_odd_token(self) -> None:
        """
        A token that is not text is refused like any other invalid token.
        """
        wire = Edge(must_prove=True).connect()
        data = request(users(1), Authorization="X").replace(b": X", b": \xff\xfe")
        self.assertEqual(self.ask(data, wire)[0], 401)

    def test_large_body(self) -> None:
        """
        A body over the limit is refused before it is read if its length is declared,
        otherwise once it exceeds the limit.
        """
        self.assertEqual(self.ask(request(Content_Length="100000000"))[0], 413)
        self.assertTrue(self.wire.transport.half_closed)
        self.edge.clock.advance(2)
        self.assertTrue(self.wire.transport.aborted)
        wire = self.edge.connect()
        head = f"POST {PATH} HTTP/1.1\r\nHost: localhost\r\n"
        head += "Transfer-Encoding: chunked\r\n\r\n"
        wire.send(head.encode())
        chunk = b"8000\r\n" + b"x" * 0x8000 + b"\r\n"
        wire.send(chunk * 8)
        self.assertEqual(wire.transport.written(), b"")
        self.assertEqual(self.ask(chunk, wire)[0], 413)
        wire.send(chunk)
        self.assertEqual(wire.transport.written(), b"")

    def test_health(self) -> None:
        """
        C{/healthz} answers as on the other listeners, C{/health} as the legacy Connect
        does: C{ok} and the time.
        """
        self.edge.clock.advance(1700000000)
        for path, document in (
            ("/healthz", {"alive": True}),
            ("/healthz?verbose=1", {"alive": True}),
            ("/health", {"status": "ok", "time": 1700000000}),
        ):
            asked = self.ask(request(method="GET", path=path))
            self.assertEqual(asked, (200, document))

    def test_ready(self) -> None:
        """
        C{/readyz} says whether clients can be served (200 or 503), and names no other
        machine; an argument of a probe is ignored.
        """
        message = Dependency("message 10.1.2.3:1", self.edge.clock)
        self.edge.health.add(message)

        def ask() -> Any:
            return self.ask(request(method="GET", path="/readyz?probe=1"))

        self.edge.health.started()
        self.assertEqual(ask(), (503, {"ready": False, "degraded": False}))
        message.attempting()
        message.succeeded()
        self.assertEqual(ask(), (200, {"ready": True, "degraded": False}))
        message.lost("gone")
        self.assertEqual(ask()[0], 503)

    def test_head(self) -> None:
        """
        HEAD is answered without a body.
        """
        self.wire.send(request(method="HEAD", path="/healthz"))
        self.assertTrue(self.wire.transport.written().endswith(b"\r\n\r\n"))

    def test_not_found(self) -> None:
        """
        Other paths are 404, other methods 405, with a JSON document.
        """
        for path in ("/", "/nothing", PATH + "/", "/healthz/x", "/api/v1/connect/ws"):
            status, answer = self.ask(request(path=path))
            self.assertEqual((status, answer["code"]), (404, "not_found"))
        self.assertEqual(self.ask(request(method="GET"))[0], 405)
        self.assertEqual(self.ask(request(method="DELETE", path="/healthz"))[0], 405)

    def test_token(self) -> None:
        """
        Beyond loopback, C{online_status} needs a token.
        """
        edge = Edge(must_prove=True)

        def ask(**headers: str) -> int:
            return self.ask(request(users(1001), **headers), edge.connect())[0]

        self.assertEqual(ask(), 401)
        self.assertEqual(ask(Authorization="Bearer forged"), 401)
        self.assertEqual(ask(Authorization="good:1", User_ID="2"), 401)
        self.assertEqual(ask(Authorization="good:1"), 200)
        got = self.ask(request(method="GET", path="/health"), edge.connect())
        self.assertEqual(got[0], 200)

    def test_row_14_hidden(self) -> None:
        """
        With a user's token, users who hide from that user are offline, those with a
        session here included; while Message is away, so is everybody.
        """
        edge = Edge(must_prove=True)
        edge.upstream.online = {1001, 1002}
        edge.upstream.judges, edge.upstream.hidden = True, {(1, 1001), (2, 1002)}

        def seen(user: int) -> list[bool]:
            asked = request(users(1001, 1002), Authorization=f"good:{user}")
            return list(self.ask(asked, edge.connect())[1]["status"].values())

        self.assertEqual([seen(1), seen(2)], [[False, True], [True, False]])
        self.assertEqual(seen(3), [True, True])
        edge.upstream.up = False
        self.assertEqual(seen(3), [False, False])
        edge.upstream.judges = False
        self.assertEqual(seen(3), [True, False])

    def test_bug(self) -> None:
        """
        A bug is logged, and its answer has no details.
        """
        self.edge.upstream.fails = ZeroDivisionError("secret")
        self.assertEqual(
            self.ask(request(users(5))),
            (
                500,
                {
                    "error": "internal error; the log of the daemon has the details",
                    "code": "internal",
                },
            ),
        )
        self.assertEqual(len(self.flushLoggedErrors(ZeroDivisionError)), 1)

    def test_client_leaves(self) -> None:
        """
        A query is cancelled when its client leaves.
        """
        asked: list[Deferred[Any]] = []

        def presence(users: object, asker: int = 0) -> Deferred[Any]:
            asked.append(Deferred())
            return asked[0]

        self.patch(self.edge.upstream, "presence", presence)
        self.wire.send(request(users(5)))
        self.assertEqual(len(asked), 1)
        self.wire.lose()
        self.assertTrue(asked[0].called)
        self.assertEqual(self.edge.admission.connections, 0)

    def test_idle(self) -> None:
        """
        A connection without further requests is closed.
        """
        self.ask(request(users(1001)))
        self.edge.clock.advance(9)
        self.assertFalse(self.wire.transport.disconnecting)
        self.edge.clock.advance(2)
        self.assertTrue(self.wire.transport.disconnecting)
        self.wire.lose()
        self.edge.sweep.stop()
        self.assertEqual(self.edge.clock.getDelayedCalls(), [])

    def test_close_all(self) -> None:
        """
        All connections are ended when the daemon stops.
        """
        self.ask(request(users(1001)))
        self.edge.site.close_all()
        self.assertTrue(self.wire.transport.aborted)
        self.wire.lose()
