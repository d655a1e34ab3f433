"""
Tests of L{wsmsg.connect.websocket.usual_handshake}: what it accepts, Autobahn accepts
with the same answer.
"""

from __future__ import annotations

from typing import Any

from hypothesis import given
from hypothesis import strategies as st
from twisted.internet.task import Clock
from twisted.internet.testing import StringTransport
from twisted.trial.unittest import SynchronousTestCase

from wsmsg.connect.websocket.autobahn import Handshakes
from wsmsg.connect.websocket.usual_handshake import acceptance, usual_request

_LINE = "GET /api/v1/connect/ws HTTP/1.1"
_PYTHON = {
    "Host": "chat.example.org:21005",
    "Upgrade": "websocket",
    "Connection": "Upgrade",
    "Sec-WebSocket-Key": "dGhlIHNhbXBsZSBub25jZQ==",
    "Sec-WebSocket-Version": "13",
    "Sec-WebSocket-Extensions": "permessage-deflate; client_max_window_bits",
    "Sec-WebSocket-Protocol": "wsmsg.v1.json",
    "User-Agent": "Python/3.11 websockets/15.0",
}
_BROWSER = {
    **_PYTHON,
    "Connection": "keep-alive, Upgrade",
    "Origin": "https://chat.example.org",
    "Sec-WebSocket-Protocol": "wsmsg.v1.json, other",
    "Accept-Language": "de,en-US;q=0.7,en;q=0.3",
    "Cookie": 'a=b; c="d"',
}

_PIECES = st.sampled_from(
    [
        *("", " ", "\t", ":", ",", "\r\n", "\n", "\r", "\x00", "\x0b", "\x85", "\xe9"),
        *(
            "#",
            "?a=1",
            "//",
            "[",
            "=",
            "0",
            "13",
            "null",
            "file://",
            "http:",
            "Host: b",
        ),
        *(
            "\r\nHost: b",
            "\r\n x: y",
            "\r\n: y",
            "\r\nUpgrade: h2c",
            "\r\nx",
            "upgrade",
        ),
    ]
)


def head(headers: dict[str, str], line: str = _LINE) -> bytes:
    """
    Return the head of a request.
    """
    lines = [line, *(f"{name}: {value}" for name, value in headers.items())]
    return "\r\n".join([*lines, "", ""]).encode("latin-1")


class UsualHandshakeTests(SynchronousTestCase):
    """
    Handshakes, compared with Autobahn's.
    """

    def by_autobahn(self, request: bytes) -> tuple[Any, bytes]:
        """
        Return the request as Autobahn reads it, and its answer if it agrees.
        """
        transport, found = StringTransport(), []

        def agree(request: Any) -> str | None:
            found.append(request)
            return request.protocols[0] if request.protocols else None

        def refuse(*reason: object) -> None:
            found.clear()

        Handshakes(Clock()).shake_hands(transport, request, agree, refuse)
        return (found[0] if found else None), transport.value()

    def compare(self, request: bytes) -> bool:
        """
        Check that a request that is usual is read and answered as by Autobahn.

        @return: whether it is usual.
        """
        usual = usual_request(request)
        if usual is None:
            return False
        wanted, answer = self.by_autobahn(request)
        self.assertIsNotNone(wanted, request)
        self.assertEqual(usual, (wanted.headers, wanted.origin, wanted.protocols))
        chosen = usual.protocols[0] if usual.protocols else None
        self.assertEqual(acceptance(usual, chosen), answer)
        return True

    def test_usual(self) -> None:
        """
        The handshakes of a program, of a browser and of the legacy clients, which name
        no subprotocol, are usual.
        """
        legacy = {"User-ID": "1001", "Authorization": "Bearer a.b-c.d_e", **_PYTHON}
        del legacy["Sec-WebSocket-Protocol"], legacy["Sec-WebSocket-Extensions"]
        lower = {name.lower(): value for name, value in _BROWSER.items()}
        for headers in (_PYTHON, _BROWSER, lower, legacy):
            self.assertTrue(self.compare(head(headers)))
        line = "GET /api/v1/connect/ws?v=2&t=a%20b HTTP/1.1"
        self.assertTrue(self.compare(head(_PYTHON, line)))
        for host in ("127.0.0.1", "[::1]:21005", "localhost"):
            self.assertTrue(self.compare(head({**_PYTHON, "Host": host})))

    def test_left_to_autobahn(self) -> None:
        """
        A request that lacks a header, or has one that is wrong, is not usual.
        """
        wrong = {
            "Host": ("", "a b", "a:b", "a:123456", "[::1"),
            "Upgrade": ("", "h2c", "websocket2"),
            "Connection": ("", "close", "Upgraded"),
            "Sec-WebSocket-Key": ("", "dGhlIHNhbXBsZSBub25jZQ=", "=" * 24, "a" * 24),
            "Sec-WebSocket-Version": ("", "8", "013", "13, 13"),
            "Sec-WebSocket-Protocol": ("a, a",),
            "Origin": ("", "null", "file://", "https://", "https://a:99999", "chat"),
        }
        for name, values in wrong.items():
            for value in values:
                self.assertIsNone(usual_request(head({**_PYTHON, name: value})))
        for name in wrong.keys() - {"Origin", "Sec-WebSocket-Protocol"}:
            left = {key: value for key, value in _PYTHON.items() if key != name}
            self.assertIsNone(usual_request(head(left)))
        for line in (
            "POST / HTTP/1.1",
            "GET /a#b HTTP/1.1",
            "GET /a HTTP/1.0",
            "GET /a",
        ):
            self.assertIsNone(usual_request(head(_PYTHON, line)))

    @given(st.sampled_from([_PYTHON, _BROWSER]), st.data())
    def test_as_autobahn(self, headers: dict[str, str], data: st.DataObject) -> None:
        """
        Whatever is usual, Autobahn reads and answers in the same way.
        """
        text = head(headers).decode()
        for _ in range(data.draw(st.integers(1, 3))):
            at = data.draw(st.integers(0, len(text) - 5))
            end = at + data.draw(st.integers(0, 3))
            text = text[:at] + data.draw(_PIECES) + text[end:]
        self.compare(text.encode("latin-1"))
