"""
Legacy recipients get the fields that a legacy sender wrote, whatever they are.
"""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from wsmsg.errors import BadRequest
from wsmsg.legacy.extra import (
    ACK_ID_BYTES,
    LegacyExtra,
    checked_extra_of,
    extra_of,
    read_extra,
    shown_ms,
    write_extra,
)
from wsmsg.model import INT64_MAX
from wsmsg.rpc.rest_pb2 import WSMessage

texts = st.text(st.characters(exclude_categories=["Cs"]), max_size=200)


class ExtraTests(SynchronousTestCase):
    """
    The text between the ends, and its ends.
    """

    @given(st.integers(-(2**63), INT64_MAX), st.integers(-(2**31), 2**31 - 1), texts)
    def test_as_written(self, timestamp: int, kind: int, ack_id: str) -> None:
        """
        Every timestamp, type and acknowledgement id arrives as it was written.
        """
        if kind == -(2**31):
            kind += 1
        sent = WSMessage(timestamp=timestamp, message_type=kind, ack_id=ack_id)
        arrived = WSMessage()
        write_extra(arrived, extra_of(sent), 5999)
        self.assertEqual(arrived, sent)

    def test_none(self) -> None:
        """
        A message of another client has the second of its acceptance, and is a text; so
        has one whose legacy sender gave no time.
        """
        for extra in ("", LegacyExtra(None).encoded()):
            arrived = WSMessage()
            write_extra(arrived, extra, 5999)
            self.assertEqual(arrived, WSMessage(timestamp=5, message_type=1))

    @given(texts)
    def test_any_text(self, extra: str) -> None:
        """
        Whatever is stored there can be written to a message.
        """
        write_extra(WSMessage(), extra, 5999)

    def test_impossible(self) -> None:
        """
        A text that no legacy sender can have made is none.
        """
        for extra in (
            *("x", "1", "1 x ", f"{2**63} 1 ", f"{-(2**63) - 1} 1 "),
            *(f"1 {2**31} ", "9" * 5000 + " 1 "),
        ):
            self.assertIsNone(read_extra(extra), extra)

    def test_ack_id_bounded(self) -> None:
        """
        An acknowledgement id of 1024 bytes is stored; a longer one, or one with U+0000,
        is refused with the reason.
        """
        longest = "\u65e5" * (ACK_ID_BYTES // 3) + "x"
        self.assertTrue(checked_extra_of(WSMessage(ack_id=longest)))
        for ack_id, reason in (
            (longest + "x", "ack_id has 1025 bytes, the limit is 1024"),
            ("a\0b", "ack_id has the character U+0000"),
        ):
            error = self.assertRaises(
                BadRequest, checked_extra_of, WSMessage(ack_id=ack_id)
            )
            self.assertEqual(error.reason, reason)
        odd = LegacyExtra(1, 1, "\ud800")
        error = self.assertRaises(BadRequest, checked_extra_of, odd)
        self.assertEqual(error.reason, "ack_id is not valid Unicode")

    def test_shown(self) -> None:
        """
        Clients of wsmsg are shown a time from 1970 on that they can hold.
        """
        for timestamp in (-5, 0, 5, INT64_MAX, -INT64_MAX - 1):
            self.assertTrue(0 <= shown_ms(timestamp) <= INT64_MAX)
        self.assertEqual(shown_ms(5), 5000)
