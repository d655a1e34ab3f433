"""
The journal in a file of this machine: L{IJournal} without a server.

Appends that arrive while a commit is in flight go together into the next one.  Under
load one C{fsync} makes hundreds of messages durable; without load a message waits for
no other.  The reader gets recent records from memory (the I{tail}), and reads the file
after a restart, after L{SqliteJournal.rewind}, and when it lags behind the tail.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterator, Mapping, Sequence

from twisted.internet.defer import Deferred, fail, succeed
from twisted.internet.interfaces import IDelayedCall
from twisted.logger import Logger
from twisted.python.failure import Failure
from zope.interface import implementer

from wsmsg.dependency.reopen import KeptOpen
from wsmsg.dependency.retry import RetryPolicy
from wsmsg.dependency.state import Dependency
from wsmsg.dependency.stop import StopOnce
from wsmsg.dependency.worker import IWorker, TimeAndThreads, Worker
from wsmsg.errors import BadRequest, Unavailable
from wsmsg.message.journal.interface import DeadLetter, IJournal, JournalEntry
from wsmsg.message.journal.letters import DroppedLetters
from wsmsg.message.journal.record import RecordSizes, encode
from wsmsg.message.journal.sqlite.file import PARTITION, JournalExtent, JournalFile
from wsmsg.message.journal.witness import Witness
from wsmsg.model import Message

_SETTLE_S = 0.2
#: Far below the longest value of SQLite, and above every setting.
_CONTENT_BYTES = 64 * 2**20

_Append = tuple[Sequence[Message], list[bytes], "Deferred[None]"]


@implementer(IJournal)
class SqliteJournal:
    """
    The journal in the file C{path}.

    @param reactor: for the time, and for calls from the thread.
    @param worker: makes the blocking calls; a thread unless a test gives another.
    @param tail_records: the most records that are kept in memory for the reader.
    @param tail_bytes: the same in bytes.
    """

    _log = Logger()

    def __init__(
        self,
        path: str,
        reactor: TimeAndThreads,
        *,
        retry: RetryPolicy,
        dependency: Dependency,
        worker: IWorker | None = None,
        tail_records: int = 20000,
        tail_bytes: int = 32 * 2**20,
    ) -> None:
        self.dependency = dependency
        self.spacing_s = 0.0
        self.content_bytes = _CONTENT_BYTES
        self.retention_s = 0.0
        self._sizes = RecordSizes()
        self._file = JournalFile(path)
        self._clock = reactor
        self._worker = worker or Worker("wsmsg-journal", reactor)
        self._kept = KeptOpen(self._open, reactor, retry, dependency)
        self._tail = Tail(tail_records, tail_bytes)
        self._stopping = StopOnce(self._stop)
        self._queue: list[_Append] = []
        self._appending = False
        self._reader: tuple[int, Deferred[list[JournalEntry]]] | None = None
        self._loading = False
        self._next = 0
        self._end = 0
        self._settled = 0
        self._written = 0
        self._settling: IDelayedCall | None = None
        self._witness = Witness()
        self.keep_witness = self._witness.keep
        self._dropped = DroppedLetters()
        dependency.on_change(self._changed)

    def start(self) -> None:
        self._kept.start()

    def stop(self) -> Deferred[None]:
        return self._stopping()

    def append(self, messages: Sequence[Message]) -> Deferred[None]:
        if not self._kept.up:
            return fail(self._kept.refusal())
        try:
            values = [encode(m) for m in messages]
        except BadRequest as e:
            return fail(e)
        if not values:
            return succeed(None)
        done: Deferred[None] = Deferred()
        self._queue.append((messages, values, done))
        if not self._appending:
            self._flush()
        return done

    def read(self, limit: int) -> Deferred[list[JournalEntry]]:
        if self._reader is not None:
            raise RuntimeError("a read is open already")
        if self._stopping.begun:
            return succeed([])
        done: Deferred[list[JournalEntry]] = Deferred()
        self._reader = (max(limit, 1), done)
        self._serve()
        return done

    def rewind(self) -> None:
        self._next = self._settled
        self._serve()

    def commit(self, positions: Mapping[int, int]) -> None:
        self._settled = max(self._settled, positions.get(PARTITION, 0))
        self._settle_soon()

    def on_revoked(self, forget: Callable[[], object]) -> None:
        """
        Do nothing: the one partition is never revoked.
        """

    def counts(self) -> Mapping[str, int]:
        lag = max(self._end - self._settled, 0)
        return {
            "lag": lag,
            "unread": max(self._end - self._next, 0),
            "lag_bytes": self._sizes.bytes_of(lag),
            "in_flight": sum(len(values) for _, values, _ in self._queue),
            "partitions": 1,
            "from_memory": 0,
            "dead_letters_dropped": self._dropped.total,
            "records_lost": 0,
        }

    def dead_letter(
        self, letters: Sequence[tuple[JournalEntry, str]]
    ) -> Deferred[None]:
        return self._kept.run(
            self._worker, self._file.dead_letter, letters
        ).addCallback(self._dropped.add)

    def dead_letters(self, after: int, limit: int) -> Deferred[list[DeadLetter]]:
        return self._kept.run(self._worker, self._file.dead_letters, after, limit)

    def replay(self, numbers: Sequence[int]) -> Deferred[list[int]]:
        return self._kept.run(
            self._worker, self._file.replay, list(numbers), self._settled
        ).addCallback(self._replayed)

    # Opening and closing

    def _open(self) -> Deferred[None]:
        return self._worker.do(self._file.open).addCallback(self._opened)

    def _opened(self, extent: JournalExtent) -> None:
        self._tail.clear()
        self._settled = max(self._settled, extent.settled)
        self._written = extent.settled
        self._next = max(self._next, extent.settled)
        self._end = extent.end
        self._witness.found({PARTITION: extent.witness})

    def _changed(self, _: Dependency) -> None:
        if self._kept.up:
            self._settle_soon()
            self._serve()

    async def _stop(self) -> None:
        up = self._kept.up
        if up and self._queue:
            # After the append in flight: the thread keeps the order.
            self._flush()
        await self._kept.stop()
        if self._settling is not None:
            self._settling.cancel()
            self._settling = None
        try:
            if up and self._written < self._settled:
                await self._worker.do(
                    self._file.settle, self._settled, self._now_witness()
                )
        except Unavailable as e:
            self._log.warn("{reason}", reason=e.reason)
        await self._worker.do(self._file.close)
        await self._worker.quit()
        self.dependency.stopped()
        if self._reader is not None:
            (_, reader), self._reader = self._reader, None
            reader.callback([])

    # Appending

    def _flush(self) -> None:
        appends, self._queue = self._queue, []
        values = (
            appends[0][1]
            if len(appends) == 1
            else [value for _, some, _ in appends for value in some]
        )
        self._appending = True
        self._kept.run(
            self._worker, self._file.append, values, self._settled
        ).addCallbacks(
            lambda first: self._appended(first, appends, values),
            lambda failure: self._not_appended(failure, appends),
        )

    def _appended(
        self, first: int, appends: list[_Append], values: list[bytes]
    ) -> None:
        self._appending = False
        self._end = first + len(values)
        self._sizes.add(len(values), sum(map(len, values)))
        self._tail.add(first, [m for some, _, _ in appends for m in some], values)
        if self._queue:
            self._flush()
        for _, _, done in appends:
            done.callback(None)
        self._serve()

    def _not_appended(self, failure: Failure, appends: list[_Append]) -> None:
        self._appending = False
        behind, self._queue = self._queue, []
        problem = failure.value
        if isinstance(problem, Unavailable):
            # The file may have the records, if writing them failed at the very end.
            problem = Unavailable(problem.reason).may_be_done()
        for _, _, done in appends:
            done.errback(Failure(problem))
        for _, _, done in behind:
            done.errback(Failure(failure.value))

    def _replayed(self, found: tuple[list[int], int]) -> list[int]:
        numbers, self._end = found
        # These records are only in the file, and the tail has no gaps.
        self._tail.clear()
        self._serve()
        return numbers

    # Reading

    def _serve(self) -> None:
        if self._reader is None or self._loading or self._next >= self._end:
            return
        limit, _ = self._reader
        at = self._next
        entries = self._tail.read(at, limit)
        if entries:
            self._give(entries)
        elif self._kept.up:
            self._loading = True
            self._kept.run(self._worker, self._file.read, at, limit).addCallbacks(
                self._loaded, self._not_loaded, (at, self._end)
            )

    def _loaded(self, entries: list[JournalEntry], at: int, end: int) -> None:
        self._loading = False
        if self._next != at:
            # There was a rewind in between.
            self._serve()
        elif entries:
            self._give(entries)
        else:
            # The records were settled meanwhile, and deleted.
            self._next = end
            self._serve()

    def _not_loaded(self, failure: Failure) -> None:
        # The journal reads again when the file is open again.
        self._loading = False
        if not isinstance(failure.value, Unavailable) and self._reader is not None:
            # The reader logs it, and reads again: nothing else would.
            (_, reader), self._reader = self._reader, None
            reader.errback(failure)

    def _give(self, entries: list[JournalEntry]) -> None:
        if self._reader is not None:
            (_, reader), self._reader = self._reader, None
            self._next = entries[-1].offset + 1
            reader.callback(entries)

    # Settling

    def _settle_soon(self) -> None:
        if self._settling is None and self._written < self._settled:
            self._settling = self._clock.callLater(_SETTLE_S, self._settle)

    def _settle(self) -> None:
        self._settling = None
        if not self._kept.up:
            return
        settled = self._settled
        self._kept.run(
            self._worker, self._file.settle, settled, self._now_witness()
        ).addCallbacks(self._settled_to, lambda _: None, (settled,))

    def _now_witness(self) -> str:
        return self._witness.texts().get(PARTITION, "")

    def _settled_to(self, _: None, settled: int) -> None:
        self._written = max(self._written, settled)


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
