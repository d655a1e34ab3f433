"""
Doubles of the backends, which a test controls by hand.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence

import msgspec
from twisted.internet.defer import Deferred, fail, succeed
from twisted.internet.task import Clock
from zope.interface import implementer

from tests.message.store.consent_in_memory import ConsentInMemory
from tests.message.store.groups_in_memory import GroupsInMemory
from tests.message.store.lists_in_memory import EpochInMemory, listed
from tests.message.store.marks_in_memory import MemoryReadMarks
from tests.message.store.names_in_memory import NamesInMemory
from tests.message.store.pages_in_memory import page_of
from tests.message.store.read_ranges_in_memory import SeenInMemory
from tests.message.store.usage_in_memory import UsageInMemory
from wsmsg.dependency.state import Dependency
from wsmsg.errors import Unavailable
from wsmsg.events.group_change import GROUP
from wsmsg.events.recall import RECALL
from wsmsg.message.cluster.message_ids import EPOCH_MS
from wsmsg.message.ingress.group_rules import GroupRules
from wsmsg.message.journal.interface import DeadLetter, IJournal, JournalEntry
from wsmsg.message.store.interface import (
    PAGE_BYTES,
    GroupPage,
    HeadList,
    IMessageStore,
    Outcome,
    PageSpan,
)
from wsmsg.model import (
    RECALLED,
    Message,
    MessageIdentity,
)


@implementer(IJournal)
class ManualJournal:
    """
    A journal whose appends become durable when the test says so.
    """

    def __init__(self) -> None:
        self.dependency = Dependency("journal", Clock())
        self.dependency.succeeded()
        self.spacing_s = 0.0
        self.content_bytes = 2**20
        self.retention_s = 0.0
        self.appends: list[tuple[Sequence[Message], Deferred[None]]] = []
        self.reads: list[Deferred[list[JournalEntry]]] = []
        self.commits: list[Mapping[int, int]] = []
        self.letters: list[tuple[JournalEntry, str]] = []
        self.offset = 0
        self.unread = 0

    def start(self) -> None:
        self.dependency.succeeded()

    def stop(self) -> Deferred[None]:
        for read in self.reads:
            read.callback([])
        self.reads.clear()
        return succeed(None)

    def append(self, messages: Sequence[Message]) -> Deferred[None]:
        done: Deferred[None] = Deferred()
        self.appends.append((messages, done))
        return done

    def read(self, limit: int) -> Deferred[list[JournalEntry]]:
        read: Deferred[list[JournalEntry]] = Deferred()
        self.reads.append(read)
        return read

    def give(self, *messages: Message | None) -> None:
        """
        Answer the open read; L{None} stands for a record that cannot be decoded.
        """
        entries = []
        for message in messages:
            problem = "" if message else "cannot be decoded"
            entries.append(JournalEntry(0, self.offset, message, b"", problem))
            self.offset += 1
        self.reads.pop(0).callback(entries)

    def rewind(self) -> None:
        self.offset = 0

    def commit(self, positions: Mapping[int, int]) -> None:
        self.commits.append(positions)

    def on_revoked(self, forget: Callable[[], object]) -> None:
        self.forget = forget

    def keep_witness(
        self,
        witness: Callable[[], Mapping[int, str]],
        found: Callable[[Mapping[int, str]], object],
    ) -> None:
        self.witness, self.found = witness, found

    def counts(self) -> Mapping[str, int]:
        return {
            "lag": 0,
            "unread": self.unread,
            "lag_bytes": 0,
            "in_flight": len(self.appends),
            "partitions": 1,
            "from_memory": 0,
            "dead_letters_dropped": 0,
            "records_lost": 0,
        }

    def dead_letter(
        self, letters: Sequence[tuple[JournalEntry, str]]
    ) -> Deferred[None]:
        if not self.dependency.up:
            return fail(Unavailable("the journal is down"))
        self.letters += letters
        return succeed(None)

    def dead_letters(self, after: int, limit: int) -> Deferred[list[DeadLetter]]:
        return succeed([])

    def replay(self, numbers: Sequence[int]) -> Deferred[list[int]]:
        return succeed([])


def rules_by(
    store: IMessageStore, now_ms: Callable[[], int], *, shared: bool = True
) -> GroupRules:
    """
    Return group rules with limits that a test can reach.
    """
    return GroupRules(
        store,
        now_ms,
        group_members=5,
        recall_s=60,
        shared=shared,
        seconds=lambda: (now_ms() - EPOCH_MS) / 1000,
    )


@implementer(IMessageStore)
class MemoryStore(MemoryReadMarks, EpochInMemory):
    """
    A store in a dict, in which a test can also act as another Message.

    @ivar refuse: contents that the store never accepts.
    @ivar rivals: messages that another owner stores just before the next insert.
    @ivar inserts: the number of batches inserted.
    @ivar fail_apply: whether events are not applied.
    @ivar applied: the events applied, by batch.
    @ivar groups: the groups; see L{GroupsInMemory}.
    @ivar lookups: the number of times that members were read.
    """

    def __init__(self) -> None:
        self.messages: dict[MessageIdentity, Message] = {}
        self._groups = GroupsInMemory()
        self.groups = self._groups.groups
        super().__init__(
            SeenInMemory(
                lambda: list(self.messages.values()), self._groups.readable_from
            )
        )
        self.usage = UsageInMemory(self._groups, lambda: self.dependency.up)
        self.consent = ConsentInMemory(
            self.messages.values, self._groups, self.dependency, self._check
        )
        self.names = NamesInMemory()
        self.topics = None
        self.reserved = {}
        self.revoked = {}
        self.refuse: set[str] = set()
        self.rivals: list[Message] = []
        self.inserts = 0
        self.lookups = 0
        self.shards: list[list[int]] = []
        self.fail_apply = False
        self.applied: list[list[Message]] = []

    async def _insert(
        self, messages: Sequence[Message], shards: Sequence[int]
    ) -> list[Outcome]:
        self._check()
        self.shards.append(list(shards))
        self.inserts += 1
        for rival in self.rivals:
            self.messages[rival.identity] = rival
        self.rivals = []
        stopped: set[str] = set()
        return [self._insert_one(m, stopped) for m in messages]

    def _insert_one(self, message: Message, stopped: set[str]) -> Outcome:
        taken = {(m.conversation, m.seq) for m in self.messages.values()}
        if message.conversation in stopped:
            return Outcome.SKIPPED
        outcome = Outcome.INSERTED
        if message.identity in self.messages:
            outcome = Outcome.REPEATED
        elif (message.conversation, message.seq) in taken:
            outcome = Outcome.TAKEN
        elif message.content in self.refuse:
            outcome = Outcome.REFUSED
        if outcome is Outcome.INSERTED:
            self.messages[message.identity] = message
            if message.kind == GROUP:
                self._groups.change(message)
        else:
            stopped.add(message.conversation)
        return outcome

    def insert(
        self, messages: Sequence[Message], stored_ms: int, shards: Sequence[int]
    ) -> Deferred[list[Outcome]]:
        return Deferred.fromCoroutine(self._insert(messages, shards))

    async def _find(
        self, ids: Iterable[MessageIdentity]
    ) -> dict[MessageIdentity, Message]:
        self._check()
        return {i: self.messages[i] for i in ids if i in self.messages}

    def find(
        self, identities: Iterable[MessageIdentity]
    ) -> Deferred[dict[MessageIdentity, Message]]:
        return Deferred.fromCoroutine(self._find(identities))

    def by_ids(self, message_ids: Iterable[int]) -> Deferred[dict[int, Message]]:
        return Deferred.fromCoroutine(self._by_ids(frozenset(message_ids)))

    async def _by_ids(self, ids: frozenset[int]) -> dict[int, Message]:
        self._check()
        found = {m.message_id: m for m in self.messages.values()}
        return {i: m for i, m in found.items() if i in ids}

    async def _heads(self, conversations: Iterable[str]) -> dict[str, int]:
        self._check()
        return {c: self._head(c) for c in conversations}

    def _head(self, conversation: str) -> int:
        seqs = [m.seq for m in self.messages.values() if m.conversation == conversation]
        return max(seqs, default=0)

    def heads(self, conversations: Iterable[str]) -> Deferred[dict[str, int]]:
        return Deferred.fromCoroutine(self._heads(conversations))

    def page(
        self,
        conversation: str,
        after: int,
        limit: int,
        *,
        before: int = 0,
        reader: int = 0,
        limit_bytes: int = PAGE_BYTES,
    ) -> Deferred[tuple[list[Message], int]]:
        span = PageSpan(after, before, limit, limit_bytes, reader)
        return Deferred.fromCoroutine(self._page(conversation, span))

    async def _page(self, name: str, span: PageSpan) -> tuple[list[Message], int]:
        self._check()
        page = page_of(self.messages.values(), name, span, self._groups.readable_from)
        end = self.consent.shown_now([(name, span.reader)]).get((name, span.reader))
        return page, self._head(name) if end is None else end.head

    def conversations_of(
        self,
        user: int,
        position: str,
        limit: int,
        *,
        witness: str = "",
        anew: bool = False,
    ) -> Deferred[HeadList]:
        names = [m.conversation for m in self.messages.values()]
        mine = [n if self._is_in(user, n) else "" for n in names]
        return succeed(listed(mine, self._head, self.epoch, position, limit, witness))

    def _is_in(self, user: int, conversation: str) -> bool:
        if conversation in self.groups:
            return user in self.groups[conversation][2]
        return str(user) in conversation.split(":")

    async def _apply(self, events: Sequence[Message]) -> None:
        self._check()
        if self.fail_apply:
            raise Unavailable("the store went down")
        self.applied.append(list(events))
        for event in events:
            self.consent.apply(event)
            if event.kind == GROUP:
                self._groups.change(event)
            elif event.kind == RECALL:
                self._take_back(event)

    def _take_back(self, event: Message) -> None:
        for m in list(self.messages.values()):
            if (m.conversation, m.seq) == (event.conversation, int(event.content)):
                self.messages[m.identity] = msgspec.structs.replace(
                    m, content="", kind=RECALLED
                )

    def apply(self, events: Sequence[Message]) -> Deferred[None]:
        return Deferred.fromCoroutine(self._apply(events))

    async def _members(self, names: Sequence[str]) -> dict[str, frozenset[int]]:
        self._check()
        self.lookups += 1
        return self._groups.members(names)

    def members(
        self, conversations: Sequence[str]
    ) -> Deferred[dict[str, frozenset[int]]]:
        return Deferred.fromCoroutine(self._members(conversations))

    async def _members_at(
        self, places: Sequence[tuple[str, int]]
    ) -> dict[tuple[str, int], frozenset[int]]:
        self._check()
        self.lookups += 1
        return self._groups.members_at(places)

    def members_at(
        self, places: Sequence[tuple[str, int]]
    ) -> Deferred[dict[tuple[str, int], frozenset[int]]]:
        return Deferred.fromCoroutine(self._members_at(places))

    async def _readable(
        self, keys: Sequence[tuple[str, int]]
    ) -> dict[tuple[str, int], int]:
        self._check()
        self.lookups += 1
        return self._groups.readable_from(keys)

    def readable_from(
        self, keys: Sequence[tuple[str, int]]
    ) -> Deferred[dict[tuple[str, int], int]]:
        return Deferred.fromCoroutine(self._readable(keys))

    async def _group(self, name: str, after: int, limit: int) -> GroupPage | None:
        self._check()
        return self._groups.page(name, after, limit)

    def group(
        self, conversation: str, after: int, limit: int
    ) -> Deferred[GroupPage | None]:
        return Deferred.fromCoroutine(self._group(conversation, after, limit))
