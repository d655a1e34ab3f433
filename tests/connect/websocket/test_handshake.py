"""
The handshake of a WebSocket.
"""

from __future__ import annotations

import json
from typing import Any

from hypothesis import given
from hypothesis import strategies as st
from twisted.internet.interfaces import IPushProducer
from twisted.trial.unittest import SynchronousTestCase
from zope.interface.verify import verifyObject

from tests.connect.websocket.port_in_memory import Edge, close_of, upgrade
from wsmsg.auth.identity import Identity
from wsmsg.connect.session.interface import ISessionPeer


def body_of(answer: bytes) -> Any:
    """
    Return the JSON of an HTTP answer.
    """
    head, _, body = answer.partition(b"\r\n\r\n")
    assert f"Content-Length: {len(body)}".encode() in head
    return json.loads(body)


def broken(*args: object) -> Any:
    """
    Raise an unexpected error.
    """
    return 1 / 0


class HandshakeTests(SynchronousTestCase):
    """
    The handshake of a WebSocket.
    """

    def setUp(self) -> None:
        self.edge = Edge()

    def refused(self, request: bytes, status: int) -> Any:
        """
        Check that the request is answered with an HTTP error and the connection ends.
        """
        wire = self.edge.connect()
        wire.send(request)
        answer = wire.transport.written()
        self.assertEqual(answer.split()[1], str(status).encode())
        self.assertTrue(wire.transport.disconnecting)
        self.assertEqual(self.edge.sessions, [])
        self.assertNotIn(b"utobahn", answer)
        wire.lose()
        self.assertEqual(self.edge.admission.connections, 0)
        return body_of(answer)

    def test_accepted(self) -> None:
        """
        A client that offers a known subprotocol gets that subprotocol and a session.
        """
        wire = self.edge.connect()
        wire.send(upgrade("chat, wsmsg.v1.json, wsmsg.v1.protobuf"))
        answer = wire.transport.written()
        self.assertTrue(answer.startswith(b"HTTP/1.1 101 "), answer)
        self.assertIn(b"Sec-WebSocket-Protocol: wsmsg.v1.json\r\n", answer)
        self.assertNotIn(b"Server:", answer)
        self.assertNotIn(b"Extensions", answer)
        (session,) = self.edge.sessions
        self.assertEqual(session.codec.name, "json")
        self.assertEqual((session.identity, session.claimed_user), (None, None))

    def test_no_compression(self) -> None:
        """
        A client that offers compression does not get it.
        """
        wire = self.edge.connect()
        wire.send(upgrade(Sec_WebSocket_Extensions="permessage-deflate"))
        self.assertNotIn(b"Extensions", wire.transport.written())

    def test_extensions(self) -> None:
        """
        A client may offer any extensions, in one header or several; none is accepted.
        """
        for offer in (
            b"Sec-WebSocket-Extensions: one\r\nSec-WebSocket-Extensions: two; x=1\r\n",
            b"sec-websocket-extensions:permessage-deflate; server_no=99\r\n",
            b"Sec-WebSocket-Extensions: permessage-deflate; client_max_window_bits\r\n",
            b'SEC-WEBSOCKET-EXTENSIONS : bar="baz";;,\r\n',
        ):
            wire = self.edge.connect()
            wire.send(upgrade().replace(b"Upgrade: ", offer + b"Upgrade: "))
            answer = wire.transport.written()
            self.assertTrue(answer.startswith(b"HTTP/1.1 101 "), answer)
            self.assertNotIn(b"xtensions", answer)

    def test_headers_twice(self) -> None:
        """
        A handshake with two headers of a kind of which there can be one is refused with
        the name of that header.
        """
        for name, value in (
            *(("Authorization", "Bearer good:1001"), ("Content-Length", "0")),
            *(("Host", "localhost"), ("Origin", "http://localhost")),
            *(("Sec-WebSocket-Key", "x3JJHMbDL1EzLkh9GBhXDw=="), ("User-ID", "1001")),
            ("Sec-WebSocket-Version", "13"),
        ):
            two = f"{name}: {value}\r\n{name.upper()} : {value}\r\n".encode()
            lines = upgrade().split(b"\r\n")
            request = b"\r\n".join(
                x for x in lines if not x.startswith(f"{name}:".encode())
            )
            problem = self.refused(
                request.replace(b"Upgrade: ", two + b"Upgrade: "), 400
            )
            reason = f"there is more than one {name} header"
            self.assertEqual(problem["detail"], reason)

    def test_header_in_a_header(self) -> None:
        """
        A character at which a lenient reader ends a line hides no header in another.
        """
        for end in ("\n", "\r", "\v", "\f", "\x1c", "\x1d", "\x1e", "\x85"):
            hidden = f"X-A: b{end}User-ID: 1001\r\n".encode("latin-1")
            request = upgrade().replace(b"Upgrade: ", hidden + b"Upgrade: ")
            if end == "\x85":
                self.edge.connect().send(request)
                (session,) = self.edge.sessions
                self.assertIs(session.claimed_user, None)
            else:
                detail = self.refused(request, 400)["detail"]
                self.assertEqual(detail, "a header has a control character in it")

    def test_interfaces(self) -> None:
        """
        The connection provides the interfaces that sessions and transports use.
        """
        wire = self.edge.open()
        verifyObject(ISessionPeer, wire.transport.protocol)
        verifyObject(IPushProducer, wire.transport.protocol)
        self.assertTrue(wire.transport.no_delay)
        self.assertIs(wire.transport.producer, wire.transport.protocol)

    def test_no_subprotocol(self) -> None:
        """
        A client that offers none of the subprotocols is told which ones there are; a
        client that offers none at all is told so in the error document of the legacy
        contract, which pages of any origin may read.
        """
        known = "wsmsg.v1.protobuf or wsmsg.v1.json"
        self.assertIn(known, self.refused(upgrade("chat"), 400)["detail"])
        wire = self.edge.connect()
        wire.send(upgrade(""))
        head, _, body = wire.transport.written().partition(b"\r\n\r\n")
        document = json.loads(body)
        self.assertEqual(set(document), {"error", "code"})
        self.assertIn(known, document["error"])
        self.assertIn(b"access-control-allow-origin: *", head.lower())

    def test_token(self) -> None:
        """
        A valid token in the headers opens a session with a known user.
        """
        self.edge.open(Authorization="Bearer good:1001", User_ID="1001")
        (session,) = self.edge.sessions
        self.assertEqual(session.identity, Identity(1001))
        self.assertEqual(session.claimed_user, 1001)

    def test_login_of_a_proxy(self) -> None:
        """
        The login of a proxy in front (C{Basic}), which browsers repeat, is no token;
        the token in C{hello} counts.
        """
        for login in ("Basic c3RhZmY6eA==", "basic x", 'Digest username="x"', "NTLM x"):
            self.edge.open(Authorization=login)
            self.assertIsNone(self.edge.sessions.pop().identity)

    def test_bad_tokens(self) -> None:
        """
        A token that is invalid, or of another user, is refused with 401.
        """
        for headers in (
            {"Authorization": "Bearer forged"},
            {"Authorization": ""},
            {"Authorization": "good:1001", "User_ID": "1002"},
            {"Authorization": "good:1001", "User_ID": "0"},
            {"User_ID": "me"},
        ):
            body = self.refused(upgrade(**headers), 401)
            self.assertEqual(body["code"], "unauthenticated")

    def test_origins(self) -> None:
        """
        Browsers may connect from the pages that the settings allow; others get 403.
        """
        self.edge.open(Origin="http://localhost:3000")
        self.edge.sessions.clear()
        for origin in ("http://evil.example", "null", "http://localhost.evil.example"):
            wire = self.edge.connect()
            wire.send(upgrade(Origin=origin))
            self.assertTrue(wire.transport.written().startswith(b"HTTP/1.1 403 "))
        self.assertEqual(self.edge.sessions, [])

    def test_origins_change(self) -> None:
        """
        The allowed origins can change while the daemon runs.
        """
        self.edge.websockets.apply_settings(
            self.edge.settings.model_copy(update={"origins": ("*",)})
        )
        self.edge.open(Origin="http://evil.example")

    def test_broken(self) -> None:
        """
        An invalid handshake is refused with the rule that it breaks.
        """
        good = upgrade()
        for change, status in (
            ((b"Sec-WebSocket-Version: 13", b"Sec-WebSocket-Version: 8"), 400),
            ((b"Upgrade: websocket", b"Upgrade: h2c"), 400),
            ((b"Upgrade: websocket\r\n", b""), 400),
            ((b"Host: example.com\r\n", b""), 400),
            ((b"HTTP/1.1", b"HTTP/1.0"), 505),
            ((b"Sec-WebSocket-Key: ", b"Sec-WebSocket-Key: x"), 400),
        ):
            self.assertIn("detail", self.refused(good.replace(*change), status))

    def test_session_breaks(self) -> None:
        """
        A bug while a session opens closes with 1011, and is logged.
        """
        self.patch(self.edge, "open_session", broken)
        wire = self.edge.connect()
        wire.send(upgrade())
        _, _, close = wire.transport.written().partition(b"\r\n\r\n")
        self.assertEqual(close_of(close)[0], 1011)
        self.assertEqual(len(self.flushLoggedErrors(ZeroDivisionError)), 1)

    def test_authenticate_breaks(self) -> None:
        """
        A bug in the handshake is a 500 without details.
        """
        self.edge.websockets.authenticate = broken
        body = self.refused(upgrade(Authorization="x"), 500)
        self.assertEqual((body["code"], body["detail"]), ("internal", "internal error"))
        self.assertEqual(len(self.flushLoggedErrors(ZeroDivisionError)), 1)

    @given(st.binary(max_size=300))
    def test_garbage(self, garbage: bytes) -> None:
        """
        Garbage in the head of a handshake never breaks the port.
        """
        wire = self.edge.connect()
        wire.send(b"GET /api/v1/connect/ws HTTP/1.1\r\n" + garbage + b"\r\n\r\n")
        self.assertTrue(wire.transport.written().startswith(b"HTTP/1.1 4"))
        wire.lose()

    @given(st.text(max_size=100))
    def test_odd_headers(self, text: str) -> None:
        """
        Odd tokens, origins, users and subprotocols are refused, and cause no bug.
        """
        odd = text.replace("\r", "").replace("\n", "")
        for name in ("Authorization", "Origin", "User_ID", "Sec_WebSocket_Protocol"):
            wire = self.edge.connect()
            wire.send(upgrade(**{name: odd}))
            self.assertRegex(wire.transport.written(), b"^HTTP/1.1 (101|4..) ")
            wire.lose()
