"""
The settings of the topics of a real broker, and records that retention took.
"""

from __future__ import annotations

from typing import Any

from confluent_kafka import TopicPartition
from confluent_kafka.admin import AdminClient
from confluent_kafka.admin._config import AlterConfigOpType, ConfigEntry, ConfigResource
from twisted.internet.defer import Deferred
from twisted.internet.threads import deferToThread
from twisted.trial.unittest import TestCase

from tests.doubles import up
from tests.message.journal.journal_contract import read_all, sent
from tests.stack.kafka.places import REACTOR, kafka_place, soon
from tests.stack.servers import kafka_address, needs
from wsmsg.dependency.alarms import Alarms
from wsmsg.dependency.state import Dependency
from wsmsg.errors import Unavailable
from wsmsg.message.journal.kafka.config import KafkaPlace
from wsmsg.message.journal.kafka.journal import KafkaJournal


def admin() -> AdminClient:
    return AdminClient({"bootstrap.servers": kafka_address()})


def set_config(topic: str, key: str, value: str) -> Deferred[None]:
    """
    Change a setting of a topic.
    """
    entry = ConfigEntry(key, value, incremental_operation=AlterConfigOpType.SET)
    resource = ConfigResource(
        ConfigResource.Type.TOPIC, topic, incremental_configs=[entry]
    )

    def work() -> None:
        client = admin()
        client.incremental_alter_configs([resource])[resource].result(10)

    return deferToThread(work)


def delete_before(topic: str, offset: int) -> Deferred[None]:
    """
    Remove the records below an offset of the first partition.
    """
    oldest = TopicPartition(topic, 0, offset)

    def work() -> None:
        client = admin()
        client.delete_records([oldest])[oldest].result(10)

    return deferToThread(work)


@needs("kafka")
class DurabilityTests(TestCase):
    """
    Topics of a broker, as it describes them.
    """

    timeout = 120

    def setUp(self) -> None:
        self.alarms = Alarms()

    def journal(self, place: KafkaPlace) -> KafkaJournal:
        made = KafkaJournal(
            place,
            REACTOR,
            retry=soon,
            dependency=Dependency("journal", REACTOR),
            alarms=self.alarms,
        )
        self.addCleanup(made.stop)
        return made

    def alarm(self, name: str) -> str:
        """
        Return the reason of an alarm that is raised, or C{""}.
        """
        return {a.name: a.reason for a in self.alarms.current}.get(name, "")

    async def checked(self, journal: KafkaJournal, text: str, wanted: bool) -> None:
        """
        Make the check of each minute until its alarm contains a text, or does not: the
        broker may answer a few more with what was before.
        """
        for _ in range(200):
            await journal._watch._check()
            if (text in self.alarm("durability")) is wanted:
                return
        self.fail(f"{text}: {self.alarm('durability')}")

    async def test_one_broker(self) -> None:
        """
        A broker that is alone works, with an alarm that names the replication factor;
        the topics are created with their retention stated.
        """
        journal = self.journal(kafka_place(replication=1))
        await up(journal)
        reason = self.alarm("durability")
        self.assertIn("replication factor of topic messages-", reason)
        self.assertIn("is 1, wanted 3 (at least 2)", reason)
        self.assertNotIn("retention", reason)
        self.assertEqual(journal.retention_s, 7 * 86400)
        await journal.append([sent(1)])

    async def test_strict(self) -> None:
        """
        With C{kafka.strict} such a broker is refused, with the reason and without a
        traceback.
        """
        journal = self.journal(kafka_place(replication=1, strict=True))
        refused: Deferred[str] = Deferred()
        failed = journal.dependency.failed

        def noted(reason: str, delay_s: float | None, *more: Any) -> None:
            failed(reason, delay_s, *more)
            if not refused.called:
                refused.callback(reason)

        journal.dependency.failed = noted  # type: ignore[method-assign, assignment]
        journal.start()
        reason = await refused
        self.assertIn("kafka.strict refuses: ", reason)
        self.assertIn("replication factor", reason)
        self.assertFalse(journal.dependency.up)
        self.failureResultOf(journal.append([sent(1)]), Unavailable)
        self.assertEqual(self.flushLoggedErrors(), [])

    async def test_changed(self) -> None:
        """
        A setting that somebody changes is found by the check of each minute, key by
        key, and so is its correction.
        """
        place = kafka_place(replication=1)
        journal = self.journal(place)
        await up(journal)
        for key, value, seen in (
            ("retention.ms", "60000", "retention.ms of topic {} is 60000"),
            ("retention.bytes", "1000000", "retention.bytes of topic {} is 1000000"),
            ("cleanup.policy", "compact", "cleanup.policy of topic {} is compact"),
            (
                "unclean.leader.election.enable",
                "true",
                "unclean.leader.election.enable of topic {} is true",
            ),
        ):
            await set_config(place.topic, key, value)
            await self.checked(journal, seen.format(place.topic), True)
        self.assertEqual(journal.retention_s, 60)
        await set_config(place.topic, "cleanup.policy", "delete")
        await self.checked(journal, "cleanup.policy", False)

    async def test_records_lost(self) -> None:
        """
        Records that were removed before they were read are an alarm, with their number,
        and reading goes on.
        """
        place = kafka_place(replication=1, partitions=1)
        first = self.journal(place)
        await up(first)
        await first.append([sent(n) for n in range(10)])
        entries = await read_all(first, 4)
        first.commit({0: entries[-1].offset + 1})
        await first.stop()
        await delete_before(place.topic, 7)
        second = self.journal(place)
        await up(second)
        [entry] = await read_all(second, 1)
        self.assertEqual(entry.offset, 7)
        self.assertEqual(second.counts()["records_lost"], 3)
        self.assertIn("3 accepted records of topic", self.alarm("records_lost"))
