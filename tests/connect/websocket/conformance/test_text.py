"""
Category 6 of the Autobahn test suite: text is UTF-8, and whatever is not ends the
connection at the first wrong character.

The sequences are those of Markus Kuhn's "UTF-8 decoder capability and stress test".
"""

from __future__ import annotations

from collections.abc import Iterator

from twisted.trial.unittest import SynchronousTestCase

from tests.connect.websocket.conformance.cases import Case, echoed, failed, tests_of
from tests.connect.websocket.conformance.echo import (
    BINARY,
    CONTINUATION,
    TEXT,
    EchoClient,
    EchoEdge,
    frame,
    message,
)

_KOSME = "\u03ba\u1f79\u03c3\u03bc\u03b5".encode()

#: By the numbers of the suite.
VALID: dict[str, list[bytes]] = {
    "6.1": [b""],
    "6.2": [b"Hello-\xc2\xb5@\xc3\x9f\xc3\xb6\xc3\xa4\xc3\xbc\xc3\xa0\xc3\xa1-UTF-8!!"],
    "6.5": [_KOSME],
    "6.7": [chr(n).encode() for n in (0, 0x80, 0x800, 0x10000)],
    "6.9": [chr(n).encode() for n in (0x7F, 0x7FF, 0xFFFF, 0x10FFFF)],
    "6.11": [chr(n).encode() for n in (0xD7FF, 0xE000, 0xFFFD, 0x10FFFF)],
    "6.22": [
        chr(plane << 16 | low).encode()
        for plane in range(17)
        for low in (0xFFFE, 0xFFFF)
    ],
    "6.23": [chr(n).encode() for n in range(0xFFF9, 0x10000)],
}

INVALID: dict[str, list[bytes]] = {
    "6.3": [_KOSME + b"\xed\xa0\x80edited"],
    "6.6": [_KOSME[:n] for n in range(1, len(_KOSME)) if n not in (2, 5, 7, 9)],
    "6.8": [b"\xf8\x88\x80\x80\x80", b"\xfc\x84\x80\x80\x80\x80"],
    "6.10": [
        b"\xf7\xbf\xbf\xbf",
        b"\xfb\xbf\xbf\xbf\xbf",
        b"\xfd\xbf\xbf\xbf\xbf\xbf",
    ],
    "6.11": [b"\xf4\x90\x80\x80"],
    "6.12": [
        b"\x80",
        b"\xbf",
        *(b"\x80\xbf\x80\xbf\x80\xbf\x80"[:n] for n in range(2, 8)),
        bytes(range(0x80, 0xC0)),
    ],
    "6.13": [
        b" ".join(bytes([n]) for n in starts) + b" "
        for starts in (
            range(0xC0, 0xE0),
            range(0xE0, 0xF0),
            range(0xF0, 0xF8),
            range(0xF8, 0xFC),
            range(0xFC, 0xFE),
        )
    ],
    "6.14": [
        b"\xc0",
        b"\xe0\x80",
        b"\xf0\x80\x80",
        b"\xf8\x80\x80\x80",
        b"\xfc\x80\x80\x80\x80",
        b"\xdf",
        b"\xef\xbf",
        b"\xf7\xbf\xbf",
        b"\xfb\xbf\xbf\xbf",
        b"\xfd\xbf\xbf\xbf\xbf",
    ],
    "6.15": [
        b"\xc0\xe0\x80\xf0\x80\x80\xf8\x80\x80\x80\xfc\x80\x80\x80\x80\xdf\xef\xbf"
    ],
    "6.16": [b"\xfe", b"\xff", b"\xfe\xfe\xff\xff"],
    "6.17": [
        b"\xc0\xaf",
        b"\xe0\x80\xaf",
        b"\xf0\x80\x80\xaf",
        b"\xf8\x80\x80\x80\xaf",
        b"\xfc\x80\x80\x80\x80\xaf",
    ],
    "6.18": [
        b"\xc1\xbf",
        b"\xe0\x9f\xbf",
        b"\xf0\x8f\xbf\xbf",
        b"\xf8\x87\xbf\xbf\xbf",
        b"\xfc\x83\xbf\xbf\xbf\xbf",
    ],
    "6.19": [
        b"\xc0\x80",
        b"\xe0\x80\x80",
        b"\xf0\x80\x80\x80",
        b"\xf8\x80\x80\x80\x80",
        b"\xfc\x80\x80\x80\x80\x80",
    ],
    "6.20": [
        chr(n).encode("utf-8", "surrogatepass")
        for n in (0xD800, 0xDB7F, 0xDB80, 0xDBFF, 0xDC00, 0xDF80, 0xDFFF)
    ],
    "6.21": [
        (chr(high) + chr(low)).encode("utf-8", "surrogatepass")
        for high in (0xD800, 0xDB7F, 0xDB80, 0xDBFF)
        for low in (0xDC00, 0xDFFF)
    ],
}


