"""
The file of the embedded journal, as the thread of the journal uses it.

A row of C{batches} is one commit: the offset of its first record, the number of
records, and the records one after the other, each behind its length in four bytes,
big-endian.  The settled position is the greater of C{position} and the C{settled} of
the last batch: by the latter, an append commits the position at no cost.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from time import time

import attrs
import msgspec

from wsmsg.message.journal.interface import (
    DeadLetter,
    JournalEntry,
    LetterKind,
    kind_of,
)
from wsmsg.message.journal.letters import (
    BOUNDS,
    LetterBound,
)
from wsmsg.message.journal.record import decode
from wsmsg.sqlite.file import SqliteFile
from wsmsg.sqlite.schema import Schema

#: The embedded journal has one partition.
PARTITION = 0

#: The most records in a row: a reader that lags reads row by row.
_ROW = 1024

#: The most bytes of a row with several records: SQLite refuses a value of 1 GB.
_ROW_BYTES = 128 * 2**20

_FIRST = """
    CREATE TABLE batches (
        first INTEGER PRIMARY KEY,
        count INTEGER NOT NULL,
        settled INTEGER NOT NULL,
        records BLOB NOT NULL
    );
    CREATE TABLE position (settled INTEGER NOT NULL);
    INSERT INTO position VALUES (0);
    CREATE TABLE dead_letters (
        number INTEGER PRIMARY KEY AUTOINCREMENT,
        partition INTEGER NOT NULL,
        offset INTEGER NOT NULL,
        reason TEXT NOT NULL,
        value BLOB NOT NULL,
        time_ms INTEGER NOT NULL,
        UNIQUE (partition, offset)
    );
