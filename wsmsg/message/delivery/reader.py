"""
The loop that takes records from the journal to their recipients.

It reads a batch, has it stored, and pushes it.  It reads the next batch while pushes of
earlier batches are in flight, unless too many records are unsettled, and commits the
settled prefix only.

No exception ends the loop.  A batch that cannot be stored is tried again, at first half
of it, since a slow store may take less within its time limit; one that is stored and
cannot be pushed reaches its recipients by a sync.
"""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Awaitable, Callable, Mapping, Sequence
from functools import partial
from typing import TypeVar

from twisted.internet.defer import CancelledError, Deferred
from twisted.internet.interfaces import IReactorTime
from twisted.internet.task import LoopingCall
from twisted.logger import Logger

from wsmsg.dependency.retry import Backoff
from wsmsg.dependency.state import Dependency
from wsmsg.dependency.wait import pause
from wsmsg.errors import Unavailable
from wsmsg.flow.idle import IdleWaiters
from wsmsg.message.delivery.numbering import NumberedBatch, Numbering
from wsmsg.message.delivery.progress import (
    CommitTracker,
    DeliveryProgress,
    StoredPushes,
)
from wsmsg.message.journal.interface import IJournal, JournalEntry, kind_of
from wsmsg.message.links.interface import ILinks
from wsmsg.message.log.interface import LogTimings
from wsmsg.model import Message
from wsmsg.settings.values import MessageSettings
from wsmsg.tracing.context import trace_id_of

T = TypeVar("T")

#: For so long the reading waits for a Connect that does not acknowledge.
PATIENCE_S = 0.5
_RELEASE_S = 0.1
_LATE_PERIODS = 3

_LOGGED = "see the failure above"


