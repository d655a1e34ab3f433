"""
Finds out within two seconds that the brokers hang: again and again one of them is asked
for metadata.  An answer, or records that were acknowledged, are a sign of life.

A broker that hangs keeps its connections, and the library waits for it for 10 s, in
which nothing is appended or read.  One of several brokers that hangs is not the loss of
all: the producer's client may ask that one alone, so a client of its own asks the
others before the journal counts as stalled.
"""

from __future__ import annotations

from collections.abc import Callable

from confluent_kafka import KafkaException
from confluent_kafka.admin import AdminClient
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

_LOOK_S = 0.1
#: The interval of questions, which counts from the last one.
_ASK_S = 0.4
#: The time for the answer to the producer's client; the rest of L{STALL_S} is for the
#: client of its own.
_FIRST_S = STALL_S / 2
#: A look that is so late shows that this process stood still, not the brokers.
_LATE_S = 0.5


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
        self._clock = clock
        self._acknowledged = 0
        self._looked_s = self._heard_s = self._asked_s = clock.seconds()
        self._is_asking = False
        self._looks = LoopingCall(self._look)
        self._looks.clock = clock

    def start(self) -> None:
        """
        Look again and again from now on.
        """
        if not self._looks.running:
            self._looks.start(_LOOK_S, now=False)

    async def stop(self) -> None:
        """
        Look no more, and wait until no question is open.
        """
        if self._looks.running:
            self._looks.stop()
        await self._worker.quit()

    def _look(self) -> None:
        now_s, before_s = self._clock.seconds(), self._looked_s
        self._looked_s = now_s
        producer = self._producer()
        if producer is None or not (self._kept.up or self._kept.is_stalled):
            self._heard_s = now_s
            return
        if producer.acknowledged != self._acknowledged:
            self._acknowledged = producer.acknowledged
            self._heard()
        elif self._kept.up and now_s - before_s >= _LATE_S:
            self._heard_s = now_s
        elif now_s - self._heard_s >= _ASK_S + STALL_S:
            why = f"no broker answered within {STALL_S:g} s"
            self._kept.stalled(Unavailable(why))
        if not self._is_asking and now_s - self._asked_s >= _ASK_S:
            self._is_asking, self._asked_s = True, now_s
            asked = self._worker.do(self._ask, producer)
            asked.addCallbacks(self._told, self._failed)

    def _ask(self, producer: KafkaProducer) -> bool:
        left_s = STALL_S - _FIRST_S
        topic = self._place.topic
        return producer.asks(topic, _FIRST_S) or any_answers(self._place, left_s)

    def _told(self, answered: bool) -> None:
        self._is_asking = False
        if answered:
            self._heard()

    def _heard(self) -> None:
        self._heard_s = self._clock.seconds()
        self._kept.answered()

    def _failed(self, failure: Failure) -> None:
        self._is_asking = False
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
