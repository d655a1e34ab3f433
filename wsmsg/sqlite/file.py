"""
One SQLite file that one process owns, as the embedded journal and store use it.

Many rows are read and written in one statement.  Python gives up its interpreter lock
at each step of a statement and may wait some milliseconds to get it back, so one
statement for a batch is much faster than one for each row.  The rows are bound to a
C{VALUES} table.  Its size is a power of two, and rows beyond the batch are NULL, so
that SQLite compiles only a few statements.
"""

from __future__ import annotations

import os
import sqlite3
from collections.abc import Iterator, Sequence
from contextlib import closing, contextmanager
from functools import cache
from pathlib import Path
from typing import Any

from wsmsg.dependency.reopen import Broken
from wsmsg.errors import Unavailable
from wsmsg.model import storable_values
from wsmsg.sqlite.lock import InUse, Lock
from wsmsg.sqlite.schema import Schema, check_header, check_kind, check_version

#: The most rows in one statement: more bring no speed.
MOST = 256
# Sixteen megabytes: a page that many batches change is copied into the file once.
_CHECKPOINT_PAGES = 4000
_BUSY_S = 2.0
#: C{PRAGMA synchronous}: a commit is on the disk before it succeeds.
_FULL = 2


# The exceptions of sqlite3 for values: a violated constraint, a text or a number too
# big for SQLite, a text with surrogates.
_UNFIT = (sqlite3.IntegrityError, sqlite3.DataError, OverflowError, UnicodeEncodeError)


class Unfit(Exception):
    """
    The values do not fit into the tables.
    """


def check_free(path: str, schema: Schema) -> None:
    """
    Check before the daemon starts whether the file could be opened.  No thread, no lock
    and no SQLite handle is left, so the process may fork afterwards.

    @raise Unavailable: it could not, with the reason in one line.
    """
    check_version()
    lock = Lock(path, schema.kind)
    lock.acquire()
    try:
        check_header(path, schema)
    finally:
        lock.release()


def user_of(path: str, schema: Schema) -> str:
    """
    Return the sentence that names the process that has the file open, or C{""}.

    @raise Unavailable: the file is there and could not be opened.
    """
    if not os.path.exists(path):
        return ""
    try:
        check_free(path, schema)
    except InUse as e:
        return e.reason
    return ""


def remove_file(path: Path) -> None:
    """
    Remove a file that is closed, with its log and its lock.
    """
    for suffix in ("", "-wal", "-shm", ".lock"):
        path.with_name(path.name + suffix).unlink(missing_ok=True)


