"""
The journal that an earlier version left beside an embedded store.
"""

from __future__ import annotations

import os
from collections.abc import Sequence
from pathlib import Path

from twisted.internet.defer import Deferred
from twisted.internet.task import deferLater
from twisted.trial.unittest import TestCase

from tests.doubles import up
from tests.message.log.log_contract import links_by, sent, with_user
from tests.message.sqlite_paths import (
    REACTOR,
    path_for,
    sqlite_journal_at,
    sqlite_store_at,
)
from wsmsg.message.delivery.numbering import Numbering
from wsmsg.message.delivery.old_journal import OldJournal
from wsmsg.message.delivery.reader import JournalReader
from wsmsg.message.delivery.store_log import StoreLog
from wsmsg.message.journal.interface import CONFLICT_REASON, JournalEntry
from wsmsg.message.journal.record import encode
from wsmsg.model import Message
from wsmsg.sqlite.file import remove_file


class OldJournalTests(TestCase):
    """
    A log without a journal, and the file of one.
    """

    timeout = 30

    async def setUp(self) -> None:  # type: ignore[override]
        self.path = path_for(self)
        self.store = sqlite_store_at(path_for(self))
        self.addCleanup(self.store.stop)
        await up(self.store)
        self.links = links_by(REACTOR)
        self.closed: list[str] = []
        self.opened: Deferred[None] = Deferred()

    async def leave(
        self,
        *messages: Message,
        letters: Sequence[tuple[Message, str]] = (),
        settled: int = 0,
    ) -> None:
        """
        Leave a journal with messages that were accepted, and with dead letters.
        """
        journal = sqlite_journal_at(self.path)
        await up(journal)
        await journal.append(messages)
        await journal.dead_letter(
            [
                (JournalEntry(0, 1000 + n, m, encode(m)), reason)
                for n, (m, reason) in enumerate(letters)
            ]
        )
        if settled:
            journal.commit({0: settled})
        await journal.stop()

    def log(self) -> StoreLog:
        """
        Return a log that is not started.
        """
        numbering = Numbering(self.store, lambda: 5, heads_cached=100)
        journal = sqlite_journal_at(self.path)
        reader = JournalReader(
            journal,
            numbering,
            self.links,
            REACTOR,
            store=self.store.dependency,
            backoff=lambda failures: 0.01,
            batch=10,
            limit_unsettled=1000,
        )
        old = OldJournal(
            journal,
            reader,
            close=self.close,
            remove=lambda: remove_file(Path(self.path)),
        )
        return StoreLog(self.store, numbering, self.links, REACTOR, batch=10, old=old)

    def close(self, reason: str) -> None:
        self.closed.append(reason)
        if not reason:
            self.opened.callback(None)

    def turn(self) -> Deferred[None]:
        """
        Let the reactor do other work.
        """
        return deferLater(REACTOR, 0.005)

    async def stored(self) -> list[tuple[str, int]]:
        page, _ = await self.store.page("u:1:2", 0, 100)
        return [(m.client_id, m.seq) for m in page]

    async def test_drained(self) -> None:
        """
        Messages that an earlier version accepted are stored before new ones are
        accepted, and pushed to those who are connected.  When the daemon stops, the
        file is removed, with all that belongs to it.
        """
        await self.leave(*(sent(n) for n in range(25)), settled=3)
        link = with_user(self.links, 2)
        log = self.log()
        self.assertTrue(log.may_be_unstored())
        log.start()
        self.assertIn("an earlier version", self.closed[0])
        while link.held < 22:
            await self.turn()
        frame = link.next_frame()
        assert frame is not None
        self.assertTrue(log.may_be_unstored())
        link.acknowledged(frame.batch.number)
        await self.opened
        self.assertFalse(log.may_be_unstored())
        await log.add([sent(30)])
        self.assertEqual(
            await self.stored(),
            [(f"c{n}", n - 2) for n in range(3, 25)] + [("c30", 23)],
        )
        self.links.give_up_all()
        await log.stop()
        self.assertEqual(os.listdir(os.path.dirname(self.path)), [])

    async def test_dead_letters(self) -> None:
        """
        Its dead letters can be listed and replayed, and the file stays while there is
        one.
        """
        letters = [(sent(1), "cannot be decoded"), (sent(2, "other"), CONFLICT_REASON)]
        await self.leave(sent(2), letters=letters)
        log = self.log()
        log.start()
        await self.opened
        found = await log.dead_letters(0, 10)
        self.assertEqual([letter.number for letter in found], [1, 2])
        self.assertEqual(await log.replay([1, 2]), [1, 2])
        await log.caught_up()
        self.assertEqual(await self.stored(), [("c2", 1), ("c1", 2)])
        # The conflict is a dead letter once more.
        [letter] = await log.dead_letters(0, 10)
        self.assertEqual(letter.reason, CONFLICT_REASON)
        self.assertEqual(dict(log.dead_lettered), {"conflict": 1})
        await log.stop()
        self.assertTrue(os.path.exists(self.path))

    async def test_killed_while_it_drains(self) -> None:
        """
        A kill in the middle loses nothing and repeats nothing: what is left is drained
        at the next start, also where a part of it is stored already.
        """
        await self.leave(*(sent(n) for n in range(5)))
        await self.store.insert([sent(0).numbered(1), sent(1).numbered(2)], 5, [0, 0])
        log = self.log()
        log.start()
        await self.opened
        self.assertEqual(await self.stored(), [(f"c{n}", n + 1) for n in range(5)])
        await log.stop()

    async def test_in_use(self) -> None:
        """
        While the file cannot be opened, no message is accepted, and the file stays.
        """
        await self.leave(sent(1))
        other = sqlite_journal_at(self.path)
        await up(other)
        log = self.log()
        log.start()
        assert log._old is not None
        dependency = log._old.journal.dependency
        while not dependency.snapshot().last_error:
            await self.turn()
        self.assertEqual(len(self.closed), 1)
        self.assertTrue(log.may_be_unstored())
        await log.stop()
        await other.stop()
        self.assertTrue(os.path.exists(self.path))
