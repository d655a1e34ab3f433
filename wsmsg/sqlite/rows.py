"""
Many rows in one statement.

Python gives up its interpreter lock at each step of a statement and may wait some
milliseconds to get it back, so one statement for a batch is much faster than one for
each row.  The rows are bound to a C{VALUES} table.  Its size is a power of two, and
rows beyond the batch are NULL, so that SQLite compiles only a few statements.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from functools import cache
from typing import Any

from wsmsg.model import INT64_MAX
from wsmsg.sqlite.file import SqliteFile, Unfit

#: The most rows in one statement: more bring no speed.
MOST = 256


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
        keys = [key for key in keys if storable(key)]
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


def storable(row: Iterable[Any]) -> bool:
    """
    Return L{True} if SQLite can hold these values.
    """
    for value in row:
        if isinstance(value, int):
            if not -INT64_MAX <= value <= INT64_MAX:
                return False
        elif not value.isascii():
            try:
                value.encode()
            except UnicodeEncodeError:
                return False
    return True


def _selected(
    file: SqliteFile, sql: str, keys: Sequence[tuple[Any, ...]], decoder: Any
) -> Iterator[Any]:
    for size, values in chunks(keys):
        (found,) = file.row(statement(sql, size, len(keys[0])), values)
        yield from decoder.decode(found)
