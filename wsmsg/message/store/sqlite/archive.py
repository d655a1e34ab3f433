"""
One snapshot of the embedded store, which a Message may use meanwhile.
"""

from __future__ import annotations

import os
from collections.abc import Sequence

import msgspec
from twisted.internet.defer import Deferred
from zope.interface import implementer

from wsmsg.dependency.worker import IWorker
from wsmsg.errors import Unavailable
from wsmsg.message.store.archive import IStoreArchive, Span, StoreExtent
from wsmsg.message.store.interface import GroupPage
from wsmsg.message.store.sqlite.file import STORE, StoreReader
from wsmsg.message.store.sqlite.pages import MessageRow
from wsmsg.model import Cursor, Message
from wsmsg.sqlite.file import SqliteFile
from wsmsg.sqlite.lock import InUse

# max(seq) of a conversation is one step in the index; GROUP BY would scan all of it.
_EXTENTS = """
    SELECT json_group_array(json_array(name, head)) FROM (
        SELECT name, (SELECT max(seq) FROM messages WHERE conversation = c.id) AS head
        FROM conversations c WHERE name > ? AND head IS NOT NULL ORDER BY name LIMIT ?
    )
"""
_MESSAGES = """
    SELECT json_group_array(json_array(name, sender, client_id, message_id, content,
                                       kind, time_ms, seq, extra, withheld))
    FROM (
        SELECT c.name, m.* FROM json_each(?) AS wanted
        CROSS JOIN conversations c ON c.name = wanted.value ->> 0
        CROSS JOIN messages m ON m.conversation = c.id
            AND m.seq > wanted.value ->> 1 AND m.seq <= wanted.value ->> 2
        ORDER BY c.name, m.seq
    )
"""
_CURSORS = """
    SELECT json_group_array(json_array(name, user, delivered, read, (
        SELECT json_group_array(json_array(first, last)) FROM (
            SELECT first, last FROM seen s
            WHERE s.conversation = some.conversation AND s.user = some.user
            ORDER BY first
        )
    ))) FROM (
        SELECT c.name, u.* FROM json_each(?) AS wanted
        CROSS JOIN conversations c ON c.name = wanted.value
        CROSS JOIN cursors u ON u.conversation = c.id
        WHERE (c.name, u.user) > (?, ?) ORDER BY c.name, u.user LIMIT ?
    ) AS some
"""

_extents = msgspec.json.Decoder(list[tuple[str, int]])
_messages = msgspec.json.Decoder(list[MessageRow])
_cursors = msgspec.json.Decoder(
    list[tuple[str, int, int, int, tuple[tuple[int, int], ...]]]
)


class ArchiveReader(StoreReader):
    """
    One transaction that reads.  Only one thread may use it.
    """

    def __init__(self, path: str) -> None:
        super().__init__(path)
        self._path = path

    def open(self) -> None:
        if not os.path.exists(self._path):
            raise Unavailable(f"there is no store {self._path}")
        owner = SqliteFile(self._path, STORE)
        try:
            # Checks the file, and migrates it to the tables of this version.
            owner.open()
        except InUse:
            pass
        finally:
            owner.close()
        super().open()
        self._file.run("BEGIN")
        # The snapshot of a transaction is taken at its first read.
        (version,) = self._file.row("PRAGMA user_version")
        if version != STORE.version:
            raise Unavailable(
                f"store {self._path} is used by another version of wsmsg (its "
                f"schema is {version}, here it is {STORE.version}): stop that first"
            )

    def conversations(self, after: str, limit: int) -> list[StoreExtent]:
        (found,) = self._file.row(_EXTENTS, (after, limit))
        return [StoreExtent(*row) for row in _extents.decode(found)]

    def messages(self, spans: Sequence[Span]) -> list[Message]:
        (found,) = self._file.row(_MESSAGES, (_json(spans),))
        return [Message(*row) for row in _messages.decode(found)]

    def cursors_in(
        self, conversations: Sequence[str], after: tuple[str, int], limit: int
    ) -> list[Cursor]:
        keys = (_json(conversations), *after, limit)
        (found,) = self._file.row(_CURSORS, keys)
        return [Cursor(*row) for row in _cursors.decode(found)]


@implementer(IStoreArchive)
class SqliteArchive:
    """
    The store in the file C{path}, as it is when this object is opened.

    @param worker: makes the blocking calls; L{SqliteArchive.close} ends it.
    """

    def __init__(self, path: str, worker: IWorker) -> None:
        self._reader = ArchiveReader(path)
        self._worker = worker

    def open(self) -> Deferred[None]:
        return self._worker.do(self._reader.open)

    def close(self) -> Deferred[None]:
        self._worker.do(self._reader.close)
        return self._worker.quit()

    def epoch(self) -> Deferred[str]:
        return self._worker.do(self._reader.lists.epoch)

    def secret(self) -> Deferred[str]:
        return self._worker.do(self._reader.lists.secret)

    def revocations(self) -> Deferred[dict[int, int]]:
        return self._worker.do(self._reader.revocations.all)

    def names(self, after: int, limit: int) -> Deferred[list[tuple[str, int]]]:
        return self._worker.do(self._reader.names.after, after, limit)

    def conversations(self, after: str, limit: int) -> Deferred[list[StoreExtent]]:
        return self._worker.do(self._reader.conversations, after, limit)

    def messages(self, spans: Sequence[Span]) -> Deferred[list[Message]]:
        return self._worker.do(self._reader.messages, spans)

    def cursors_in(
        self, conversations: Sequence[str], after: tuple[str, int], limit: int
    ) -> Deferred[list[Cursor]]:
        return self._worker.do(self._reader.cursors_in, conversations, after, limit)

    def group(
        self, conversation: str, after: int, limit: int
    ) -> Deferred[GroupPage | None]:
        groups = self._reader.groups
        return self._worker.do(groups.group, conversation, after, limit)


def _json(value: object) -> str:
    return msgspec.json.encode(value).decode()
