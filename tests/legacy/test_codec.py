"""
The protocol of legacy clients, byte for byte.
"""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from tests.connect.legacy.clients.legacy_node import ws
from tests.protocol.test_codecs import server_frames
from wsmsg import model
from wsmsg.errors import BadFrame, BadRequest
from wsmsg.events.group_change import GROUP
from wsmsg.events.recall import RECALL
from wsmsg.legacy.codec import (
    CODEC,
    LegacyAcknowledgement,
    LegacyHeartbeat,
    LegacySend,
    decode_message,
    encode_message,
    encode_presence,
)
from wsmsg.model import INT64_MAX
from wsmsg.protocol import frames
from wsmsg.rpc.rest_pb2 import WSMessage

_SAID = "10e90718ea072a0f68656c6c6f2066726f6d2031303031309bb891d8063801"
_HEARD = (
    "08dccddfb3b49e980310e90718ea072a0f68656c6c6f2066726f6d2031303031309bb891d8063801"
)
_ACKNOWLEDGED = "08dccddfb3b49e980310ea07309bb891d8063804"
_ID = 1795447835846364


def deliver(**more: object) -> frames.Deliver:
    """
    Return the recorded message as a frame.
    """
    fields = {
        "conversation": "u:1001:1002",
        "seq": 3,
        "message_id": _ID,
        "sender": 1001,
        "content": "hello from 1001",
        "kind": 1,
        "time": 1795447835846,
        **more,
    }
    return frames.Deliver(**fields)  # type: ignore[arg-type]


class RecordedTests(SynchronousTestCase):
    """
    Return the bytes of a recording.
    """

    def test_codec(self) -> None:
        """
        A client that offers no subprotocol chooses the codec; its messages are binary.
        """
        self.assertEqual((CODEC.subprotocol, CODEC.binary), ("", True))

    def test_said(self) -> None:
        """
        A text is a send to the user it names; the sender that it claims does not count.
        """
        frame = decode_message(bytes.fromhex(_SAID))
        content, extra = "hello from 1001", "1795447835 1 "
        self.assertEqual(frame, LegacySend("", 1002, 0, content, extra=extra))

    def test_heard(self) -> None:
        """
        A message of a conversation of two is encoded as it was recorded.
        """
        self.assertEqual(CODEC.encode(deliver()).hex(), _HEARD)
        extra = "1795447835 1 "
        self.assertEqual(encode_message(deliver(time=5999), extra).hex(), _HEARD)

    def test_acknowledged(self) -> None:
        """
        An acknowledgement names one message.
        """
        frame = decode_message(bytes.fromhex(_ACKNOWLEDGED))
        self.assertEqual(frame, LegacyAcknowledgement(_ID))


