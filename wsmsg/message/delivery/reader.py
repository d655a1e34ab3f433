"""
The loop that takes records from the journal to their recipients.

A batch at a time: read, store, push.  The next batch is read while the pushes of those
before are still on their way, as long as not too many records are unsettled; only the
settled prefix is committed.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping, Sequence
from functools import partial
from typing import TypeVar

from twisted.internet.defer import CancelledError, Deferred
from twisted.internet.interfaces import IReactorTime
from twisted.logger import Logger

from wsmsg.dependency.retry import Backoff
from wsmsg.dependency.state import Dependency
from wsmsg.dependency.wait import pause
from wsmsg.errors import Unavailable
from wsmsg.flow.idle import IdleWaiters
from wsmsg.message.delivery.commits import CommitTracker
from wsmsg.message.delivery.numbering import NumberedBatch, Numbering
from wsmsg.message.journal.interface import IJournal, JournalEntry
from wsmsg.message.links.interface import ILinks
from wsmsg.model import Message
from wsmsg.settings.values import MessageSettings

T = TypeVar("T")


class JournalReader:
    """
    Reads the journal until it is stopped.

    @param store: the store's state: while it is not up, records wait for it.
    @param backoff: the delays where a call fails though the store or journal is up.
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
        *,
        store: Dependency,
        backoff: Backoff,
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
        self._store = store
        self._backoff = backoff
        self.batch = batch
        self.limit_unsettled = limit_unsettled
        self._settling = CommitTracker(self._commit)
        self._running = False
        self._waiting: Deferred[None] | None = None
        self._room: Deferred[None] | None = None
        self._caught_up = IdleWaiters()
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
        return self._caught_up.wait(self._reading and not self.unsettled)

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
        try:
            while self._running:
                await self._wait_for_room()
                reading = self._journal.read(self.batch)
                self._reading = not reading.called
                self._tell_caught_up()
                entries = await reading
                self._reading = False
                if entries and self._running:
                    await self._deliver(entries)
        except CancelledError:
            pass  # stop() ended a wait

    async def _deliver(self, entries: Sequence[JournalEntry]) -> None:
        self.read += len(entries)
        settled = self._settling.begin(_positions(entries), len(entries))
        delivered = await self._retried(
            partial(self.delivery.store, entries), self._store
        )
        if delivered.dead_letters:
            dead_letter = partial(self._dead_letter, delivered)
            await self._retried(dead_letter, self._journal.dependency)
        if self._stored is not None:
            self._stored(delivered.messages)
        self._links.push(delivered.messages, settled, delivered.audiences)

    async def _retried(self, call: Callable[[], Awaitable[T]], needed: Dependency) -> T:
        """
        Repeat a call until it succeeds.

        @param needed: what the call needs: while that is not up, the call waits for it.
        @raise CancelledError: the reader stops.
        """
        failures = 0
        while True:
            try:
                return await call()
            except Unavailable as e:
                reason = e.reason
            except Exception:  # noqa: BLE001 - a guard
                # A bug of ours must neither end the loop nor lose the records.
                self._log.failure("a batch of records cannot be delivered")
                reason = "see the failure above"
            failures += 1
            await self._pause(needed, self._backoff(failures), reason)

    async def _dead_letter(self, delivered: NumberedBatch) -> None:
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
        if self._caught_up.waiters and self._reading and not self.unsettled:
            self._caught_up.fire()

    async def _wait_for_room(self) -> None:
        if self.unsettled < self.limit_unsettled:
            return
        self._log.warn("{n} records unsettled, reading waits", n=self.unsettled)
        self._room = Deferred()
        await self._room

    async def _pause(self, needed: Dependency, delay_s: float, reason: str) -> None:
        if not self._running:
            raise CancelledError
        self._log.warn(
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
