"""
Compares a store with a file: both are in the same order and are read in step.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterable

import attrs
import msgspec

from wsmsg.transfer.dump import Dump
from wsmsg.transfer.file import Batch
from wsmsg.transfer.records import GroupLine, MessageLine, Record

#: The number of differences that are described one by one.
_DETAILS = 20


@attrs.define
class Difference:
    """
    The result of a comparison.

    @ivar missing: records that the store does not have.
    @ivar different: records that the store has with other content.
    @ivar more: records that only the store has.
    @ivar details: a sentence for each of the first missing and different records.
    """

    missing: int = 0
    different: int = 0
    more: int = 0
    details: list[str] = attrs.field(factory=list)

    def add_detail(self, line: int, record: Record, what: str) -> None:
        if len(self.details) < _DETAILS:
            self.details.append(f"line {line}: {_named(record)} {what}")


async def compare(batches: Iterable[Batch], walk: Dump) -> Difference:
    """
    Compare a store with a file.

    @raise BadFile: the file was cut or altered.
    """
    difference = Difference()
    stored = _each(walk)
    there = await anext(stored, None)
    for batch in batches:
        for line, record in enumerate(batch.records, batch.first_line):
            while there is not None and there.key < record.key:
                difference.more += 1
                there = await anext(stored, None)
            if there is None or there.key != record.key:
                difference.missing += 1
                difference.add_detail(line, record, "is not in the store")
                continue
            if there != record:
                difference.different += 1
                difference.add_detail(line, record, _how(record, there))
            there = await anext(stored, None)
    while there is not None:
        difference.more += 1
        there = await anext(stored, None)
    return difference


async def _each(walk: Dump) -> AsyncIterator[Record]:
    async for records in walk.records():
        for record in records:
            yield record


def _how(record: Record, there: Record) -> str:
    fields = msgspec.structs.fields(record)
    names = [
        f.name
        for f in fields
        if getattr(record, f.name) != getattr(there, f.name, None)
    ]
    return f"has another {', '.join(names)} in the store"


def _named(record: Record) -> str:
    name, _, number = record.key
    match record:
        case MessageLine():
            return f"message {number} of {name}"
        case GroupLine():
            return f"group {name}"
        case _:
            kind = type(record).__name__.removesuffix("Line").lower()
            return f"{kind} {number} of {name}"
