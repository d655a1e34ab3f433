"""
Tests of L{wsmsg.message.journal.kafka.letter_writer}.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from twisted.internet.defer import Deferred, fail, succeed
from twisted.trial.unittest import SynchronousTestCase

from wsmsg.errors import TooLarge, Unavailable
from wsmsg.message.journal.interface import CONFLICT_REASON, JournalEntry, LetterKind
from wsmsg.message.journal.kafka.config import KafkaPlace
from wsmsg.message.journal.kafka.dead_letters import KafkaDeadLetters
from wsmsg.message.journal.kafka.letter_writer import LetterWriter
from wsmsg.message.journal.kafka.producer import Outgoing
from wsmsg.settings.kafka import KafkaSettings
from wsmsg.settings.urls.address import Address

_PLACE = KafkaPlace(
    brokers=(Address("a", 1),),
    topic="t",
    record_bytes=20_480,
    settings=KafkaSettings.model_validate({"dead_letters": "dead"}),
)

Letters = Sequence[tuple[JournalEntry, str]]


def junk(offset: int, size: int) -> tuple[JournalEntry, str]:
    """
    Return a record that cannot be decoded, with the reason.
    """
    return JournalEntry(1, offset, None, b"x" * size), "why"


class LetterWriterTests(SynchronousTestCase):
    """
    Dead letters on their way to a topic that takes so many bytes of a record.
    """

    def setUp(self) -> None:
        self.taken: list[Outgoing] = []
        self.sends = 0
        self.topic_bytes = 2**20
        self.known_bytes = 0
        self.asked: list[Deferred[list[tuple[bytes, LetterKind]]]] = []
        self.writer = LetterWriter(
            _PLACE,
            self.send,
            lambda: self.known_bytes,
            KafkaDeadLetters(_PLACE),
            self.ask,
        )

    def ask(self, f: Callable[[], Any]) -> Deferred[list[tuple[bytes, LetterKind]]]:
        self.asked.append(Deferred())
        return self.asked[-1]

    def send(self, topic: str, records: Sequence[Outgoing]) -> Deferred[None]:
        self.assertEqual(topic, "dead")
        self.sends += 1
        if any(len(r.value or b"") > self.topic_bytes for r in records):
            return fail(TooLarge("too large"))
        self.taken += records
        return succeed(None)

    def write(self, *letters: tuple[JournalEntry, str]) -> None:
        self.successResultOf(Deferred.fromCoroutine(self.writer.write(letters)))

    def sizes(self) -> list[int]:
        return [len(record.value or b"") for record in self.taken]

    def test_too_long(self) -> None:
        """
        A poison record that is too long for the topic of dead letters is cut short, so
        that reading goes on; those with it are complete.
        """
        self.write(junk(1, 100), junk(2, 3 * 2**20), junk(3, 200))
        self.assertEqual(self.sizes(), [100, 2**20 - 4096, 200])
        self.assertEqual(self.sends, 1)
        size = dict(self.taken[1].headers or [])["size"]
        self.assertEqual(size, str(3 * 2**20).encode())

    def test_topic_takes_less(self) -> None:
        """
        A letter is cut shorter if the topic takes less than it was known to, down to
        the place and the reason.
        """
        self.topic_bytes = 17_000
        self.write(junk(1, 200_000))
        self.topic_bytes = 10
        self.write(junk(2, 200_000))
        self.assertEqual(self.sizes(), [16_384, 0])
        self.known_bytes = 8096
        self.topic_bytes = 5000
        self.write(junk(3, 200_000))
        self.assertEqual(self.sizes()[2:], [4000])

    def test_chunks(self) -> None:
        """
        Many long records are written in parts that the producer takes.
        """
        self.write(*(junk(n, 900_000) for n in range(10)))
        self.assertEqual(self.sizes(), [900_000] * 10)
        self.assertEqual(self.sends, 3)

    def test_oldest_are_removed(self) -> None:
        """
        The oldest letters are removed at the first letter of a run, and again when a
        tenth of the bound was written; they are counted, and no letter waits for it.
        """
        self.write(junk(1, 10))
        self.assertEqual(len(self.asked), 1)
        conflict = (JournalEntry(1, 2, None, b"c"), CONFLICT_REASON)
        self.write(*[conflict] * 100)
        self.assertEqual(len(self.asked), 1)
        kind = LetterKind.CONFLICT
        self.asked[0].callback([(b"k%d" % n, kind) for n in range(1500)])
        removed = [r for r in self.taken if r.value is None]
        self.assertEqual(len(removed), 1500)
        self.assertEqual(self.writer.dropped.total, 1500)
        self.assertEqual(len(self.asked), 2)  # for the conflicts
        self.asked[1].errback(Unavailable("no broker"))
        self.assertEqual(len(self.asked), 2)
        self.write(junk(4, 10))
        self.assertEqual(len(self.asked), 3)
        self.asked[2].callback([])
        self.write(junk(5, 10))
        self.assertEqual(len(self.asked), 3)
