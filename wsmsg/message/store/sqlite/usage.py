"""
The usage of users (how much of their limits they have used), in the file of the
embedded store.
"""

from __future__ import annotations

from collections.abc import Sequence

from twisted.internet.defer import Deferred
from zope.interface import implementer

from wsmsg.dependency.reopen import KeptOpen
from wsmsg.dependency.worker import IWorker
from wsmsg.message.store.interface import GroupCount, IUsage, UsageRow
from wsmsg.message.store.sqlite.changes import GROUP_BUCKET
from wsmsg.model import storable_values
from wsmsg.sqlite.file import SqliteFile

#: The table, with the rows of a period together, as they are forgotten together.
USAGE = """
    CREATE TABLE usage (
        kind INTEGER NOT NULL,
        period INTEGER NOT NULL,
        user INTEGER NOT NULL,
        amount INTEGER NOT NULL,
        PRIMARY KEY (kind, period, user)
    ) WITHOUT ROWID;
    CREATE INDEX groups_by_owner ON groups (owner);
"""

_ADD = """
    INSERT INTO usage (kind, period, user, amount) VALUES (?, ?, ?, ?)
    ON CONFLICT (kind, period, user) DO UPDATE SET amount = amount + excluded.amount
    RETURNING amount
"""
_FORGET = "DELETE FROM usage WHERE kind = ? AND period < ?"
_GROUPS = f"""
    SELECT (SELECT count(*) FROM groups WHERE owner = ?1),
           (SELECT count(*) FROM members WHERE user = ?1 AND bucket = {GROUP_BUCKET})
"""


class UsageRows:
    """
    The table of usage.  Only the thread of the file may use it.
    """

    def __init__(self, file: SqliteFile) -> None:
        self._file = file

    def add(self, rows: Sequence[UsageRow]) -> list[int]:
        totals = []
        with self._file.transaction():
            for user, kind, period, amount in rows:
                (total,) = self._file.row(_ADD, (kind, period, user, amount))
                totals.append(int(total))
        return totals

    def forget(self, kind: int, before_period: int) -> None:
        with self._file.transaction():
            self._file.run(_FORGET, (kind, before_period))

    def groups(self, users: Sequence[int]) -> dict[int, GroupCount]:
        return {
            user: GroupCount(*map(int, self._file.row(_GROUPS, (user,))))
            for user in users
            if storable_values((user,))
        }


@implementer(IUsage)
class SqliteUsage:
    """
    The usage of users in the file.

    @param writing: makes the writes, by C{writer}, and C{reading} the reads.
    """

    def __init__(
        self,
        kept: KeptOpen,
        writing: IWorker,
        reading: IWorker,
        *,
        writer: UsageRows,
        reader: UsageRows,
    ) -> None:
        self._kept = kept
        self._writing = writing
        self._reading = reading
        self._writer = writer
        self._reader = reader

    def add(self, rows: Sequence[UsageRow]) -> Deferred[list[int]]:
        return self._kept.run(self._writing, self._writer.add, rows)

    def forget(self, kind: int, before_period: int) -> Deferred[None]:
        return self._kept.run(self._writing, self._writer.forget, kind, before_period)

    def groups(self, users: Sequence[int]) -> Deferred[dict[int, GroupCount]]:
        return self._kept.run(self._reading, self._reader.groups, users)