class JournalReader:
    """
    Reads the journal until it is stopped.

    @param store: the state of the store; records wait while the store is not up.
    @param backoff: the delays after a failure while the store or the journal is up.
    @param batch: the most records of a batch.
    @param limit_unsettled: reading waits while so many records are unsettled.
    @param stalled_s: a step that takes longer stands still.
    @param on_read: called with each batch; must not fail.
    @param on_stored: called with the messages of each batch once they are stored.
    @ivar read: the number of records that were read.
    @ivar timings: the durations of the steps of the log that this reader is part of.
    @ivar dead_letters: the number of records that became dead letters, by kind.
    """

    _log = Logger()

    def __init__(
        self,
        journal: IJournal,
        numbering: Numbering,
        links: ILinks,
        clock: IReactorTime,
        *,
        store: Dependency,
        backoff: Backoff,
        batch: int,
        limit_unsettled: int,
        stalled_s: float = 5.0,
        on_stored: Callable[[Sequence[Message]], object] | None = None,
        on_read: Callable[[Sequence[JournalEntry]], object] = len,
        unix_s: Callable[[], float] = time.time,
    ) -> None:
        self.dead_letters: Counter[str] = Counter()
        self.read = 0
        self.timings = LogTimings()
        self._journal = journal
        self.numbering = numbering
        self._links = links
        self._pushes = StoredPushes(links, on_stored, numbering.traces)
        self._on_read = on_read
        self._clock = clock
        self._store = store
        self._backoff = backoff
        self.batch = batch
        self.limit_unsettled = limit_unsettled
        self.stalled_s = stalled_s
        self._unix_s = unix_s
        self._progress = DeliveryProgress(clock.seconds, unix_s)
        self._share = batch
        self._commits = CommitTracker(self._commit, clock.seconds)
        self._running = False
        self._waiting: Deferred[None] | None = None
        self._room: Deferred[None] | None = None
        self._caught_up = IdleWaiters()
        self._reading = False
        self._done: Deferred[None] | None = None
        journal.on_revoked(numbering.forget)

    @property
    def unsettled(self) -> int:
        return self._commits.unsettled

    def apply_settings(self, settings: MessageSettings) -> None:
        """
        Apply the size of a batch, the limit of unsettled records, and the longest time
        for a step.
        """
        self.stalled_s = settings.stalled_s
        self.batch = settings.read_batch
        self.limit_unsettled = settings.unsettled_records
        self._check_room()

    def oldest_unstored_s(self) -> float:
        """
        Return the age of the oldest message that is accepted and not stored, as far as
        this Message knows it; 0: there is none.
        """
        return self._progress.oldest_unstored_s()

    def oldest_unsettled_s(self) -> float:
        """
        Return for how long the oldest unsettled record has been read; 0: there is none.
        """
        oldest_s = self._commits.oldest_s
        return 0.0 if oldest_s is None else self._clock.seconds() - oldest_s

    def stalled(self) -> str:
        """
        Return the step of delivery that stands still, in a sentence; empty if none
        does.  Called once a second.
        """
        self._progress.look(self._unread)
        return self._progress.stalled(
            self.stalled_s, self._commits.oldest_s, full=self._room is not None
        )

    def start(self) -> None:
        self._running = True
        self._done = Deferred.fromCoroutine(self._run())
        self._done.addErrback(
            lambda failure: self._log.failure("the loop of the reader ended", failure)
        )

    def caught_up(self) -> Deferred[None]:
        """
        @return: a Deferred that fires when the journal has no more records and all that
            were read are settled.
        """
        return self._caught_up.wait(self._is_caught_up)

    @property
    def _unread(self) -> int:
        """
        The records that the journal has and the reader has not been given.
        """
        is_open = self._journal.dependency.up
        return self._journal.counts()["unread"] if is_open else 0

    @property
    def _is_caught_up(self) -> bool:
        # A read that waits may be about to return what was appended a moment ago.
        return self._reading and not self.unsettled and not self._unread

    async def stop(self) -> None:
        """
        End the loop.  The journal must be stopping too, as that ends a pending read.
        """
        self._running = False
        for waiting in (self._waiting, self._room):
            if waiting is not None:
                waiting.cancel()
        if self._done is not None:
            await self._done

    async def _run(self) -> None:
        failures = 0
        try:
            while self._running:
                try:
                    await self._read_batch()
                except CancelledError:
                    raise
                except Exception:  # noqa: BLE001 - a guard
                    self._log.failure("the journal cannot be read")
                    failures += 1
                    delay_s = self._backoff(failures)
                    await self._pause(self._journal.dependency, delay_s, _LOGGED)
                else:
                    failures = 0
        except CancelledError:
            pass  # stop() ended a wait

    async def _read_batch(self) -> None:
        await self._wait_for_room()
        reading = self._journal.read(self.batch)
        self._reading = not reading.called
        self._check_caught_up()
        try:
            entries = await reading
        finally:
            self._reading = False
        if entries and self._running:
            await self._deliver(entries)

    async def _deliver(self, entries: Sequence[JournalEntry]) -> None:
        self.read += len(entries)
        self._note_connects(entries)
        self._on_read(entries)
        while entries:
            self._progress.read(entries)
            await self.numbering.turn.acquire()
            try:
                part, stored = await self._retried(
                    partial(self._store_part, entries), self._store
                )
                await self._pass_on(part, stored)
            finally:
                self.numbering.turn.release()
            entries = entries[len(part) :]

    async def _store_part(
        self, entries: Sequence[JournalEntry]
    ) -> tuple[Sequence[JournalEntry], NumberedBatch]:
        """
        Store as many of the first entries as the store is expected to take.

        @return: these entries, and what became of them.
        """
        part, began_s = entries[: self._share], self._clock.seconds()
        try:
            stored = await self.numbering.store(part)
        except Unavailable:
            self._share = max(1, len(part) // 2)
            raise
        self.timings.store_batch.observe(self._clock.seconds() - began_s)
        self._share = min(self.batch, 2 * self._share)
        return part, stored

    async def _pass_on(
        self, entries: Sequence[JournalEntry], stored: NumberedBatch
    ) -> None:
        if stored.dead_letters:
            dead_letter = partial(self._dead_letter, stored.dead_letters)
            await self._retried(dead_letter, self._journal.dependency)
        settled = self._commits.begin(_positions(entries), len(entries))
        self._progress.stored()
        now_ms = int(self._unix_s() * 1000)
        times_ms = [message.time_ms for message in stored.messages]
        self.timings.stored.observe_since(now_ms, times_ms)
        self._pushes.pass_on(stored, settled)

    def _note_connects(self, entries: Sequence[JournalEntry]) -> None:
        latest_ms = {
            message.connect: message.time_ms
            for entry in entries
            if (message := entry.message) is not None and message.connect
        }
        with self._log.failuresHandled("the Connects of records are not known"):
            self._links.came_through(latest_ms)

    async def _retried(self, call: Callable[[], Awaitable[T]], needed: Dependency) -> T:
        """
        Repeat a call until it succeeds.

        @param needed: the dependency of the call, which waits while it is not up.
        @raise CancelledError: the reader is being stopped.
        """
        failures = 0
        while True:
            try:
                return await call()
            except Unavailable as e:
                reason = e.reason
            except Exception:  # noqa: BLE001 - a guard
                # A bug must neither end the loop nor lose the records.
                self._log.failure("a batch of records cannot be delivered")
                reason = _LOGGED
            failures += 1
            await self._pause(needed, self._backoff(failures), reason)

    async def _dead_letter(self, letters: Sequence[tuple[JournalEntry, str]]) -> None:
        await self._journal.dead_letter(letters)
        self.dead_letters.update(kind_of(reason).value for _, reason in letters)
        for entry, reason in letters:
            self._log.warn(
                "record {offset} of partition {partition} is in the dead letters:"
                " {reason}{identity}",
                partition=entry.partition,
                offset=entry.offset,
                reason=reason,
                identity=_in_words(entry.message),
                **_ids(entry.message),
            )

    def _commit(self, positions: Mapping[int, int]) -> None:
        try:
            self._journal.commit(positions)
        except Exception:  # noqa: BLE001 - a guard
            # The next commit includes these records.
            self._log.failure("settled records cannot be committed")
        self._check_room()
        self._check_caught_up()

    def _check_room(self) -> None:
        if self._room is not None and self.unsettled < self.limit_unsettled:
            room, self._room = self._room, None
            room.callback(None)

    def _check_caught_up(self) -> None:
        if self._caught_up.waiters and self._is_caught_up:
            self._caught_up.fire()

    async def _wait_for_room(self) -> None:
        if self.unsettled < self.limit_unsettled:
            return
        self._room = Deferred()
        releasing = LoopingCall.withCount(self._release)
        releasing.clock = self._clock
        releasing.start(_RELEASE_S, now=False)
        try:
            await self._room
        finally:
            self._room = None
            releasing.stop()

    def _release(self, periods: int) -> None:
        """
        Free the reading from Connects that do not acknowledge, as everybody waits.
        """
        if periods > _LATE_PERIODS:
            return  # this process stalled, and may not have read acknowledgements
        with self._log.failuresHandled("the links cannot be released"):
            self._links.release(PATIENCE_S)

    async def _pause(self, needed: Dependency, delay_s: float, reason: str) -> None:
        if not self._running:
            raise CancelledError
        # The dependency has logged that it is not up.
        log = self._log.warn if needed.up else self._log.debug
        log(
            "records wait {until}: {reason}",
            until=f"{delay_s:.2f} s" if needed.up else f"for the {needed.name}",
            reason=reason,
        )
        self._waiting = Deferred.fromCoroutine(pause(needed, self._clock, delay_s))
        try:
            await self._waiting
        finally:
            self._waiting = None


def _positions(entries: Sequence[JournalEntry]) -> dict[int, int]:
    return {e.partition: e.offset + 1 for e in entries}


def _in_words(message: Message | None) -> str:
    if message is None:
        return ""
    return (
        f" (client id {message.client_id} of {message.sender} in "
        f"{message.conversation})"
    )


def _ids(message: Message | None) -> dict[str, int | str]:
    """
    Return the fields of a line about a message.
    """
    if message is None:
        return {}
    ids: dict[str, int | str] = {"message_id": message.message_id}
    if message.traceparent:
        ids["trace_id"] = trace_id_of(message.traceparent)
    return ids
