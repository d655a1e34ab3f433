"""
Category 7 of the Autobahn test suite: closing.
"""

from __future__ import annotations

from collections.abc import Iterator

from tests.connect.websocket.conformance.cases import Case, echoed, failed, tests_of
from tests.connect.websocket.conformance.echo import (
    CLOSE,
    CONTINUATION,
    PING,
    TEXT,
    frame,
    message,
)

_HELLO = frame(TEXT, b"Hello World!")
_CLOSE = frame(CLOSE, b"\x03\xe8")
_DONE = ("close", 1000)
_ALLOWED = (1000, 1001, 1002, 1003, 1007, 1008, 1009, 1010, 1011, 1012, 1013)
_FORBIDDEN = (0, 1, 999, 1004, 1005, 1006, 1014, 1015, 1016, 1100, 2000, 2999)


def order() -> Iterator[Case]:
    """
    Frames before and after a Close.
    """
    yield Case(
        "7.1.1",
        "A message before the Close comes back before the Close.",
        [_HELLO, _CLOSE],
        [echoed(b"Hello World!"), _DONE],
    )
    for number, name, after in (
        ("7.1.2", "another Close", _CLOSE),
        ("7.1.3", "a ping", frame(PING)),
        ("7.1.4", "a message", _HELLO),
        ("7.1.4.1", "an error", frame(3)),
    ):
        yield Case(
            number, f"After a Close, {name} is ignored.", [_CLOSE, after], [_DONE]
        )
    yield Case(
        "7.1.5",
        "A Close within a message ends the connection, and the rest is ignored.",
        [
            frame(TEXT, b"fragment1", fin=False),
            _CLOSE,
            frame(CONTINUATION, b"fragment2"),
        ],
        [_DONE],
    )
    long = b"BAsd7&jh23" * 26215
    yield Case(
        "7.1.6",
        "Long messages before the Close all come back before it.",
        [*message(long), _HELLO, _CLOSE, frame(PING)],
        [echoed(long), echoed(b"Hello World!"), _DONE],
    )


def payloads() -> Iterator[Case]:
    """
    The payload of a Close.
    """
    yield Case("7.3.1", "A Close may be empty.", [frame(CLOSE)], [_DONE])
    yield Case("7.3.2", "Half a code fails.", [frame(CLOSE, b"\x03")], [failed(1002)])
    for number, reason in (
        ("7.3.3", b""),
        ("7.3.4", b"Hello World!"),
        ("7.3.5", b"*" * 123),
        ("7.3.5.1", "\u03ba\u1f79\u03c3\u03bc\u03b5".encode()),
    ):
        yield Case(
            number, "A reason is read.", [frame(CLOSE, b"\x03\xe8" + reason)], [_DONE]
        )
    yield Case(
        "7.3.6",
        "A reason over 123 bytes fails the connection.",
        [frame(CLOSE, b"\x03\xe8" + b"*" * 124)],
        [failed(1002)],
    )
    bad = b"\xce\xba\xe1\xbd\xb9\xcf\x83\xce\xbc\xce\xb5\xed\xa0\x80edited"
    yield Case(
        "7.5.1",
        "A reason that is not UTF-8 fails the connection.",
        [frame(CLOSE, b"\x03\xe8" + bad)],
        [failed(1007)],
    )


def codes() -> Iterator[Case]:
    """
    Close codes.
    """
    for code in (*_ALLOWED, 3000, 3999, 4000, 4999):
        data = code.to_bytes(2, "big")
        yield Case(f"7.7.{code}", "The code is allowed.", [frame(CLOSE, data)], [_DONE])
    for code in (*_FORBIDDEN, 5000, 65535):
        data = code.to_bytes(2, "big")
        for n, reason in enumerate((b"", b"reason"), 1):
            yield Case(
                f"7.9.{code}.{n}",
                "The code is forbidden.",
                [frame(CLOSE, data + reason)],
                [failed(1002)],
            )


class OrderTests(tests_of(order())):  # type: ignore[misc]
    """
    Frames around a Close.
    """


class PayloadTests(tests_of(payloads())):  # type: ignore[misc]
    """
    The payload of a Close.
    """


class CodeTests(tests_of(codes())):  # type: ignore[misc]
    """
    Close codes.
    """
