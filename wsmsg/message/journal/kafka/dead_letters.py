"""
The dead letters, in a topic of their own.

The key of a letter is the place of its record, C{topic/partition/offset}, so a record
that becomes a dead letter twice is one letter.  Its value is the unchanged record, and
its headers are C{reason}, C{topic}, C{partition} and C{offset}.  Its number is its
offset in this topic plus one; the topic has one partition.  A record with the key and
no value removes the letter.  The topic is compacted by key, so in time Kafka forgets
both; letters that are not removed are kept for ever.

A replay is a transaction over both topics: the appended record and the removed letter
become visible together or not at all.
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
from wsmsg.message.journal.kafka.errors import describe
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
    One record of the topic.

    @ivar live: the record is a letter, not the removal of one.
    """

    offset: int
    key: bytes
    live: bool


def dead_letter_record(topic: str, entry: JournalEntry, reason: str) -> Outgoing:
    """
    Return the record of a dead letter.
    """
    place = f"{topic}/{entry.partition}/{entry.offset}"
    values = (reason, topic, str(entry.partition), str(entry.offset))
    headers: Headers = [
        (name, value.encode("utf-8", "replace"))
        for name, value in zip(_HEADERS, values, strict=True)
    ]
    return Outgoing(place.encode(), entry.value, headers, 0)


def live_offsets(lines: Iterable[DeadLetterLine]) -> list[int]:
    """
    Return the offsets of the letters that were not removed, rising.
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
    Decode a dead letter of any program: missing headers are 0 or empty.
    """
    values = {name: (given or b"") for name, given in headers}

    def number(name: str) -> int:
        text = values.get(name, b"")
        return int(text) if text.isdigit() and len(text) < 19 else 0

    return DeadLetter(
        number=offset + 1,
        partition=number("partition"),
        offset=number("offset"),
        reason=values.get("reason", b"").decode("utf-8", "replace"),
        value=value,
        time_ms=max(time_ms, 0),
    )


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

    def replay(self, numbers: Sequence[int]) -> list[int]:
        """
        Append the records of these letters to the messages, and remove the letters, in
        one transaction.

        @return: the numbers that existed.
        @raise Unavailable: the brokers do not answer, or another Message replays.
        """
        return _guarded(lambda: self._replay(numbers)) if numbers else []

    def _replay(self, numbers: Sequence[int]) -> list[int]:
        client = Producer({**replayer(self._place), "logger": QUIET})
        begin(client)  # from here on no other replay changes what is read
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
        Read twice: first which letters are live, without their values, then the values.
        """
        client = Consumer({**reader(self._place), "logger": QUIET})
        try:
            lines = (
                DeadLetterLine(m.offset() or 0, m.key() or b"", m.value() is not None)
                for m in self._messages(client, max(after, 0))
            )
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
