"""
Writes dead letters to their topic: cut short where a record is too long for it, and the
oldest removed when there are too many.

A letter that the topic does not take would be written again and again, and no record
after it would be read.  So its record is cut until it is taken; its place, its reason
and its size are always kept.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator, Sequence

from twisted.internet.defer import Deferred
from twisted.internet.interfaces import IReactorFromThreads
from twisted.logger import Logger

from wsmsg.dependency.worker import IWorker
from wsmsg.errors import TooLarge, WsmsgError
from wsmsg.message.journal.interface import JournalEntry, LetterKind, kind_of
from wsmsg.message.journal.kafka.config import KafkaPlace, producer
from wsmsg.message.journal.kafka.dead_letters import KafkaDeadLetters
from wsmsg.message.journal.kafka.letter_records import dead_letter_record, value_limits
from wsmsg.message.journal.kafka.producer import KafkaProducer, Outgoing
from wsmsg.message.journal.letters import BOUNDS, DroppedLetters

_CHUNK_BYTES = 4 * 2**20
#: Letters are removed each time that a part of so many of the bound was written.
_PART = 10
#: Removals that are written at once.
_REMOVALS = 1000

#: The time for letters on their way when the journal stops.
_CLOSE_S = 5.0

#: Writes records to a topic.
Send = Callable[[str, Sequence[Outgoing]], Deferred[None]]


class LetterProducer:
    """
    The producer of dead letters, made for the first of them.  It is not that of the
    messages, which a letter that the topic does not take would ruin.

    @param worker: for the call that blocks.
    """

    def __init__(
        self, place: KafkaPlace, reactor: IReactorFromThreads, worker: IWorker
    ) -> None:
        self._place = place
        self._reactor = reactor
        self._worker = worker
        self._producer: KafkaProducer | None = None

    async def send(self, topic: str, records: Sequence[Outgoing]) -> None:
        """
        Write records.

        @raise WsmsgError: some may be durable, some not.
        """
        made = self._producer
        if made is None or made.ruined:
            made = self._producer = KafkaProducer(
                producer(self._place), self._reactor, _lost, ordered=False
            )
            await self._worker.do(made.prepare, (topic,))
        await made.send(topic, records)

    async def close(self) -> None:
        """
        Finish the records in flight.
        """
        if self._producer is not None:
            await self._producer.close(_CLOSE_S)


def _lost(reason: str, ruined: bool) -> None:
    """
    Do nothing: the producer of the messages notices the same, and the next letter finds
    a ruined one.
    """


class LetterWriter:
    """
    Writes the dead letters of one journal.

    @param send: writes records.
    @param letter_bytes: returns the longest record of the topic; 0: unknown.
    @param ask: calls a function in the thread that may use C{letters}.
    @ivar dropped: the letters that were removed for newer ones.
    """

    _log = Logger()

    def __init__(
        self,
        place: KafkaPlace,
        send: Send,
        letter_bytes: Callable[[], int],
        letters: KafkaDeadLetters,
        ask: Callable[..., Deferred[list[tuple[bytes, LetterKind]]]],
    ) -> None:
        self.dropped = DroppedLetters()
        self._place = place
        self._send = send
        self._letter_bytes = letter_bytes
        self._letters = letters
        self._ask = ask
        self._written: Counter[LetterKind] = Counter()
        self._bytes: Counter[LetterKind] = Counter()
        # An earlier run may have left too many.
        self._due = True
        self._removing = False

    async def write(self, letters: Sequence[tuple[JournalEntry, str]]) -> None:
        """
        Write dead letters.

        @raise WsmsgError: some of them may not be durable.
        """
        for chunk in _chunks(letters):
            await self._write(chunk)
            self._count(chunk)
        if self._due and not self._removing:
            self._removing = True
            Deferred.fromCoroutine(self._remove_oldest()).addErrback(
                lambda failure: self._log.failure("removing dead letters", failure)
            )

    async def _write(self, letters: Sequence[tuple[JournalEntry, str]]) -> None:
        *limits, least = value_limits(self._place, self._letter_bytes())
        for limit in limits:
            try:
                await self._send_cut(letters, limit)
            except TooLarge:
                continue  # the topic takes less than it is known to take
            return
        await self._send_cut(letters, least)

    def _send_cut(
        self, letters: Sequence[tuple[JournalEntry, str]], limit: int
    ) -> Deferred[None]:
        topic = self._place.topic
        return self._send(
            self._place.dead_letters,
            [dead_letter_record(topic, entry, why, limit) for entry, why in letters],
        )

    def _count(self, letters: Sequence[tuple[JournalEntry, str]]) -> None:
        for entry, why in letters:
            kind = kind_of(why)
            self._written[kind] += 1
            self._bytes[kind] += len(entry.value)
            bound = BOUNDS[kind]
            if (
                self._written[kind] * _PART >= bound.letters
                or self._bytes[kind] * _PART >= bound.n_bytes
            ):
                self._due = True

    async def _remove_oldest(self) -> None:
        try:
            while self._due:
                self._due = False
                self._written.clear()
                self._bytes.clear()
                await self._remove(await self._ask(self._letters.over_bounds))
        except WsmsgError as e:
            self._due = True
            self._log.warn(
                "the oldest dead letters are not removed yet: {reason}", reason=e.reason
            )
        finally:
            self._removing = False

    async def _remove(self, excess: Sequence[tuple[bytes, LetterKind]]) -> None:
        for at in range(0, len(excess), _REMOVALS):
            some = excess[at : at + _REMOVALS]
            await self._send(
                self._place.dead_letters,
                [Outgoing(key, None, None, 0) for key, _ in some],
            )
            self.dropped.add(Counter(kind for _, kind in some))


def _chunks(
    letters: Sequence[tuple[JournalEntry, str]],
) -> Iterator[Sequence[tuple[JournalEntry, str]]]:
    """
    Divide letters so that the producer takes each part.
    """
    start = n_bytes = 0
    for at, (entry, _) in enumerate(letters):
        if at > start and n_bytes + len(entry.value) > _CHUNK_BYTES:
            yield letters[start:at]
            start, n_bytes = at, 0
        n_bytes += len(entry.value)
    if start < len(letters):
        yield letters[start:]
