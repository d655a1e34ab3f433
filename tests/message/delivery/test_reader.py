"""
The loop from the journal to the recipients.
"""

from __future__ import annotations

import os
from collections.abc import Sequence
from typing import Any

from twisted.internet.defer import Deferred, fail, maybeDeferred, succeed
from twisted.internet.task import Clock
from twisted.logger import capturedLogs, formatEvent
from twisted.trial.unittest import SynchronousTestCase
from zope.interface import implementer

from tests.message.delivery.cases import ReaderTestCase, message
from tests.message.doubles import ManualJournal
from tests.message.presence.doubles import RecordingPresence
from tests.message.sqlite_paths import path_for
from wsmsg.dependency.retry import backoff, retry_policy
from wsmsg.dependency.state import Dependency
from wsmsg.dependency.worker import IWorker
from wsmsg.errors import Unavailable
from wsmsg.message.delivery.numbering import Numbering
from wsmsg.message.delivery.reader import JournalReader
from wsmsg.message.links.links import Links
from wsmsg.message.store.sqlite.store import SqliteStore
from wsmsg.model import Message
from wsmsg.settings.values import MessageSettings, RetrySettings


class ReaderTests(ReaderTestCase):
    """
    Read, store, push, settle, commit.
    """

    def test_nobody_connected(self) -> None:
        """
        A message that is stored is committed at once if no recipient is connected.
        """
        self.journal.give(message(1), message(2))
        self.assertEqual(self.journal.commits, [{0: 2}])
        self.assertEqual(len(self.store.messages), 2)

    def test_settled_before_commit(self) -> None:
        """
        A record is committed only when its push is acknowledged.
        """
        link = self.connect()
        self.journal.give(message(1))
        self.assertEqual(self.journal.commits, [])
        self.acknowledge(link)
        self.assertEqual(self.journal.commits, [{0: 1}])

    def test_reads_on(self) -> None:
        """
        The next batch is read while the pushes of the last one are in flight.
        """
        self.connect()
        self.journal.give(message(1))
        self.assertEqual(len(self.journal.reads), 1)

    def test_room(self) -> None:
        """
        Reading waits while too many records are unsettled.
        """
        link = self.connect()
        self.journal.give(message(1), message(2), message(3))
        self.assertEqual(self.journal.reads, [])
        self.acknowledge(link)
        self.assertEqual(len(self.journal.reads), 1)

    def test_store_down(self) -> None:
        """
        While the store is down records wait for it, with one line in the log, and are
        delivered as soon as it is up.
        """
        self.store.down = True
        with capturedLogs() as logs:
            self.journal.give(message(1))
            self.clock.advance(3600)
            self.assertEqual(self.journal.reads, [])
            self.store.down = False
        self.assertEqual(len(self.store.messages), 1)
        self.assertEqual(self.journal.commits, [{0: 1}])
        waits = [e for e in logs if e.get("log_source") is self.reader]
        self.assertEqual(
            [formatEvent(e) for e in waits],
            ["records wait for the store: the store is down"],
        )

    def test_fails_while_up(self) -> None:
        """
        A batch that the store refuses although it is up is repeated after growing
        delays.
        """
        insert, calls = self.store.insert, []

        def refused(*_: object) -> Deferred[object]:
            calls.append(self.clock.seconds())
            return fail(Unavailable("another Message takes the same numbers"))

        self.store.insert = refused  # type: ignore[method-assign,assignment]
        self.journal.give(message(1))
        self.clock.pump([1, 1, 1])
        self.assertEqual(calls, [0, 1, 3])
        self.store.insert = insert  # type: ignore[method-assign]
        self.clock.advance(3)
        self.assertEqual(self.journal.commits, [{0: 1}])

    def test_slow_store(self) -> None:
        """
        A store that takes a few messages within its time limit, and no more, is given
        fewer of them, and all of a batch is stored in its order.
        """
        insert, sizes = self.store.insert, []

        def slow(messages: Sequence[Message], *more: Any) -> Deferred[Any]:
            sizes.append(len(messages))
            if len(messages) > 2:
                return fail(Unavailable("no answer within 5 s"))
            return insert(messages, *more)

        self.store.insert = slow  # type: ignore[method-assign,assignment]
        self.journal.give(*(message(n) for n in range(8)))
        self.clock.pump([1] * 20)
        self.assertEqual(sizes, [8, 4, 2, 4, 2, 4, 2, 2])
        stored = sorted(self.store.messages.values(), key=lambda m: m.seq)
        self.assertEqual([m.client_id for m in stored], [f"c{n}" for n in range(8)])
        self.assertEqual(self.journal.commits[-1], {0: 8})

    def test_dead_letters_down(self) -> None:
        """
        A dead letter that cannot be written while the journal is down is written once
        it is up, and its record is not committed before.
        """
        self.journal.dependency.lost("gone")
        self.journal.give(None)
        self.clock.advance(3600)
        self.assertEqual(self.journal.commits, [])
        self.journal.dependency.succeeded()
        self.assertEqual([r for _, r in self.journal.letters], ["cannot be decoded"])
        self.assertEqual(self.journal.commits, [{0: 1}])

    def test_undecodable(self) -> None:
        """
        A record that cannot be decoded becomes a dead letter and does not block others.
        """
        self.journal.give(message(1), None, message(2))
        self.assertEqual([r for _, r in self.journal.letters], ["cannot be decoded"])
        self.assertEqual(len(self.store.messages), 2)
        self.assertEqual(self.journal.commits, [{0: 3}])

    def test_one_conflict(self) -> None:
        """
        A client id that was used for another message is one line of the log, which
        names the sender and the conversation, however often the store has to be asked.
        """
        insert, is_away = self.store.insert, [False, True, True, True]

        def away(*given: Any) -> Deferred[Any]:
            if is_away.pop():
                return fail(Unavailable("away"))
            self.store.insert = insert  # type: ignore[method-assign]
            return insert(*given)

        self.store.insert = away  # type: ignore[method-assign,assignment]
        with capturedLogs() as logs:
            self.journal.give(message(1), message(1, content="other"))
            self.clock.pump([1] * 20)
        told = [formatEvent(e) for e in logs if "c1" in formatEvent(e)]
        self.assertEqual(
            told,
            [
                "record 1 of partition 0 is in the dead letters: conflict: the sender "
                "used this client id for another message (client id c1 of 1 in u:1:2)"
            ],
        )
        self.assertEqual(len(self.journal.letters), 1)

    def test_a_bug(self) -> None:
        """
        An unexpected exception is logged and the batch is repeated; the loop goes on.
        """
        insert = self.store.insert

        def broken(*_: object) -> object:
            self.store.insert = insert  # type: ignore[method-assign]
            raise RuntimeError("a bug")

        self.store.insert = broken  # type: ignore[method-assign,assignment]
        self.journal.give(message(1))
        self.assertEqual(len(self.flushLoggedErrors(RuntimeError)), 1)
        self.clock.advance(1)
        self.assertEqual(len(self.store.messages), 1)

    def test_more_room(self) -> None:
        """
        A reader that waits for room reads on when a reload raises the limit.
        """
        self.connect()
        self.journal.give(message(1), message(2), message(3))
        self.assertEqual(self.journal.reads, [])
        self.reader.apply_settings(MessageSettings(unsettled_records=100))
        self.assertEqual(len(self.journal.reads), 1)

    def test_caught_up(self) -> None:
        """
        A daemon that stops can wait until all records that were read are settled.
        """
        link = self.connect()
        self.successResultOf(self.reader.caught_up())
        self.journal.give(message(1))
        caught_up = self.reader.caught_up()
        self.assertNoResult(caught_up)
        self.acknowledge(link)
        self.successResultOf(caught_up)

    def test_appended_and_not_read(self) -> None:
        """
        A daemon that stops waits for a record that was appended just now, too, which
        the pending read is about to return.
        """
        link = self.connect()
        self.journal.unread = 1
        caught_up = self.reader.caught_up()
        self.assertNoResult(caught_up)
        self.journal.unread = 0
        self.journal.give(message(1))
        self.assertNoResult(caught_up)
        self.acknowledge(link)
        self.successResultOf(caught_up)

    def test_stop_while_waiting(self) -> None:
        """
        A stop does not wait for the store to come back.
        """
        self.store.down = True
        self.journal.give(message(1))