class DecodeTests(SynchronousTestCase):
    """
    Messages from legacy clients.
    """

    def test_heartbeats(self) -> None:
        """
        Types 2 and 3 have no effect.
        """
        for kind in (2, 3):
            self.assertIsInstance(
                decode_message(ws(message_type=kind)), LegacyHeartbeat
            )

    def test_unknown_fields(self) -> None:
        """
        Unknown fields are ignored.
        """
        later = ws(to=5, content="x", message_type=1) + bytes.fromhex("f80601")
        self.assertEqual(decode_message(later), LegacySend("", 5, 0, "x", extra="0 1 "))

    def test_type_0(self) -> None:
        """
        A message without a type is a text, if it has a recipient.
        """
        frame = decode_message(ws(to=5, content="x", timestamp=-7, ack_id="k 1"))
        self.assertEqual(frame, LegacySend("", 5, 0, "x", extra="-7 0 k 1"))

    def test_user_and_group(self) -> None:
        """
        The group counts if a message names a user and a group.
        """
        frame = decode_message(ws(to=5, group_id=6, message_type=1))
        self.assertEqual(frame, LegacySend("", 0, 6, "", extra="0 1 "))

    def test_ack_id_too_long(self) -> None:
        """
        A message with an acknowledgement id that cannot be stored is refused.
        """
        with self.assertRaises(BadRequest) as caught:
            decode_message(ws(to=5, message_type=1, ack_id="x" * 1025))
        self.assertIn("ack_id has 1025 bytes", caught.exception.reason)

    def test_bad(self) -> None:
        """
        A message that is not valid is refused with a reason.
        """
        for data, words in (
            (b"", "message_type 0"),
            (b"\xff\xff", "not a protobuf WSMessage"),
            (ws(message_type=10), "message_type 10"),
            (ws(message_type=-1), "message_type -1"),
            (ws(message_type=1, to=-1), "to is negative"),
            (ws(message_type=1, group_id=-(2**63)), "group_id is negative"),
            (ws(message_type=4), "message_id"),
            (ws(message_type=4, message_id=-9), "message_id"),
            (b"\x2a\x01\xff\x38\x01", "not a protobuf WSMessage"),
        ):
            with self.assertRaises(BadFrame) as caught:
                decode_message(data)
            self.assertIn(words, caught.exception.reason)

    @given(st.binary(max_size=200))
    def test_any_bytes(self, data: bytes) -> None:
        """
        Any bytes are decoded or refused, and nothing else fails.
        """
        try:
            frame = decode_message(data)
        except (BadFrame, BadRequest) as e:
            self.assertLess(len(e.reason), 200)
        else:
            self.assertIsInstance(
                frame, frames.Send | LegacyAcknowledgement | LegacyHeartbeat
            )

    @given(
        st.integers(-(2**63), INT64_MAX),
        st.integers(-(2**63), INT64_MAX),
        st.integers(-(2**31), 2**31 - 1),
        st.text(max_size=40),
    )
    def test_any_fields(self, to: int, group: int, kind: int, content: str) -> None:
        """
        No number in a field turns another message into a send, or one send into
        another.
        """
        try:
            frame = decode_message(
                ws(to=to, group_id=group, message_type=kind, content=content)
            )
        except BadFrame:
            return
        if isinstance(frame, frames.Send):
            to_user = 0 if group else to
            extra = f"0 {kind} "
            sent = LegacySend("", to_user, group, content, extra=extra)
            self.assertEqual(frame, sent)
            self.assertTrue(kind in (0, 1) and to >= 0 and group >= 0)


class EncodeTests(SynchronousTestCase):
    """
    Messages to legacy clients.
    """

    def test_group(self) -> None:
        """
        A message of a group names the group and no user.
        """
        said = WSMessage.FromString(CODEC.encode(deliver(conversation="g:44")))
        self.assertEqual((said.to, said.group_id), (0, 44))

    def test_other_way(self) -> None:
        """
        Both members of a conversation of two can be the sender.
        """
        said = WSMessage.FromString(CODEC.encode(deliver(sender=1002)))
        self.assertEqual((getattr(said, "from"), said.to), (1002, 1001))

    def test_own(self) -> None:
        """
        A sender does not get their own message, unless they sent it to themself.
        """
        self.assertEqual(CODEC.encode(deliver(client_id="mine")), b"")
        self.assertEqual(
            CODEC.encode(deliver(client_id="mine", conversation="g:4")), b""
        )
        own = deliver(client_id="mine", conversation="u:1001:1001")
        self.assertEqual(WSMessage.FromString(CODEC.encode(own)).to, 1001)

    def test_kinds(self) -> None:
        """
        Messages of every kind are texts, as the numbers of kinds differ; events and
        recalled messages are not sent.
        """
        for kind in (2, 4, 10, 999):
            self.assertEqual(CODEC.encode(deliver(kind=kind)).hex(), _HEARD)
        for kind in (GROUP, RECALL, model.RECALLED):
            self.assertEqual(CODEC.encode(deliver(kind=kind)), b"")

    def test_presence(self) -> None:
        """
        Presence is type 10, from the user it is about and to the client.
        """
        said = WSMessage.FromString(encode_presence(7, online=True, to=8, time_s=9))
        self.assertEqual((getattr(said, "from"), said.to), (7, 8))
        self.assertEqual(
            (said.content, said.timestamp, said.message_type), ("online", 9, 10)
        )
        said = WSMessage.FromString(encode_presence(7, online=False, to=8, time_s=9))
        self.assertEqual(said.content, "offline")

    @given(server_frames)
    def test_others(self, frame: frames.ServerFrame) -> None:
        """
        Messages and presence are the only frames that legacy clients get.
        """
        data = CODEC.encode(frame)
        if isinstance(frame, frames.Presence):
            self.assertEqual(WSMessage.FromString(data).message_type, 10)
        elif isinstance(frame, frames.Deliver) and data:
            said = WSMessage.FromString(data)
            self.assertEqual(said.content, frame.content)
            self.assertEqual(said.message_id, frame.message_id)
        elif data:
            self.fail(f"{frame} became {data.hex()}")
