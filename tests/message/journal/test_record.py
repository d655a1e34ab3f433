"""
Tests for L{wsmsg.message.journal.record}.
"""

from __future__ import annotations

from typing import Any

import msgspec
from hypothesis import given
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from wsmsg.errors import BadRequest
from wsmsg.events.group_change import GROUP
from wsmsg.message.journal import record as records
from wsmsg.message.journal.interface import JournalEntry
from wsmsg.model import INT64_MAX, Message, members_of
from wsmsg.rpc.record_pb2 import Record

GOOD = Message("u:1:2", 1, "c1", 7, "hi", 1, 5, connect="connect-1")
int64s = st.integers(-(2**63), INT64_MAX)
texts = st.text(st.characters(exclude_categories=["Cs"]), max_size=40)


def record(**changed: Any) -> bytes:
    """
    Return a valid record with some other fields.
    """
    whole = Record.FromString(records.encode(GOOD))
    whole.MergeFrom(Record(**changed))
    for name, value in changed.items():
        setattr(whole, name, value)
    return whole.SerializeToString()


class RecordTests(SynchronousTestCase):
    """
    Records that become messages, or dead letters with a reason.
    """

    def assert_problem(self, value: bytes, word: str) -> None:
        """
        Check that the record is an entry for the dead letters, with this reason.
        """
        entry = records.decode(3, 9, value)
        self.assertIsNone(entry.message)
        self.assertIn(word, entry.problem)
        self.assertLess(len(entry.problem), 300)
        self.assertEqual((entry.partition, entry.offset, entry.value), (3, 9, value))

    def test_round_trip(self) -> None:
        """
        A message that is encoded and decoded is the same message.
        """
        extra = msgspec.structs.replace(GOOD, extra="1795447835 0 k")
        for message in (GOOD, extra):
            entry = records.decode(0, 1, records.encode(message))
            self.assertEqual((entry.message, entry.problem), (message, ""))

    def test_truncated(self) -> None:
        """
        A record that is cut off anywhere is an entry with a problem, or a record that
        lacks only optional fields.
        """
        whole = records.encode(GOOD)
        for size in range(len(whole)):
            self.assert_entry(records.decode(0, 0, whole[:size]))

    def test_newer(self) -> None:
        """
        A record of a newer version becomes a dead letter, for a newer wsmsg.
        """
        self.assert_problem(record(version=records.VERSION + 1), "version 2")
        self.assert_problem(record(version=2**32 - 1), "version")
        self.assert_problem(record(version=0), "no version")

    def test_missing(self) -> None:
        """
        A record without an identity is a problem that names what is missing.
        """
        for field, value in (("conversation", ""), ("client_id", ""), ("sender", 0)):
            self.assert_problem(record(**{field: value}), "no conversation")

    def test_no_conversation(self) -> None:
        """
        A record with an impossible conversation, or one without its sender, reaches
        neither the store nor the links.
        """
        for name in ("x", "u:2:1", "u:0:1", "u:1", "u:1:2:3", "u:1:" + "9" * 99):
            self.assert_problem(record(conversation=name), "is not a conversation")
        for name in ("g:", "g:0", "g:07", "g:-1", "g:x", "g:" + "9" * 19):
            self.assert_problem(record(conversation=name), "is not the conversation")
        self.assert_problem(record(conversation="u:2:3"), "not in")

    def test_groups(self) -> None:
        """
        A record of a group change has a valid change, and is in a group.
        """
        entry = records.decode(0, 0, record(conversation="g:7"))
        self.assertEqual(entry.problem, "")
        change = record(conversation="g:7", kind=GROUP, content='{"add":[2]}')
        self.assertEqual(records.decode(0, 0, change).problem, "")
        self.assert_problem(record(conversation="g:7", kind=GROUP), "group change")
        self.assert_problem(record(kind=GROUP, content='{"add":[2]}'), "not a group")

    def test_numbers(self) -> None:
        """
        An impossible id, time or kind is a problem.
        """
        for field in ("message_id", "time_ms", "kind"):
            self.assert_problem(record(**{field: -1}), "impossible")

    def test_cannot_be_written(self) -> None:
        """
        A message that no record can hold is refused before it is accepted.
        """
        for message in (
            Message("u:1:2", 1, "c", 7, "\ud800", 1, 5),
            Message("u:1:2", 1, "c", 2**63, "hi", 1, 5),
            Message("u:1:2", 1, "c", 7, "hi", 2**31, 5),
        ):
            self.assertRaises(BadRequest, records.encode, message)

    @given(st.binary(max_size=200))
    def test_noise(self, value: bytes) -> None:
        """
        Any bytes are a message or a problem.
        """
        self.assert_entry(records.decode(0, 0, value))

    @given(
        st.builds(
            Record,
            version=st.integers(0, 2),
            sender=st.one_of(st.just(1), int64s),
            client_id=texts,
            conversation=st.one_of(st.just("u:1:2"), texts),
            message_id=int64s,
            content=texts,
            kind=st.integers(-(2**31), 2**31 - 1),
            time_ms=int64s,
        )
    )
    def test_any_record(self, made: Record) -> None:
        """
        Any record is a message that can be delivered, or a problem.
        """
        self.assert_entry(records.decode(0, 0, made.SerializeToString()))

    def assert_entry(self, entry: JournalEntry) -> None:
        """
        Check that an entry is a message that can be delivered, or a problem.
        """
        if entry.message is None:
            self.assertTrue(entry.problem)
        else:
            self.assertEqual(entry.problem, "")
            self.assertIn(entry.message.sender, members_of(entry.message.conversation))
