"""
Producers of the Kafka library, each with a thread that receives its acknowledgements.

The reactor's thread gives records to the library, which takes microseconds and never
waits.  The library reports each delivery in the thread that polls it; the reports of
one poll cross to the reactor in one hop.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from threading import Thread
from typing import NamedTuple

from confluent_kafka import KafkaError, KafkaException, Message, Producer
from twisted.internet.defer import Deferred, fail
from twisted.internet.interfaces import IReactorFromThreads
from twisted.logger import Logger
from twisted.python.failure import Failure

from wsmsg.errors import Overloaded, TooLarge, Unavailable, WsmsgError
from wsmsg.message.journal.interface import JournalEntry
from wsmsg.message.journal.kafka.config import Config
from wsmsg.message.journal.kafka.errors import Meaning, describe, meaning, too_large
from wsmsg.message.journal.kafka.log import QUIET
from wsmsg.message.journal.kafka.reading.entry import entry_of
from wsmsg.text.counted import counted

_POLL_S = 0.1
_METADATA_S = 5.0

Headers = list[tuple[str, str | bytes | None]]


class Outgoing(NamedTuple):
    """
    A record to be written.

    @ivar partition: -1: chosen by the key.
    """

    key: bytes | None
    value: bytes | None
    headers: Headers | None = None
    partition: int = -1


class _Append:
    """
    Records that are answered together.
    """

    __slots__ = ("count", "done", "error", "left", "size")

    def __init__(self, count: int, size: int) -> None:
        self.done: Deferred[None] = Deferred()
        self.count = self.left = count
        self.size = size
        self.error: KafkaError | None = None

    def delivered(self, error: KafkaError | None) -> bool:
        """
        Note that a record was delivered or failed.

        @return: whether it was the last one.
        """
        if error is not None:
            self.error = self.error or error
        self.left -= 1
        return not self.left


def _is_consequence(append: _Append) -> bool:
    return append.error is None or not too_large(append.error.name())


class KafkaProducer:
    """
    Writes records until it is closed or ruined.  A ruined producer delivers none of the
    records that were not acknowledged, as far as can be known; a new one is needed.

    @param ordered: a record that is too long ruins it like any other failure, so that
        no later one overtakes it.
    @param lost: called in the reactor with the reason, and whether this one is ruined.
    @param most_records: the limit of records in flight; more are refused.
    @param most_bytes: the same in bytes.
    @param delivered: called in the reactor with the records that the brokers have, in
        the order of each partition, after the appends that they belong to are answered;
        perhaps with some of appends that are not.  L{None}: nobody.
    @ivar acknowledged: the number of appends that a broker acknowledged.
    """

    _log = Logger()

    def __init__(
        self,
        config: Config,
        reactor: IReactorFromThreads,
        lost: Callable[[str, bool], object],
        *,
        ordered: bool = True,
        most_records: int = 100_000,
        most_bytes: int = 64 * 2**20,
        delivered: Callable[[list[JournalEntry]], object] | None = None,
    ) -> None:
        self.in_flight = self.acknowledged = 0
        self.ruined = False
        self._bytes = 0
        self._ordered = ordered
        self._gives_up = False
        self._most = (most_records, most_bytes)
        self._reactor = reactor
        self._lost = lost
        self._open: set[_Append] = set()
        self._finished: list[_Append] = []
        self._delivered = delivered
        self._written: list[Message] = []
        self._errors: list[KafkaError] = []
        self._closing = False
        self._close_s = 0.0
        self._ended: Deferred[None] = Deferred()
        self._client = Producer({**config, "error_cb": self._noted, "logger": QUIET})
        self._thread = Thread(
            target=self._run, name="wsmsg-kafka-producer", daemon=True
        )

    def prepare(self, topics: Sequence[str]) -> None:
        """
        Start the thread and fetch the metadata of the topics, without which the first
        record would wait for half a second.  Blocks.

        @raise Unavailable: no broker answers.
        """
        self._thread.start()
        try:
            for topic in topics:
                self._client.list_topics(topic, _METADATA_S)
        except KafkaException as e:
            raise Unavailable(describe(e.args[0].name(), e.args[0].str())) from e

    def asks(self, topic: str, timeout_s: float) -> bool:
        """
        Return whether a broker tells of a topic within this time.  Blocks.
        """
        try:
            self._client.list_topics(topic, timeout_s)
        except KafkaException:
            return False
        return True

    def send(self, topic: str, records: Sequence[Outgoing]) -> Deferred[None]:
        """
        @return: a Deferred that fires when all records are durable.
        @raise Unavailable: (as failure) some may be durable, some not.
        """
        size = sum(len(r.value or b"") for r in records)
        if self.ruined or self._closing:
            return fail(Unavailable("the journal is being reopened"))
        records_left = self._most[0] - self.in_flight
        if self.in_flight and (
            len(records) > records_left or self._bytes + size > self._most[1]
        ):
            return fail(
                Overloaded(
                    f"{counted(self.in_flight, 'record')} in flight already", 500
                )
            )
        append = _Append(len(records), size)
        self._open.add(append)
        self.in_flight += len(records)
        self._bytes += size
        self._produce(topic, records, append)
        return append.done

    def close(self, timeout_s: float) -> Deferred[None]:
        """
        Finish the records in flight within this time, and end the thread.
        """
        self._close_s = timeout_s
        self._closing = True
        if not self._thread.is_alive():
            self._over()
        return self._ended

    def ruin(self, why: str) -> None:
        """
        Give up the records in flight: no later record may overtake one that failed.
        """
        if self.ruined:
            return
        self._close_s = 0.0
        self.ruined = self._closing = True
        for append in list(self._open):
            self._answer(append, Unavailable(why).may_be_done())

    def _produce(
        self, topic: str, records: Sequence[Outgoing], append: _Append
    ) -> None:
        produce = self._client.produce
        given = 0

        def delivered(error: KafkaError | None, message: Message) -> None:
            # In the thread.
            if append.delivered(error):
                self._finished.append(append)
            if error is not None:
                self._gives_up = self._ordered
            elif self._delivered is not None:
                self._written.append(message)

        try:
            for key, value, headers, partition in records:
                if headers is None:
                    produce(topic, value, key, partition, delivered)
                else:
                    produce(topic, value, key, partition, delivered, headers=headers)
                given += 1
        except BufferError:
            self.ruin("more records are in flight than the library takes")
        except KafkaException as e:
            error = e.args[0]
            if too_large(error.name()) and not given:
                self._answer(append, TooLarge(describe(error.name(), error.str())))
            elif error.name() == "_FATAL":
                # What it was is reported in a moment, and ruins this producer.
                why = describe(error.name(), error.str())
                self._answer(append, Unavailable(why).may_be_done())
            else:
                self._failed(error)

    # In the thread

    def _run(self) -> None:
        try:
            while not self._closing:
                self._poll()
                self._cross()
            if self.ruined:
                self._client.purge()
            self._client.flush(self._close_s)
            self._cross()
        except Exception as e:  # noqa: BLE001 - the top of a thread
            self._log.failure("the producer's thread")
            self._reactor.callFromThread(self._broken, repr(e))
        self._reactor.callFromThread(self._over)

    def _poll(self) -> None:
        try:
            self._client.poll(_POLL_S)
        except KafkaException as e:  # it is fatal
            self._errors.append(e.args[0])
            self._gives_up = self._ordered
        if self._gives_up:
            # At once: later records must not get through meanwhile.
            self._gives_up = False
            self._client.purge()

    def _noted(self, error: KafkaError) -> None:
        self._errors.append(error)

    def _cross(self) -> None:
        if self._finished or self._errors:
            finished, self._finished = self._finished, []
            errors, self._errors = self._errors, []
            # All so far, also of appends that are not finished: they come before.
            written, self._written = self._written, []
            entries = [entry for m in written if (entry := entry_of(m)) is not None]
            self._reactor.callFromThread(self._arrived, finished, errors, entries)

    # In the reactor

    def _arrived(
        self,
        finished: list[_Append],
        errors: list[KafkaError],
        entries: list[JournalEntry],
    ) -> None:
        # The record that is too long first: the others failed with it.
        for append in sorted(finished, key=_is_consequence):
            error = append.error
            if append not in self._open:
                continue
            if error is None:
                self._answer(append, None)
            else:
                if too_large(error.name()):
                    why = describe(error.name(), error.str())
                    self._answer(append, TooLarge(why))
                if self._ordered or not too_large(error.name()):
                    self._failed(error)
        for told_error in errors:
            self._judge(told_error)
        if entries and self._delivered is not None:
            self._delivered(entries)

    def _judge(self, error: KafkaError) -> None:
        what = meaning(error.name(), fatal=error.fatal())
        if what is Meaning.RUINED:
            self._failed(error)
        elif what is Meaning.LOST:
            self._lost(describe(error.name(), error.str()), self.ruined)

    def _failed(self, error: KafkaError) -> None:
        self._broken(describe(error.name(), error.str()))

    def _broken(self, why: str) -> None:
        if not self.ruined:
            self.ruin(why)
            self._lost(why, True)

    def _answer(self, append: _Append, error: WsmsgError | None) -> None:
        if append not in self._open:
            return
        self._open.discard(append)
        self.in_flight -= append.count
        self._bytes -= append.size
        if error is None:
            self.acknowledged += 1
            append.done.callback(None)
        else:
            append.done.errback(Failure(error))

    def _over(self) -> None:
        for append in list(self._open):
            why = "the journal was closed first"
            self._answer(append, Unavailable(why).may_be_done())
        if not self._ended.called:
            self._ended.callback(None)
