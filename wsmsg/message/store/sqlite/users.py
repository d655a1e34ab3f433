"""
The names of users, and their revoked tokens, in the file of the embedded store.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence

import msgspec
from twisted.internet.defer import Deferred
from zope.interface import implementer

from wsmsg.message.store.roles import INames
from wsmsg.names import candidates, choose
from wsmsg.sqlite.file import SqliteFile, select, write

NAMES = """
    CREATE TABLE names (
        name TEXT PRIMARY KEY,
        user INTEGER NOT NULL UNIQUE
    ) WITHOUT ROWID;
"""

_BY_NAME = """
    SELECT json_group_array(json_array(n.name, n.user))
    FROM {rows} CROSS JOIN names n ON n.name = column1
"""
_BY_USER = """
    SELECT json_group_array(json_array(n.name, n.user))
    FROM {rows} CROSS JOIN names n ON n.user = column1
"""
_IN_USE = """
    SELECT json_group_array(column1) FROM {rows}
    WHERE EXISTS (SELECT 1 FROM members WHERE user = column1)
"""
_ADD = """
    INSERT OR IGNORE INTO names (name, user)
    SELECT column1, column2 FROM {rows} WHERE column1 IS NOT NULL
"""
_AFTER = """
    SELECT json_group_array(json_array(name, user)) FROM (
        SELECT name, user FROM names WHERE user > ? ORDER BY user LIMIT ?
    )
"""

_pairs = msgspec.json.Decoder(list[tuple[str, int]])
_users = msgspec.json.Decoder(list[int])


class NameRows:
    """
    The table of names.  Only the thread of the file may use it.
    """

    def __init__(self, file: SqliteFile) -> None:
        self._file = file

    def look_up(self, names: Sequence[str], users: Sequence[int]) -> dict[str, int]:
        """
        As L{INames.look_up}.
        """
        by_name = [(name,) for name in dict.fromkeys(names)]
        by_user = [(user,) for user in dict.fromkeys(users)]
        return dict(
            [
                *select(self._file, _BY_NAME, by_name, _pairs),
                *select(self._file, _BY_USER, by_user, _pairs),
            ]
        )

    def claim(self, names: Sequence[str]) -> dict[str, int]:
        """
        As L{INames.claim}.
        """
        found = self.look_up(names, ())
        new = [name for name in dict.fromkeys(names) if name not in found]
        if not new:
            return found
        with self._file.transaction():
            for name in new:
                possible = list(candidates(name))
                taken = self.look_up((), possible).values()
                rows = [(user,) for user in possible]
                in_use = select(self._file, _IN_USE, rows, _users)
                found[name] = choose(name, taken, in_use)
                write(self._file, _ADD, [(name, found[name])])
        return found

    def keep(self, pairs: Mapping[str, int]) -> dict[str, int]:
        """
        As L{INames.keep}.
        """
        with self._file.transaction():
            write(self._file, _ADD, list(pairs.items()))
        return self.look_up(list(pairs), list(pairs.values()))

    def after(self, user: int, limit: int) -> list[tuple[str, int]]:
        """
        As L{wsmsg.message.store.archive.IStoreArchive.names}.
        """
        (found,) = self._file.row(_AFTER, (user, limit))
        return _pairs.decode(found)


@implementer(INames)
class SqliteNames:
    """
    The names in the file of a store.

    @param read: runs a function in the thread of the reads.
    @param write: runs a function in the thread of the writes.
    """

    def __init__(
        self,
        reader: NameRows,
        writer: NameRows,
        *,
        read: Callable[..., Deferred[dict[str, int]]],
        write: Callable[..., Deferred[dict[str, int]]],
    ) -> None:
        self._reader = reader
        self._writer = writer
        self._read = read
        self._write = write

    def look_up(
        self, names: Sequence[str], users: Sequence[int]
    ) -> Deferred[dict[str, int]]:
        return self._read(self._reader.look_up, names, users)

    def claim(self, names: Sequence[str]) -> Deferred[dict[str, int]]:
        return self._write(self._writer.claim, names)

    def keep(self, pairs: Mapping[str, int]) -> Deferred[dict[str, int]]:
        return self._write(self._writer.keep, pairs)


REVOCATIONS = """
    CREATE TABLE revocations (
        user INTEGER PRIMARY KEY,
        before_ms INTEGER NOT NULL
    );
"""

_REVOKE = """
    INSERT INTO revocations (user, before_ms) VALUES (?, ?)
    ON CONFLICT (user) DO UPDATE SET before_ms = max(before_ms, excluded.before_ms)
    RETURNING before_ms
"""


class RevocationRows:
    """
    The table of revocations.

    @ivar changes: the number of revocations since the start.
    """

    def __init__(self, file: SqliteFile) -> None:
        self._file = file
        self.changes = 0

    def revoke(self, user: int, before_ms: int) -> int:
        with self._file.transaction():
            (now_ms,) = self._file.row(_REVOKE, (user, before_ms))
        self.changes += 1
        return int(now_ms)

    def all(self) -> dict[int, int]:
        rows = self._file.run("SELECT user, before_ms FROM revocations")
        return {int(user): int(before_ms) for user, before_ms in rows}

    def forget(self, until_ms: int) -> None:
        with self._file.transaction():
            self._file.run("DELETE FROM revocations WHERE before_ms <= ?", (until_ms,))
