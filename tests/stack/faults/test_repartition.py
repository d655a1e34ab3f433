"""
Tests of a journal that gets another number of partitions under load, by a command that
is killed at each of its steps.
"""

from __future__ import annotations

import asyncio
import random
import sys
from pathlib import Path

from confluent_kafka import Consumer, TopicPartition
from twisted.internet.defer import Deferred
from twisted.trial.unittest import TestCase

from tests.stack.cluster import Cluster
from tests.stack.servers import kafka_address, needs
from wsmsg.prove.checker import check
from wsmsg.prove.clients.crowd import Crowd
from wsmsg.prove.clients.ending import read_finally
from wsmsg.prove.history import HistoryWriter, read_history

_LIFETIME_S = 6 * 3600
_PATIENCE_S = 90.0
_PARTITIONS = 12
#: The lines after which the command is killed, and whether a Message is killed too.
_KILLS = (
    ("not stored yet", False),
    ("is there", False),
    ("takes no more records", True),
    ("is written", False),
    ("are stored", True),
)
_TALK_S = 3.0


@needs("kafka", "mongo", "redis")
class RepartitionTests(TestCase):
    """
    Users who talk over two Connects and two Messages.
    """

    timeout = 390

    def test_killed_at_each_step(self) -> Deferred[None]:
        """
        However often the command is killed, and a Message with it, every promise holds,
        and in the end the new topic is in use.
        """
        return Deferred.fromFuture(asyncio.ensure_future(self.run_on(Cluster())))

    async def run_on(self, cluster: Cluster) -> None:
        path, self.config = Path(self.mktemp()), Path(self.mktemp())
        self.config.write_text(_settings(cluster))

        def token_of(user: int) -> str:
            return cluster.lasting_token(user, _LIFETIME_S)

        with path.open("w", encoding="utf-8") as file:
            history = HistoryWriter(file)
            crowd = Crowd(
                history, cluster.urls, token_of, 1001, random.Random(1), pause_s=0.05
            )
            try:
                await cluster.start()
                await crowd.start()
                await asyncio.sleep(_TALK_S)
                for line, kills in _KILLS:
                    await self.killed_at(line)
                    if kills:
                        await cluster.messages[0].kill()
                        await cluster.messages[0].start()
                code, told = await self.moved()
                self.assertTrue(not code or "partitions already" in told, told)
                await asyncio.sleep(_TALK_S)
                await crowd.end_talking()
                await read_finally(crowd, token_of, _PATIENCE_S)
            finally:
                await crowd.stop()
                await cluster.stop()
            history.end()
        with path.open(encoding="utf-8") as file:
            self.assertEqual(check(read_history(file)).breaches, [])
        topic = cluster.journal.rpartition("/")[2]
        self.assertGreater(_records(f"{topic}.2"), 0)

    async def killed_at(self, text: str) -> None:
        """
        Start the command, and kill it when it tells this.
        """
        process = await self.command()
        assert process.stderr is not None
        async for line in process.stderr:
            if text in line.decode():
                process.kill()
                break
        await process.wait()

    async def moved(self) -> tuple[int, str]:
        """
        Run the command to its end.
        """
        process = await self.command()
        _, told = await process.communicate()
        assert process.returncode is not None
        return process.returncode, told.decode()

    async def command(self) -> asyncio.subprocess.Process:
        """
        Start the command.
        """
        return await asyncio.create_subprocess_exec(
            str(Path(sys.executable).parent / "wsmsg"),
            *("journal", "repartition", "--config", str(self.config)),
            *("--partitions", str(_PARTITIONS)),
            stdout=asyncio.subprocess.DEVNULL,
            stderr=asyncio.subprocess.PIPE,
        )


def _settings(cluster: Cluster) -> str:
    extra = cluster.messages[0].extra
    return (
        f'[message]\njournal = "{cluster.journal}"\nstore = "{cluster.store}"\n'
        f'[message.kafka]\ngroup = "{extra["kafka.group"]}"\n'
        f'dead_letters = "{extra["kafka.dead_letters"]}"\n'
    )


def _records(topic: str) -> int:
    """
    Return the sum of the ends of the partitions of a topic.
    """
    asker = Consumer({"bootstrap.servers": kafka_address(), "group.id": "tests"})
    try:
        places = [TopicPartition(topic, p) for p in range(_PARTITIONS)]
        return sum((asker.get_watermark_offsets(p, 5) or (0, 0))[1] for p in places)
    finally:
        asker.close()
