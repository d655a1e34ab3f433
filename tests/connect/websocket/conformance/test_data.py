"""
Categories 1, 5 and 10 of the Autobahn test suite: messages in frames and fragments.
"""

from __future__ import annotations

from collections.abc import Iterator

from tests.connect.websocket.conformance.cases import Case, echoed, failed, tests_of
from tests.connect.websocket.conformance.echo import (
    BINARY,
    CONTINUATION,
    PING,
    PONG,
    TEXT,
    frame,
    message,
)

_SIZES = (0, 125, 126, 127, 128, 65535, 65536)
_ONE, _TWO = frame(TEXT, b"fragment1", fin=False), frame(CONTINUATION, b"fragment2")
_BOTH = echoed(b"fragment1fragment2")
_HELLO = frame(TEXT, b"Hello, world!")
_LONE = "A frame that continues no message fails the connection."


def framing() -> Iterator[Case]:
    """
    Category 1: messages of one frame, at every size where the header changes.
    """
    for kind, opcode in enumerate((TEXT, BINARY), 1):
        for n, size in enumerate(_SIZES, 1):
            payload = b"*" * size if opcode == TEXT else b"\xfe" * size
            yield Case(
                f"1.{kind}.{n}",
                f"A message of {size} bytes comes back.",
                [frame(opcode, payload)],
                [echoed(payload, opcode)],
                opcode,
            )
    zero = b"\0" * 4
    yield Case(
        "1.1.9",
        "A mask of zeros is a mask.",
        [frame(TEXT, b"Hello", mask=zero)],
        [echoed(b"Hello")],
    )


def lengths() -> Iterator[Case]:
    """
    Lengths that take more bytes than they need, or that no frame can have.
    """
    for n, (size, length_bytes) in enumerate(
        [(0, 3), (125, 3), (0, 9), (125, 9), (126, 9), (65535, 9)], 1
    ):
        yield Case(
            f"1.3.{n}",
            f"A length of {size} in {length_bytes} bytes fails the connection.",
            [frame(TEXT, b"x" * size, length_bytes=length_bytes)],
            [failed(1002)],
        )
    yield Case(
        "1.3.7",
        "A length with its first bit set fails the connection.",
        [b"\x81\xff" + (2**63 + 5).to_bytes(8, "big")],
        [failed(1002)],
    )
    yield Case(
        "1.3.8",
        "A frame without a mask fails the connection, after the messages before it.",
        [_HELLO, frame(TEXT, b"Hello", mask=None), _HELLO],
        [echoed(b"Hello, world!"), failed(1002)],
    )


def fragmentation() -> Iterator[Case]:
    """
    Category 5.
    """
    for number, opcode in (("5.1", PING), ("5.2", PONG)):
        yield Case(
            number,
            "A control frame in fragments fails the connection.",
            [frame(opcode, b"frag1", fin=False), frame(CONTINUATION, b"frag2")],
            [failed(1002)],
        )
    yield Case("5.3", "Fragments are one message.", [_ONE, _TWO], [_BOTH])
    yield Case(
        "5.6",
        "A ping between fragments is answered at once.",
        [_ONE, frame(PING, b"ping"), _TWO],
        [("pong", b"ping"), _BOTH],
    )
    for number, fin in (("5.9", True), ("5.12", False)):
        lone = frame(CONTINUATION, b"non-continuation payload", fin=fin)
        yield Case(number, _LONE, [lone, _HELLO], [failed(1002)])
    yield Case(
        "5.15",
        "A message after which a frame continues nothing comes back before the close.",
        [_ONE, _TWO, frame(CONTINUATION, b"fragment3", fin=False), _HELLO],
        [_BOTH, failed(1002)],
    )
    for number, fin in (("5.16", False), ("5.17", True)):
        lone = frame(CONTINUATION, b"fragment1", fin=fin)
        yield Case(number, _LONE, [lone, _ONE, _TWO] * 2, [failed(1002)])
    yield Case(
        "5.18",
        "A message that begins within another fails the connection.",
        [_ONE, frame(TEXT, b"fragment2")],
        [failed(1002)],
    )
    yield Case(
        "5.19",
        "Pings anywhere between five fragments are answered in their order.",
        [
            _ONE,
            frame(CONTINUATION, b"fragment2", fin=False),
            frame(PING, b"pongme 1!"),
            frame(CONTINUATION, b"fragment3", fin=False),
            frame(CONTINUATION, b"fragment4", fin=False),
            frame(PING, b"pongme 2!"),
            frame(CONTINUATION, b"fragment5"),
        ],
        [
            ("pong", b"pongme 1!"),
            ("pong", b"pongme 2!"),
            echoed(b"".join(b"fragment%d" % n for n in range(1, 6))),
        ],
    )


def many_fragments() -> Iterator[Case]:
    """
    Category 10, and more: fragments of one size, also empty ones.
    """
    payload = b"*" * 65536
    for n, size in enumerate((1300, 512, 4096, 65535), 1):
        yield Case(
            f"10.1.{n}",
            f"64 KiB in fragments of {size} bytes come back.",
            message(payload, cuts=list(range(size, len(payload), size))),
            [echoed(payload)],
        )
    for opcode in (TEXT, BINARY):
        yield Case(
            f"10.2.{opcode}",
            "A message in fragments of one byte comes back.",
            message(b"one by one", opcode, cuts=list(range(1, 10))),
            [echoed(b"one by one", opcode)],
            opcode,
        )
        for n, cuts in enumerate(([0], [0, 0, 0], [2, 2, 2], [4], [0, 4, 4]), 1):
            yield Case(
                f"10.{n + 2}.{opcode}",
                "Empty fragments, wherever they are, add nothing.",
                message(b"four", opcode, cuts=cuts),
                [echoed(b"four", opcode)],
                opcode,
            )
    yield Case(
        "10.8.1",
        "Messages of all sizes follow each other in any cut.",
        [one for n in range(130) for one in message(b"x" * n, cuts=[n // 3])],
        [echoed(b"x" * n) for n in range(130)],
    )


class FramingTests(tests_of([*framing(), *lengths()])):  # type: ignore[misc]
    """
    Category 1.
    """


class FragmentationTests(tests_of(fragmentation())):  # type: ignore[misc]
    """
    Category 5.
    """


class ManyFragmentsTests(tests_of(many_fragments())):  # type: ignore[misc]
    """
    Category 10.
    """
