"""
One SQLite file that one process owns, as the embedded journal and store use it.

The owner holds an C{flock} on C{<path>.lock} and writes its pid there, so that a second
process can say who has the file.  The kernel drops the lock with the process, however
it ends.  SQLite's own locks would not do: they are held only for a transaction.
"""

from __future__ import annotations

import fcntl
import os
import sqlite3
from collections.abc import Iterator, Sequence
from contextlib import closing, contextmanager
from typing import Any

import attrs

from wsmsg.dependency.reopen import Broken
from wsmsg.errors import Unavailable

#: The first version with C{UPSERT}, C{json_group_array} and C{->>} as used here.
NEEDED = (3, 38, 0)

# Sixteen megabytes: a page that many batches change is copied into the file once.
_CHECKPOINT_PAGES = 4000
_BUSY_S = 2.0
_MAGIC = b"SQLite format 3\x00"


# The exceptions of sqlite3 for values: a violated constraint, a text or a number too
# big for SQLite, a text with surrogates.
_UNFIT = (sqlite3.IntegrityError, sqlite3.DataError, OverflowError, UnicodeEncodeError)


class Unfit(Exception):
    """
    The values do not fit into the tables.
    """


class InUse(Unavailable):
    """
    Another process has the file.
    """


@attrs.frozen
class Schema:
    """
    The kind of a file, and its tables.

    @ivar kind: the name for operators.
    @ivar application_id: SQLite's number for the kind, in the header of the file.
    @ivar scripts: the first script creates the tables of version 1; each further script
        migrates them to the next version.
    """

    kind: str
    application_id: int
    scripts: Sequence[str]

    @property
    def version(self) -> int:
        """
        The version of the tables that all scripts make.
        """
        return len(self.scripts)


def check_version(version: tuple[int, ...] = sqlite3.sqlite_version_info) -> None:
    """
    @raise Broken: the SQLite of this Python is too old.
    """
    if version < NEEDED:
        needed, has = (".".join(map(str, v)) for v in (NEEDED, version))
        raise Broken(f"SQLite {needed} or newer is needed, this Python has {has}")


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
        _check_header(path, schema)
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


class Lock:
    """
    The right to use the file of a path.
    """

    def __init__(self, path: str, kind: str) -> None:
        self._path = path
        self._kind = kind
        self._fd = -1

    def acquire(self) -> None:
        """
        @raise Unavailable: another process has it, or the directory cannot be written.
        """
        folder = os.path.dirname(os.path.abspath(self._path))
        try:
            os.makedirs(folder, 0o700, exist_ok=True)
            self._fd = os.open(f"{self._path}.lock", os.O_RDWR | os.O_CREAT, 0o600)
            fcntl.flock(self._fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
            os.ftruncate(self._fd, 0)
            os.pwrite(self._fd, b"%d\n" % os.getpid(), 0)
        except FileExistsError:
            raise Unavailable(
                f"{self._kind} {self._path} cannot be used: {folder} is not a directory"
            ) from None
        except BlockingIOError:
            holder = os.pread(self._fd, 32, 0).decode("ascii", "replace").strip()
            self.release()
            raise InUse(
                f"{self._kind} {self._path} is in use by process {holder or 'unknown'}"
            ) from None
        except OSError as e:
            self.release()
            raise Unavailable(
                f"{self._kind} {self._path} cannot be used: directory {folder}: "
                f"{e.strerror}"
            ) from e

    def release(self) -> None:
        if self._fd >= 0:
            os.close(self._fd)
            self._fd = -1


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
                _check_header(self._path, self._schema)
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
        _check_kind(self._path, schema, application_id, version)
        if not version and self.row("SELECT 1 FROM sqlite_master LIMIT 1"):
            raise Broken(
                f"{self._path} is not a {schema.kind} of wsmsg but another file"
            )
        with self.transaction():
            for script in schema.scripts[version:]:
                for statement in filter(str.strip, script.split(";")):
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


def _check_header(path: str, schema: Schema) -> None:
    # https://www.sqlite.org/fileformat2.html section 1.3.  A header that is only in
    # the write-ahead log is checked when the file is opened.
    where = f"{schema.kind} {path}"
    if os.path.exists(path) and not os.path.isfile(path) and not os.path.isdir(path):
        # A pipe would block until somebody writes into it.
        raise Unavailable(f"{where} cannot be used: it is not a regular file")
    try:
        with open(path, "rb") as f:
            header = f.read(100)
    except FileNotFoundError:
        return
    except OSError as e:
        raise Unavailable(f"{where} cannot be used: {e.strerror}") from e
    if not os.access(path, os.W_OK):
        raise Unavailable(f"{where} cannot be used: it is not writable")
    if not header:
        return
    if len(header) < 100 or not header.startswith(_MAGIC):
        raise Broken(f"{where} is damaged: it is not a SQLite file")
    _check_kind(
        path,
        schema,
        int.from_bytes(header[68:72], "big"),
        int.from_bytes(header[60:64], "big"),
    )


def _check_kind(path: str, schema: Schema, application_id: int, version: int) -> None:
    if application_id == version == 0:
        return
    if application_id != schema.application_id:
        raise Broken(f"{path} is not a {schema.kind} of wsmsg but another file")
    if version > schema.version:
        raise Broken(
            f"{schema.kind} {path} was written by a newer wsmsg: its schema is "
            f"{version}, this one knows up to {schema.version}"
        )
