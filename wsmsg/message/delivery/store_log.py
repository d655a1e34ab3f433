"""
The log without a journal: the store itself is the log.

One transaction of the store makes a batch of messages durable, decides about their
identities and numbers them.  Then, in one turn, their senders are answered and the
messages are pushed, so that both leave in one frame of a stream::

    ingress --add--> gathered --Numbering.store--> answered, pushed
                        ^  one batch at a time         '--> settled

The messages that arrive while a transaction is under way are gathered for the next one.

What an attempt that failed has stored is uncertain.  Its senders are told so
(L{WsmsgError.uncertain}), and before the next batch the store is asked: a message that
it has all the same is pushed then, before any later one.  If this process dies first,
the next one has another incarnation, so all sessions sync.
"""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Callable, Mapping, Sequence

from twisted.internet.defer import Deferred, succeed
from twisted.internet.interfaces import IDelayedCall, IReactorTime
from twisted.logger import Logger
from zope.interface import implementer

from wsmsg.dependency.state import Dependency
from wsmsg.errors import BadRequest, Unavailable, WsmsgError
from wsmsg.flow.idle import IdleWaiters
from wsmsg.message.delivery.numbering import NumberedBatch, Numbering
from wsmsg.message.delivery.old_journal import OldJournal
from wsmsg.message.delivery.progress import (
    CommitTracker,
    DeliveryProgress,
    StoredPushes,
)
from wsmsg.message.journal.interface import (
    REFUSED_REASON,
    DeadLetter,
    JournalEntry,
)
from wsmsg.message.links.interface import ILinks
from wsmsg.message.log.interface import Appended, IMessageLog, LogTimings
from wsmsg.message.store.interface import IMessages
from wsmsg.model import Message, MessageIdentity
from wsmsg.settings.values import MessageSettings

#: Far below the longest value of SQLite, and above every setting.
CONTENT_BYTES = 64 * 2**20
#: The time for which messages are stored one by one, after a bug in storing several.
APART_S = 10.0
#: The hint to those who are refused as the store is away.
RETRY_AFTER_MS = 500
#: The time until an attempt to find out what a failed transaction has stored.
_ASK_S = 1.0

#: Messages, what fires when they are stored, and when they were added.
_Added = tuple[Sequence[Message], "Deferred[Appended]", float]

_COUNTS = (
    *("lag", "unread", "lag_bytes", "in_flight", "partitions"),
    *("from_memory", "dead_letters_dropped", "records_lost"),
)


