"""
Tests of L{wsmsg.message.journal.kafka.letter_records}.
"""

from __future__ import annotations

import attrs
from twisted.trial.unittest import SynchronousTestCase

from wsmsg.message.journal.interface import JournalEntry, LetterKind
from wsmsg.message.journal.kafka.config import KafkaPlace
from wsmsg.message.journal.kafka.letter_records import (
    DeadLetterLine,
    dead_letter,
    dead_letter_record,
    keys_over_bounds,
    live_offsets,
    value_limits,
)
from wsmsg.message.journal.letters import LetterBound
from wsmsg.settings.kafka import KafkaSettings
from wsmsg.settings.urls.address import Address

_PLACE = KafkaPlace(
    brokers=(Address("a", 1),), topic="t", record_bytes=1000, settings=KafkaSettings()
)


class LettersTests(SynchronousTestCase):
    """
    The dead letters in their topic.
    """

    def test_there_and_back(self) -> None:
        """
        A letter has the place of its record and the reason.
        """
        entry = JournalEntry(3, 7, None, b"\xff", "why")
        written = dead_letter_record("t", entry, "why \ud800")
        assert isinstance(written.value, bytes)
        headers = [(n, v) for n, v in written.headers or [] if isinstance(v, bytes)]
        letter = dead_letter(41, written.value, headers, 5)
        self.assertEqual(
            (letter.number, letter.partition, letter.offset, letter.value),
            (42, 3, 7, b"\xff"),
        )
        self.assertEqual((letter.reason, letter.time_ms), ("why ?", 5))
        self.assertEqual(written.key, b"t/3/7")

    def test_strange_headers(self) -> None:
        """
        A letter that another program wrote is listed all the same.
        """
        letter = dead_letter(0, b"", [("partition", b"x"), ("reason", None)], -1)
        self.assertEqual(
            (letter.number, letter.partition, letter.reason, letter.time_ms),
            (1, 0, "", 0),
        )

    def test_living(self) -> None:
        """
        A record that became a dead letter twice is one letter, and a letter that was
        removed is none.
        """
        lines = [
            DeadLetterLine(0, b"a", True),
            DeadLetterLine(1, b"b", True),
            DeadLetterLine(2, b"a", True),
            DeadLetterLine(3, b"b", False),
            DeadLetterLine(5, b"c", True),
        ]
        self.assertEqual(live_offsets(lines), [2, 5])

    def test_cut_short(self) -> None:
        """
        A record that is too long for the topic of dead letters is cut short, and its
        place, its reason and its size are listed.
        """
        entry = JournalEntry(3, 7, None, b"\xff" * 5000, "why")
        written = dead_letter_record("t", entry, "r" * 5000, 100)
        assert isinstance(written.value, bytes)
        headers = [(n, v) for n, v in written.headers or [] if isinstance(v, bytes)]
        letter = dead_letter(41, written.value, headers, 5)
        self.assertEqual((letter.partition, letter.offset, letter.size), (3, 7, 5000))
        self.assertEqual((letter.value, letter.is_cut), (b"\xff" * 100, True))
        self.assertEqual(letter.reason, "r" * 1000)
        whole = dead_letter_record("t", entry, "why")
        self.assertEqual(whole.value, entry.value)

    def test_limits(self) -> None:
        """
        A letter has at first what its topic takes as far as it is known, then what
        every topic takes, and at last its place and its reason only.
        """
        kafka = attrs.evolve(_PLACE, record_bytes=20_480)
        self.assertEqual(value_limits(kafka, 0), [2**20 - 4096, 16_384, 0])
        self.assertEqual(value_limits(kafka, 50_000), [50_000 - 4096, 16_384, 0])
        self.assertEqual(value_limits(kafka, 8096), [4000, 4000, 0])
        self.assertEqual(value_limits(_PLACE, 1000), [0, 0, 0])
        larger = attrs.evolve(_PLACE, record_bytes=2**21)
        self.assertEqual(value_limits(larger, 2**22)[0], 2**21)

    def test_newest_are_kept(self) -> None:
        """
        The newest letters of each kind are kept, by number and by bytes; letters that
        were removed count no more, and one that was written again is new.
        """
        bounds = {
            LetterKind.CONFLICT: LetterBound(2, 100),
            LetterKind.REFUSED: LetterBound(100, 50),
            LetterKind.UNREADABLE: LetterBound(1, 1),
        }
        conflict, refused = LetterKind.CONFLICT, LetterKind.REFUSED
        lines = [
            DeadLetterLine(0, b"a", True, conflict, 10),
            DeadLetterLine(1, b"b", True, conflict, 10),
            DeadLetterLine(2, b"c", True, refused, 30),
            DeadLetterLine(3, b"d", True, conflict, 10),
            DeadLetterLine(4, b"e", True, refused, 30),
            DeadLetterLine(5, b"a", True, conflict, 10),
            DeadLetterLine(6, b"f", True, conflict, 10),
            DeadLetterLine(7, b"f", False, conflict, 0),
            DeadLetterLine(8, b"g", True, LetterKind.UNREADABLE, 1000),
        ]
        self.assertEqual(
            keys_over_bounds(lines, bounds), [(b"c", refused), (b"b", conflict)]
        )
