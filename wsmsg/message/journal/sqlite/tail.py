"""
The records that were appended last, in memory for the reader.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterator

from wsmsg.message.journal.interface import JournalEntry
from wsmsg.message.journal.sqlite.file import PARTITION
from wsmsg.model import Message


class Tail:
    """
    The last records without a gap.  Records that were read are dropped, and so are the
    oldest over a limit, which the reader finds in the file.

    @param records: the most records that are kept.
    @param size: the most bytes.
    """

    def __init__(self, records: int, size: int) -> None:
        self._most = (records, size)
        self._chunks: deque[tuple[int, list[Message], list[bytes]]] = deque()
        self._records = 0
        self._size = 0

    def add(self, first: int, messages: list[Message], values: list[bytes]) -> None:
        self._chunks.append((first, messages, values))
        self._records += len(values)
        self._size += sum(map(len, values))
        while self._records > self._most[0] or self._size > self._most[1]:
            self._drop()

    def read(self, offset: int, limit: int) -> list[JournalEntry]:
        """
        Return entries from an offset on; none if the first of them is not here.
        """
        while self._chunks and self._chunks[0][0] + len(self._chunks[0][2]) <= offset:
            self._drop()
        if not self._chunks or self._chunks[0][0] > offset:
            return []
        entries: list[JournalEntry] = []
        for chunk in self._chunks:
            entries.extend(_entries(chunk, offset, limit - len(entries)))
            if len(entries) == limit:
                break
        return entries

    def clear(self) -> None:
        self._chunks.clear()
        self._records = self._size = 0

    def _drop(self) -> None:
        _, _, values = self._chunks.popleft()
        self._records -= len(values)
        self._size -= sum(map(len, values))


def _entries(
    chunk: tuple[int, list[Message], list[bytes]], offset: int, limit: int
) -> Iterator[JournalEntry]:
    first, messages, values = chunk
    start = max(offset - first, 0)
    stop = min(start + limit, len(values))
    for i in range(start, stop):
        yield JournalEntry(PARTITION, first + i, messages[i], values[i])