@implementer(IWorker)
class InlineWorker:
    """
    A worker without a thread, which runs each call at once.
    """

    def do(self, f: Any, *args: Any) -> Deferred[Any]:
        return maybeDeferred(f, *args)

    def quit(self) -> Deferred[None]:
        return succeed(None)


class OutageTests(SynchronousTestCase):
    """
    An outage of the embedded store, with the file and the settings of a daemon.
    """

    def setUp(self) -> None:
        self.clock = Clock()
        self.path = path_for(self)
        settings = RetrySettings()
        self.store = SqliteStore(
            self.path,
            self.clock,  # type: ignore[arg-type]
            retry=retry_policy(settings),
            dependency=Dependency("store", self.clock),
            workers=(InlineWorker(), InlineWorker()),
        )
        self.journal = ManualJournal()
        self.reader = JournalReader(
            self.journal,
            Numbering(self.store, lambda: 5, heads_cached=100),
            Links(
                RecordingPresence(),
                self.clock,
                grace_s=2,
                limit_records=100,
                limit_bytes=10**6,
            ),
            self.clock,
            store=self.store.dependency,
            backoff=backoff(settings),
            batch=10,
            limit_unsettled=100,
        )
        self.store.start()
        self.reader.start()

    def tearDown(self) -> None:
        stopped = Deferred.fromCoroutine(self.reader.stop())
        self.journal.stop()
        self.successResultOf(stopped)
        self.successResultOf(self.store.stop())
        self.assertEqual(self.clock.getDelayedCalls(), [])

    def fill_disk(self) -> None:
        """
        Let the file be full, so that it cannot be opened again either.
        """
        db = self.store._writer._file._db
        assert db is not None
        db.execute("PRAGMA max_page_count = 1")
        os.remove(f"{self.path}.lock")
        os.mkdir(f"{self.path}.lock")

    def free_disk(self) -> None:
        """
        Let the file be opened again.
        """
        os.rmdir(f"{self.path}.lock")

    def test_goes_on_at_once(self) -> None:
        """
        After an outage of three seconds delivery goes on within 50 ms of the store
        being up, having logged one line.
        """
        self.fill_disk()
        up_s: list[float] = []
        self.store.dependency.on_change(
            lambda it: up_s.append(self.clock.seconds()) if it.up else None
        )
        long = "x" * 100_000
        with capturedLogs() as logs:
            self.journal.give(*(message(n, long) for n in range(10)))
            self.clock.pump([0.01] * 300)
            self.assertEqual((self.journal.commits, up_s), ([], []))
            self.free_disk()
            while not self.journal.commits:
                self.clock.advance(0.01)
                self.assertLess(self.clock.seconds(), 3 + 2.5)
        self.assertLessEqual(self.clock.seconds() - up_s[0], 0.05)
        waits = [e for e in logs if e.get("log_source") is self.reader]
        self.assertEqual(len(waits), 1)
