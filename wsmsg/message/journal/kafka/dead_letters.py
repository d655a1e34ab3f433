"""
The dead letters, in a topic of their own.

A letter's key is the place that its record came from, C{topic/partition/offset}, so a
record that becomes a dead letter twice is one letter; its value is the record as it
was, its headers say C{reason}, C{topic}, C{partition} and C{offset} (of where it was).
Its number is its offset in this topic, plus one: the topic has one partition.  A letter
is taken out by a record with its key and no value.  The topic is compacted by key, so
Kafka forgets both in time, and what is not taken out is kept for ever.

A replay is a transaction over both topics: the record in the one and the end of its
letter in the other are seen both or neither.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import Any, NamedTuple

from confluent_kafka import (
    Consumer,
    KafkaError,
    KafkaException,
    Message,
    Producer,
    TopicPartition,
)

from wsmsg.errors import Unavailable
from wsmsg.message.journal.interface import DeadLetter, JournalEntry
from wsmsg.message.journal.kafka.config import KafkaPlace, reader, replayer
from wsmsg.message.journal.kafka.errors import told
from wsmsg.message.journal.kafka.log import QUIET
from wsmsg.message.journal.kafka.producer import Headers, Outgoing
from wsmsg.message.journal.record import decode

_ATTEMPTS = 3
_ANSWER_S = 10.0
_POLL_S = 0.5
_BATCH = 500
_HEADERS = ("reason", "topic", "partition", "offset")


class DeadLetterLine(NamedTuple):
    """
    What is in one place of the topic.

    @ivar live: a letter, not the end of one.
    """

    offset: int
    key: bytes
    live: bool


def letter_of(topic: str, entry: JournalEntry, reason: str) -> Outgoing:
    """
    The record of a dead letter.
    """
    place = f"{topic}/{entry.partition}/{entry.offset}"
    said = (reason, topic, str(entry.partition), str(entry.offset))
    headers: Headers = [
        (name, value.encode("utf-8", "replace"))
        for name, value in zip(_HEADERS, said, strict=True)
    ]
    return Outgoing(place.encode(), entry.value, headers, 0)


def living(lines: Iterable[DeadLetterLine]) -> list[int]:
    """
    The places of the letters that were not taken out, rising.
    """
    last: dict[bytes, int] = {}
    for line in lines:
        if line.live:
            last[line.key] = line.offset
        else:
            last.pop(line.key, None)
    return sorted(last.values())


def dead_letter(
    offset: int,
    value: bytes,
    headers: Sequence[tuple[str, bytes | None]],
    time_ms: int,
) -> DeadLetter:
    """
    A letter, as somebody wrote it: what is missing in it is 0 or empty.
    """
    said = {name: (given or b"") for name, given in headers}

    def number(name: str) -> int:
        text = said.get(name, b"")
        return int(text) if text.isdigit() and len(text) < 19 else 0

    return DeadLetter(
        number=offset + 1,
        partition=number("partition"),
        offset=number("offset"),
        reason=said.get("reason", b"").decode("utf-8", "replace"),
        value=value,
        time_ms=max(time_ms, 0),
    )


class KafkaDeadLetters:
    """
    Reads and replays.  All of it blocks, and only one thread may use it.
    """

    def __init__(self, place: KafkaPlace) -> None:
        self._place = place

    def after(self, number: int, limit: int) -> list[DeadLetter]:
        """
        Letters with greater numbers, in their order.

        @raise Unavailable: the brokers do not answer.
        """
        return _guarded(lambda: [x for x, _ in self._found(number, limit, None)])

    def replay(self, numbers: Sequence[int]) -> list[int]:
        """
        Write the records of these letters to the messages again, and take the letters
        out, in one transaction.

        @return: the numbers that were there.
        @raise Unavailable: the brokers do not answer, or another Message replays.
        """
        return _guarded(lambda: self._replay(numbers)) if numbers else []

    def _replay(self, numbers: Sequence[int]) -> list[int]:
        client = Producer({**replayer(self._place), "logger": QUIET})
        begin(client)  # from here on what is read stays true
        wanted = frozenset(numbers)
        found = self._found(min(wanted) - 1, len(wanted), wanted)
        if not found:
            return []
        client.begin_transaction()
        try:
            for letter, key in found:
                self._write(client, letter, key)
        except BaseException:
            client.abort_transaction(_ANSWER_S)
            raise
        commit(client)
        return [letter.number for letter, _ in found]

    def _write(self, client: Producer, letter: DeadLetter, key: bytes) -> None:
        entry = decode(letter.partition, letter.offset, letter.value)
        topic = self._place.topic
        if entry.message is not None:
            client.produce(topic, letter.value, entry.message.conversation.encode())
        else:
            here = letter.partition < self._place.settings.partitions
            client.produce(
                topic, letter.value, partition=letter.partition if here else 0
            )
        client.produce(self._place.dead_letters, None, key, partition=0)

    def _found(
        self, after: int, limit: int, wanted: frozenset[int] | None
    ) -> list[tuple[DeadLetter, bytes]]:
        """
        Two passes: one for what is alive, without its bytes, and one for the bytes.
        """
        client = Consumer({**reader(self._place), "logger": QUIET})
        try:
            lines = (
                DeadLetterLine(m.offset() or 0, m.key() or b"", m.value() is not None)
                for m in self._messages(client, max(after, 0))
            )
            alive = [
                offset
                for offset in living(lines)
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
        From a place on to the end as it was at first.
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
    Be the one who replays: nobody else's transaction can end from here on.  A broker
    that has just come may not know yet that it is the one to ask.
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
    End the transaction.  One that is not through in time goes on, and nothing but
    another call of the same can be asked for meanwhile; whoever replays next finds it
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
        reason = told(error.name(), error.str())
        raise Unavailable(f"the dead letters cannot be reached: {reason}") from e
