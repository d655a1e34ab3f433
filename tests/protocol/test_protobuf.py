"""
Tests of L{wsmsg.protocol.protobuf}: errors that only protobuf can have.
"""

from __future__ import annotations

from hypothesis import given, settings
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from tests.connect.session.cases import CodecTestCase
from wsmsg.errors import BadFrame
from wsmsg.protocol import client_pb2 as pb
from wsmsg.protocol import frames
from wsmsg.protocol import protobuf as codec_protobuf


class ProtobufTests(CodecTestCase):
    """
    Errors that only protobuf can have.
    """

    def refuse(self, data: bytes, *words: str) -> None:
        """
        Check that the codec refuses these bytes.
        """
        self.assert_bad(codec_protobuf.CODEC, data, *words)

    def test_empty(self) -> None:
        """
        A frame that is empty, or has only unknown fields, is refused.
        """
        self.refuse(b"", "without a frame")
        self.refuse(b"\x9a\x06\x02hi", "without a frame")

    def test_text(self) -> None:
        """
        JSON instead of protobuf is refused.
        """
        self.refuse(b'{"type": "ping"}', "protobuf")

    def test_invalid_utf8(self) -> None:
        """
        A string that is not UTF-8 is refused.
        """
        self.refuse(b"\x52\x03\x0a\x01\xff", "protobuf")

    def test_wrong_type(self) -> None:
        """
        A field of another wire type counts as unknown, so its value is missing.
        """
        self.refuse(b"\x12\x04\x08\x05\x10\x02", "send.client_id")

    def test_unknown_fields(self) -> None:
        """
        Ten thousand unknown fields are ignored.
        """
        encoded = pb.ClientFrame(ping=pb.Ping(nonce="n")).SerializeToString()
        frame = codec_protobuf.CODEC.decode(encoded + b"\xa0\x06\x01" * 10000)
        self.assertEqual(frame, frames.Ping("n"))

    def test_deep(self) -> None:
        """
        Groups nested ten thousand deep are refused.
        """
        self.refuse(b"\xa3\x06" * 10000, "protobuf")

    def test_lying_length(self) -> None:
        """
        A length of gigabytes in a small frame is refused at once.
        """
        self.refuse(b"\x12\xff\xff\xff\xff\x07", "protobuf")

    def test_empty_values(self) -> None:
        """
        A frame whose fields all have their defaults is still that frame.
        """
        frame = frames.Conversations("x")
        self.assertEqual(
            codec_protobuf.CODEC.decode(codec_protobuf.CODEC.encode_client(frame)),
            frame,
        )
        self.assertEqual(
            codec_protobuf.CODEC.decode_server(
                codec_protobuf.CODEC.encode(frames.Pong())
            ),
            frames.Pong(),
        )


class FullSizeTests(SynchronousTestCase):
    """
    Frames of the largest size that a connection accepts.
    """

    @settings(max_examples=20)
    @given(st.integers(1, 65536))
    def test_watch(self, count: int) -> None:
        """
        A watch is refused if it names more users than the limit.
        """
        payload = b"\x0a" + _varint(count) + b"\x01" * count
        data = b"\x42" + _varint(len(payload)) + payload
        try:
            frame = codec_protobuf.CODEC.decode(data)
        except BadFrame:
            self.assertGreater(count, 10000)
        else:
            self.assertLessEqual(count, 10000)
            self.assertEqual(frame, frames.Watch((1,) * count))


def _varint(value: int) -> bytes:
    out = b""
    while value > 127:
        out += bytes([value & 127 | 128])
        value >>= 7
    return out + bytes([value])
