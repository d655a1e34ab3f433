"""
Tests of L{wsmsg.protocol.json}: errors that only JSON can have.
"""

from __future__ import annotations

import json
from typing import Any

from tests.connect.session.cases import CodecTestCase
from wsmsg.errors import BadFrame
from wsmsg.protocol import frames
from wsmsg.protocol import json as codec_json


class JsonTests(CodecTestCase):
    """
    Errors that only JSON can have.
    """

    def frame(self, **fields: Any) -> Any:
        """
        Decode a frame of these fields.
        """
        return codec_json.CODEC.decode(json.dumps(fields).encode())

    def refuse(self, text: str | bytes, *words: str) -> None:
        """
        Check that the codec refuses a text.
        """
        data = text if isinstance(text, bytes) else text.encode()
        self.assert_bad(codec_json.CODEC, data, *words)

    def test_large_numbers(self) -> None:
        """
        A number that a browser cannot represent is a string, a smaller one a number.
        """
        frame = frames.Deliver("u:1:2", 3, 2**53 + 1, 2**53, "hi", 1, 5)
        told = json.loads(codec_json.CODEC.encode(frame))
        self.assertEqual(told["message_id"], "9007199254740993")
        self.assertEqual(told["from"], 2**53)
        page = frames.Page("p", "u:1:2", (frame,), 3)
        told = json.loads(codec_json.CODEC.encode(page))
        self.assertEqual(told["messages"][0]["message_id"], "9007199254740993")

    def test_members(self) -> None:
        """
        Large numbers of members and groups are strings as well.
        """
        frame = frames.Group("g", 2**60, "Us", 2, False, 1, (frames.Member(2**61, 4),))
        told = json.loads(codec_json.CODEC.encode(frame))
        self.assertEqual((told["type"], told["group"]), ("group", str(2**60)))
        self.assertEqual(told["members"], [{"user": str(2**61), "joined": 4}])

    def test_either_spelling(self) -> None:
        """
        A client may give a number as a number or as a string.
        """
        for to in (2**60, str(2**60)):
            frame = self.frame(type="send", client_id="a", to=to)
            self.assertEqual(frame, frames.Send("a", 2**60))

    def test_out_of_range(self) -> None:
        """
        A number that is not an int64 is refused, and the reason names the field.
        """
        for number in (2**63, "9223372036854775808", -(2**64), "9" * 5000):
            with self.assertRaises(BadFrame) as caught:
                self.frame(type="send", client_id="a", to=number)
            self.assertRegex(caught.exception.reason, r"send\.to|\$\.to")

    def test_wrong_types(self) -> None:
        """
        A field of another type is refused, and the reason names the field.
        """
        for field, value in (
            ("to", True),
            ("to", None),
            ("to", [1]),
            ("to", "one"),
            ("to", 1.5),
            ("content", 5),
            ("content", None),
            ("client_id", {"a": 1}),
        ):
            said = {"type": "send", "client_id": "a", field: value}
            self.refuse(json.dumps(said), f"$.{field}")

    def test_no_object(self) -> None:
        """
        A text that is not an object is refused.
        """
        for text in ("", "[]", '"send"', "5", "null", "NaN", "{", "{}x", "\ufeff{}"):
            self.refuse(text)

    def test_type(self) -> None:
        """
        A frame without a known type is refused.
        """
        self.refuse("{}", "type")
        self.refuse('{"type": 5}', "type")
        self.refuse('{"type": "nope"}', "unknown frame", "nope")
        self.refuse('{"type": "welcome"}', "unknown frame")
        self.refuse(json.dumps({"type": "x" * 60000}), "x")

    def test_two_types(self) -> None:
        """
        A frame with two types is refused.
        """
        self.refuse(
            '{"type": "read", "type": "delivered", "conversation": "u:1:2", "seq": 1}'
        )

    def test_not_a_number(self) -> None:
        """
        NaN is not JSON, not even in a field that is ignored.
        """
        self.refuse('{"type": "ping", "x": NaN}')

    def test_unknown_fields(self) -> None:
        """
        Unknown fields are ignored, however many there are.
        """
        extra = {f"field{i}": i for i in range(10000)}
        self.assertEqual(self.frame(type="ping", nonce="n", **extra), frames.Ping("n"))

    def test_deep(self) -> None:
        """
        A frame nested ten thousand deep is refused.
        """
        deep = "[" * 10000 + "]" * 10000
        self.refuse('{"type": "ping", "x": ' + deep + "}", "nested")

    def test_invalid_utf8(self) -> None:
        """
        A text that is not UTF-8 is refused.
        """
        for bad in (b"\xff", b"\xed\xa0\x80", b"\xc0\x80", b"\xf4\x90\x80\x80"):
            self.refuse(
                b'{"type": "send", "client_id": "a", "content": "' + bad + b'"}'
            )

    def test_surrogates(self) -> None:
        """
        Half of a surrogate pair is refused; a pair is a character.
        """
        for half in (
            r"\ud83d",
            r"\ude00",
            r"\ud83dx",
            r"\ude00\ud83d",
            r"\ud83d\ud83d",
        ):
            said = '{"type": "send", "client_id": "a", "content": "' + half + '"}'
            self.refuse(said)
            with self.assertRaises(BadFrame) as caught:
                codec_json.CODEC.decode(said.encode())
            reason = "content is not valid Unicode: lone surrogate"
            self.assertEqual(caught.exception.reason, reason)
        said = r'{"type": "watch", "users": [], "names": ["a", "\udead"]}'
        with self.assertRaises(BadFrame) as caught:
            codec_json.CODEC.decode(said.encode())
        self.assertTrue(caught.exception.reason.startswith("names[1] is not valid"))
        with self.assertRaises(BadFrame) as caught:
            codec_json.CODEC.decode(rb'{"type": "send", "content": "\ud83d')
        self.assertIn("truncated", caught.exception.reason)
        encoded = r'{"type": "send", "client_id": "a", "content": "\ud83d\ude00"}'
        frame = codec_json.CODEC.decode(encoded.encode())
        self.assertEqual(frame, frames.Send("a", content="\U0001f600"))
