"""
Inserting numbered messages so that of each conversation a prefix is stored.

MongoDB inserts in order and stops at the first document that it cannot take, so what is
stored of a batch is at any moment a prefix of the batch, and so of each conversation
in it: no reader ever sees a hole, not even between two commands.  Where it stops, all
messages that are left are looked up, by identity and by number, and the conversations
that cannot go on are taken out; the rest is inserted in the same way.  A batch costs
two round trips, one of them to say that the conversations changed; a batch that was
stored before, in part or wholly, a few more, however many conversations it has.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from wsmsg.dependency.gather import gather_lists
from wsmsg.errors import Unavailable
from wsmsg.message.store.interface import Outcome
from wsmsg.message.store.mongo.connection import MongoConnection
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
    to_document,
)
from wsmsg.message.store.mongo.heads import MongoHeads
from wsmsg.model import Message

_DUPLICATE = frozenset({11000, 11001})
# Bad value, failed validation, document or key too large: it will be so for ever.
_REFUSED = frozenset({2, 22, 121, 10334, 17280, 17419, 17420})


class InsertProgress:
    """
    What became of the messages of a batch so far.

    @ivar left: indices of those that are not decided, in their order.
    """

    def __init__(self, messages: Sequence[Message]) -> None:
        self._messages = messages
        self._outcomes: list[Outcome | None] = [None] * len(messages)
        self.left = list(range(len(messages)))
        self.end({i: Outcome.REFUSED for i in self.left if not fits(messages[i])})

    @property
    def outcomes(self) -> list[Outcome]:
        """
        One a message, when none is left.
        """
        return [o for o in self._outcomes if o is not None]

    def inserted(self, count: int) -> None:
        """
        So many of those that were left, from the first on, are stored.
        """
        for i in self.left[:count]:
            self._outcomes[i] = Outcome.INSERTED
        del self.left[:count]

    def end(self, outcomes: dict[int, Outcome]) -> None:
        """
        These cannot be stored: the first of each conversation ends it.
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
        The conversations of which the first message was stored.
        """
        return {
            m.conversation
            for m, outcome in zip(self._messages, self._outcomes, strict=True)
            if outcome is Outcome.INSERTED and m.seq == 1
        }

    def heads(self) -> dict[str, int]:
        """
        The conversations of which something was stored, and its last number.
        """
        return {
            m.conversation: m.seq
            for m, outcome in zip(self._messages, self._outcomes, strict=True)
            if outcome is Outcome.INSERTED
        }

    def doubted(self) -> list[str]:
        """
        The conversations in which somebody else stored something.
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

    def __init__(self, connection: MongoConnection, heads: MongoHeads) -> None:
        self._connection = connection
        self._heads = heads

    async def insert(
        self, messages: Sequence[Message], stored_ms: int
    ) -> list[Outcome]:
        """
        As the store is asked.
        """
        run = InsertProgress(messages)
        while run.left:
            some = list(_up_to(messages, run.left, COMMAND_BYTES))
            documents = [to_document(m, stored_ms) for m in some]
            reply = await self._connection.run(insert("messages", documents))
            run.inserted(reply["n"])
            for error in reply.get("writeErrors", ()):
                await self._stopped(run, messages, error)
        heads = run.heads()
        if heads:
            await self._heads.moved(heads, stored_ms, run.begun())
        doubted = run.doubted()
        if doubted:
            # Who stored it may have died before saying that the conversation changed.
            await self._heads.repair(doubted, stored_ms)
        return run.outcomes

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
