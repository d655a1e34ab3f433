"""
Numbering and storing: the decisions, over the store alone.

The store's unique identities and numbers are the fence; this is optimistic in front
of it.  A batch gets the next numbers of its conversations from a cache of heads and
is inserted in one go.  Only where the store says that a message was there already,
or that another owner took a number, is the conversation's head read again and what
is left of it numbered anew.  Since the store keeps a prefix of each conversation's
run, no hole can come of it, and each sender's order stays.

What changes a group or takes a message back is carried out once it is stored, before
anybody is told of it.  If the store fails in between, the batch is given again, all of
it is found stored, and is carried out then.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable, Iterable, Sequence

import attrs
from twisted.logger import Logger

from wsmsg.errors import Unavailable
from wsmsg.events import EVENT_KINDS, member_change
from wsmsg.message.journal.interface import JournalEntry
from wsmsg.message.links.interface import (
    GroupRecipients,
    MemberCache,
    recipients_backward,
    recipients_forward,
)
from wsmsg.message.store.interface import IConversations, Outcome
from wsmsg.model import Message, MessageIdentity, groups_in

_ROUNDS = 20


@attrs.frozen
class NumberedBatch:
    """
    What became of a batch of entries.

    @ivar messages: stored, with their numbers, rising within each conversation;
        those that were stored before are among them once more.
    @ivar dead_letters: entries that nobody will ever see, with the reason.
    @ivar audiences: who is to have the messages that are in groups.
    """

    messages: Sequence[Message]
    dead_letters: Sequence[tuple[JournalEntry, str]]
    audiences: GroupRecipients = attrs.field(factory=dict)


class HeadCache:
    """
    The last numbers of recent conversations, the most recent C{limit} of them.
    """

    def __init__(self, limit: int) -> None:
        self._limit = limit
        self._heads: OrderedDict[str, int] = OrderedDict()

    def __contains__(self, conversation: str) -> bool:
        return conversation in self._heads

    def next(self, conversation: str) -> int:
        """
        Take the next number of a conversation that is in here.
        """
        seq = self._heads[conversation] + 1
        self._heads[conversation] = seq
        self._heads.move_to_end(conversation)
        return seq

    def learn(self, heads: Iterable[tuple[str, int]]) -> None:
        """
        Conversations and their last numbers, as the store has them.
        """
        self._heads.update(heads)

    def trim(self) -> None:
        """
        Forget what is over the limit; not while numbers are being taken.
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
    One batch on its way.

    @ivar left: what is not decided yet, in the journal's order.
    @ivar again: groups with a change that was stored before.
    """

    left: dict[MessageIdentity, tuple[JournalEntry, Message]]
    stored: list[Message]
    dead_letters: list[tuple[JournalEntry, str]]
    again: set[str] = attrs.field(factory=set)


class Numbering:
    """
    Stores batches of journal entries under the next numbers of their conversations.

    @ivar repeats: records that were stored before.
    @ivar events: changes of groups and recalls that were carried out.
    @param members_cached: members of groups that are remembered.
    """

    _log = Logger()

    def __init__(
        self,
        store: IConversations,
        now_ms: Callable[[], int],
        *,
        heads_cached: int,
        members_cached: int = 500_000,
    ) -> None:
        self.stored = 0
        self.repeats = 0
        self.events = 0
        self.members = MemberCache(store, limit=members_cached)
        self._store = store
        self._now_ms = now_ms
        self._heads = HeadCache(heads_cached)
        self._storing = False
        self._outdated = False

    async def store(self, entries: Sequence[JournalEntry]) -> NumberedBatch:
        """
        Number and store the messages of these entries.

        @raise Unavailable: the store is not there; the same entries may be given
            again, and what was stored of them is found then.
        """
        run = self._begin(entries)
        self._storing = True
        try:
            for _ in range(_ROUNDS):
                if not run.left:
                    break
                await self._round(run)
            else:
                raise Unavailable("another Message keeps taking the same numbers")
            audiences = await self._carry_out(run)
        except BaseException:
            self._outdated = True  # what was stored is not known
            raise
        finally:
            self._storing = False
            if self._outdated:
                self.forget()
        self._heads.trim()
        return NumberedBatch(run.stored, run.dead_letters, audiences)

    def forget(self) -> None:
        """
        What is remembered of conversations may not be true any more: others store
        messages of them, or did.
        """
        self._outdated = self._storing  # what the batch under way adds goes after it
        self._heads.clear()
        self.members.clear()

    def _begin(self, entries: Sequence[JournalEntry]) -> _Run:
        run = _Run({}, [], [])
        for entry in entries:
            message = entry.message
            if message is None:
                run.dead_letters.append((entry, entry.problem))
                continue
            first = run.left.setdefault(message.identity, (entry, message))
            if first[0] is not entry:
                self._repeat(run, entry, message, first[1])
        return run

    async def _round(self, run: _Run) -> None:
        # Again after each wait: L{forget} may have come in between.
        while missing := {
            i.conversation for i in run.left if i.conversation not in self._heads
        }:
            self._heads.learn((await self._store.heads(list(missing))).items())
        take = self._heads.next
        numbered = [m.numbered(take(i.conversation)) for i, (_, m) in run.left.items()]
        outcomes = await self._store.insert(numbered, self._now_ms())
        entries = run.left
        run.left = {}
        repeated = False
        for message, outcome in zip(numbered, outcomes, strict=True):
            identity = message.identity
            entry, original = entries[identity]
            if outcome is Outcome.INSERTED:
                run.stored.append(message)
                self.stored += 1
                continue
            self._heads.forget(identity.conversation)
            if outcome is Outcome.TAKEN:
                self.members.forget([identity.conversation])
            if outcome is Outcome.REFUSED:
                run.dead_letters.append((entry, "the store refuses this message"))
                continue
            repeated = repeated or outcome is Outcome.REPEATED
            run.left[identity] = (entry, original)
        if repeated:
            await self._settle_repeats(run)

    async def _settle_repeats(self, run: _Run) -> None:
        for identity, stored in (await self._store.find(list(run.left))).items():
            entry, message = run.left.pop(identity)
            self._repeat(run, entry, message, stored)
            run.stored.append(stored)
            if member_change(stored) is not None:
                run.again.add(stored.conversation)
        # A repeat has a lower number than what follows it in its conversation.
        run.stored.sort(key=_by_number)

    async def _carry_out(self, run: _Run) -> GroupRecipients:
        stored, known = run.stored, self.members
        events = [m for m in stored if m.kind in EVENT_KINDS]
        groups = groups_in(stored)
        now = await known.load(groups - run.again) if groups else {}
        if events:
            await self._store.apply(events)
            self.events += len(events)
        if not groups:
            return {}
        known.forget(run.again)
        again = await known.load(run.again) if run.again else {}
        audiences = {
            **recipients_forward(stored, now),
            **recipients_backward(stored, again),
        }
        known.remember(now)
        known.remember(again)
        return audiences

    def _repeat(
        self, run: _Run, entry: JournalEntry, message: Message, first: Message
    ) -> None:
        self.repeats += 1
        if not message.same_body(first):
            self._log.warn(
                "client id {client_id} of {sender} in {conversation} used twice for"
                " different messages; the second is in the dead letters",
                client_id=message.client_id,
                sender=message.sender,
                conversation=message.conversation,
            )
            reason = "conflict: the sender used this client id for another message"
            run.dead_letters.append((entry, reason))


def _by_number(message: Message) -> tuple[str, int]:
    return message.conversation, message.seq
