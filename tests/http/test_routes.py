"""
Routes: paths, methods, bodies and errors.
"""

from __future__ import annotations

import attrs

from tests.http.cases import NoteCalls, NotesCase
from wsmsg.errors import NotFound, RateLimited, Unauthenticated
from wsmsg.http.errors import NATIVE, PLAIN, handshake_conventions, raw_error
from wsmsg.http.resource import Api


class ApiTests(NotesCase):
    """
    L{Api}.
    """

    def test_answer(self) -> None:
        """
        A request is answered by the route of its method and path.
        """
        status, document = self.ask("POST", "notes", {"user": "7", "text": "x"})
        self.assertEqual((status, document), (201, {"user": 7, "text": "x"}))
        self.assertEqual(self.ask("HEAD", "ping"), (204, None))

    def test_no_route(self) -> None:
        """
        Another path is not found; another method is refused with those that the path
        accepts, and C{OPTIONS} is answered with them.
        """
        for path in ("", "x", "ping/x", "users/2", "Ping"):
            self.assertEqual(self.ask("GET", path)[1]["code"], "not_found", path)
        for method, status in (("DELETE", 405), ("OPTIONS", 204)):
            request = self.begin(method, "notes")
            self.assertEqual(self.end(request)[0], status)
            allowed = request.responseHeaders.getRawHeaders("allow")
            self.assertEqual(allowed, ["POST"])

    def test_refused(self) -> None:
        """
        A body of another form, an unknown argument and an impossible id are refused
        with the name of what is wrong.
        """
        for body in (b"", b"{", b"[" * 9999, {"text": "x"}, {"user": 1, "odd": 2}):
            status, problem = self.ask("POST", "notes", body)
            self.assertEqual((status, problem["code"]), (400, "bad_request"))
            self.assertTrue(problem["detail"].startswith("the body: "))
        half = rb'{"user": 1, "text": "\ud800"}'
        told = self.ask("POST", "notes", half)[1]["detail"]
        self.assertEqual(told, "the body: text is not valid Unicode: lone surrogate")
        self.assertIn("user", self.ask("POST", "notes", {"user": 0})[1]["detail"])
        self.assertIn("odd", self.ask("GET", "ping", odd=1)[1]["detail"])
        self.assertEqual(self.ask("POST", "users/x/notes", {"user": 1})[0], 404)

    def test_digits(self) -> None:
        """
        A number may be a string of digits; one that is too long is refused, and is not
        taken for the number that it begins with.
        """
        for given, status in (
            ("7", 201),
            ("0007", 201),
            (str(2**63 - 1), 201),
            (str(2**63), 400),
            ("0" * 19 + "15", 400),
            ("1" * 4400, 400),
            ("7\n", 400),
            ("\u0667", 400),
        ):
            asked = self.ask("POST", "notes", {"user": given})
            self.assertEqual(asked[0], status, (given, asked))

    def test_bug(self) -> None:
        """
        A bug is a 500 that tells nothing; the log has the details.
        """
        status, problem = self.ask("GET", "broken")
        self.assertEqual((status, problem["code"]), (500, "internal"))
        self.assertNotIn("ZeroDivision", problem["detail"])
        self.assertEqual(len(self.flushLoggedErrors(ZeroDivisionError)), 1)

    def test_counts(self) -> None:
        """
        Requests and failures are counted, but for health checks, which are answered
        at any rate and while the daemon stops.
        """
        self.ask("GET", "ping")
        self.ask("GET", "x")
        self.access.drain()
        self.assertEqual(self.ask("GET", "ping")[0], 503)
        self.assertEqual(self.ask("GET", "../../healthz")[0], 404)
        self.assertEqual((self.api.calls, self.api.failed), (4, 3))

    def test_plain(self) -> None:
        """
        Routes with plain conventions answer errors in two members, and ignore unknown
        arguments.
        """
        routes = [
            attrs.evolve(route, conventions=PLAIN) for route in NoteCalls().routes()
        ]
        self.api = Api(routes, self.access, audit=self.changes.append)
        self.assertEqual(self.ask("GET", "ping", odd=1)[0], 204)
        self.assertEqual(self.ask("PUT", "ping")[1]["code"], "bad_request")
        self.assertEqual(self.ask("GET", "x")[1]["title"], "Not Found")


class RawErrorTests(NotesCase):
    """
    L{raw_error}.
    """

    def test_headers(self) -> None:
        """
        An answer to a connection that no HTTP server reads has the headers and the
        document that an HTTP server would send.
        """
        for error, status, head in (
            (NotFound("x"), 0, "HTTP/1.1 404 Not Found\r\n"),
            (NotFound("x"), 799, "HTTP/1.1 799 Refused\r\n"),
            (RateLimited("x", 1001), 0, "\r\nRetry-After: 2\r\n"),
            (RateLimited("x"), 0, "\r\nRetry-After: 1\r\n"),
            (Unauthenticated("x"), 0, "\r\nWww-Authenticate: Bearer\r\n"),
        ):
            answer = raw_error(error, status).decode()
            self.assertIn(head, answer)
            self.assertIn("\r\nContent-Type: application/problem+json", answer)
            self.assertIn('"detail":"x"', answer)

    def test_handshake(self) -> None:
        """
        A refused handshake has a problem document if the client offers a subprotocol.
        """
        head = b"GET / HTTP/1.1\r\nSec-WebSocket-protocol: x\r\n"
        self.assertIs(handshake_conventions(head), NATIVE)
        self.assertIs(handshake_conventions(head[:20]), PLAIN)
