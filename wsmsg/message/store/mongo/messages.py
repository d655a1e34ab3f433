"""
Messages in MongoDB: inserts and pages.

Inserts store numbered messages so that of each conversation a prefix is stored.

MongoDB inserts in order and stops at the first document that fails, so at any moment a
prefix of the batch is stored, and so a prefix of each conversation in it: no reader
ever sees a gap, not even between two commands.  Where MongoDB stops, the remaining
messages are looked up by identity and by number, and the conversations that cannot
continue are removed; the rest is inserted in the same way.  A batch costs two round
trips, one of them to update the conversations.  A batch that was stored before, in
part or in full, costs a few more, however many conversations it has.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence

from wsmsg.dependency.gather import gather_lists
from wsmsg.errors import Forbidden, Unavailable
from wsmsg.events.group_change import GROUP
from wsmsg.message.store.interface import Outcome, PageSpan
from wsmsg.message.store.membership import ReadRight
from wsmsg.message.store.mongo.connection import MongoConnection
from wsmsg.message.store.mongo.consent import MongoConsent
from wsmsg.message.store.mongo.documents import (
    BRANCHES,
    COMMAND_BYTES,
    Document,
    chunks,
    find,
    fits,
    insert,
    message_key,
    size_of,
    storable,
    to_document,
    to_message,
)
from wsmsg.message.store.mongo.groups import MongoGroups
from wsmsg.message.store.mongo.heads import MongoHeads
from wsmsg.message.store.page_span import fitting
from wsmsg.model import INT64_MAX, Message, MessageIdentity, is_group, storable_values

_DUPLICATE = frozenset({11000, 11001})
# Bad value, failed validation, document or key too large: no retry can cure these.
_REFUSED = frozenset({2, 22, 121, 10334, 17280, 17419, 17420})


class InsertProgress:
    """
    The outcomes of a batch so far.

    @ivar left: the indices of the undecided messages, in order.
    """

    def __init__(self, messages: Sequence[Message]) -> None:
        self._messages = messages
        self._outcomes: list[Outcome | None] = [None] * len(messages)
        self.left = list(range(len(messages)))
        self.end({i: Outcome.REFUSED for i in self.left if not fits(messages[i])})

    @property
    def outcomes(self) -> list[Outcome]:
        """
        One outcome for each message, when none is left.
        """
        return [o for o in self._outcomes if o is not None]

    def inserted(self, count: int) -> None:
        """
        Note that the first C{count} of the undecided messages are stored.
        """
        for i in self.left[:count]:
            self._outcomes[i] = Outcome.INSERTED
        del self.left[:count]

    def end(self, outcomes: dict[int, Outcome]) -> None:
        """
        Note messages that cannot be stored; the first of a conversation ends it.
        """
        ended: set[str] = set()
        left = []
        for i in self.left:
            conversation = self._messages[i].conversation
            if conversation in ended:
                self._outcomes[i] = Outcome.SKIPPED
            elif i in outcomes:
                self._outcomes[i] = outcomes[i]
                ended.add(conversation)
            else:
                left.append(i)
        self.left = left

    def begun(self) -> set[str]:
        """
        Return the conversations whose first message was stored.
        """
        return {
            m.conversation
            for m, outcome in zip(self._messages, self._outcomes, strict=True)
            if outcome is Outcome.INSERTED and m.seq == 1
        }

    def heads(self) -> dict[str, Message]:
        """
        Return the last stored message, by conversation.
        """
        return {
            m.conversation: m
            for m, outcome in zip(self._messages, self._outcomes, strict=True)
            if outcome is Outcome.INSERTED
        }

    def contested(self) -> list[str]:
        """
        Return the conversations in which another process stored messages.
        """
        others = (Outcome.REPEATED, Outcome.TAKEN)
        return [
            m.conversation
            for m, outcome in zip(self._messages, self._outcomes, strict=True)
            if outcome in others
        ]


class MongoInserts:
    """
    Inserts batches of messages.
    """

    def __init__(
        self, connection: MongoConnection, heads: MongoHeads, groups: MongoGroups
    ) -> None:
        self._connection = connection
        self._heads = heads
        self._groups = groups

    async def insert(
        self, messages: Sequence[Message], stored_ms: int, shards: Sequence[int]
    ) -> list[Outcome]:
        """
        As L{wsmsg.message.store.interface.IMessages.insert}.
        """
        run = InsertProgress(messages)
        shard_of = {m.conversation: s for m, s in zip(messages, shards, strict=True)}
        await self._groups.leaving([m for m in messages if m.kind == GROUP])
        # Each pass decides at least one message.  The insert is ordered: MongoDB stores
        # run.left[:n] and stops, so no message is stored behind a gap.
        while run.left:
            some = list(_up_to(messages, run.left, COMMAND_BYTES))
            documents = [to_document(m, stored_ms) for m in some]
            reply = await self._connection.run(insert("messages", documents))
            run.inserted(reply["n"])
            for error in reply.get("writeErrors", ()):
                await self._stopped(run, messages, error)
        await self._changed(run, stored_ms, shard_of)
        return run.outcomes

    async def _changed(
        self, run: InsertProgress, stored_ms: int, shard_of: Mapping[str, int]
    ) -> None:
        last = run.heads()
        heads = {name: m.seq for name, m in last.items()}
        ids = {name: m.message_id for name, m in last.items()}
        contested = set(run.contested())
        if contested:
            # The process that stored these messages may have died before it noted the
            # change, or noted it with a number below those that readers were given.
            there = await self._heads.heads(contested)
            for name, head in there.items():
                heads[name] = max(head, heads.get(name, 0))
            ids.update(await self._ids({name: heads[name] for name in contested}))
        if heads := {name: head for name, head in heads.items() if head}:
            new = run.begun() - contested
            await self._heads.moved(heads, stored_ms, shard_of, new, ids)

    async def _ids(self, heads: Mapping[str, int]) -> dict[str, int]:
        """
        Return the ids of messages with these numbers.
        """
        branches = [{"conversation": n, "seq": head} for n, head in heads.items()]
        projection = {"_id": 0, "conversation": 1, "message_id": 1}
        found = await gather_lists(
            self._connection.documents(
                find("messages", {"$or": some}, projection=projection)
            )
            for some in chunks(branches, BRANCHES)
        )
        return {d["conversation"]: int(d["message_id"]) for d in found}

    async def _stopped(
        self, run: InsertProgress, messages: Sequence[Message], error: Document
    ) -> None:
        code, first = error.get("code"), run.left[0]
        if code in _REFUSED:
            run.end({first: Outcome.REFUSED})
            return
        if code not in _DUPLICATE:
            raise Unavailable(f"MongoDB: insert messages: {error.get('errmsg')}")
        outcomes = await self._looked_up({i: messages[i] for i in run.left})
        if first not in outcomes:
            by_key = "_id" in error.get("keyPattern", {"_id": 1})
            outcomes[first] = Outcome.REPEATED if by_key else Outcome.TAKEN
        run.end(outcomes)

    async def _looked_up(self, left: dict[int, Message]) -> dict[int, Outcome]:
        keys = [message_key(m.identity) for m in left.values()]
        numbers: dict[str, list[int]] = {}
        for m in left.values():
            numbers.setdefault(m.conversation, []).append(m.seq)
        branches = [
            {"conversation": name, "seq": {"$in": some}}
            for name, some in numbers.items()
        ]
        projection = {"conversation": 1, "seq": 1}
        filters: list[Document] = [
            {"_id": {"$in": keys}},
            *({"$or": some} for some in chunks(branches, BRANCHES)),
        ]
        found = await gather_lists(
            self._connection.documents(find("messages", f, projection=projection))
            for f in filters
        )
        stored = {d["_id"] for d in found}
        taken = {(d["conversation"], d["seq"]) for d in found}
        outcomes = {}
        for i, m in left.items():
            if message_key(m.identity) in stored:
                outcomes[i] = Outcome.REPEATED
            elif (m.conversation, m.seq) in taken:
                outcomes[i] = Outcome.TAKEN
        return outcomes


def _up_to(
    messages: Sequence[Message], left: Sequence[int], limit_bytes: int
) -> Iterator[Message]:
    size = 0
    for i in left:
        size += size_of(messages[i])
        if size > limit_bytes and size > size_of(messages[i]):
            return
        yield messages[i]


class MongoPages:
    """
    Reads of pages.  MongoDB ends an answer after 16 MiB, and what a page does not take
    of that is dropped here.
    """

    def __init__(
        self,
        connection: MongoConnection,
        groups: MongoGroups,
        heads: MongoHeads,
        consent: MongoConsent,
    ) -> None:
        self._connection = connection
        self._groups = groups
        self._heads = heads
        self._consent = consent

    async def page(
        self, conversation: str, span: PageSpan
    ) -> tuple[list[Message], int]:
        """
        As L{wsmsg.message.store.interface.IMessages.page}.
        """
        if not span.reader:
            return await self._any(conversation, span)
        if not is_group(conversation):
            return await self._shown(conversation, span)
        key = (conversation, span.reader)
        while True:
            messages, head = await self._any(conversation, span)
            # Judged after the messages were read, so that it counts all changes before
            # the last of them.
            right = (await self._groups.rights([key])).get(key)
            if right is None or span.after >= right.last:
                raise Forbidden(f"user {span.reader} is not in {conversation}")
            lawful = _within(span, right)
            if lawful == span:
                visible = [m for m in messages if m.seq <= right.last]
                return visible, min(head, right.last)
            span = lawful

    async def _shown(
        self, conversation: str, span: PageSpan
    ) -> tuple[list[Message], int]:
        # Read as for the server; read again where a message is withheld.
        messages, head = await self._any(conversation, span)
        reader = span.reader
        if not any(m.is_withheld_from(reader) for m in messages):
            return messages, head
        shown = await self._connection.documents(
            find(
                "messages",
                {
                    "conversation": conversation,
                    "seq": {"$gt": span.after, "$lt": span.before or INT64_MAX},
                    "$or": [{"withheld": None}, {"sender": reader}],
                },
                sort={"seq": -1 if span.before else 1},
                limit=max(span.limit, 1),
                singleBatch=True,
            )
        )
        some = [to_message(d) for d in shown[: max(span.limit, 0)]]
        page = list(fitting(some, span.limit_bytes))
        # The messages until the head may all be withheld, or not.
        key = (conversation, reader)
        end = (await self._consent.ends([key])).get(key)
        head = head if end is None else end.head
        return page[::-1] if span.before else page, head

    async def _any(
        self, conversation: str, span: PageSpan
    ) -> tuple[list[Message], int]:
        if not storable(conversation) or not storable_values((span.after, span.before)):
            return [], 0
        if span.before:
            return await self._last(conversation, span)
        limit = max(span.limit, 0)
        after = span.after
        # Numbers have no gaps, so both bounds give as many messages as are wanted.
        between = {"$gt": after, "$lte": min(after + limit, INT64_MAX)}
        hint, messages = await self._found(conversation, between, limit)
        last = messages[-1].seq if messages else 0
        if not messages and limit and hint > after:
            # An imported conversation may begin later than with 1.
            above = {"$gt": after, "$lte": INT64_MAX}
            hint, messages = await self._found(conversation, above, limit)
            last = messages[-1].seq if messages else 0
        head = max(hint, last)
        page = list(fitting(messages, span.limit_bytes))
        if len(messages) < limit or hint > last:
            return page, head
        beyond = await self._heads.beyond({conversation: head})
        return page, beyond.get(conversation, head)

    async def _last(
        self, conversation: str, span: PageSpan
    ) -> tuple[list[Message], int]:
        head = (await self._heads.heads([conversation]))[conversation]
        limit = max(span.limit, 0)
        before = min(span.before, head + 1)
        between = {"$gt": max(span.after, before - 1 - limit), "$lt": before}
        _, messages = await self._found(conversation, between, limit, order=-1)
        return list(fitting(messages, span.limit_bytes))[::-1], head

    async def find(
        self, identities: Sequence[MessageIdentity]
    ) -> dict[MessageIdentity, Message]:
        able = [i for i in identities if storable(i[0]) and storable_values(i[1:])]
        if not able:
            return {}
        asked = find("messages", {"_id": {"$in": [message_key(i) for i in able]}})
        found = map(to_message, await self._connection.documents(asked))
        by_identity = {m.identity: m for m in found}
        return {i: by_identity[i] for i in able if i in by_identity}

    async def _found(
        self, conversation: str, seqs: Document, limit: int, *, order: int = 1
    ) -> tuple[int, list[Message]]:
        """
        Return the hint of the head, and messages of one answer of MongoDB.
        """
        found = await gather_lists(
            [
                self._connection.documents(
                    find("conversations", {"_id": conversation})
                ),
                self._connection.documents(
                    find(
                        "messages",
                        {"conversation": conversation, "seq": seqs},
                        sort={"seq": order},
                        # No limit: the bounds suffice, and 0 means none.
                        limit=max(limit, 1),
                        singleBatch=True,
                    )
                ),
            ]
        )
        hint = max([int(d["head"]) for d in found if "head" in d], default=0)
        return hint, [to_message(d) for d in found if "seq" in d][:limit]


def _within(span: PageSpan, right: ReadRight) -> PageSpan:
    before = span.before
    if before > right.last:
        before = right.last + 1
    return span._replace(after=max(span.after, right.first - 1), before=before)
