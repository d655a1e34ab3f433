"""
Numbering: gives messages their seqs and stores them.  All decisions, and no I/O but the
calls of the store.

The store's unique identities and seqs are the fence, and this is the optimistic part in
front of it.  A batch gets the next seqs of its conversations from a cache of heads and
is inserted at once.  Only if the store reports that a message is a repeat, or that
another owner took a seq, the heads of these conversations are read again, and the rest
of the batch is numbered anew.  Since the store inserts a prefix of each conversation's
messages, no hole can arise, and the order of each sender stays.

Events are applied once they are stored, before anything is pushed.  If the store fails
in between, the batch is processed again: all of it is found stored, and its events are
applied then.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable, Iterable, Sequence, Set

import attrs
from twisted.internet.defer import DeferredLock

from wsmsg.errors import Unavailable
from wsmsg.events import EVENT_KINDS
from wsmsg.message.delivery.withholding import withhold
from wsmsg.message.journal.interface import (
    CONFLICT_REASON,
    REFUSED_REASON,
    JournalEntry,
)
from wsmsg.message.links.interface import (
    GroupRecipients,
    MemberCache,
    places_before,
    recipients_forward,
)
from wsmsg.message.store.interface import IConversations, Outcome
from wsmsg.message.traces.interface import IMessageTraces
from wsmsg.model import Message, MessageIdentity, is_group

# So many times a batch is numbered anew before the attempt fails.
_ROUNDS = 20


@attrs.frozen
class NumberedBatch:
    """
    The result of a batch of journal entries.

    @ivar messages: the stored messages, with their seqs, rising within each
        conversation; messages that were stored before are included.
    @ivar dead_letters: entries that cannot be delivered, each with the reason.
    @ivar recipients: the recipients of the messages that are in groups.
    @ivar repeated: the identities of the messages that were stored before.
    """

    messages: Sequence[Message]
    dead_letters: Sequence[tuple[JournalEntry, str]]
    recipients: GroupRecipients = attrs.field(factory=dict)
    repeated: Set[MessageIdentity] = frozenset()


class HeadCache:
    """
    The last seqs of the C{limit} most recently used conversations.
    """

    def __init__(self, limit: int) -> None:
        self._limit = limit
        self._heads: OrderedDict[str, int] = OrderedDict()

    def __contains__(self, conversation: str) -> bool:
        return conversation in self._heads

    def next(self, conversation: str) -> int:
        """
        Take the next seq of a cached conversation.
        """
        seq = self._heads[conversation] + 1
        self._heads[conversation] = seq
        self._heads.move_to_end(conversation)
        return seq

    def update(self, heads: Iterable[tuple[str, int]]) -> None:
        """
        Cache the last seqs of conversations, as the store has them.
        """
        self._heads.update(heads)

    def trim(self) -> None:
        """
        Drop the conversations over the limit.  Not to be called while seqs are taken.
        """
        while len(self._heads) > self._limit:
            self._heads.popitem(last=False)

    def forget(self, conversation: str) -> None:
        self._heads.pop(conversation, None)

    def clear(self) -> None:
        self._heads.clear()


@attrs.define
class _Run:
    """
    A batch in progress.

    @ivar remaining: the messages that are not stored yet, in the journal's order.
    """

    remaining: dict[MessageIdentity, tuple[JournalEntry, Message]]
    stored: list[Message]
    dead_letters: list[tuple[JournalEntry, str]]
    repeated: set[MessageIdentity] = attrs.field(factory=set)

    def take_remaining(self) -> dict[MessageIdentity, tuple[JournalEntry, Message]]:
        """
        Take the messages of a round; those that must be tried again are put back.
        """
        remaining, self.remaining = self.remaining, {}
        return remaining


class Numbering:
    """
    Stores batches of journal entries under the next seqs of their conversations.

    @ivar stored: messages that were inserted.
    @ivar repeats: records whose message was stored before.
    @ivar events: events that were applied.
    @ivar turn: to be held from the numbering of a batch to its push, so that messages
        are pushed in the order of their numbers.
    @ivar traces: makes the spans of messages; L{None}: none is traced.
    @param members_cached: the most members of groups that are cached.
    @param applied: called with events once they are applied.
    """

    def __init__(
        self,
        store: IConversations,
        now_ms: Callable[[], int],
        *,
        heads_cached: int,
        members_cached: int = 500_000,
        applied: Callable[[Sequence[Message]], object] = len,
        traces: IMessageTraces | None = None,
    ) -> None:
        self.stored = 0
        self.repeats = 0
        self.events = 0
        self.turn = DeferredLock()
        self.members = MemberCache(store, limit=members_cached)
        self._store = store
        self._now_ms = now_ms
        self._applied = applied
        self.traces = traces
        self._heads = HeadCache(heads_cached)
        self._storing = False
        self._outdated = False

    async def store(self, entries: Sequence[JournalEntry]) -> NumberedBatch:
        """
        Number and store the messages of these entries.

        @raise Unavailable: the store is not available.  The same entries may be given
            again; messages that were stored already are found then.
        """
        run, traces = self._begin(entries), self.traces
        start_ns = 0 if traces is None else traces.now_ns()
        self._storing = True
        try:
            for _ in range(_ROUNDS):
                if not run.remaining:
                    break
                await self._round(run)
            else:
                raise Unavailable("another Message keeps taking the same seqs")
            recipients = await self._apply_events(run)
        except BaseException:
            self._outdated = True  # it is unknown what was stored
            raise
        finally:
            self._storing = False
            if self._outdated:
                self.forget()
        self._heads.trim()
        stored = run.stored if traces is None else traces.stored(run.stored, start_ns)
        return NumberedBatch(stored, run.dead_letters, recipients, run.repeated)

    def forget(self) -> None:
        """
        Clear the caches, which may be outdated: other Messages store messages of the
        same conversations, or did.
        """
        # A batch in progress fills the caches again: then they are cleared after it.
        self._outdated = self._storing
        self._heads.clear()
        self.members.clear()
        self._store.forget_shards()

    def _begin(self, entries: Sequence[JournalEntry]) -> _Run:
        run = _Run({}, [], [])
        for entry in entries:
            message = entry.message
            if message is None:
                run.dead_letters.append((entry, entry.problem))
                continue
            first = run.remaining.setdefault(message.identity, (entry, message))
            if first[0] is not entry:
                self._repeat(run, entry, message, first[1])
        return run

    async def _round(self, run: _Run) -> None:
        # In a loop: forget() may be called while the heads are being read.
        while missing := {
            i.conversation for i in run.remaining if i.conversation not in self._heads
        }:
            self._heads.update((await self._store.heads(list(missing))).items())
        take = self._heads.next
        numbered = [
            m.numbered(take(i.conversation)) for i, (_, m) in run.remaining.items()
        ]
        if self._store.consent.may_withhold:
            numbered = list(await withhold(self._store, numbered))
        shards = [entry.partition for entry, _ in run.remaining.values()]
        outcomes = await self._store.insert(numbered, self._now_ms(), shards)
        entries = run.take_remaining()
        repeated = False
        for (identity, (entry, original)), message, outcome in zip(
            entries.items(), numbered, outcomes, strict=True
        ):
            if outcome is Outcome.INSERTED:
                run.stored.append(message)
                self.stored += 1
                continue
            self._heads.forget(identity.conversation)
            if outcome is Outcome.TAKEN:
                self.members.forget([identity.conversation])
            if outcome is Outcome.REFUSED:
                run.dead_letters.append((entry, REFUSED_REASON))
                continue
            repeated = repeated or outcome is Outcome.REPEATED
            run.remaining[identity] = (entry, original)
        if repeated:
            await self._find_repeats(run)

    async def _find_repeats(self, run: _Run) -> None:
        found = await self._store.find(list(run.remaining))
        for identity, stored in found.items():
            entry, message = run.remaining.pop(identity)
            self._repeat(run, entry, message, stored)
            run.stored.append(stored)
        # A repeat has a lower seq than the messages after it in its conversation.
        run.stored.sort(key=_by_seq)

    async def _apply_events(self, run: _Run) -> GroupRecipients:
        stored, cache = run.stored, self.members
        events = [m for m in stored if m.kind in EVENT_KINDS]
        if events:
            await self._store.apply(events)
            self.events += len(events)
            self._applied(events)
        in_groups = [m for m in stored if is_group(m.conversation)]
        if not in_groups:
            return {}
        at = await cache.members_at(places_before(in_groups))
        recipients, now = recipients_forward(stored, at)
        cache.remember(now)
        return recipients

    def _repeat(
        self, run: _Run, entry: JournalEntry, message: Message, first: Message
    ) -> None:
        self.repeats += 1
        run.repeated.add(message.identity)
        if not message.same_body(first):
            run.dead_letters.append((entry, CONFLICT_REASON))


def _by_seq(message: Message) -> tuple[str, int]:
    return message.conversation, message.seq
