"""
Tests that the limit of a topic may be lowered while it is used: what is too long for it
is refused, all else is accepted, and nothing overtakes.
"""

from __future__ import annotations

from confluent_kafka.admin import AdminClient
from confluent_kafka.admin._config import AlterConfigOpType, ConfigEntry, ConfigResource
from twisted.internet.defer import Deferred
from twisted.internet.task import deferLater

from tests.message.journal.journal_contract import messages, read_all
from tests.stack.kafka.places import REACTOR, kafka_place
from tests.stack.kafka.test_broker import state_of
from tests.stack.kafka.test_faults import KafkaCase
from tests.stack.servers import kafka_address, needs
from wsmsg.errors import WsmsgError
from wsmsg.message.journal.kafka.config import KafkaPlace
from wsmsg.message.journal.kafka.journal import KafkaJournal
from wsmsg.message.journal.kafka.topics import KafkaTopics
from wsmsg.model import Message

_LIMIT = 5000
_LONG = 20_000
#: Seconds between two appends, so that several are on their way, each in its batch.
_APART_S = 0.003


def said(n: int, *, n_bytes: int = 10) -> Message:
    """
    Return the message with this number of one sender in one conversation.
    """
    return Message("u:1:2", 1, f"c{n:03}", n + 1, "x" * n_bytes, 1, 5)


async def _problem(
    journal: KafkaJournal, message: Message, behind: set[int]
) -> WsmsgError | None:
    """
    Append a message, and return the problem if it is refused; note its number if that
    is for now.
    """
    try:
        await journal.append([message])
    except WsmsgError as e:
        if e.retry:
            behind.add(message.message_id - 1)
        return e
    return None


def limit(place: KafkaPlace, n_bytes: int) -> None:
    """
    Set C{max.message.bytes} of the topic of messages.
    """
    entry = ConfigEntry(
        "max.message.bytes",
        str(n_bytes),
        incremental_operation=AlterConfigOpType.SET,
    )
    resource = ConfigResource(
        ConfigResource.Type.TOPIC, place.topic, incremental_configs=[entry]
    )
    admin = AdminClient({"bootstrap.servers": kafka_address()})
    for answer in admin.incremental_alter_configs([resource]).values():
        answer.result(10)


@needs("kafka")
class LoweredLimitTests(KafkaCase):
    """
    One sender with many sends on their way, some of them too long.
    """

    async def conversation(self, journal: KafkaJournal) -> dict[int, str]:
        """
        Append messages without waiting for the answers, and repeat those that are
        refused for now, in their order, until each has its final answer.

        @return: the code for each message that was refused for good.
        """
        refused: dict[int, str] = {}
        open_ = {n: said(n, n_bytes=_LONG if n % 20 == 9 else 10) for n in range(60)}
        while open_:
            await state_of(journal, up=True)
            behind: set[int] = set()
            on_their_way = []
            for n, message in sorted(open_.items()):
                if behind:
                    break  # a fence refuses what is sent from now on
                appended = Deferred.fromCoroutine(_problem(journal, message, behind))
                on_their_way.append((n, appended))
                await deferLater(REACTOR, _APART_S)
            for n, appended in on_their_way:
                problem = await appended
                if problem is None:
                    self.assertFalse(behind and n > min(behind), f"{n} overtook")
                elif not problem.retry:
                    refused[n] = problem.code
                if n not in behind:
                    del open_[n]
        return refused

    async def check_order(self, journal: KafkaJournal, gone: set[int]) -> None:
        """
        Check that the log has each message first in its place.
        """
        wanted = [n for n in range(60) if n not in gone]
        seen: dict[str, None] = {}
        while len(seen) < len(wanted):
            for message in messages(await read_all(journal, 1)):
                assert message is not None
                seen.setdefault(message.client_id)
        self.assertEqual(list(seen), [f"c{n:03}" for n in wanted])

    async def test_order(self) -> None:
        """
        Sends behind one that only the broker finds too long are refused with it, as
        they are in no place of the log before it; all are accepted in their order when
        they are repeated, and the long ones are refused for good.
        """
        place = kafka_place(content_bytes=40_000, partitions=1)
        journal = await self.opened(place)
        await journal.append([said(999)])
        await read_all(journal, 1)
        limit(place, _LIMIT)
        refused = await self.conversation(journal)
        self.assertEqual(refused, dict.fromkeys((9, 29, 49), "too_large"))
        await self.check_order(journal, set(refused))
        self.assertLess(journal.content_bytes, _LIMIT)

    async def test_limit_is_not_told(self) -> None:
        """
        The same, where the user may not ask for the topic's settings: the records are
        written one by one then, and no short one is refused for good.
        """
        place = kafka_place(content_bytes=40_000, partitions=1)
        journal = await self.opened(place)
        await journal.append([said(999)])
        await read_all(journal, 1)
        self.patch(KafkaTopics, "_configs", lambda *_: None)
        limit(place, _LIMIT)
        refused = await self.conversation(journal)
        self.assertEqual(refused, dict.fromkeys((9, 29, 49), "too_large"))
        await self.check_order(journal, set(refused))

    async def test_raised_again(self) -> None:
        """
        The alarm names the topic and both limits while it takes less than it must, and
        long messages are accepted again when the limit was raised.
        """
        place = kafka_place(content_bytes=40_000, partitions=1)
        await self.opened(place)
        topics = KafkaTopics(place)
        topics.check()
        self.assertFalse(any("max.message.bytes" in p for p in topics.problems))
        limit(place, _LIMIT)
        topics.check_durability()
        told = [p for p in topics.problems if "max.message.bytes" in p]
        self.assertEqual(len(told), 1, topics.problems)
        for text in (place.topic, str(place.record_bytes), "refused"):
            self.assertIn(text, told[0])
        topics.check()
        self.assertLess(topics.record_bytes, _LIMIT)
        limit(place, 1_000_000)
        topics.check_durability()
        self.assertEqual(topics.record_bytes, place.record_bytes)

    async def test_refused_at_the_start(self) -> None:
        """
        A topic that takes less than it must from the start is not used.
        """
        place = kafka_place(content_bytes=40_000, partitions=1)
        await self.opened(place)
        limit(place, _LIMIT)
        with self.assertRaisesRegex(WsmsgError, "max.message.bytes"):
            KafkaTopics(place).check()