class SqliteFile:
    """
    One connection to a file.  Only one thread at a time may use it.

    Its methods raise L{Unavailable} where SQLite cannot do its work, L{Broken} where
    it never will with this file, and L{Unfit} where the values are at fault.

    @param reads: the connection never writes, and leaves the lock and the tables to
        another connection of this process.
    """

    def __init__(self, path: str, schema: Schema, *, reads: bool = False) -> None:
        self._path = path
        self._schema = schema
        self._reads = reads
        self._lock = Lock(path, schema.kind)
        self._db: sqlite3.Connection | None = None

    def open(self) -> None:
        """
        Open the file, or create it.  An open connection is closed first.
        """
        self.close()
        check_version()
        try:
            if not self._reads:
                self._lock.acquire()
                check_header(self._path, self._schema)
                self._create()
            with self._translated_errors():
                self._connect()
        except BaseException:
            self.close()
            raise

    def close(self) -> None:
        """
        Close the connection, if it is open; never fails.
        """
        db, self._db = self._db, None
        if db is not None:
            try:
                db.close()
            except sqlite3.Error:
                # The last checkpoint failed; the next opening makes it.
                pass
        self._lock.release()

    def run(self, sql: str, parameters: Sequence[Any] = ()) -> sqlite3.Cursor:
        """
        Execute one statement; outside of L{transaction} it is a transaction of its own.
        """
        db = self._db
        if db is None:
            raise Unavailable(f"{self._schema.kind} {self._path} is not open")
        try:
            return db.execute(sql, parameters)
        except _UNFIT as e:
            raise Unfit(str(e)) from e
        except sqlite3.Error as e:
            raise self._translated(e) from e

    def row(self, sql: str, parameters: Sequence[Any] = ()) -> Any:
        """
        Return the first row of the result, or L{None}.
        """
        found = self.run(sql, parameters)
        with self._translated_errors():
            return found.fetchone()

    def rows(self, sql: str, parameters: Sequence[Any] = ()) -> Iterator[Any]:
        """
        Iterate over the rows of the result; further rows are not computed.
        """
        found = self.run(sql, parameters)
        with self._translated_errors(), closing(found):
            yield from found

    @contextmanager
    def transaction(self) -> Iterator[None]:
        """
        Keep all changes of the block, or none if it raises.
        """
        self.run("BEGIN IMMEDIATE")
        try:
            yield
            self.run("COMMIT")
        except BaseException:
            if self._db is not None and self._db.in_transaction:
                self.run("ROLLBACK")
            raise

    def _create(self) -> None:
        # Private messages: SQLite gives its other files the mode of this one.
        try:
            os.close(os.open(self._path, os.O_RDWR | os.O_CREAT, 0o600))
        except OSError as e:
            raise Unavailable(
                f"{self._schema.kind} {self._path} cannot be used: {e.strerror}"
            ) from e

    def _connect(self) -> None:
        self._db = sqlite3.connect(
            self._path,
            timeout=_BUSY_S,
            isolation_level=None,
            # Tests work in one thread; a daemon always in that of its worker.
            check_same_thread=False,
        )
        mode = self._db.execute("PRAGMA journal_mode = WAL").fetchone()[0]
        if mode != "wal":
            raise Unavailable(
                f"{self._schema.kind} {self._path} cannot be kept safely: its file "
                f"system has no write-ahead log (journal mode {mode})"
            )
        self._db.execute("PRAGMA synchronous = FULL")
        level = self._db.execute("PRAGMA synchronous").fetchone()[0]
        if level != _FULL:
            raise Unavailable(
                f"{self._schema.kind} {self._path} cannot be kept safely: SQLite does "
                f"not sync each commit (synchronous {level})"
            )
        self._db.execute(f"PRAGMA wal_autocheckpoint = {_CHECKPOINT_PAGES}")
        self._db.execute("PRAGMA cache_size = -16000")
        if self._reads:
            self._db.execute("PRAGMA query_only = ON")
        else:
            self._migrate()

    def _migrate(self) -> None:
        schema = self._schema
        (version,) = self.row("PRAGMA user_version")
        (application_id,) = self.row("PRAGMA application_id")
        check_kind(self._path, schema, application_id, version)
        if not version and self.row("SELECT 1 FROM sqlite_master LIMIT 1"):
            raise Broken(
                f"{self._path} is not a {schema.kind} of wsmsg but another file"
            )
        with self.transaction():
            for script in schema.scripts[version:]:
                for statement in filter(str.strip, script.split(";")):
                    self.run(statement)
            for statement in schema.indexes:
                self.run(statement)
            if not version:
                self.run(f"PRAGMA application_id = {schema.application_id}")
            # Written each time, so that a full or read-only disk shows.
            self.run(f"PRAGMA user_version = {schema.version}")

    @contextmanager
    def _translated_errors(self) -> Iterator[None]:
        try:
            yield
        except sqlite3.Error as e:
            raise self._translated(e) from e

    def _translated(self, error: sqlite3.Error) -> Unavailable:
        name = getattr(error, "sqlite_errorname", "")
        where = f"{self._schema.kind} {self._path}"
        if name.startswith(("SQLITE_CORRUPT", "SQLITE_NOTADB")):
            return Broken(f"{where} is damaged: {error}")
        return Unavailable(f"{where} cannot be used: {error}")


def chunks(rows: Sequence[tuple[Any, ...]]) -> Iterator[tuple[int, list[Any]]]:
    """
    Cut rows of one width into tables.

    @return: pairs of the size of a table, as L{statement} takes it, and its values.
    """
    for i in range(0, len(rows), MOST):
        some = rows[i : i + MOST]
        size = 1 << (len(some) - 1).bit_length()
        flat = [value for row in some for value in row]
        flat.extend([None] * (size * len(some[0]) - len(flat)))
        yield size, flat


@cache
def statement(sql: str, size: int, width: int) -> str:
    """
    Return C{sql} with a table of C{size} rows in place of C{{rows}}.  Its columns are
    C{column1} and so on; in rows beyond the batch all of them are NULL.
    """
    row = "(" + ", ".join("?" * width) + ")"
    return sql.format(rows="(VALUES " + ", ".join([row] * size) + ")")


def select(
    file: SqliteFile, sql: str, keys: Sequence[tuple[Any, ...]], decoder: Any
) -> list[Any]:
    """
    Read what is stored for these keys.

    @param sql: with C{{rows}} in place of the keys; returns one row, a JSON array.
    @param decoder: decodes that array.
    """
    try:
        return list(_selected(file, sql, keys, decoder))
    except Unfit:
        # A key that cannot be stored has no rows.
        keys = [key for key in keys if storable_values(key)]
        return list(_selected(file, sql, keys, decoder))


def write(file: SqliteFile, sql: str, rows: Sequence[tuple[Any, ...]]) -> int:
    """
    Write rows.

    @param sql: with C{{rows}} in place of the rows.
    @return: the number of rows of the file that changed.
    """
    written = 0
    for size, values in chunks(rows):
        written += file.run(statement(sql, size, len(rows[0])), values).rowcount
    return written


def _selected(
    file: SqliteFile, sql: str, keys: Sequence[tuple[Any, ...]], decoder: Any
) -> Iterator[Any]:
    for size, values in chunks(keys):
        (found,) = file.row(statement(sql, size, len(keys[0])), values)
        yield from decoder.decode(found)
