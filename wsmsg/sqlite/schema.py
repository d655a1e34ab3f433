"""
The kind and the version of a file and of its tables.
"""

from __future__ import annotations

import os
import sqlite3
from collections.abc import Sequence

import attrs

from wsmsg.dependency.reopen import Broken
from wsmsg.errors import Unavailable

#: The first version with C{UPSERT}, C{json_group_array} and C{->>} as used here.
NEEDED = (3, 38, 0)

_MAGIC = b"SQLite format 3\x00"


@attrs.frozen
class Schema:
    """
    The kind of a file, and its tables.

    @ivar kind: the name for operators.
    @ivar application_id: SQLite's number for the kind, in the header of the file.
    @ivar scripts: the first script creates the tables of version 1; each further script
        migrates them to the next version.
    @ivar indexes: statements that add indexes, where they are missing.  An index makes
        no new version, as programs that do not know it work with it.
    """

    kind: str
    application_id: int
    scripts: Sequence[str]
    indexes: Sequence[str] = ()

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


def check_header(path: str, schema: Schema) -> None:
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
    check_kind(
        path,
        schema,
        int.from_bytes(header[68:72], "big"),
        int.from_bytes(header[60:64], "big"),
    )


def check_kind(path: str, schema: Schema, application_id: int, version: int) -> None:
    if application_id == version == 0:
        return
    if application_id != schema.application_id:
        raise Broken(f"{path} is not a {schema.kind} of wsmsg but another file")
    if version > schema.version:
        raise Broken(
            f"{schema.kind} {path} was written by a newer wsmsg: its schema is "
            f"{version}, this one knows up to {schema.version}"
        )
