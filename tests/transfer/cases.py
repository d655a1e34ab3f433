"""
Base class of the tests of export and import: filled stores, and files made of lines.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from twisted.internet.task import Clock
from twisted.trial.unittest import TestCase

from tests.doubles import up
from tests.message.sqlite_paths import REACTOR, path_for, sqlite_store_at
from tests.message.store.cursor_contract import said
from tests.message.store.inserts import insert_into
from wsmsg.dependency.worker import Worker
from wsmsg.message.store.interface import IMessageStore
from wsmsg.message.store.sqlite.archive import SqliteArchive
from wsmsg.message.store.sqlite.store import SqliteStore
from wsmsg.model import Cursor, Message
from wsmsg.transfer.dump import Dump, cursor_line, message_line
from wsmsg.transfer.file import Batch, LineReader, LineWriter
from wsmsg.transfer.load import Importer
from wsmsg.transfer.records import Record
from wsmsg.transfer.retrying import RetryUntil


def no_retries() -> RetryUntil:
    """
    Make a retry that calls once.
    """
    return RetryUntil(Clock(), 0, lambda text: None, backoff=float)


def file_of(*records: Record) -> list[bytes]:
    """
    Make the lines of a file with these records.
    """
    writer = LineWriter()
    whole = writer.begin(7) + writer.write(records) + writer.end()
    return whole.splitlines(keepends=True)


def batches_of(*records: Record) -> list[Batch]:
    """
    Read such a file.
    """
    return list(LineReader().batches(file_of(*records)))


def lines_for(
    messages: Iterable[Message] = (), cursors: Iterable[Cursor] = ()
) -> list[Record]:
    """
    Make records in their order.
    """
    found: list[Record] = [message_line(m) for m in messages]
    found += [cursor_line(c) for c in cursors]
    return sorted(found, key=lambda record: record.key)


def talk(count: int, conversation: str = "u:1:2") -> list[Message]:
    """
    Make the messages of a conversation.
    """
    return [said(i, conversation=conversation) for i in range(1, count + 1)]


class MovingCase(TestCase):
    """
    A test with stores in files.
    """

    async def made(
        self, messages: Sequence[Message] = (), cursors: Sequence[Cursor] = ()
    ) -> SqliteStore:
        """
        Make a store with these messages and cursors.
        """
        self.path = path_for(self)
        store = sqlite_store_at(self.path)
        self.addCleanup(store.stop)
        await up(store)
        await insert_into(store, messages, 5)
        await store.move_cursors(cursors)
        return store

    async def walk(self, path: str, limit: int = 500) -> Dump:
        """
        Make a dump of a store.
        """
        archive = SqliteArchive(path, Worker("archive", REACTOR))
        self.addCleanup(archive.close)
        await archive.open()
        return Dump(archive, no_retries(), limit=limit)

    async def records(self, path: str, limit: int = 500) -> list[Record]:
        """
        Return all records of a store.
        """
        walk = await self.walk(path, limit)
        return [record async for some in walk.records() for record in some]

    async def keep(self, store: IMessageStore, *records: Record) -> Importer:
        """
        Import records into a store.
        """
        importer = Importer(store, no_retries(), lambda: 50)
        for batch in batches_of(*records):
            await importer.write_batch(batch)
        return importer
