"""
Category 9 of the Autobahn test suite: large messages, in fragments and segments of many
sizes.
"""

from __future__ import annotations

from collections.abc import Iterator

from twisted.trial.unittest import SynchronousTestCase

from tests.connect.websocket.conformance.cases import Case, echoed, failed, tests_of
from tests.connect.websocket.conformance.echo import (
    BINARY,
    TEXT,
    EchoEdge,
    frame,
    message,
)

_KIB, _MIB = 2**10, 2**20
_LETTERS = "BAsd7&jh23-\u03ba\u1f79\u03c3\u03bc\u03b5 ".encode()


def _payload(size: int, opcode: int) -> bytes:
    if opcode == BINARY:
        return (bytes(range(256)) * (size // 256 + 1))[:size]
    return (_LETTERS * (size // len(_LETTERS))).ljust(size, b".")


def fragments() -> Iterator[Case]:
    """
    9.3 and 9.4: 4 MiB in fragments of one size.
    """
    for kind, opcode in (("9.3", TEXT), ("9.4", BINARY)):
        payload = _payload(4 * _MIB, opcode)
        sizes = (64, 256, _KIB, 4 * _KIB, 64 * _KIB, 256 * _KIB, _MIB, 4 * _MIB)
        for n, size in enumerate(sizes, 1):
            yield Case(
                f"{kind}.{n}",
                f"4 MiB in fragments of {size} bytes come back.",
                message(payload, opcode, cuts=list(range(size, len(payload), size))),
                [echoed(payload, opcode)],
                opcode,
            )


class LimitTests(SynchronousTestCase):
    """
    Large messages.
    """

    def test_sizes(self) -> None:
        """
        9.1 and 9.2: messages up to the limit come back.
        """
        for opcode in (TEXT, BINARY):
            client = EchoEdge(limits={"frame_bytes": 16 * _MIB}).client(opcode)
            for size in (64 * _KIB, 256 * _KIB, _MIB, 4 * _MIB, 8 * _MIB, 16 * _MIB):
                payload = _payload(size, opcode)
                client.send(frame(opcode, payload))
                self.assertEqual(client.heard()[-1:], [echoed(payload, opcode)])

    def test_segments(self) -> None:
        """
        9.5 and 9.6: 1 MiB in segments of one size comes back.
        """
        for opcode in (TEXT, BINARY):
            client = EchoEdge(limits={"frame_bytes": _MIB}).client(opcode)
            payload = _payload(_MIB, opcode)
            data = frame(opcode, payload)
            for count, size in enumerate((64, 128, 256, 512, 1024, 2048), 1):
                for at in range(0, len(data), size):
                    client.send(data[at : at + size])
                self.assertEqual(client.heard(), [echoed(payload, opcode)] * count)

    def test_many(self) -> None:
        """
        9.7 and 9.8: a thousand messages of each size come back, one after the other.
        """
        for opcode in (TEXT, BINARY):
            client = EchoEdge().client(opcode)
            expected = []
            for size in (0, 16, 64, 256, 1024, 4096):
                payload = _payload(size, opcode)
                client.send(*[frame(opcode, payload)] * 1000)
                expected += [echoed(payload, opcode)] * 1000
            self.assertEqual(client.heard(), expected)

    def test_over_the_limit(self) -> None:
        """
        A message over the limit fails as soon as its length is known, in a frame or in
        fragments.
        """
        for frames in (
            [frame(TEXT, b"x" * 1001)[:4]],
            [frame(TEXT, b"x" * 600, fin=False), frame(0, b"x" * 401, fin=False)[:4]],
            [b"\x81\xff" + (2**40).to_bytes(8, "big")],
        ):
            client = EchoEdge(limits={"frame_bytes": 1000}).client()
            client.send(frame(TEXT, b"x" * 1000), *frames)
            self.assertEqual(client.heard(), [echoed(b"x" * 1000), failed(1009)])
            client.finish(self)


class FragmentTests(tests_of(fragments())):  # type: ignore[misc]
    """
    9.3 and 9.4.
    """
