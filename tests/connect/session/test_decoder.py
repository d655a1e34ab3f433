"""
Frames of clients, decoded once where many send the same.
"""

from __future__ import annotations

from twisted.trial.unittest import SynchronousTestCase

from wsmsg.connect.session.input import FrameDecoder
from wsmsg.errors import BadFrame
from wsmsg.protocol import json, protobuf
from wsmsg.protocol.frames import Delivered, Read


class FrameDecoderTests(SynchronousTestCase):
    """
    L{FrameDecoder}.
    """

    def setUp(self) -> None:
        self.decoder = FrameDecoder()

    def test_equal(self) -> None:
        """
        Acknowledgements in the same bytes are one frame, for each codec.
        """
        frame = Delivered("g:7", 17)
        for codec in (json.CODEC, protobuf.CODEC, json.CODEC):
            data = codec.encode_client(frame)
            first = self.decoder.decode(codec, data)
            self.assertEqual(first, frame)
            self.assertIs(self.decoder.decode(codec, bytes(bytearray(data))), first)

    def test_others(self) -> None:
        """
        Frames of other kinds, and other bytes, are decoded each.
        """
        codec = json.CODEC
        for frame in (Delivered("g:7", 17), Read("g:7", 17), Delivered("g:7", 18)):
            for _ in range(2):
                data = codec.encode_client(frame)
                self.assertEqual(self.decoder.decode(codec, data), frame)

    def test_bad(self) -> None:
        """
        Bytes that are no frame are refused each time, also those of another codec.
        """
        data = json.CODEC.encode_client(Delivered("g:7", 17))
        self.decoder.decode(json.CODEC, data)
        for codec, bad in (
            (protobuf.CODEC, data),
            (json.CODEC, b""),
            (json.CODEC, b"x"),
        ):
            for _ in range(2):
                with self.assertRaises(BadFrame):
                    self.decoder.decode(codec, bad)
