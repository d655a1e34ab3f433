"""
The contract of every L{IMessageLog}, and a log over embedded files.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, Protocol

from twisted.internet.defer import Deferred
from twisted.trial.unittest import TestCase
from zope.interface.verify import verifyObject

from tests.message.presence.doubles import RecordingPresence
from tests.message.sqlite_paths import REACTOR, sqlite_journal, sqlite_store
from wsmsg.message.delivery.numbering import Numbering
from wsmsg.message.delivery.reader import JournalReader
from wsmsg.message.delivery.store_log import StoreLog
from wsmsg.message.links.link import Link
from wsmsg.message.links.links import Links
from wsmsg.message.log.interface import Appended, IMessageLog
from wsmsg.message.log.journaled import JournaledLog
from wsmsg.message.store.interface import IMessageStore
from wsmsg.model import Message
from wsmsg.rpc import rest_pb2

COUNTS = {
    *("lag", "unread", "lag_bytes", "in_flight", "partitions"),
    *("from_memory", "dead_letters_dropped", "records_lost"),
}


def sent(
    n: int, content: str = "hi", *, sender: int = 1, message_id: int = 0
) -> Message:
    """
    Return the n-th message of a sender to the other user of the conversation of 1 and
    2, without a number.
    """
    number = message_id or 10 * n + sender
    return Message("u:1:2", sender, f"c{n}", number, content, 1, 5)


def links_by(clock: Any) -> Links:
    """
    Return links without a Connect.
    """
    return Links(
        RecordingPresence(), clock, grace_s=2, limit_records=100, limit_bytes=10**6
    )


def with_user(
    links: Links, user: int, wake: Callable[[], object] = lambda: None
) -> Link:
    """
    Return the open link of a Connect with a user.

    @param wake: called when there is something for Connect.
    """
    link, _ = links.subscribe(
        rest_pb2.SubscribeRequest(connect_service_id="n", incarnation="i"), "own"
    )
    link.opened(wake, lambda reason: None)
    links.users.apply_presence(
        link,
        rest_pb2.PresenceDelta(
            number=1, online=[user], snapshot=rest_pb2.PresenceDelta.WHOLE
        ),
    )
    link.next_frame()
    return link


class LogPlace(Protocol):
    """
    The place of a log, for a test that stops it and starts it again.

    @ivar store: the store of the log that was opened last.
    @ivar links: its links.
    """

    store: IMessageStore
    links: Links

    async def open(self) -> IMessageLog:
        """
        Return a log there, started and up; it is stopped when the test ends.
        """

    async def kill(self) -> IMessageLog:
        """
        Return the log as if the process had been killed at this moment and started
        again.
        """


class EmbeddedLogs:
    """
    A log over files of this machine.

    @param journaled: the log has a journal.
    """

    def __init__(self, test: TestCase, *, journaled: bool) -> None:
        self._test = test
        self._journals = sqlite_journal(test) if journaled else None
        self._stores = sqlite_store(test)

    async def open(self) -> IMessageLog:
        journal = self._journals and await self._journals.open()
        return self._over(journal, await self._stores.open())

    async def kill(self) -> IMessageLog:
        journal = self._journals and await self._journals.kill()
        return self._over(journal, await self._stores.kill())

    def _over(self, journal: Any, store: Any) -> IMessageLog:
        self.store = store
        self.links = Links(
            RecordingPresence(),
            REACTOR,
            grace_s=2,
            limit_records=100,
            limit_bytes=10**6,
        )
        numbering = Numbering(store, lambda: 5, heads_cached=100)
        log: Any
        if journal is None:
            log = StoreLog(store, numbering, self.links, REACTOR, batch=10)
        else:
            reader = JournalReader(
                journal,
                numbering,
                self.links,
                REACTOR,
                store=store.dependency,
                backoff=lambda failures: 0.01,
                batch=10,
                limit_unsettled=1000,
            )
            log = JournaledLog(journal, store, REACTOR, reader)
            journal.start = lambda: None  # the place has opened it
        self._test.addCleanup(lambda: Deferred.fromCoroutine(log.stop()))
        log.start()
        return log  # type: ignore[no-any-return]


def make_log_tests(make_place: Callable[[TestCase], LogPlace]) -> type[TestCase]:
    """
    Return the tests of the behaviour that every L{IMessageLog} has.
    """

    class LogTests(TestCase):
        timeout = 30

        async def setUp(self) -> None:  # type: ignore[override]
            self.place = make_place(self)
            self.log = await self.place.open()

        async def stored(self) -> Sequence[Message]:
            """
            Return what is stored once everything is.
            """
            await self.log.caught_up()
            page, _ = await self.place.store.page("u:1:2", 0, 100)
            return page

        async def test_interface(self) -> None:
            """
            It provides the interface, and counts what is on its way.
            """
            verifyObject(IMessageLog, self.log)
            self.assertEqual(set(self.log.counts()), COUNTS)
            self.assertEqual(self.log.counts()["lag"], 0)
            self.assertEqual(self.log.counts()["partitions"], 1)
            self.assertEqual((self.log.unsettled, self.log.stalled()), (0, ""))

        async def test_added(self) -> None:
            """
            Messages are stored in the order in which they were added, each with the
            next number.
            """
            added = [self.log.add([sent(n), sent(n, sender=2)]) for n in range(20)]
            for result in added:
                self.assertEqual((await result).problem, None)
            found = await self.stored()
            self.assertEqual([m.seq for m in found], list(range(1, 41)))
            self.assertEqual(
                [(m.sender, m.client_id) for m in found],
                [(sender, f"c{n}") for n in range(20) for sender in (1, 2)],
            )

        async def test_pushed(self) -> None:
            """
            A message is pushed with its number to those who are connected, and is
            settled when they have acknowledged it.
            """
            woken: Deferred[None] = Deferred()
            wakes: list[Callable[[None], object]] = []
            link = with_user(
                self.place.links, 2, lambda: [wake(None) for wake in wakes[:1]]
            )
            wakes.append(woken.callback)
            await self.log.add([sent(1)])
            await woken
            wakes.clear()
            frame = link.next_frame()
            assert frame is not None
            [push] = frame.batch.pushes
            self.assertEqual((push.message.seq, list(push.targets)), (1, [2]))
            self.assertEqual(self.log.unsettled, 1)
            caught_up = self.log.caught_up()
            self.assertFalse(caught_up.called)
            link.acknowledged(frame.batch.number)
            await caught_up
            self.assertEqual(self.log.unsettled, 0)

        async def test_repeat(self) -> None:
            """
            The result names the message that the store had before, whether the new one
            has the same body or another.  Nothing is stored twice.
            """
            await self.log.add([sent(1)])
            await self.log.caught_up()
            for body in ("hi", "another"):
                again = sent(1, body, message_id=99)
                result = await self.log.add([again, sent(2, message_id=98)])
                [first] = {result.stored[again.identity]}
                self.assertEqual((first.content, first.message_id), ("hi", 11))
            self.assertEqual([m.client_id for m in await self.stored()], ["c1", "c2"])

        async def test_killed(self) -> None:
            """
            Messages that were added are there after a kill, and their repeats are
            recognised.
            """
            await self.log.add([sent(1), sent(2)])
            self.log = await self.place.kill()
            await self.log.caught_up()
            found = await self.stored()
            while len(found) < 2:  # the journal may still be being read
                found = await self.stored()
            self.assertEqual([m.client_id for m in found], ["c1", "c2"])
            result = await self.log.add([sent(2, message_id=99), sent(3)])
            self.assertEqual(result.stored[sent(2).identity].message_id, 21)
            self.assertEqual(
                [m.client_id for m in await self.stored()], ["c1", "c2", "c3"]
            )

        async def test_no_dead_letters(self) -> None:
            """
            There are no dead letters, and none can be replayed.
            """
            self.assertEqual(await self.log.dead_letters(0, 10), [])
            self.assertEqual(await self.log.replay([1]), [])

        async def test_stop(self) -> None:
            """
            A message that is being added when the log is stopped is either durable, or
            its sender learns that it may not be.
            """
            added = self.log.add([sent(1)])
            await self.log.stop()
            result: Appended = await added
            self.log = await self.place.kill()
            if result.problem is None:
                found = await self.stored()
                while not found:  # the journal may still be being read
                    found = await self.stored()

    return LogTests
