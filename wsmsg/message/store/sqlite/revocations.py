"""
The revoked tokens of users.
"""

from __future__ import annotations

from wsmsg.sqlite.file import SqliteFile

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
