"""
Cases: frames of a client, and the answers that RFC 6455 demands.
"""

from __future__ import annotations

import random
from collections.abc import Callable, Iterable, Iterator, Sequence

import attrs
from twisted.trial.unittest import SynchronousTestCase

from tests.connect.websocket.conformance.echo import (
    BINARY,
    CLOSE,
    TEXT,
    EchoClient,
    EchoEdge,
    Event,
    frame,
)

#: Longer streams are not cut byte by byte.
_CUT_BYTES = 3000

Way = Callable[[Sequence[bytes]], Iterable[bytes]]


@attrs.frozen
class Case:
    """
    A case of the Autobahn test suite, or one like it.

    @ivar number: as in the suite, such as C{5.3}.
    @ivar about: one sentence: what a client sees.
    @ivar frames: what the client sends.
    @ivar events: what it hears.  Without a close at the end, the connection must still
        be good: the client closes it.
    @ivar opcode: of the messages that the client's subprotocol has.
    """

    number: str
    about: str
    frames: Sequence[bytes]
    events: Sequence[Event]
    opcode: int = TEXT


def echoed(payload: bytes, opcode: int = TEXT) -> Event:
    """
    Return the event of a message that comes back.
    """
    return "text" if opcode == TEXT else "binary", payload


def failed(code: int) -> Event:
    """
    Return the event of a close for an error.
    """
    return "close", code


def tests_of(cases: Iterable[Case], *ways: str) -> type[SynchronousTestCase]:
    """
    Make a class with a test for each case and each way to cut its bytes.

    @param ways: names in L{WAYS}; none: all of them.
    """
    tests: dict[str, Callable[[SynchronousTestCase], None]] = {}
    for case in cases:
        for name in ways or WAYS:
            if name == "bytes" and sum(map(len, case.frames)) > _CUT_BYTES:
                continue
            number = case.number.replace(".", "_")
            method = f"test_{number}_{name}"
            assert method not in tests, f"there are two cases {case.number}"
            tests[method] = _test(case, WAYS[name])
    return type("ConformanceTests", (SynchronousTestCase,), tests)


def _test(case: Case, way: Way) -> Callable[[SynchronousTestCase], None]:
    def run(self: SynchronousTestCase) -> None:
        """
        Send the frames of a case, and compare the answers.
        """
        client = EchoEdge(limits={"frame_bytes": 2**24}).client(case.opcode)
        check(self, client, way(case.frames), case)

    run.__doc__ = case.about
    return run


def check(
    test: SynchronousTestCase, client: EchoClient, segments: Iterable[bytes], case: Case
) -> None:
    """
    Run a case.
    """
    client.send(*segments)
    events = list(case.events)
    if not events or events[-1][0] != "close":
        test.assertEqual(client.heard(), events)
        client.send(frame(CLOSE, b"\x03\xe8"))
        events.append(("close", 1000))
    test.assertEqual(client.heard(), events)
    client.send(frame(TEXT if case.opcode == TEXT else BINARY, b"too late"))
    test.assertEqual(client.heard(), events)
    client.finish(test)


def _at_random(frames: Sequence[bytes]) -> Iterator[bytes]:
    stream = b"".join(frames)
    dice = random.Random(len(stream))
    at = 0
    while at < len(stream):
        size = dice.choice((1, 2, 5, 6, 7, 13, 100, 997, 65536))
        yield stream[at : at + size]
        at += size


def _bytes(frames: Sequence[bytes]) -> Iterator[bytes]:
    for byte in b"".join(frames):
        yield bytes([byte])


#: The ways to cut a stream of frames into segments.
WAYS: dict[str, Way] = {
    "at_once": lambda frames: [b"".join(frames)],
    "frames": lambda frames: frames,
    "bytes": _bytes,
    "random": _at_random,
}
