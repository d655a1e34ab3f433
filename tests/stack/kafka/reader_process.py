"""
A process that reads a Kafka journal and settles nothing, to be killed::

    python -m tests.stack.kafka.reader_process host:port topic SETTINGS_AS_JSON

It prints a line for each record that it reads: its partition and its offset.
"""

from __future__ import annotations

import sys
from typing import Any

import msgspec
from twisted.internet import asyncioreactor

from wsmsg.settings.kafka import KafkaSettings
from wsmsg.settings.urls.address import parse_address


def main(address: str, topic: str, settings: str) -> None:
    """
    Read until the process is killed.
    """
    asyncioreactor.install()
    from twisted.internet import reactor
    from twisted.internet.defer import Deferred

    from wsmsg.dependency.state import Dependency
    from wsmsg.message.journal.kafka.config import KafkaPlace
    from wsmsg.message.journal.kafka.journal import KafkaJournal

    here: Any = reactor
    place = KafkaPlace(
        brokers=(parse_address(address),),
        topic=topic,
        record_bytes=100_000,
        settings=KafkaSettings.model_validate(msgspec.json.decode(settings)),
    )
    dependency = Dependency("journal", here)
    journal = KafkaJournal(
        place, here, retry=lambda failures: 0.1, dependency=dependency
    )
    journal.start()

    async def read() -> None:
        while True:
            for entry in await journal.read(1000):
                print(entry.partition, entry.offset, flush=True)

    Deferred.fromCoroutine(read())
    here.run()


if __name__ == "__main__":
    main(*sys.argv[1:])
