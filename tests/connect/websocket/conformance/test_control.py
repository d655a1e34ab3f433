"""
Categories 2, 3 and 4 of the Autobahn test suite: pings and pongs, reserved bits, and
reserved opcodes.
"""

from __future__ import annotations

from collections.abc import Iterator

from tests.connect.websocket.conformance.cases import Case, echoed, failed, tests_of
from tests.connect.websocket.conformance.echo import (
    BINARY,
    CLOSE,
    PING,
    PONG,
    TEXT,
    frame,
)

_HELLO = frame(TEXT, b"Hello, world!")
_ECHO = echoed(b"Hello, world!")
_PING = frame(PING)


def pings() -> Iterator[Case]:
    """
    Category 2.
    """
    for number, payload in (
        ("2.1", b""),
        ("2.2", b"Hello, world!"),
        ("2.3", b"\x00\xff\xfe\xfd\xfc\xfb\x00\xff"),
        ("2.4", b"\xfe" * 125),
    ):
        yield Case(
            number,
            "A ping is answered with its payload.",
            [frame(PING, payload)],
            [("pong", payload)],
        )
    for number, opcode in (("2.5", PING), ("2.5.1", PONG)):
        yield Case(
            number,
            "A control frame over 125 bytes fails the connection.",
            [frame(opcode, b"\xfe" * 126)],
            [failed(1002)],
        )
    for n, length_bytes in enumerate((3, 9), 2):
        yield Case(
            f"2.5.{n}",
            "So does a short one whose length takes more bytes.",
            [frame(PING, b"xx", length_bytes=length_bytes)],
            [failed(1002)],
        )
    for number, payload in (("2.7", b""), ("2.8", b"unsolicited pong payload")):
        yield Case(
            number, "A pong without a ping does nothing.", [frame(PONG, payload)], []
        )
    yield Case(
        "2.9",
        "A ping after such a pong is answered.",
        [frame(PONG, b"unsolicited pong payload"), frame(PING, b"ping payload")],
        [("pong", b"ping payload")],
    )
    payloads = [b"payload-%d" % n for n in range(10)]
    yield Case(
        "2.10",
        "Ten pings are answered in their order.",
        [frame(PING, p) for p in payloads],
        [("pong", p) for p in payloads],
    )


def reserved_bits() -> Iterator[Case]:
    """
    Category 3, with each value of the bits in each kind of frame.
    """
    for rsv in range(1, 8):
        for opcode in (TEXT, BINARY, CLOSE, PING, PONG):
            yield Case(
                f"3.{rsv}.{opcode}",
                "A reserved bit fails the connection, after the message before it.",
                [_HELLO, frame(opcode, rsv=rsv), _PING],
                [_ECHO, failed(1002)],
            )


def reserved_opcodes() -> Iterator[Case]:
    """
    Category 4, with and without payload.
    """
    for opcode in (3, 4, 5, 6, 7, 11, 12, 13, 14, 15):
        for n, payload in enumerate((b"", b"reserved opcode payload"), 1):
            yield Case(
                f"4.{opcode}.{n}",
                "A reserved opcode fails the connection, after the message before it.",
                [_HELLO, frame(opcode, payload), _PING],
                [_ECHO, failed(1002)],
            )


class PingTests(tests_of(pings())):  # type: ignore[misc]
    """
    Category 2.
    """


class ReservedBitTests(tests_of(reserved_bits())):  # type: ignore[misc]
    """
    Category 3.
    """


class ReservedOpcodeTests(tests_of(reserved_opcodes())):  # type: ignore[misc]
    """
    Category 4.
    """
