"""
Tests of two group members that share unsettled records, one of which is killed.
"""

from __future__ import annotations

import os
import sys
from collections import defaultdict
from collections.abc import Callable, Iterable
from typing import Any

import msgspec
from twisted.internet.defer import Deferred
from twisted.internet.protocol import ProcessProtocol

from tests.message.journal.journal_contract import read_all
from tests.stack.kafka.places import REACTOR, kafka_place
from tests.stack.kafka.test_faults import KafkaCase
from tests.stack.servers import needs
from wsmsg.message.journal.interface import JournalEntry
from wsmsg.message.journal.kafka.config import KafkaPlace
from wsmsg.message.journal.kafka.journal import KafkaJournal
from wsmsg.model import Message

_PARTITIONS = 4
_CONVERSATIONS = 20


class Waiters:
    """
    Waits for conditions, which are checked again after each event.
    """

    def __init__(self) -> None:
        self._waiting: list[tuple[Callable[[], bool], Deferred[None]]] = []

    def until(self, condition: Callable[[], bool]) -> Deferred[None]:
        """
        Return a Deferred that fires once this condition holds.
        """
        reached: Deferred[None] = Deferred()
        self._waiting.append((condition, reached))
        self.look()
        return reached

    def look(self) -> None:
        """
        Check the conditions again.
        """
        for each in list(self._waiting):
            if each[0]():
                self._waiting.remove(each)
                each[1].callback(None)


class Member(ProcessProtocol):
    """
    A process of C{kafka_reader}, which settles nothing.

    @ivar offsets: the offsets that it read, by partition.
    """

    def __init__(self, waiters: Waiters) -> None:
        self.offsets: dict[int, list[int]] = defaultdict(list)
        self.ended: Deferred[None] = Deferred()
        self._waiters = waiters
        self._rest = b""

    def outReceived(self, data: bytes) -> None:
        *lines, self._rest = (self._rest + data).split(b"\n")
        for line in lines:
            partition, offset = map(int, line.split())
            self.offsets[partition].append(offset)
        self._waiters.look()

    def errReceived(self, data: bytes) -> None:
        sys.stderr.write(data.decode(errors="replace"))

    def processEnded(self, reason: Any) -> None:
        self.ended.callback(None)


def started(place: KafkaPlace, member: Member) -> Any:
    """
    Start the process of the member.
    """
    settings = place.settings.model_dump(exclude={"password"})
    return REACTOR.spawnProcess(
        member,
        sys.executable,
        [
            *(sys.executable, "-m", "tests.stack.kafka.reader_process"),
            *(str(place.brokers[0]), place.topic),
            msgspec.json.encode(settings).decode(),
        ],
        env={**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)},
    )


def said(first: int, count: int) -> list[Message]:
    """
    Return messages, in all conversations by turns.
    """
    return [
        Message(f"u:1:{i % _CONVERSATIONS + 2}", 1, f"c{i}", i + 1, "x", 1, 5)
        for i in range(first, first + count)
    ]


def by_partition(entries: Iterable[JournalEntry]) -> dict[int, list[JournalEntry]]:
    """
    Return the records by partition, in the order of reading.
    """
    found: dict[int, list[JournalEntry]] = defaultdict(list)
    for entry in entries:
        found[entry.partition].append(entry)
    return found


@needs("kafka")
class MembersTests(KafkaCase):
    """
    Unsettled records while a member joins and while it is killed.
    """

    async def shared(self, protocol: str) -> None:
        """
        The first member has read everything and settled half; a second joins, reads the
        unsettled records, and is killed; the first reads them again, although it has
        settled them late.
        """
        place = kafka_place(
            partitions=_PARTITIONS, revoke_s=0.2, group_protocol=protocol
        )
        first = await self.opened(place)
        await first.append(said(0, 200))
        entries = await read_all(first, 200)
        partition_of = {
            e.message.conversation: e.partition for e in entries if e.message
        }
        ends = {p: len(es) for p, es in by_partition(entries).items()}
        half = {p: end // 2 for p, end in ends.items()}
        first.commit(half)

        waiters = Waiters()
        first.on_revoked(waiters.look)
        later: list[JournalEntry] = []
        reading = Deferred.fromCoroutine(self.read_on(first, later, waiters))
        member = Member(waiters)
        process = started(place, member)
        appends = [first.append([m]) for m in said(200, 100)]
        for message in said(200, 100):
            ends[partition_of[message.conversation]] += 1
        for append in appends:
            await append

        # The rebalance is over only when each member has its partitions.
        await waiters.until(lambda: 0 < first.counts()["partitions"] < _PARTITIONS)
        moved = set(ends) - set(first._incoming.partitions.positions())
        await waiters.until(
            lambda: all((member.offsets[p] or [0])[-1] == ends[p] - 1 for p in moved)
        )
        for p in moved:
            self.assertEqual(member.offsets[p], list(range(half[p], ends[p])))
        later.clear()
        first.commit({p: ends[p] for p in moved})
        process.signalProcess("KILL")
        await member.ended
        await waiters.until(
            lambda: all(
                (by_partition(later)[p] or [entries[0]])[-1].offset == ends[p] - 1
                for p in moved
            )
        )
        again = by_partition(later)
        for p in moved:
            self.assertEqual(
                [e.offset for e in again[p]], list(range(half[p], ends[p]))
            )
        self.assertEqual(first.counts()["partitions"], _PARTITIONS)
        self.in_order(later)
        await first.stop()
        await reading

    async def read_on(
        self, journal: KafkaJournal, into: list[JournalEntry], waiters: Waiters
    ) -> None:
        """
        Read until the journal is stopped.
        """
        while some := await journal.read(1000):
            into += some
            waiters.look()

    def in_order(self, entries: Iterable[JournalEntry]) -> None:
        """
        Check that each conversation's messages are in their original order.
        """
        of: dict[str, list[int]] = defaultdict(list)
        for entry in entries:
            assert entry.message is not None
            of[entry.message.conversation].append(int(entry.message.client_id[1:]))
        for numbers in of.values():
            self.assertEqual(numbers, sorted(numbers))

    async def test_consumer(self) -> None:
        """
        With the group protocol of KIP-848 no unsettled record is lost, and a late
        settling has no effect.
        """
        await self.shared("consumer")

    async def test_classic(self) -> None:
        """
        The same holds with the older protocol.
        """
        await self.shared("classic")