@implementer(IMessageLog)
class StoreLog:
    """
    The log over a store that this Message alone writes.

    @param batch: the number of messages at which a transaction takes no more.
    @param stalled_s: a step that takes longer stands still.
    @param on_stored: as for L{StoredPushes}.
    @param old: the journal of an earlier version; L{None}: there is none.
    @param unix_s: returns the unix time.
    """

    clock: IReactorTime
    decides = True
    content_bytes = CONTENT_BYTES
    retention_s = 0.0
    _log = Logger()

    def __init__(
        self,
        store: IMessages,
        numbering: Numbering,
        links: ILinks,
        clock: IReactorTime,
        *,
        batch: int,
        stalled_s: float = 5.0,
        on_stored: Callable[[Sequence[Message]], object] | None = None,
        old: OldJournal | None = None,
        unix_s: Callable[[], float] = time.time,
    ) -> None:
        self.clock = clock
        self.batch = batch
        self.stalled_s = stalled_s
        self.timings = LogTimings()
        self._store = store
        self._numbering = numbering
        self._pushes = StoredPushes(links, on_stored, numbering.traces)
        self._old = old
        self._progress = DeliveryProgress(clock.seconds, unix_s)
        self._unsettled = CommitTracker(self._settled, clock.seconds)
        self._idle = IdleWaiters()
        self._gathered: list[_Added] = []
        self._storing = 0
        self._running: Deferred[None] | None = None
        self._uncertain: Sequence[Message] = ()
        self._asking: IDelayedCall | None = None
        self._apart_until_s: float | None = None
        self._stopping = False
        store.dependency.on_change(self._changed)

    # -- adding

    @property
    def apart(self) -> bool:
        if self._apart_until_s is None:
            return False
        if self.clock.seconds() >= self._apart_until_s:
            self._apart_until_s = None
        return self._apart_until_s is not None

    def add(self, messages: Sequence[Message]) -> Deferred[Appended]:
        if self._stopping or not self._store.dependency.up:
            return succeed(Appended({}, self._away()))
        done: Deferred[Appended] = Deferred()
        self._gathered.append((messages, done, self.clock.seconds()))
        self._begin()
        return done

    def may_be_unstored(self) -> bool:
        return self._old is not None and not self._old.drained

    def _begin(self) -> None:
        if self._running is None and (self._gathered or self._uncertain):
            self._running = Deferred()
            Deferred.fromCoroutine(self._run()).addErrback(
                lambda failure: self._log.failure("the loop of the log", failure)
            )

    async def _run(self) -> None:
        try:
            while self._gathered or self._uncertain:
                await self._numbering.turn.acquire()
                try:
                    stored = await self._store_batch(self._take())
                finally:
                    self._numbering.turn.release()
                if not stored and not self._gathered:
                    break
        finally:
            running, self._running = self._running, None
            if running is not None:
                running.callback(None)
            self._check_idle()

    def _take(self) -> list[_Added]:
        """
        Take what the next transaction stores: whole calls of L{add}.
        """
        gathered = self._gathered
        most = 1 if self.apart else self.batch
        taken: list[_Added] = []
        n = 0
        while len(taken) < len(gathered) and n < most:
            added = gathered[len(taken)]
            taken.append(added)
            n += len(added[0])
        del gathered[: len(taken)]
        self._storing = n
        return taken

    async def _store_batch(self, taken: Sequence[_Added]) -> bool:
        """
        Store, answer and push a batch.

        @return: whether the store took it.
        """
        problem = await self._find_uncertain()
        if problem is not None:
            self._answer(taken, Appended({}, problem))
            return False
        messages = [*self._uncertain, *(m for some, _, _ in taken for m in some)]
        if not messages:
            return True
        entries = [JournalEntry(0, 0, message, b"") for message in messages]
        self._progress.read(entries)
        began_s = self.clock.seconds()
        try:
            stored = await self._numbering.store(entries)
        except Exception as e:  # noqa: BLE001 - a guard: the senders must be answered
            self._uncertain = messages
            self._progress.stored()
            self._answer(taken, Appended({}, self._failed(e, len(messages))))
            return False
        self._uncertain = ()
        self._note_stored(began_s, taken)
        # In one turn: the answers and the pushes leave in one frame.
        self._answer(taken, _appended(stored))
        self._progress.stored()
        n = len(stored.messages)
        self._pushes.pass_on(stored, self._unsettled.begin({0: n}, n))
        return True

    def _note_stored(self, began_s: float, taken: Sequence[_Added]) -> None:
        now_s, timings = self.clock.seconds(), self.timings
        timings.store_batch.observe(now_s - began_s)
        for messages, _, added_s in taken:
            timings.durable.observe(now_s - added_s, len(messages))
            timings.stored.observe(now_s - added_s, len(messages))

    def _answer(self, taken: Sequence[_Added], result: Appended) -> None:
        self._storing = 0
        for _, done, _ in taken:
            done.callback(result)

    def _away(self) -> Unavailable:
        if self._stopping:
            return Unavailable("this Message is stopping", RETRY_AFTER_MS)
        seen = self._store.dependency.snapshot()
        why = f": {seen.last_error}" if seen.last_error else ""
        return Unavailable(f"the {seen.name} is not up{why}", RETRY_AFTER_MS)

    # -- failures

    def _failed(self, error: Exception, n: int) -> Unavailable:
        """
        Return the answer to the senders of a batch that failed.
        """
        if isinstance(error, WsmsgError):
            problem = Unavailable(error.reason, RETRY_AFTER_MS)
        else:
            self._log.failure("storing {n} messages", n=n)
            problem = Unavailable("the store failed", RETRY_AFTER_MS)
            if n > 1:
                self._apart_until_s = self.clock.seconds() + APART_S
        self._ask_later()
        return problem.may_be_done()

    async def _find_uncertain(self) -> WsmsgError | None:
        """
        Keep of the messages of the last attempt those that the store has.

        @return: why no message can be stored now; L{None}: they can.
        """
        if not self._store.dependency.up:
            return self._away()
        if not self._uncertain:
            return None
        try:
            found = await self._store.find([m.identity for m in self._uncertain])
        except Exception as e:  # noqa: BLE001 - a guard
            self._ask_later()
            if isinstance(e, WsmsgError):
                return Unavailable(e.reason, RETRY_AFTER_MS)
            self._log.failure("finding out what a failed transaction has stored")
            return Unavailable("the store failed", RETRY_AFTER_MS)
        self._uncertain = [
            m
            for m in self._uncertain
            if (there := found.get(m.identity)) is not None
            and there.message_id == m.message_id
        ]
        return None

    def _ask_later(self) -> None:
        # If the store is lost, it is asked as soon as it is back.
        if self._asking is None and not self._stopping:
            self._asking = self.clock.callLater(_ASK_S, self._ask)

    def _ask(self) -> None:
        self._asking = None
        if self._store.dependency.up:
            self._begin()

    def _changed(self, dependency: Dependency) -> None:
        if dependency.up and not self._stopping:
            self._begin()

    # -- life

    def start(self) -> None:
        if self._old is not None:
            self._old.start()

    async def stop(self) -> None:
        self._stopping = True
        if self._asking is not None:
            self._asking.cancel()
            self._asking = None
        # At the same time: each may hold the turn that the other one waits for.
        old = None
        if self._old is not None:
            old = Deferred.fromCoroutine(self._old.stop())
        if self._running is not None:
            await self._running
        if old is not None:
            await old

    def apply_settings(self, settings: MessageSettings) -> None:
        self.batch = settings.read_batch
        self.stalled_s = settings.stalled_s
        if self._old is not None:
            self._old.reader.apply_settings(settings)

    # -- progress

    @property
    def unsettled(self) -> int:
        old = 0 if self._old is None else self._old.reader.unsettled
        return self._unsettled.unsettled + old

    @property
    def read(self) -> int:
        return 0 if self._old is None else self._old.reader.read

    @property
    def dead_lettered(self) -> Mapping[str, int]:
        return Counter() if self._old is None else self._old.reader.dead_letters

    def caught_up(self) -> Deferred[None]:
        caught_up = self._idle.wait(self._is_idle())
        if self._old is not None:
            reader = self._old.reader
            caught_up.addCallback(lambda _: reader.caught_up())
        return caught_up

    def stalled(self) -> str:
        old = "" if self._old is None else self._old.reader.stalled()
        unsettled_s = self._unsettled.oldest_s
        return old or self._progress.stalled(self.stalled_s, unsettled_s, full=False)

    def oldest_unstored_s(self) -> float:
        return 0.0 if self._old is None else self._old.reader.oldest_unstored_s()

    def oldest_unsettled_s(self) -> float:
        oldest_s = self._unsettled.oldest_s
        age_s = 0.0 if oldest_s is None else self.clock.seconds() - oldest_s
        if self._old is not None:
            age_s = max(age_s, self._old.reader.oldest_unsettled_s())
        return age_s

    def counts(self) -> Mapping[str, int]:
        counts = dict.fromkeys(_COUNTS, 0)
        if self._old is not None:
            counts.update(self._old.journal.counts())
        counts["lag"] += self._unsettled.unsettled
        counts["in_flight"] += self._storing
        counts["in_flight"] += sum(len(some) for some, _, _ in self._gathered)
        counts["partitions"] = 1
        return counts

    def dead_letters(self, after: int, limit: int) -> Deferred[list[DeadLetter]]:
        if self._old is None:
            return succeed([])
        return self._old.journal.dead_letters(after, limit)

    def replay(self, numbers: Sequence[int]) -> Deferred[list[int]]:
        if self._old is None:
            return succeed([])
        return self._old.journal.replay(numbers)

    def _settled(self, _: Mapping[int, int]) -> None:
        self._check_idle()

    def _is_idle(self) -> bool:
        busy = self._running is not None or self._gathered
        return not busy and not self._unsettled.unsettled

    def _check_idle(self) -> None:
        if self._idle.waiters and self._is_idle():
            self._idle.fire()


def _appended(stored: NumberedBatch) -> Appended:
    before: dict[MessageIdentity, Message] = {}
    if stored.repeated:
        messages = ((m.identity, m) for m in stored.messages)
        before = {i: m for i, m in messages if i in stored.repeated}
    refused: dict[MessageIdentity, WsmsgError] = {
        entry.message.identity: BadRequest(reason)
        for entry, reason in stored.dead_letters
        if entry.message is not None and reason == REFUSED_REASON
    }
    return Appended(before, None, refused)