def _ways(text: bytes) -> list[list[bytes]]:
    """
    Return a text as the frames of one message, three times.
    """
    cuts = list(range(1, len(text)))
    return [
        message(text),
        message(text, cuts=[len(text) // 2]),
        message(text, cuts=cuts),
    ]


def valid() -> Iterator[Case]:
    """
    Texts that are UTF-8, whole and in fragments that cut characters.
    """
    for number, texts in VALID.items():
        for n, text in enumerate(texts, 1):
            for way, frames in enumerate(_ways(text), 1):
                about = "UTF-8 comes back unchanged."
                yield Case(f"{number}.{n}.{way}", about, frames, [echoed(text)])


def invalid() -> Iterator[Case]:
    """
    Texts that are not UTF-8, between others.
    """
    hello = frame(TEXT, b"hello")
    for number, texts in INVALID.items():
        for n, text in enumerate(texts, 1):
            for way, frames in enumerate(_ways(text), 1):
                yield Case(
                    f"{number}.{n}.{way}",
                    "Text that is not UTF-8 fails the connection.",
                    [hello, *frames, hello],
                    [echoed(b"hello"), failed(1007)],
                )


def binary() -> Iterator[Case]:
    """
    The same bytes where they may be anything.
    """
    for number, texts in INVALID.items():
        for n, text in enumerate(texts, 1):
            yield Case(
                f"{number}.{n}.0",
                "Binary messages may be any bytes.",
                message(text, BINARY, cuts=[len(text) // 2]),
                [echoed(text, BINARY)],
                BINARY,
            )


class ValidTests(tests_of(valid(), "at_once", "bytes")):  # type: ignore[misc]
    """
    Texts that are UTF-8.
    """


class InvalidTests(tests_of(invalid(), "at_once", "bytes")):  # type: ignore[misc]
    """
    Texts that are not.
    """


class BinaryTests(tests_of(binary(), "at_once")):  # type: ignore[misc]
    """
    Binary messages with these bytes.
    """


class FailFastTests(SynchronousTestCase):
    """
    Category 6.4: the first wrong byte ends the connection, whatever is to follow.
    """

    def fails_at(self, good: bytes, bad: bytes) -> None:
        """
        Check that the connection fails with C{bad}, and not before.
        """
        client: EchoClient = EchoEdge().client()
        client.send(good)
        self.assertEqual(client.heard(), [])
        client.send(bad)
        self.assertEqual(client.heard(), [failed(1007)])
        client.finish(self)

    def test_fragments(self) -> None:
        """
        6.4.1 and 6.4.2: a fragment with a wrong byte fails before the last fragment.
        """
        for wrong in (b"\xf4\x90\x80\x80", b"\xf4\x90"):
            self.fails_at(
                frame(TEXT, _KOSME, fin=False), frame(CONTINUATION, wrong, fin=False)
            )

    def test_bytes(self) -> None:
        """
        6.4.3 and 6.4.4: a wrong byte fails before the rest of its frame.
        """
        for wrong in (b"\xf4\x90", b"\xed\xa0\x80", b"\xff", b"\xc0"):
            whole = frame(TEXT, _KOSME + wrong + b"edited")
            at = len(whole) - len(b"edited")
            self.fails_at(whole[: at - 1], whole[at - 1 : at])
