"""
Change numbers in MongoDB: each shard has an owner at a time, which numbers its changes
without asking.

A shard has a document, C{/shard/N}, among those of the conversations, so that one
command writes heads and then the document.  It has the shard's C{generation}, which
rises whenever a process begins to number changes there, and C{change}, the highest
number whose batch was written.  The number of a batch has the generation above a
counter (L{wsmsg.message.store.numbers}), so a later owner's numbers are above all of an
earlier one.  C{ends} has what C{change} was when the last generations began, up to the
generation C{ended_by}: after one that did not keep it, C{change} is of a higher one.

Behind the heads, a batch writes the number into the document B{if the generation is
still its own}.  If it is not, another process has numbered changes meanwhile, and
readers may have been given its numbers: then the batch begins a generation above that
one and writes its heads again.  Docs: C{docs/decisions/0056-positions.md}.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Mapping

import attrs
from twisted.internet.defer import DeferredLock
from twisted.logger import Logger

from wsmsg.dependency.gather import gather
from wsmsg.errors import Unavailable
from wsmsg.message.store.history import (
    NameAndSecret,
    epoch_of,
    imported,
    new_epoch,
    new_secret,
    witness_of,
)
from wsmsg.message.store.interface import IMPORTS
from wsmsg.message.store.mongo.connection import MongoConnection
from wsmsg.message.store.mongo.documents import Document, change, find, update
from wsmsg.message.store.numbers import (
    BITS,
    StoreNumbers,
    following_generation,
    with_end,
)

#: No conversation's name begins with a slash.
_FIRST, _BEYOND = "/", "0"
_SHARD = "/shard/"
_EPOCH = "/epoch"
_IDS = "/ids/"
_REVOKED = "revocations"
_BEGINS = 3
# Generations are skipped at random, up to so many; one begins with each rebalance.
_SKIPPED = 8
_SAFE = {"w": "majority", "j": True}


@attrs.define
class _Turn:
    """
    A generation of a shard that this process began.
    """

    generation: int
    counter: int = 0

    @property
    def number(self) -> int:
        return self.generation << BITS | self.counter

    @property
    def spent(self) -> bool:
        """
        The generation has no more numbers.
        """
        return bool((self.counter + 1) >> BITS)

    def advance(self) -> int:
        """
        Take the next number.
        """
        self.counter += 1
        return self.number


class MongoShards:
    """
    The shards whose changes this process numbers.

    @ivar name: of the history, as it was read last.
    """

    _log = Logger()

    def __init__(self, connection: MongoConnection) -> None:
        self.name = NameAndSecret()
        self._connection = connection
        self._turns: dict[int, _Turn] = {}
        self._locks: defaultdict[int, DeferredLock] = defaultdict(DeferredLock)
        self._highest: dict[int, int] = {}
        self._stored: dict[int, int] = {}

    def forget(self) -> None:
        """
        Begin a new generation of each shard before its next change.
        """
        self._turns.clear()

    async def next(self, shards: Collection[int]) -> dict[int, int]:
        """
        Return the number of the next change of each shard; without a round trip where
        this process has numbered changes before.
        """
        while new := [s for s in shards if not self._has_number(s)]:
            # One at a time: a generation ends the batches of the shard's earlier one.
            await gather([self._locks[s].run(self._begin, s) for s in new])
        return {shard: self._turns[shard].advance() for shard in shards}

    def published(self, numbers: Mapping[int, int]) -> list[Document]:
        """
        Return the statements behind the heads that have these numbers; each matches one
        document if the number counts.
        """
        return [
            change(
                {"_id": f"{_SHARD}{shard}", "generation": number >> BITS},
                {"$max": {"change": number}},
            )
            for shard, number in numbers.items()
        ]

    async def publish(self, numbers: Mapping[int, int]) -> bool:
        """
        Write the numbers behind the heads that have them.

        @return: L{False} if a generation is not this process's any more: the heads are
            to be written again, with new numbers.
        """
        command = update("conversations", self.published(numbers))
        reply = await self._connection.run(command)
        if reply["n"] == len(numbers):
            self.confirm(numbers)
            return True
        for shard, number in numbers.items():
            turn = self._turns.get(shard)
            if turn is not None and turn.generation == number >> BITS:
                del self._turns[shard]
        return False

    def confirm(self, numbers: Mapping[int, int]) -> None:
        """
        Note that the heads with these numbers count.
        """
        self._stored.update(numbers)

    def witness(self) -> dict[int, str]:
        """
        As L{wsmsg.message.store.history.IHistory.witness}.
        """
        full = self.name.full
        return {shard: witness_of(full, n) for shard, n in self._stored.items()}

    async def behind(self, witness: Mapping[int, str]) -> str:
        """
        As L{wsmsg.message.store.history.IHistory.behind}.
        """
        return (await self.read()).behind(witness)

    async def position_now(self) -> str:
        """
        As L{wsmsg.message.store.history.IHistory.position_now}.
        """
        return (await self.read()).now()

    def opened(self, reply: Document) -> None:
        """
        Take the name of the history from the reply to L{epoch_query}.
        """
        for document in reply["cursor"]["firstBatch"]:
            self.name = _name_of(document)

    async def read(self) -> StoreNumbers:
        """
        Return the numbers that all heads which are written have or are above.

        Only those that a majority has: a number that a position once had must not be
        lost with a primary.
        """
        among = {"_id": {"$gte": _FIRST, "$lt": _BEYOND}}
        found = await self._connection.documents(
            find("conversations", among, readConcern={"level": "majority"})
        )
        changes, ends = {IMPORTS: 0}, {}
        for document in found:
            if document["_id"] == _EPOCH:
                self.name = _name_of(document)
            elif document["_id"].startswith(_SHARD):
                shard = int(document["_id"].removeprefix(_SHARD))
                changes[shard] = int(document.get("change", 0))
                ends[shard] = _ends_of(document)
        return StoreNumbers(self.name, changes, ends)

    async def read_epoch(self) -> str:
        """
        Read the epoch.
        """
        self.opened(await self._connection.run(epoch_query()))
        return epoch_of(self.name.full)

    async def read_secret(self) -> str:
        """
        Read the secret.
        """
        await self.read_epoch()
        return self.name.secret

    async def renew_epoch(self, known: str) -> str:
        """
        As L{wsmsg.message.store.history.IHistory.renew_epoch}.
        """
        if await self.read_epoch() == known:
            new = {"epoch": new_epoch(), "renewed": True}
            await self._rename(self.name.full, new)
        return await self.read_epoch()

    async def adopt_epoch(self, epoch: str, secret: str) -> str:
        """
        As L{wsmsg.message.store.history.IHistory.adopt_epoch}.
        """
        known, full = await self.read_epoch(), self.name.full
        stored = await self._connection.documents(find("messages", {}, limit=1))
        if known != epoch and not stored:
            new = {"epoch": imported(epoch)}
            await self._rename(full, {**new, "secret": secret} if secret else new)
        return await self.read_epoch()

    async def _rename(self, known: str, new: Document) -> None:
        """
        Give the history another full name, unless another process has.
        """
        renamed = change({"_id": _EPOCH, "epoch": known}, {"$set": new})
        await self._connection.run(update("conversations", [renamed]))

    def _has_number(self, shard: int) -> bool:
        turn = self._turns.get(shard)
        return turn is not None and not turn.spent

    async def reserve_ids(self, node_number: int, until_ms: int) -> int:
        """
        As L{wsmsg.message.store.interface.IReservations.reserve_ids}.
        """
        reply = await self._connection.run(
            {
                "findAndModify": "conversations",
                "query": {"_id": f"{_IDS}{node_number}"},
                "update": {"$max": {"until_ms": until_ms}},
                "upsert": True,
                "new": False,
                "writeConcern": _SAFE,
            }
        )
        document = reply.get("value") or {}
        return int(document.get("until_ms", 0))

    async def revoke(self, user: int, before_ms: int) -> int:
        """
        As L{wsmsg.message.store.interface.IRevocations.revoke}.
        """
        reply = await self._connection.run(
            {
                "findAndModify": "revocations",
                "query": {"_id": user},
                "update": {"$max": {"before_ms": before_ms}},
                "upsert": True,
                "new": True,
                "writeConcern": _SAFE,
            }
        )
        # After the entry, so that who sees this number sees the entry, too.
        counted = {"$inc": {"count": 1}}
        await self._connection.run(
            update("meta", [change({"_id": _REVOKED}, counted, upsert=True)])
        )
        document = reply.get("value") or {}
        return int(document.get("before_ms", before_ms))

    async def revocations(self) -> dict[int, int]:
        """
        As L{wsmsg.message.store.interface.IRevocations.revocations}.
        """
        found = await self._connection.documents(find("revocations", {}))
        return {int(d["_id"]): int(d["before_ms"]) for d in found}

    async def revocations_changed(self) -> int:
        """
        As L{wsmsg.message.store.interface.IRevocations.revocations_changed}.
        """
        found = await self._connection.documents(find("meta", {"_id": _REVOKED}))
        return int(found[0]["count"]) if found else 0

    async def forget_revocations(self, until_ms: int) -> None:
        """
        As L{wsmsg.message.store.interface.IRevocations.forget_revocations}.
        """
        old = {"q": {"before_ms": {"$lte": until_ms}}, "limit": 0}
        await self._connection.run(
            {"delete": "revocations", "deletes": [old], "writeConcern": _SAFE}
        )

    async def _begin(self, shard: int) -> None:
        if self._has_number(shard):
            return
        key, step = f"{_SHARD}{shard}", following_generation(0, _SKIPPED)
        begin = {
            "findAndModify": "conversations",
            "query": {"_id": key},
            "update": {"$inc": {"generation": step}},
            "upsert": True,
            "new": True,
            "writeConcern": _SAFE,
        }
        # Of two that make it at once, a server may tell one that it made none.
        for _ in range(_BEGINS):
            document = (await self._connection.run(begin)).get("value")
            if document:
                break
        else:
            raise Unavailable("MongoDB: a shard has no document")
        generation = int(document["generation"])
        if generation - step < self._highest.get(shard, 0):
            # Numbers only rise, and this process waited for a majority each time.
            self._log.error(
                "the generation of shard {shard} fell to {generation}: the database is"
                " an older copy of itself, and begins a new epoch",
                shard=shard,
                generation=generation - step,
            )
            await self.renew_epoch(epoch_of(self.name.full))
        self._highest[shard] = generation
        # Before its first number.  Another process that began one meanwhile does it.
        ends = with_end(_ends_of(document), int(document.get("change", 0)))
        mine = {"_id": key, "generation": generation}
        kept = {"$set": {"ends": ends, "ended_by": generation}}
        await self._connection.run(update("conversations", [change(mine, kept)]))
        self._turns[shard] = _Turn(generation)


def first_epoch() -> list[Document]:
    """
    Return the statements that give a database an epoch and a secret if it has none.
    """
    epoch, secret = {"epoch": new_epoch()}, {"secret": new_secret()}
    return [
        change({"_id": _EPOCH}, {"$setOnInsert": epoch}, upsert=True),
        change({"_id": _EPOCH, "secret": {"$exists": False}}, {"$set": secret}),
    ]


def _name_of(document: Document) -> NameAndSecret:
    secret, renewed = document.get("secret", ""), bool(document.get("renewed"))
    return NameAndSecret(document["epoch"], secret, renewed)


def _ends_of(shard: Document) -> list[int]:
    if int(shard.get("change", 0)) >> BITS > int(shard.get("ended_by", 0)):
        return []
    return [int(n) for n in shard.get("ends", ())]


def epoch_query() -> Document:
    """
    Return the command that reads the epoch.
    """
    return find("conversations", {"_id": _EPOCH})
