"""
One consumer of the Kafka library, in a thread of its own.

The thread waits for a record, gathers those that follow within a moment (the records of
one append arrive partition by partition), and hands the batch to the reactor.  It
continues when the reactor wants more.  If that takes long, the thread pauses the
partitions and keeps polling, as the group would expel it otherwise.  Between two polls
it carries out the requests of the reactor: commits, a rewind, the end.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable, Mapping
from threading import Event, Thread
from time import monotonic

from confluent_kafka import (
    OFFSET_BEGINNING,
    Consumer,
    KafkaError,
    KafkaException,
    Message,
    TopicPartition,
)
from twisted.internet.defer import Deferred
from twisted.internet.interfaces import IReactorFromThreads
from twisted.logger import Logger

from wsmsg.message.journal.kafka.config import Config
from wsmsg.message.journal.kafka.errors import (
    Meaning,
    commit_meaning,
    describe,
    meaning,
)
from wsmsg.message.journal.kafka.log import QUIET
from wsmsg.message.journal.kafka.reading.ahead import Ahead
from wsmsg.message.journal.kafka.reading.ends import ANSWER_S, PartitionEnds
from wsmsg.message.journal.kafka.reading.entry import entry_of
from wsmsg.message.journal.kafka.reading.owner import ConsumerOwner, Settled
from wsmsg.message.journal.kafka.reading.partitions import SilentPartitions

_POLL_S = 0.1
_COMMITTED_S = 5.0
#: Time limit for the question for the oldest record of a partition.
_OLDEST_S = 2.0
_BATCH = 1000


class KafkaConsumer:
    """
    Reads as a member of the group, from L{start} to L{close}.

    @param gather_s: how long to wait for the records behind a first one.
    @param revoke_s: time limit for the owner to report its settled positions.
    """

    _log = Logger()

    def __init__(
        self,
        config: Config,
        topic: str,
        reactor: IReactorFromThreads,
        owner: ConsumerOwner,
        *,
        gather_s: float,
        revoke_s: float,
    ) -> None:
        self.ruined = False
        self._topic = topic
        self._reactor = reactor
        self._owner = owner
        self._gather_s = gather_s
        self._revoke_s = revoke_s
        self._wanted = Event()
        self._wanted.set()
        # Requests of the reactor that the thread has not carried out yet.
        self._commits: deque[Mapping[int, int]] = deque()
        self._rewinds: deque[tuple[int, Mapping[int, int]]] = deque()
        self._closing = False
        self._final: Mapping[int, int] = {}
        self._ours: dict[int, Ahead] = {}
        self._silent = SilentPartitions()
        self._paused = False
        self._epoch = 0
        self._errors: list[KafkaError] = []
        self._ended: Deferred[None] = Deferred()
        self._client = Consumer(
            {
                **config,
                "error_cb": self._errors.append,
                "on_commit": self._committed,
                "logger": QUIET,
            }
        )
        self._ends = PartitionEnds(self._client, topic)
        self._thread = Thread(
            target=self._run, name="wsmsg-kafka-consumer", daemon=True
        )

    # In the reactor

    @property
    def ends(self) -> Mapping[int, int]:
        """
        The known end of each assigned partition.
        """
        return dict(self._ends.known)

    def start(self) -> None:
        self._thread.start()

    def want_more(self) -> None:
        """
        Let further records arrive.
        """
        self._wanted.set()

    def commit(self, positions: Mapping[int, int]) -> None:
        """
        Commit these positions soon.
        """
        self._commits.append(positions)

    def rewind(self, epoch: int, positions: Mapping[int, int]) -> None:
        """
        Read from these positions again; the records arrive with the new epoch.
        """
        self._rewinds.append((epoch, positions))
        self._wanted.set()

    def close(self, positions: Mapping[int, int]) -> Deferred[None]:
        """
        Make the last commit, leave the group, end the thread.

        @return: a Deferred that fires when the thread is over.
        """
        self._final = positions
        self._closing = True
        self._wanted.set()
        return self._ended

    # In the thread

    def _run(self) -> None:
        try:
            self._client.subscribe(
                [self._topic],
                on_assign=self._on_assign,
                on_revoke=self._on_revoke,
                on_lost=self._on_lost,
            )
            while not self._closing:
                self._do_requests()
                self._poll()
        except Exception as e:  # noqa: BLE001 - the top of a thread
            self._log.failure("the consumer's thread")
            self._reactor.callFromThread(self._broken, repr(e))
        self._leave()
        self._reactor.callFromThread(self._ended.callback, None)

    def _poll(self) -> None:
        if self._wanted.is_set() or self._wanted.wait(_POLL_S):
            self._pause(False)
            self._fetch(_POLL_S)
        else:
            # The reader has enough: poll only to stay in the group.
            self._pause(True)
            self._fetch(0)

    def _fetch(self, timeout_s: float) -> None:
        first = self._client.poll(timeout_s)
        if first is None:
            return
        batch = [first]
        if not self._paused:
            batch += self._client.consume(_BATCH - 1, self._gather_s)
        entries, last = [], {}
        for message in batch:
            error, partition = message.error(), message.partition() or 0
            if error is not None:
                self._judge(error, message)
            elif (ahead := self._ours.get(partition)) is not None:
                offset = last[partition] = message.offset() or 0
                entry = entry_of(message) if offset >= ahead.taken else None
                if entry is not None:
                    entries.append(entry)
        if last:
            self._ends.arrived(last)
            self._silent.arrived(last, monotonic())
        if entries:
            self._wanted.clear()
            self._reactor.callFromThread(self._owner.arrived, self._epoch, entries)

    def _do_requests(self) -> None:
        commits: dict[int, int] = {}
        while self._commits:
            commits.update(self._commits.popleft())
        if commits:
            self._commit(commits, wait=False)
        while self._rewinds:
            self._epoch, positions = self._rewinds.popleft()
            for partition, offset in positions.items():
                if partition in self._ours:
                    self._seek(partition, offset)
        errors, self._errors[:] = list(self._errors), []
        for error in errors:
            self._judge(error, None)
        self._ends.look(self._ours, paused=self._paused)
        if not self._paused:
            self._read_silent()

    def _read_silent(self) -> None:
        for partition in self._silent.due(monotonic()):
            oldest, end = self._ends.bounds(partition, ANSWER_S)
            if end < 0:
                return  # the brokers do not answer, which the journal's pulse finds
            self._ends.at_least(partition, end)
            offset = self._silent.answered(partition, oldest, end, monotonic())
            if offset is not None:
                self._log.warn(
                    "no record of partition {partition} arrives from {offset} on, and"
                    " it ends at {end}: it is read anew",
                    partition=partition,
                    offset=offset,
                    end=end,
                )
                self._assign_anew(partition, offset)

    def _pause(self, paused: bool) -> None:
        if paused == self._paused:
            return
        self._paused = paused
        self._silent.resumed(monotonic())
        if self._ours:
            change = self._client.pause if paused else self._client.resume
            change([self._place(p) for p in self._ours])

    def _judge(self, error: KafkaError, message: Message | None) -> None:
        name, text = error.name(), error.str()
        match meaning(name, fatal=error.fatal()):
            case Meaning.GAP if message is not None:
                self._gap(message.partition() or 0, text)
            case Meaning.RUINED:
                self._reactor.callFromThread(self._broken, describe(name, text))
            case Meaning.LOST:
                self._reactor.callFromThread(
                    self._owner.lost, describe(name, text), False
                )
            case _:
                self._log.debug("{name}: {text}", name=name, text=text)

    def _broken(self, reason: str) -> None:
        if not self.ruined:
            self.ruined = True
            self._owner.lost(reason, True)

    def _gap(self, partition: int, text: str) -> None:
        self._log.debug("partition {partition}: {text}", partition=partition, text=text)
        oldest, _ = self._ends.bounds(partition, _OLDEST_S)
        self._reactor.callFromThread(self._owner.removed, partition, oldest)
        self._ends.emptied(partition)
        self._seek(partition, OFFSET_BEGINNING)

    def _seek(self, partition: int, offset: int) -> None:
        known = None if offset == OFFSET_BEGINNING else offset
        self._silent.begin({partition: known}, monotonic())
        self._ours[partition] = ahead = Ahead(known)
        readings = {partition: ahead}
        self._reactor.callFromThread(self._owner.read_anew, self._epoch, readings)
        self._assign_anew(partition, offset)

    def _assign_anew(self, partition: int, offset: int) -> None:
        # Not by a seek, which fails until the first fetch has begun.
        place = self._place(partition)
        self._client.incremental_unassign([place])
        self._client.incremental_assign([self._place(partition, offset)])
        if self._paused:
            self._client.pause([place])

    def _commit(self, positions: Mapping[int, int], *, wait: bool) -> None:
        witness = self._owner.witness()
        places = [
            TopicPartition(self._topic, p, offset, witness.get(p, ""))
            for p, offset in positions.items()
            if p in self._ours
        ]
        if not places:
            return
        try:
            if wait:
                self._client.commit(offsets=places, asynchronous=False)
            else:
                self._client.commit(offsets=places)
        except KafkaException as e:
            self._committed(e.args[0], places)

    def _committed(
        self, error: KafkaError | None, places: Iterable[TopicPartition]
    ) -> None:
        if error is None:
            return
        partitions = frozenset(place.partition for place in places)
        level = self._log.debug
        if commit_meaning(error.name()) is not Meaning.FOREIGN:
            level = self._log.warn
        level(
            "partitions {partitions} are not committed: {reason}",
            partitions=sorted(partitions),
            reason=describe(error.name(), error.str()),
        )
        self._reactor.callFromThread(self._owner.commit_failed, partitions)

    def _leave(self) -> None:
        try:
            self._commit(self._final, wait=True)
            self._client.close()
        except Exception:  # noqa: BLE001 - the top of a thread
            self._log.failure("leaving the group")

    def _place(self, partition: int, offset: int | None = None) -> TopicPartition:
        if offset is None:
            return TopicPartition(self._topic, partition)
        return TopicPartition(self._topic, partition, offset)

    # Callbacks of the group; in the thread, within a poll

    def _on_assign(self, client: Consumer, places: list[TopicPartition]) -> None:
        positions: dict[int, int | None] = dict.fromkeys(p.partition for p in places)
        witness: dict[int, str] = {}
        starts = [self._place(p) for p in positions]
        if places:
            try:
                for place in client.committed(starts, timeout=_COMMITTED_S):
                    if place.error is None and place.offset >= 0:
                        positions[place.partition] = place.offset
                        witness[place.partition] = place.metadata or ""
                starts = [
                    self._place(p, OFFSET_BEGINNING if at is None else at)
                    for p, at in positions.items()
                ]
            except KafkaException as e:
                self._log.warn(
                    "the committed positions are not known yet: {reason}",
                    reason=describe(e.args[0].name(), e.args[0].str()),
                )
        client.incremental_assign(starts)
        readings = {partition: Ahead(at) for partition, at in positions.items()}
        self._ours.update(readings)
        self._silent.begin(positions, monotonic())
        if self._paused and places:
            client.pause([self._place(p) for p in positions])
        if readings:
            self._reactor.callFromThread(self._owner.assigned, readings, witness)

    def _on_revoke(self, client: Consumer, places: list[TopicPartition]) -> None:
        partitions = frozenset(p.partition for p in places)
        if not self._closing and partitions:
            settled = Settled()
            self._reactor.callFromThread(self._owner.revoking, partitions, settled)
            self._commit(settled.wait(self._revoke_s + 1), wait=True)
        self._drop(partitions)
        client.incremental_unassign(places)

    def _on_lost(self, client: Consumer, places: list[TopicPartition]) -> None:
        partitions = frozenset(p.partition for p in places)
        self._drop(partitions)
        client.incremental_unassign(places)
        self._reactor.callFromThread(self._owner.revoked, partitions)

    def _drop(self, partitions: frozenset[int]) -> None:
        for partition in partitions:
            self._ours.pop(partition, None)
            self._ends.drop(partition)
            self._silent.end(partition)
