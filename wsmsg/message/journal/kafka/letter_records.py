"""
The records of the topic of dead letters; no I/O.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import NamedTuple

from wsmsg.message.journal.interface import DeadLetter, JournalEntry, LetterKind
from wsmsg.message.journal.kafka.config import KafkaPlace, longest_record
from wsmsg.message.journal.kafka.producer import Headers, Outgoing
from wsmsg.message.journal.letters import (
    BOUNDS,
    KeptLetter,
    LetterBound,
    over_bounds,
)

_HEADERS = ("reason", "topic", "partition", "offset", "size")
_HEADER_BYTES = 1000
#: The most bytes of a letter besides its value: key, headers, and Kafka's own.
_BESIDE_VALUE = 4096


class DeadLetterLine(NamedTuple):
    """
    One record of the topic.

    @ivar live: the record is a letter, not the removal of one.
    @ivar n_bytes: the length of its value.
    """

    offset: int
    key: bytes
    live: bool
    kind: LetterKind = LetterKind.UNREADABLE
    n_bytes: int = 0


def dead_letter_record(
    topic: str, entry: JournalEntry, reason: str, limit: int | None = None
) -> Outgoing:
    """
    Return the record of a dead letter.

    @param limit: the most bytes that are kept of its value; L{None}: all.
    """
    place = f"{topic}/{entry.partition}/{entry.offset}"
    size = len(entry.value)
    values = (reason, topic, str(entry.partition), str(entry.offset), str(size))
    headers: Headers = [
        (name, value.encode("utf-8", "replace")[:_HEADER_BYTES])
        for name, value in zip(_HEADERS, values, strict=True)
    ]
    return Outgoing(place.encode(), entry.value[:limit], headers, 0)


def value_limits(place: KafkaPlace, topic_bytes: int) -> list[int]:
    """
    Return the most bytes of a letter's value: what the topic is known to take, then
    what every topic takes that passed its check, and at last nothing.

    @param topic_bytes: the longest record that the topic takes; 0: unknown.
    """
    most = longest_record(place)
    if topic_bytes:
        most = min(most, topic_bytes)
    known = max(most - _BESIDE_VALUE, 0)
    return [known, min(known, max(place.record_bytes - _BESIDE_VALUE, 0)), 0]


def reason_in(headers: Sequence[tuple[str, bytes | None]]) -> str:
    """
    Return the reason in the headers of a letter.
    """
    return (dict(headers).get("reason") or b"").decode("utf-8", "replace")


def keys_over_bounds(
    lines: Iterable[DeadLetterLine],
    bounds: Mapping[LetterKind, LetterBound] = BOUNDS,
) -> list[tuple[bytes, LetterKind]]:
    """
    Return the keys of the letters that are to be removed, as newer ones of their kind
    fill its bound.
    """
    last: dict[bytes, DeadLetterLine] = {}
    for line in lines:
        if line.live:
            last[line.key] = line
        else:
            last.pop(line.key, None)
    newest_first = sorted(last.values(), key=_offset, reverse=True)
    kept = [KeptLetter(x.offset, x.kind, x.n_bytes) for x in newest_first]
    excess = {letter.number for letter in over_bounds(kept, bounds)}
    return [(x.key, x.kind) for x in newest_first if x.offset in excess]


def _offset(line: DeadLetterLine) -> int:
    return line.offset


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
        reason=reason_in(headers),
        value=value,
        time_ms=max(time_ms, 0),
        size=max(number("size"), len(value)),
    )
