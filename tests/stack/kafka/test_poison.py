"""
Tests of Kafka records that no Message can process, with daemons and C{wsmsg}.
"""

from __future__ import annotations

import asyncio
import json
import sys
from typing import Any

from confluent_kafka import Producer

from tests.integration.cases import IntegrationTestCase, eventually, with_daemons
from tests.integration.installation import Installation
from tests.stack.cluster import Cluster
from tests.stack.servers import kafka_address, needs
from wsmsg.message.journal.interface import JournalEntry
from wsmsg.message.journal.kafka.letter_records import dead_letter_record
from wsmsg.message.journal.record import encode
from wsmsg.model import Message, conversation_of
from wsmsg.rpc.record_pb2 import Record
from wsmsg.settings.urls.backends import kafka_url

_CLI = "from wsmsg.cli.main import main; main()"


@needs("kafka", "mongo", "redis")
class PoisonTests(IntegrationTestCase):
    """
    One Message and one Connect on the real servers.
    """

    alone = True

    def _installed(self) -> Installation:
        self.cluster = Cluster(messages=1, connects=1)
        return self.cluster

    def produce(self, topic: str, *values: bytes, **more: Any) -> None:
        """
        Produce a record into the first partition, as another program would.
        """
        client = Producer({"bootstrap.servers": kafka_address()})
        for value in values:
            client.produce(topic, value, partition=0, **more)
        self.assertEqual(client.flush(10), 0)

    async def dead_letters(self, *words: str) -> Any:
        """
        Run C{wsmsg dead-letters}, and return its output.
        """
        admin = f"http://127.0.0.1:{self.cluster.message.port('admin_listen')}"
        process = await asyncio.create_subprocess_exec(
            *(sys.executable, "-c", _CLI, "dead-letters", *words),
            *("--json", "--message-admin", admin),
            *("--key-file", str(self.cluster.message.admin_key)),
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.PIPE,
        )
        told, mistakes = await process.communicate()
        self.assertEqual(process.returncode, 0, mistakes)
        return json.loads(told)

    async def letters(self, count: int) -> list[Any]:
        """
        Wait for this number of dead letters, and return them.
        """
        found: list[Any] = []

        async def look() -> bool:
            found[:] = (await self.dead_letters("list"))["dead_letters"]
            return len(found) == count

        await eventually(f"{count} dead letters", look, 20)
        return found

    @with_daemons
    async def test_poison(self) -> None:
        """
        Junk and records of a newer version delay no other record: they are listed with
        reasons, and one that has become processable is delivered when it is replayed.
        """
        await self._running()
        topic = kafka_url(self.cluster.journal).topic
        one, other = self.user(), self.user()
        junk = b"\xff\xffjunk"
        newer = Record(version=99, sender=one).SerializeToString()
        self.produce(topic, junk, newer)
        a, b = await self.device(one), await self.device(other)
        # Messages of every partition arrive, also of that with the junk.
        friends = [self.user() for _ in range(20)]
        for n, friend in enumerate(friends):
            device = await self.device(friend)
            await a.send(friend, f"m{n}", "hello")
            await device.expect("deliver", content="hello")

        letters = await self.letters(2)
        reasons = {letter["reason"] for letter in letters}
        self.assertTrue(any("not a protobuf" in r for r in reasons), reasons)
        self.assertTrue(any("has version 99" in r for r in reasons), reasons)

        conversation = conversation_of(one, other)
        mended = encode(Message(conversation, one, "mended", 1, "late", 1, 5))
        letter = dead_letter_record(
            topic, JournalEntry(0, 5000, None, mended, ""), "was too new"
        )
        self.produce(
            f"{topic}.dead-letters",
            letter.value or b"",
            key=letter.key,
            headers=letter.headers,
        )
        third = (await self.letters(3))[-1]
        self.assertEqual(third["reason"], "was too new")
        number = third["number"]
        told = await self.dead_letters("replay", str(number))
        self.assertEqual(told, {"replayed": [number], "missing": []})
        await b.expect("deliver", content="late")
        await self.letters(2)
