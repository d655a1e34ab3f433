"""
Finds out within two seconds that the brokers hang: twice a second one of them is asked
for metadata, unless records were acknowledged meanwhile.

A broker that hangs keeps its connections, and the library waits for it for 10 s, in
which nothing is appended or read.  One of several brokers that hangs is not the loss of
all: the producer's client may ask that one alone, so a client of its own asks the
others before the journal counts as stalled.
"""

from __future__ import annotations

from collections.abc import Callable

from confluent_kafka import KafkaException
from confluent_kafka.admin import AdminClient
from twisted.internet.defer import Deferred
from twisted.internet.interfaces import IReactorTime
from twisted.internet.task import LoopingCall
from twisted.logger import Logger
from twisted.python.failure import Failure

from wsmsg.dependency.reopen import STALL_S, KeptOpen
from wsmsg.dependency.worker import IWorker
from wsmsg.errors import Unavailable
from wsmsg.message.journal.kafka.config import KafkaPlace, connection
from wsmsg.message.journal.kafka.log import QUIET
from wsmsg.message.journal.kafka.producer import KafkaProducer

_ASK_S = 0.5
#: The time for the answer to the producer's client; the rest of L{STALL_S} is for the
#: client of its own.
_FIRST_S = STALL_S / 2


class BrokerPulse:
    """
    Reports to C{kept} that the brokers are silent, and that they answer again.

    @param producer: returns the producer; L{None}: there is none yet.
    @param place: the topic to ask for, and where.
    @param worker: for questions alone, as each of them blocks.
    """

    _log = Logger()

    def __init__(
        self,
        kept: KeptOpen,
        producer: Callable[[], KafkaProducer | None],
        place: KafkaPlace,
        worker: IWorker,
        clock: IReactorTime,
    ) -> None:
        self._kept = kept
        self._producer = producer
        self._place = place
        self._worker = worker
        self._acknowledged = 0
        self._looks = LoopingCall(self._look)
        self._looks.clock = clock

    def start(self) -> None:
        """
        Look twice a second from now on.
        """
        if not self._looks.running:
            self._looks.start(_ASK_S, now=False)

    async def stop(self) -> None:
        """
        Look no more, and wait until no question is open.
        """
        if self._looks.running:
            self._looks.stop()
        await self._worker.quit()

    def _look(self) -> Deferred[None] | None:
        producer = self._producer()
        if producer is None or not (self._kept.up or self._kept.is_stalled):
            return None
        if self._progressed(producer):
            self._kept.answered()
            return None
        asked = self._worker.do(self._ask, producer)
        return asked.addCallbacks(self._told, self._failed, callbackArgs=(producer,))

    def _ask(self, producer: KafkaProducer) -> bool:
        left_s = STALL_S - _FIRST_S
        topic = self._place.topic
        return producer.asks(topic, _FIRST_S) or any_answers(self._place, left_s)

    def _told(self, answered: bool, producer: KafkaProducer) -> None:
        if answered or self._progressed(producer):
            self._kept.answered()
        else:
            why = f"no broker answered within {STALL_S:g} s"
            self._kept.stalled(Unavailable(why))

    def _progressed(self, producer: KafkaProducer) -> bool:
        before, self._acknowledged = self._acknowledged, producer.acknowledged
        return before != self._acknowledged

    def _failed(self, failure: Failure) -> None:
        self._log.failure("asking the brokers", failure)


def any_answers(place: KafkaPlace, timeout_s: float) -> bool:
    """
    Ask with a new client, which turns to the next broker at once where one is silent.
    Blocks.
    """
    config = connection(place)
    config["logger"] = QUIET
    client = AdminClient(config)
    try:
        client.list_topics(place.topic, timeout_s)
    except KafkaException:
        return False
    return True
