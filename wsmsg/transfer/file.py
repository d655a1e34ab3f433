"""
The file of an export: JSON lines, written and read in batches.

The first line names the format, the last one has the counts.  Between them are records
in one order: by conversation (by code points); within one, its messages by number, then
for a group its properties and its members by user, then cursors by user.

After at most some hundred records, a line has the SHA-256 of the lines of all records
so far, each with its newline.  So a reader accepts nothing that was cut or altered, can
name the lines between which it was, and holds one batch at a time.  Two stores with the
same content have the same hash, whatever their backends.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from hashlib import sha256
from typing import BinaryIO

import attrs
import msgspec

from wsmsg.transfer.records import (
    CheckLine,
    EndLine,
    HeaderLine,
    Key,
    Line,
    Record,
    RecordCounts,
    check,
)

#: The version of the format, the only one that is read.
VERSION = 1

#: A batch ends with the record that reaches one of these.
_RECORDS = 500
_BYTES = 2**20

#: Limit of a line in bytes, above the longest content with every character escaped.
LONGEST_LINE = 64 * 2**20

_decoder: msgspec.json.Decoder[Line] = msgspec.json.Decoder(Line)
_encode = msgspec.json.Encoder().encode


class BadFile(Exception):
    """
    The file is not as an export wrote it; the text names the line.
    """


@attrs.frozen
class Batch:
    """
    Records whose hash was verified.

    @ivar first_line: number of the first record's line, from 1; the others follow it.
    """

    first_line: int
    records: Sequence[Record]


class Hashed:
    """
    The running hash and counts of records.

    @ivar last: the key of the last record.
    """

    def __init__(self) -> None:
        self.counts = RecordCounts()
        self._hash = sha256()
        self.last: Key = ("", 0, 0)

    @property
    def sha256(self) -> str:
        return self._hash.hexdigest()

    def add(self, record: Record, line: bytes) -> None:
        """
        Add the next record.

        @param line: with its newline.
        @raise ValueError: the record does not sort after the previous one.
        """
        if record.key <= self.last:
            raise ValueError("it does not sort after the record before it")
        self.counts.add(record, new=record.conversation != self.last[0])
        self.last = record.key
        self._hash.update(line)


class LineWriter:
    """
    Makes the bytes of a file.

    @param hashed: the records that are in the file already.
    """

    def __init__(self, hashed: Hashed | None = None) -> None:
        self._hashed = hashed or Hashed()
        self._records = self._bytes = 0

    @property
    def counts(self) -> RecordCounts:
        return self._hashed.counts

    @property
    def sha256(self) -> str:
        return self._hashed.sha256

    @property
    def last(self) -> Key:
        """
        The key of the last record; less than any key if there is none.
        """
        return self._hashed.last

    def begin(self, time_ms: int, epoch: str = "", secret: str = "") -> bytes:
        """
        Return the first line.
        """
        return _line(HeaderLine(VERSION, time_ms, epoch, secret))

    def write(self, records: Iterable[Record]) -> bytes:
        """
        Return the lines of the next records, with checks where they are due.
        """
        return b"".join(self._lines(records))

    def end(self) -> bytes:
        """
        Return the last lines.
        """
        check = self._check() if self._records else b""
        return check + _line(EndLine(self.counts, self.sha256))

    def _lines(self, records: Iterable[Record]) -> Iterator[bytes]:
        for record in records:
            line = _line(record)
            self._hashed.add(record, line)
            yield line
            self._records += 1
            self._bytes += len(line)
            if self._records == _RECORDS or self._bytes >= _BYTES:
                yield self._check()

    def _check(self) -> bytes:
        self._records = self._bytes = 0
        return _line(CheckLine(self.sha256))


def _line(line: Line) -> bytes:
    return _encode(line) + b"\n"


class LineReader:
    """
    Reads a file that L{LineWriter} wrote.

    @ivar number: number of the last line that was read.
    @ivar epoch: of the store that was exported; empty if it is not known.
    @ivar secret: of that store, likewise.
    """

    def __init__(self) -> None:
        self.number = 0
        self.epoch = self.secret = ""
        self._hashed = Hashed()
        self._began = self._ended = False
        self._held: list[Record] = []

    @property
    def counts(self) -> RecordCounts:
        return self._hashed.counts

    @property
    def sha256(self) -> str:
        return self._hashed.sha256

    def batches(self, lines: Iterable[bytes]) -> Iterator[Batch]:
        """
        Return the records in batches; a batch that was altered is not returned.

        @raise BadFile: the file was altered, or its last line is missing.
        """
        for line in lines:
            self.number += 1
            batch = self._taken(line)
            if batch is not None:
                yield batch
        if not self._ended:
            where = f"after line {self.number}" if self.number else "before it began"
            raise BadFile(f"the file ends {where}: its last line is missing")

    def _taken(self, line: bytes) -> Batch | None:
        decoded = self._decoded(line)
        if self._ended:
            raise self._bad("lines follow the last line of the export")
        if isinstance(decoded, HeaderLine) is self._began:
            what = "a second header" if self._began else "not an export of wsmsg"
            raise self._bad(what)
        match decoded:
            case HeaderLine():
                self._begin(decoded)
            case CheckLine():
                return self._checked(decoded)
            case EndLine():
                self._end(decoded)
            case _:
                self._take(decoded, line)
        return None

    def _decoded(self, line: bytes) -> Line:
        if not line.endswith(b"\n"):
            long = len(line) >= LONGEST_LINE
            raise self._bad("too long" if long else "cut off: it has no newline")
        try:
            return _decoder.decode(line)
        except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as e:
            if not self._began:
                raise self._bad(f"not an export of wsmsg: {e}") from None
            raise self._bad(str(e)) from None

    def _begin(self, header: HeaderLine) -> None:
        if header.version != VERSION:
            raise self._bad(
                f"the file has version {header.version} of the format, and this "
                f"wsmsg reads version {VERSION}"
            )
        self._began = True
        self.epoch, self.secret = header.epoch, header.secret

    def _take(self, record: Record, line: bytes) -> None:
        try:
            check(record)
            self._hashed.add(record, line)
        except ValueError as e:
            raise self._bad(str(e)) from None
        self._held.append(record)
        if len(self._held) > _RECORDS:
            raise self._bad("a line with a hash is missing before it")

    def _checked(self, seen: CheckLine) -> Batch:
        held, self._held = self._held, []
        first = self.number - len(held)
        if seen.sha256 != self.sha256:
            raise BadFile(
                f"something between line {first} and line {self.number} was altered: "
                "the hash does not match"
            )
        return Batch(first, held)

    def _end(self, end: EndLine) -> None:
        if self._held:
            raise self._bad("the hash of the records before it is missing")
        if end.sha256 != self.sha256:
            raise self._bad("its hash differs from that of the records")
        if end.counts != self.counts:
            raise self._bad("its counts differ from those of the records")
        self._ended = True

    def _bad(self, reason: str) -> BadFile:
        return BadFile(f"line {self.number}: {reason}")


def intact_part(lines: Iterable[bytes]) -> tuple[Hashed, int]:
    """
    Find the intact part of a file that was cut off.

    @return: its records, and the number of bytes after which a writer continues; 0 if
        nothing is intact.
    """
    reader, hashed, intact, size = LineReader(), Hashed(), 0, 0

    def measured() -> Iterator[bytes]:
        nonlocal size
        for line in lines:
            size += len(line)
            yield line

    try:
        for batch in reader.batches(measured()):
            for record in batch.records:
                hashed.add(record, _line(record))
            intact = size
    except BadFile:
        pass
    return hashed, intact


def lines_of(stream: BinaryIO) -> Iterator[bytes]:
    """
    Return the lines of a stream, in bounded memory whatever its content.
    """
    while line := stream.readline(LONGEST_LINE):
        yield line
