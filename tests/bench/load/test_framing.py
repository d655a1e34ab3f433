"""
Tests of the frames of the load, against Autobahn and by hand.
"""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from wsmsg.bench.load.framing import (
    PING,
    FramingError,
    Mask,
    check_upgraded,
    new_key,
    split,
    upgrade,
)


def whole(payload: bytes, first: int = 0x82) -> bytes:
    """
    Make a frame of a server, with the shortest form of its length.
    """
    n = len(payload)
    if n < 126:
        return bytes((first, n)) + payload
    if n < 65536:
        return bytes((first, 126)) + n.to_bytes(2, "big") + payload
    return bytes((first, 127)) + n.to_bytes(8, "big") + payload


class MaskTests(SynchronousTestCase):
    """
    Frames of a client.
    """

    def test_rfc_example(self) -> None:
        """
        The masked "Hello" is the one of RFC 6455 section 5.7, but for its opcode.
        """
        frame = Mask(bytes.fromhex("37fa213d")).frame(b"Hello", 0x1)
        self.assertEqual(frame.hex(), "818537fa213d7f9f4d5158")

    @given(st.binary(max_size=600), st.binary(min_size=4, max_size=4))
    def test_unmasking(self, payload: bytes, key: bytes) -> None:
        """
        A payload of any length is masked byte by byte with the key.
        """
        masked = Mask(key).apply(payload)
        again = bytes(b ^ key[i % 4] for i, b in enumerate(masked))
        self.assertEqual(again, payload)

    def test_lengths(self) -> None:
        """
        The three forms of a length begin where the RFC says.
        """
        mask = Mask(b"\0\0\0\0")
        found = [mask.head(n)[1:-4].hex() for n in (0, 125, 126, 65535, 65536)]
        self.assertEqual(found, ["80", "fd", "fe007e", "feffff", "ff0000000000010000"])

    def test_control(self) -> None:
        """
        A control frame has its opcode and is final.
        """
        self.assertEqual(Mask(b"abcd").frame(b"", PING)[0], 0x89)


class SplitTests(SynchronousTestCase):
    """
    Frames of a server.
    """

    @given(
        st.lists(
            st.one_of(
                st.binary(max_size=130),
                st.sampled_from([b"x" * 65535, b"x" * 65536]),
            ),
            max_size=4,
        ),
        st.data(),
    )
    def test_in_pieces(self, payloads: list[bytes], data: st.DataObject) -> None:
        """
        However the bytes are cut by the network, the same frames come out.
        """
        stream = b"".join(map(whole, payloads))
        cut = data.draw(st.integers(0, len(stream)))
        found, rest = [], b""
        for piece in (stream[:cut], stream[cut:]):
            piece = rest + piece
            end = 0
            for first, start, end in split(piece):
                self.assertEqual(first, 0x82)
                found.append(piece[start:end])
            rest = piece[end:]
        self.assertEqual((found, rest), (payloads, b""))

    def test_masked(self) -> None:
        """
        A masked frame from a server ends the connection.
        """
        frame = Mask(b"abcd").frame(b"x")
        self.assertRaises(FramingError, list, split(frame))

    def test_reserved(self) -> None:
        """
        A frame with bits of an extension that was not negotiated ends the connection.
        """
        self.assertRaises(FramingError, list, split(whole(b"x", 0xC2)))


class UpgradeTests(SynchronousTestCase):
    """
    The opening of a WebSocket.
    """

    # The example of RFC 6455 section 1.3.
    KEY = "dGhlIHNhbXBsZSBub25jZQ=="
    ACCEPT = "s3pPLMBiTxaQ9kYGzzhZRbK+xOo="

    def test_accepted(self) -> None:
        """
        The answer for the key opens the WebSocket.
        """
        head = f"HTTP/1.1 101 Switching\r\nsec-websocket-accept: {self.ACCEPT}"
        check_upgraded(head.encode(), self.KEY)

    def test_wrong_accept(self) -> None:
        """
        An answer for another key is refused.
        """
        head = f"HTTP/1.1 101 Switching\r\nSec-WebSocket-Accept: {self.ACCEPT}"
        self.assertRaises(FramingError, check_upgraded, head.encode(), new_key())

    def test_refused(self) -> None:
        """
        The reason contains another answer of the server.
        """
        e = self.assertRaises(
            FramingError, check_upgraded, b"HTTP/1.1 401 Unauthorized", self.KEY
        )
        self.assertIn("401 Unauthorized", str(e))

    def test_request(self) -> None:
        """
        The request has its headers on lines of their own and a blank one after.
        """
        lines = upgrade("h:1", "/p", {"A": "b"}, "k").split(b"\r\n")
        self.assertEqual(lines[0], b"GET /p HTTP/1.1")
        self.assertIn(b"A: b", lines)
        self.assertEqual(lines[-2:], [b"", b""])