"""

#: The text that is kept with the settled position.
_WITNESS = "ALTER TABLE position ADD COLUMN witness TEXT NOT NULL DEFAULT ''"

JOURNAL = Schema(
    kind="journal",
    application_id=0x77736A31,
    scripts=(_FIRST, _WITNESS),
)


@attrs.frozen
class JournalExtent:
    """
    The extent of a journal: all records below C{settled} are settled, and C{end} is the
    offset of the next record.

    @ivar witness: the text that was written with the settled position.
    """

    settled: int
    end: int
    witness: str = ""


class JournalFile:
    """
    Batches, positions and dead letters.  Only one thread may use them.

    @param bounds: the most dead letters of each kind.
    """

    def __init__(
        self, path: str, bounds: Mapping[LetterKind, LetterBound] = BOUNDS
    ) -> None:
        self._file = SqliteFile(path, JOURNAL)
        self._bounds = bounds
        self._end = 0
        self._letters = dict.fromkeys(LetterKind, (0, 0))

    def open(self) -> JournalExtent:
        self._file.open()
        settled, witness = self._file.row("SELECT settled, witness FROM position")
        last = self._file.row(
            "SELECT settled, first + count FROM batches ORDER BY first DESC LIMIT 1"
        )
        if last is None:
            self._end = settled
        else:
            settled, self._end = max(settled, last[0]), max(settled, last[1])
        self._count_letters()
        return JournalExtent(settled, self._end, witness)

    def close(self) -> None:
        self._file.close()

    def append(self, values: Sequence[bytes], settled: int) -> int:
        """
        Make records durable.

        @param settled: all records below this offset are settled.
        @return: the offset of the first record.
        """
        first = self._end
        if len(values) <= _ROW and sum(map(len, values)) <= _ROW_BYTES:
            self._append(first, values, settled)
        else:
            with self._file.transaction():
                self._append_rows(first, values, settled)
        self._end = first + len(values)
        return first

    def settle(self, settled: int, witness: str = "") -> None:
        """
        Store the settled position with a text, and delete the batches below it.
        """
        with self._file.transaction():
            self._file.run(
                "UPDATE position SET settled = ?, witness = ?", (settled, witness)
            )
            self._file.run(
                "DELETE FROM batches WHERE first < ?1 AND first + count <= ?1",
                (settled,),
            )

    def read(self, offset: int, limit: int) -> list[JournalEntry]:
        """
        Return at most C{limit} entries from an offset on.
        """
        entries: list[JournalEntry] = []
        # The subquery finds the batch that the offset is in by the primary key; without
        # it, the condition on first + count alone would scan all batches.
        rows = self._file.rows(
            "SELECT first, count, records FROM batches WHERE first + count > ?1 AND "
            "first >= (SELECT coalesce(max(first), 0) FROM batches WHERE first <= ?1) "
            "ORDER BY first",
            (offset,),
        )
        for first, count, records in rows:
            start = max(offset - first, 0)
            stop = min(count, start + limit - len(entries))
            values = _split(records, count)[start:stop]
            entries.extend(map(_entry, range(first + start, first + stop), values))
            if len(entries) == limit:
                break
        return entries

    def dead_letter(
        self, letters: Sequence[tuple[JournalEntry, str]]
    ) -> dict[LetterKind, int]:
        """
        Keep entries as dead letters, each once, and the newest of each kind.

        @return: how many older letters of each kind were removed.
        """
        now_ms = int(time() * 1000)
        kept = dict(self._letters)
        dropped: dict[LetterKind, int] = {}
        with self._file.transaction():
            for entry, reason in letters:
                kind = kind_of(reason)
                inserted = self._file.run(
                    "INSERT OR IGNORE INTO dead_letters "
                    "(partition, offset, reason, value, time_ms) "
                    "VALUES (?, ?, ?, ?, ?)",
                    (
                        entry.partition,
                        entry.offset,
                        reason.encode("utf-8", "replace").decode(),
                        entry.value,
                        now_ms,
                    ),
                ).rowcount
                if inserted > 0:
                    count, n_bytes = kept[kind]
                    kept[kind] = count + 1, n_bytes + len(entry.value)
            for kind in LetterKind:
                removed = self._remove_oldest(kind, kept)
                if removed:
                    dropped[kind] = removed
        self._letters = kept
        return dropped

    def dead_letters(self, after: int, limit: int) -> list[DeadLetter]:
        found = self._file.rows(
            "SELECT number, partition, offset, reason, value, time_ms "
            "FROM dead_letters WHERE number > ? ORDER BY number LIMIT ?",
            (after, max(limit, 0)),
        )
        return [DeadLetter(*row) for row in found]

    def replay(self, numbers: Sequence[int], settled: int) -> tuple[list[int], int]:
        """
        Move dead letters to the end of the batches.

        @return: the numbers that existed, and the new end.
        """
        wanted = msgspec.json.encode(list(numbers)).decode()
        found = "FROM dead_letters WHERE number IN (SELECT value FROM json_each(?))"
        with self._file.transaction():
            rows = list(
                self._file.rows(
                    f"SELECT number, value {found} ORDER BY number", (wanted,)
                )
            )
            self._append_rows(self._end, [value for _, value in rows], settled)
            self._file.run(f"DELETE {found}", (wanted,))
        self._end += len(rows)
        self._count_letters()
        return [number for number, _ in rows], self._end

    def _count_letters(self) -> None:
        self._letters = dict.fromkeys(LetterKind, (0, 0))
        for _, kind, size in self._letter_sizes():
            count, n_bytes = self._letters[kind]
            self._letters[kind] = count + 1, n_bytes + size

    def _letter_sizes(self) -> Iterator[tuple[int, LetterKind, int]]:
        for number, reason, size in self._file.rows(
            "SELECT number, reason, length(value) FROM dead_letters ORDER BY number"
        ):
            yield number, kind_of(reason), size

    def _remove_oldest(
        self, kind: LetterKind, kept: dict[LetterKind, tuple[int, int]]
    ) -> int:
        """
        Remove the oldest letters of a kind that are over its bound, but never the
        newest one.

        @param kept: the number and the bytes of letters by kind; it is changed.
        @return: how many were removed.
        """
        bound = self._bounds[kind]
        count, n_bytes = kept[kind]
        oldest: list[int] = []
        for number, its_kind, size in self._letter_sizes():
            within = count <= bound.letters and n_bytes <= bound.n_bytes
            if within or count <= 1:
                break
            if its_kind is kind:
                oldest.append(number)
                count, n_bytes = count - 1, n_bytes - size
        for number in oldest:
            self._file.run("DELETE FROM dead_letters WHERE number = ?", (number,))
        kept[kind] = count, n_bytes
        return len(oldest)

    def _append_rows(self, first: int, values: Sequence[bytes], settled: int) -> None:
        for row in rows_of(values):
            self._append(first, row, settled)
            first += len(row)

    def _append(self, first: int, values: Sequence[bytes], settled: int) -> None:
        self._file.run(
            "INSERT INTO batches (first, count, settled, records) VALUES (?, ?, ?, ?)",
            (first, len(values), settled, _join(values)),
        )


def rows_of(
    values: Sequence[bytes], most: int = _ROW, most_bytes: int = _ROW_BYTES
) -> Iterator[Sequence[bytes]]:
    """
    Divide records into rows, each with one record or within the limits.
    """
    start = n_bytes = 0
    for at, value in enumerate(values):
        if at > start and (at - start >= most or n_bytes + len(value) > most_bytes):
            yield values[start:at]
            start, n_bytes = at, 0
        n_bytes += len(value)
    if start < len(values):
        yield values[start:]


def _join(values: Sequence[bytes]) -> bytes:
    parts: list[bytes] = []
    for value in values:
        parts.append(len(value).to_bytes(4, "big"))
        parts.append(value)
    return b"".join(parts)


def _split(records: bytes, count: int) -> list[bytes | None]:
    values: list[bytes | None] = []
    at = 0
    for _ in range(count):
        size = int.from_bytes(records[at : at + 4], "big")
        at += 4 + size
        values.append(records[at - size : at] if at <= len(records) else None)
    return values


def _entry(offset: int, value: bytes | None) -> JournalEntry:
    if value is None:
        return JournalEntry(
            PARTITION, offset, None, b"", "its batch in the file is truncated"
        )
    return decode(PARTITION, offset, value)
