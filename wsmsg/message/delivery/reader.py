"""
The loop that takes records from the journal to their recipients.

A batch at a time: read, store, push.  The next batch is read while the pushes of those
before are still on their way, as long as not too many records are unsettled; only the
settled prefix is committed.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence

from twisted.internet.defer import CancelledError, Deferred
from twisted.internet.interfaces import IReactorTime
from twisted.internet.task import deferLater
from twisted.logger import Logger

from wsmsg.dependency.retry import RetryPolicy
from wsmsg.errors import Unavailable
from wsmsg.message.delivery.commits import CommitTracker
from wsmsg.message.delivery.numbering import NumberedBatch, Numbering
from wsmsg.message.journal.interface import IJournal, JournalEntry
from wsmsg.message.links.interface import ILinks
from wsmsg.model import Message
from wsmsg.settings.values import MessageSettings

_LONGEST_WAIT_S = 2.0


class JournalReader:
    """
    Reads the journal until it is stopped.

    @param limit_unsettled: at so many unsettled records reading waits.
    @param stored: told of what is stored and goes to those who are there.
    """

    _log = Logger()

    def __init__(
        self,
        journal: IJournal,
        delivery: Numbering,
        links: ILinks,
        clock: IReactorTime,
        retry: RetryPolicy,
        *,
        batch: int,
        limit_unsettled: int,
        stored: Callable[[Sequence[Message]], object] | None = None,
    ) -> None:
        self.dead_letters = 0
        self.read = 0
        self._journal = journal
        self.delivery = delivery
        self._links = links
        self._stored = stored
        self._clock = clock
        self._retry = retry
        self.batch = batch
        self.limit_unsettled = limit_unsettled
        self._settling = CommitTracker(self._commit)
        self._running = False
        self._waiting: Deferred[None] | None = None
        self._room: Deferred[None] | None = None
        self._caught_up: list[Deferred[None]] = []
        self._reading = False
        self._done: Deferred[None] | None = None
        journal.on_revoked(delivery.forget)

    @property
    def unsettled(self) -> int:
        return self._settling.unsettled

    def apply_settings(self, settings: MessageSettings) -> None:
        """
        Apply the size of a batch and the limit of unsettled records.
        """
        self.batch = settings.read_batch
        self.limit_unsettled = settings.unsettled_records

    def start(self) -> None:
        self._running = True
        self._done = Deferred.fromCoroutine(self._run())
        self._done.addErrback(
            lambda failure: self._log.failure("reading the journal ended", failure)
        )

    def caught_up(self) -> Deferred[None]:
        """
        @return: a Deferred that fires when the journal has nothing more to read and
            nothing that was read is unsettled.
        """
        done: Deferred[None] = Deferred()
        self._caught_up.append(done)
        self._tell_caught_up()
        return done

    async def stop(self) -> None:
        """
        End the loop; the journal must be stopping too, as that ends a read.
        """
        self._running = False
        for waiting in (self._waiting, self._room):
            if waiting is not None:
                waiting.cancel()
        if self._done is not None:
            await self._done

    async def _run(self) -> None:
        while self._running:
            await self._wait_for_room()
            reading = self._journal.read(self.batch)
            self._reading = not reading.called
            self._tell_caught_up()
            entries = await reading
            self._reading = False
            if entries:
                await self._deliver(entries)

    async def _deliver(self, entries: Sequence[JournalEntry]) -> None:
        self.read += len(entries)
        settled = self._settling.begin(_positions(entries), len(entries))
        failures = 0
        while self._running:
            try:
                delivered = await self.delivery.store(entries)
                await self._dead_letter(delivered)
            except Unavailable as e:
                failures += 1
                await self._pause(failures, e)
            except Exception:  # noqa: BLE001 - a guard
                # A bug of ours must neither end the loop nor lose the records.
                failures += 1
                self._log.failure("storing {n} records", n=len(entries))
                await self._pause(failures, Unavailable("see the failure above"))
            else:
                if self._stored is not None:
                    self._stored(delivered.messages)
                self._links.push(delivered.messages, settled, delivered.audiences)
                return

    async def _dead_letter(self, delivered: NumberedBatch) -> None:
        if not delivered.dead_letters:
            return
        await self._journal.dead_letter(delivered.dead_letters)
        self.dead_letters += len(delivered.dead_letters)
        for entry, reason in delivered.dead_letters:
            self._log.warn(
                "record {offset} of partition {partition} is in the dead letters:"
                " {reason}",
                partition=entry.partition,
                offset=entry.offset,
                reason=reason,
            )

    def _commit(self, positions: Mapping[int, int]) -> None:
        self._journal.commit(positions)
        if self._room is not None and self.unsettled < self.limit_unsettled:
            room, self._room = self._room, None
            room.callback(None)
        self._tell_caught_up()

    def _tell_caught_up(self) -> None:
        if self._reading and not self.unsettled:
            waiting, self._caught_up = self._caught_up, []
            for done in waiting:
                done.callback(None)

    async def _wait_for_room(self) -> None:
        if self.unsettled < self.limit_unsettled:
            return
        self._log.warn("{n} records unsettled, reading waits", n=self.unsettled)
        self._room = Deferred()
        await _until_cancelled(self._room)

    async def _pause(self, failures: int, why: Unavailable) -> None:
        delay = self._retry(failures)
        if delay is None:  # the daemon gives up by its dependency, not by this loop
            delay = _LONGEST_WAIT_S
        self._log.warn(
            "records wait, next attempt {attempt} in {delay:.2f} s: {reason}",
            attempt=failures + 1,
            delay=delay,
            reason=why.reason,
        )
        await self._wait_until(self._clock.seconds() + delay)

    async def _wait_until(self, seconds: float) -> None:
        wait_s = seconds - self._clock.seconds()
        if wait_s <= 0:
            return
        self._waiting = deferLater(self._clock, wait_s)
        try:
            await _until_cancelled(self._waiting)
        finally:
            self._waiting = None


async def _until_cancelled(waiting: Deferred[None]) -> None:
    try:
        await waiting
    except CancelledError:
        pass


def _positions(entries: Sequence[JournalEntry]) -> dict[int, int]:
    return {e.partition: e.offset + 1 for e in entries}
