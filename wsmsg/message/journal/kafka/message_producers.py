"""
The producers of messages, one after another.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

from twisted.internet.defer import Deferred, fail, succeed
from twisted.internet.interfaces import IReactorFromThreads
from twisted.python.failure import Failure

from wsmsg.errors import BadRequest, TooLarge, Unavailable
from wsmsg.message.journal.interface import JournalEntry
from wsmsg.message.journal.kafka.config import KafkaPlace, ordered_producer
from wsmsg.message.journal.kafka.producer import Headers, KafkaProducer, Outgoing
from wsmsg.message.journal.kafka.topics import KafkaTopics
from wsmsg.message.journal.record import RecordSizes, encode
from wsmsg.model import Message as Journaled


class MessageProducers:
    """
    The producers of messages, one after another: one that is ruined is replaced.

    A broker refuses a whole batch if it is too long for the topic.  So such a refusal
    is for now at first: then the limit is known, or each record is written alone.

    @param lost: as for L{KafkaProducer}.
    @param delivered: as for L{KafkaProducer}.
    @ivar current: the producer; L{None}: there was none yet.
    @ivar sizes: of all records that were appended.
    """

    def __init__(
        self,
        place: KafkaPlace,
        topics: KafkaTopics,
        reactor: IReactorFromThreads,
        lost: Callable[[str, bool], object],
        delivered: Callable[[list[JournalEntry]], object],
    ) -> None:
        self.current: KafkaProducer | None = None
        self.sizes = RecordSizes()
        self._place = place
        self._topics = topics
        self._reactor = reactor
        self._lost = lost
        self._delivered = delivered
        self._alone = False

    @property
    def in_flight(self) -> int:
        """
        The number of records without an answer.
        """
        return self.current.in_flight if self.current is not None else 0

    def replace(self) -> KafkaProducer | None:
        """
        Make a producer if there is none that can be used.

        @return: the new producer, to be prepared.
        """
        if self.current is not None and not self.current.ruined:
            return None
        config = ordered_producer(self._place, self._topics.batch_bytes)
        self._alone = self._topics.alone
        self.current = KafkaProducer(
            config, self._reactor, self._lost, delivered=self._delivered
        )
        return self.current

    def drop(self) -> KafkaProducer | None:
        """
        Let another producer be made, and return this one, which is to be closed.
        """
        dropped, self.current = self.current, None
        return dropped

    def append(self, messages: Sequence[Journaled]) -> Deferred[None]:
        """
        As L{wsmsg.message.journal.interface.IJournal.append}.
        """
        if self.current is None:
            return fail(Unavailable("the journal is being opened"))
        try:
            values = [encode(m) for m in messages]
        except BadRequest as e:
            return fail(e)
        if not values:
            return succeed(None)
        most, longest = self._topics.record_bytes, max(map(len, values))
        if longest > most:
            return fail(TooLarge(f"a record would have more than {most} bytes"))
        self.sizes.add(len(values), sum(map(len, values)))
        written = self.current.send(
            self._place.topic,
            [
                Outgoing(m.conversation.encode(), value, _headers(m))
                for m, value in zip(messages, values, strict=True)
            ],
        )
        n_bytes = longest if len(values) == 1 else 0
        return written.addErrback(self._refused, n_bytes, self._alone)

    def _refused(self, failure: Failure, n_bytes: int, alone: bool) -> Failure:
        if not failure.check(TooLarge):
            return failure
        self._topics.note_refused(n_bytes if alone else 0)
        if alone:
            return failure
        return Failure(Unavailable(str(failure.value)).may_be_done())


def _headers(message: Journaled) -> Headers | None:
    traceparent = message.traceparent
    return [("traceparent", traceparent.encode())] if traceparent else None
