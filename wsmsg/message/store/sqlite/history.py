"""
The history of the embedded store: its name, its secret, and the generations of ids.

Ids of messages rise by one.  In an older copy of the file they are given again, so each
process that stores messages begins a generation, and positions and witnesses have it
above the id (L{wsmsg.message.store.numbers}).  The end of the store when that began is
kept beside it.
"""

from __future__ import annotations

import msgspec

from wsmsg.message.store.history import (
    NameAndSecret,
    epoch_of,
    imported,
    new_epoch,
    new_secret,
    witness_of,
)
from wsmsg.message.store.numbers import (
    BITS,
    StoreNumbers,
    following_generation,
    with_end,
)
from wsmsg.sqlite.file import SqliteFile

#: The one shard of the embedded store.
SHARD = 0

#: The columns that version 8 of the store added.
GENERATIONS = """
    ALTER TABLE history ADD COLUMN secret TEXT NOT NULL DEFAULT '';
    ALTER TABLE history ADD COLUMN renewed INTEGER NOT NULL DEFAULT 0;
    ALTER TABLE history ADD COLUMN generation INTEGER NOT NULL DEFAULT 0;
    ALTER TABLE history ADD COLUMN ends TEXT NOT NULL DEFAULT '[]';
"""

# Generations are skipped at random, up to so many; a process begins one in its life.
_SKIPPED = 1024

# A subquery of its own: SQLite takes max(id) from the index only where it is alone.
_NUMBERS = """
    SELECT coalesce((SELECT max(id) FROM messages), 0) + 1,
           epoch, secret, renewed, generation, ends
    FROM history
"""

_ends = msgspec.json.Decoder(list[int])


def read_numbers(file: SqliteFile) -> StoreNumbers:
    """
    Return how far the store is.
    """
    end, full, secret, renewed, generation, ends = file.row(_NUMBERS)
    return StoreNumbers(
        NameAndSecret(full, secret, bool(renewed)),
        {SHARD: generation << BITS | end},
        {SHARD: _ends.decode(ends)},
    )


class HistoryRow:
    """
    The writes.  Only the thread of the file may use it, except for L{witness}.

    @ivar has_begun: whether this process has begun a generation.
    """

    def __init__(self, file: SqliteFile) -> None:
        self.has_begun = False
        self._file = file
        self._full, self._generation = "", 0

    def open(self) -> None:
        """
        Read the row, and give the store a secret if it has none.
        """
        self._file.run(
            "UPDATE history SET secret = ? WHERE secret = ''", (new_secret(),)
        )
        self.has_begun = False
        self._read()

    def begin(self) -> None:
        """
        Begin a generation: this process is about to store its first messages.
        """
        now = read_numbers(self._file)
        number = now.changes[SHARD]
        ends = with_end(now.ends[SHARD], number)
        generation = following_generation(number >> BITS, _SKIPPED)
        self._file.run(
            "UPDATE history SET generation = ?, ends = ?",
            (generation, msgspec.json.encode(ends).decode()),
        )
        self.has_begun = True
        self._read()

    def witness(self, last: int) -> dict[int, str]:
        """
        As L{wsmsg.message.store.history.IHistory.witness}.

        @param last: the highest id of a message; 0: there is none.
        """
        number = self._generation << BITS | last + 1
        return {SHARD: witness_of(self._full, number)} if last else {}

    def renew(self, known: str) -> str:
        """
        As L{wsmsg.message.store.history.IHistory.renew_epoch}.
        """
        with self._file.transaction():
            if self._read() == known:
                self._file.run(
                    "UPDATE history SET epoch = ?, renewed = 1", (new_epoch(),)
                )
        return self._read()

    def take_over(self, epoch: str, secret: str) -> str:
        """
        As L{wsmsg.message.store.history.IHistory.adopt_epoch}.
        """
        with self._file.transaction():
            (stored,) = self._file.row("SELECT EXISTS (SELECT 1 FROM messages)")
            if self._read() != epoch and not stored:
                self._file.run("UPDATE history SET epoch = ?", (imported(epoch),))
                if secret:
                    self._file.run("UPDATE history SET secret = ?", (secret,))
        return self._read()

    def _read(self) -> str:
        now = read_numbers(self._file)
        self._full, self._generation = now.name.full, now.changes[SHARD] >> BITS
        return epoch_of(self._full)
