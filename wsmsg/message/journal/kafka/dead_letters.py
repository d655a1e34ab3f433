"""
The dead letters, in a topic of their own.

The key of a letter is the place of its record, C{topic/partition/offset}, so a record
that becomes a dead letter twice is one letter.  Its value is the unchanged record, and
its headers are C{reason}, C{topic}, C{partition}, C{offset} and C{size}.  A value that
is shorter than C{size} was cut, and the letter is not replayed.  Its number is its
offset in this topic plus one; the topic has one partition.  A record with the key and
no value removes the letter.  The topic is compacted by key, so in time Kafka forgets
both.  The oldest letters of each kind are removed when there are too many
(L{wsmsg.message.journal.kafka.letter_writer}); the others are kept for ever.

A replay is a transaction over both topics: the appended record and the removed letter
become visible together or not at all.  The coordinator answers a commit when it has
noted the decision in its own log; it writes the markers into the partitions later, and
until then no reader of committed records sees the replay (KIP-98, section 5).  So a
replay ends when it has read what it wrote.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from time import monotonic
from typing import Any

from confluent_kafka import (
    Consumer,
    KafkaError,
    KafkaException,
    Message,
    Producer,
    TopicPartition,
)

from wsmsg.errors import Unavailable
from wsmsg.message.journal.interface import DeadLetter, LetterKind, kind_of
from wsmsg.message.journal.kafka.config import KafkaPlace, reader, replayer
from wsmsg.message.journal.kafka.errors import describe
from wsmsg.message.journal.kafka.letter_records import (
    DeadLetterLine,
    dead_letter,
    keys_over_bounds,
    live_offsets,
    reason_in,
)
from wsmsg.message.journal.kafka.log import QUIET
from wsmsg.message.journal.record import decode

_ATTEMPTS = 3
_ANSWER_S = 10.0
_POLL_S = 0.5
_BATCH = 500


class KafkaDeadLetters:
    """
    Lists and replays letters.  All methods block, and only one thread may use them.
    """

    def __init__(self, place: KafkaPlace) -> None:
        self._place = place

    def after(self, number: int, limit: int) -> list[DeadLetter]:
        """
        Return letters with greater numbers, in order.

        @raise Unavailable: the brokers do not answer.
        """
        return _guarded(lambda: [x for x, _ in self._found(number, limit, None)])

    def over_bounds(self) -> list[tuple[bytes, LetterKind]]:
        """
        Return the keys of the letters that are to be removed, each with its kind.

        @raise Unavailable: the brokers do not answer.
        """
        return _guarded(self._over_bounds)

    def _over_bounds(self) -> list[tuple[bytes, LetterKind]]:
        client = Consumer({**reader(self._place), "logger": QUIET})
        try:
            return keys_over_bounds(map(_line, self._messages(client, 0)))
        finally:
            client.close()

    def replay(self, numbers: Sequence[int]) -> list[int]:
        """
        Append the records of these letters to the messages, and remove the letters, in
        one transaction.  Letters that were cut stay.

        @return: the numbers of those that were replayed.
        @raise Unavailable: the brokers do not answer, or another Message replays.
        """
        return _guarded(lambda: self._replay(numbers)) if numbers else []

    def _replay(self, numbers: Sequence[int]) -> list[int]:
        client = Producer({**replayer(self._place), "logger": QUIET})
        begin(client)  # from here on no other replay changes what is read
        wanted = frozenset(numbers)
        found = self._found(min(wanted) - 1, len(wanted), wanted)
        found = [(letter, key) for letter, key in found if not letter.is_cut]
        if not found:
            return []
        written = _Written()
        client.begin_transaction()
        try:
            for letter, key in found:
                self._write(client, letter, key, written)
        except BaseException:
            client.abort_transaction(_ANSWER_S)
            raise
        commit(client)
        self._await_readable(written)
        return [letter.number for letter, _ in found]

    def _write(
        self, client: Producer, letter: DeadLetter, key: bytes, written: _Written
    ) -> None:
        entry = decode(letter.partition, letter.offset, letter.value)
        topic, value, on = self._place.topic, letter.value, written.note
        if entry.message is not None:
            conversation = entry.message.conversation.encode()
            client.produce(topic, value, conversation, on_delivery=on)
        else:
            here = letter.partition < self._place.settings.partitions
            partition = letter.partition if here else 0
            client.produce(topic, value, partition=partition, on_delivery=on)
        letters = self._place.dead_letters
        client.produce(letters, None, key, partition=0, on_delivery=on)

    def _await_readable(self, written: _Written) -> None:
        """
        Wait until readers of committed records get what a transaction wrote.
        """
        client = Consumer({**reader(self._place), "logger": QUIET})
        try:
            client.assign(written.places())
            ends_s = monotonic() + _ANSWER_S
            while not written.all_read:
                if monotonic() > ends_s:
                    raise Unavailable(
                        "the letters are replayed, but the brokers did not show it to "
                        f"readers within {_ANSWER_S:g} s"
                    )
                message = client.poll(_POLL_S)
                if message is not None:
                    written.read(message)
        finally:
            client.close()

    def _found(
        self, after: int, limit: int, wanted: frozenset[int] | None
    ) -> list[tuple[DeadLetter, bytes]]:
        """
        Read twice: first which letters are live, without their values, then the values.
        """
        client = Consumer({**reader(self._place), "logger": QUIET})
        try:
            lines = map(_line, self._messages(client, max(after, 0)))
            alive = [
                offset
                for offset in live_offsets(lines)
                if wanted is None or offset + 1 in wanted
            ][: max(limit, 0)]
            if not alive:
                return []
            picked = frozenset(alive)
            found = []
            for message in self._messages(client, alive[0]):
                offset = message.offset() or 0
                if offset in picked:
                    found.append((_letter(message), message.key() or b""))
                if offset >= alive[-1]:
                    break
            return found
        finally:
            client.close()

    def _messages(self, client: Consumer, start: int) -> Iterator[Message]:
        """
        Iterate from an offset to the present end.
        """
        topic = self._place.dead_letters
        low, high = client.get_watermark_offsets(
            TopicPartition(topic, 0), _ANSWER_S, cached=False
        )
        if max(start, low) >= high:
            return
        client.assign([TopicPartition(topic, 0, max(start, low))])
        silent_s = 0.0
        while silent_s < _ANSWER_S:
            batch = client.consume(1, _POLL_S)
            silent_s = 0.0 if batch else silent_s + _POLL_S
            batch += client.consume(_BATCH, 0) if batch else []
            for message in batch:
                error = message.error()
                if error is not None:
                    if error.code() == KafkaError._PARTITION_EOF:
                        return
                    if not error.retriable():
                        raise KafkaException(error)
                    continue
                yield message
                if (message.offset() or 0) + 1 >= high:
                    return
        raise Unavailable(f"topic {topic} cannot be read: no broker answered in time")


class _Written:
    """
    The first record of a transaction in each partition, until a reader has read it.
    """

    def __init__(self) -> None:
        self._offsets: dict[tuple[str, int], int] = {}

    @property
    def all_read(self) -> bool:
        return not self._offsets

    def note(self, error: KafkaError | None, message: Message) -> None:
        """
        Note where a record was written; its callback.
        """
        place, offset = _place_of(message), message.offset()
        if error is None and offset is not None:
            self._offsets[place] = min(offset, self._offsets.get(place, offset))

    def places(self) -> list[TopicPartition]:
        """
        Return where to read.
        """
        return [TopicPartition(*place, at) for place, at in self._offsets.items()]

    def read(self, message: Message) -> None:
        """
        Note that a record, or an error, was read.
        """
        error = message.error()
        if error is None:
            self._offsets.pop(_place_of(message), None)
        elif error.code() != KafkaError._PARTITION_EOF and not error.retriable():
            raise KafkaException(error)


def _place_of(message: Message) -> tuple[str, int]:
    return message.topic() or "", message.partition() or 0


def _line(message: Message) -> DeadLetterLine:
    headers: Any = message.headers() or []
    value = message.value()
    return DeadLetterLine(
        message.offset() or 0,
        message.key() or b"",
        value is not None,
        kind_of(reason_in(headers)),
        len(value or b""),
    )


def _letter(message: Message) -> DeadLetter:
    headers: Any = message.headers() or []
    _, time_ms = message.timestamp()
    value = message.value()
    return dead_letter(
        message.offset() or 0,
        value if isinstance(value, bytes) else b"",
        headers,
        time_ms,
    )


def begin(client: Producer) -> None:
    """
    Become the only one that replays: from here on no transaction of another can end.  A
    broker that has just started may not know yet that it coordinates; then try again.
    """
    for attempt in range(_ATTEMPTS):
        try:
            client.init_transactions(_ANSWER_S)
        except KafkaException as e:
            if e.args[0].fatal() or attempt + 1 == _ATTEMPTS:
                raise
            client.poll(_POLL_S)
        else:
            return


def commit(client: Producer) -> None:
    """
    End the transaction.  If that takes longer than the limit, it continues in the
    broker, and the client accepts nothing but the same call; the next replay finds it
    ended, one way or the other.
    """
    for attempt in range(_ATTEMPTS):
        try:
            client.commit_transaction(_ANSWER_S)
        except KafkaException as e:
            error = e.args[0]
            if error.txn_requires_abort():
                client.abort_transaction(_ANSWER_S)
                raise
            if not error.retriable() or attempt + 1 == _ATTEMPTS:
                raise
        else:
            return


def _guarded(f: Callable[[], list]) -> list:  # type: ignore[type-arg]
    try:
        return f()
    except KafkaException as e:
        error = e.args[0]
        reason = describe(error.name(), error.str())
        raise Unavailable(f"the dead letters cannot be reached: {reason}") from e
