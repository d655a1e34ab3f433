"""
Read marks in MongoDB: cursors, and ranges of read messages above them.

A cursor without ranges is raised by any Message that knows a higher one, in any order.
Ranges
are read, changed, and written only if no other process wrote meanwhile; else the change
is made again with the new ranges.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from itertools import pairwise

import attrs
import msgspec

from wsmsg.dependency.gather import both, gather_lists
from wsmsg.errors import Unavailable
from wsmsg.message.store.interface import Marked
from wsmsg.message.store.mongo.bulk_raise import exchange_cursors
from wsmsg.message.store.mongo.connection import MongoConnection
from wsmsg.message.store.mongo.cursors import MongoCursors
from wsmsg.message.store.mongo.documents import (
    BRANCHES,
    Document,
    check_errors,
    chunks,
    cursor_document,
    find,
    insert,
    storable,
    two_of,
)
from wsmsg.message.store.mongo.groups import MongoGroups
from wsmsg.message.store.read_ranges import (
    STEPS,
    ReadRanges,
    advance,
    is_skippable,
    merged,
    scan_windows,
)
from wsmsg.model import Cursor, Mark, is_group, storable_values

_TRIES = 20

_Key = tuple[str, int]
#: Ranges of numbers by conversation.
_Spans = dict[str, list[tuple[int, int]]]


@attrs.frozen
class CursorTarget:
    """
    A change to the messages that one user has read in one conversation.

    @ivar to: raise the cursor to at least this; its C{seen} ranges are known to exist.
    @ivar floor: messages up to this number need no reading.
    @ivar passing: whether the cursor may pass messages that need no reading.
    """

    to: Cursor
    floor: int = 0
    passing: bool = True


class FoundMarks:
    """
    The messages that were found: their ids and senders.
    """

    def __init__(self) -> None:
        self._messages: dict[str, dict[int, tuple[int, int, int]]] = {}

    def add(self, documents: Iterable[Document]) -> None:
        for d in documents:
            known = self._messages.setdefault(d["conversation"], {})
            facts = (int(d["message_id"]), int(d["kind"]), int(d["sender"]))
            known[int(d["seq"])] = facts

    def has(self, mark: Mark) -> bool:
        """
        Return L{True} if the marked message exists.
        """
        facts = self._messages.get(mark.conversation, {}).get(mark.seq)
        return facts is not None and mark.message_id in (0, facts[0])

    def passed(self, name: str, user: int) -> list[int]:
        """
        Return the numbers that this user need not read.
        """
        return [
            seq
            for seq, (_, kind, sender) in self._messages.get(name, {}).items()
            if is_skippable(kind, sender, user)
        ]


class MongoMarks:
    """
    Changes of read marks, in three round trips for each batch, and a few more where
    others change the same cursors, or a cursor rises far.
    """

    def __init__(
        self,
        connection: MongoConnection,
        groups: MongoGroups,
        cursors: MongoCursors,
    ) -> None:
        self._connection = connection
        self._groups = groups
        self._cursors = cursors

    async def move(self, cursors: Sequence[Cursor]) -> list[Cursor]:
        """
        As L{wsmsg.message.store.interface.IReadMarks.move_cursors}.
        """
        moves = await self._cursors.moves(cursors)
        wants = {
            key: CursorTarget(to, passing=not to.seen)
            for key, (now, to) in moves.items()
            if to.seen or (now is not None and now.seen)
        }
        raised = await self._cursors.rise(
            {key: move for key, move in moves.items() if key not in wants}
        )
        if not wants:
            return raised
        before = {key: now for key in wants if (now := moves[key][0]) is not None}
        found = FoundMarks()
        await self._look(found, _spans(wants, before))
        more, _ = await self._settle(wants, before, found)
        return raised + more

    async def mark(self, marks: Sequence[Mark]) -> Marked:
        """
        As L{wsmsg.message.store.interface.IReadMarks.mark}.
        """
        keys = {
            (m.conversation, m.user): None
            for m in marks
            if storable(m.conversation) and storable_values((m.user, m.seq))
        }
        now, floors = await both(
            self._cursors.standings(list(keys)), self._floors(list(keys))
        )
        asked: dict[_Key, list[tuple[int, int]]] = {}
        for m in marks:
            key = (m.conversation, m.user)
            if key in floors and floors[key] < m.seq and storable_values((m.seq,)):
                asked.setdefault(key, []).append((m.seq, m.seq))
        found = FoundMarks()
        wants = _wants(asked, floors)
        await self._look(found, _spans(wants, now))
        good = [
            found.has(m) and m.seq > floors.get((m.conversation, m.user), m.seq)
            for m in marks
        ]
        there: dict[_Key, list[tuple[int, int]]] = {}
        for m, known in zip(marks, good, strict=True):
            if known:
                there.setdefault((m.conversation, m.user), []).append((m.seq, m.seq))
        raised, seen = await self._settle(_wants(there, floors), now, found)
        return Marked(
            [
                known and m.seq in seen[m.conversation, m.user]
                for m, known in zip(marks, good, strict=True)
            ],
            raised,
        )

    async def _floors(self, keys: Sequence[_Key]) -> dict[_Key, int]:
        # The last number that a user may not read, for the users that may read at all.
        groups = [key for key in keys if is_group(key[0])]
        readable = await self._groups.readable_from(groups)
        floors = {key: first - 1 for key, first in readable.items()}
        floors.update((key, 0) for key in keys if key[1] in two_of(key[0]))
        return floors

    async def _look(self, found: FoundMarks, spans: _Spans) -> None:
        branches = [
            {"conversation": name, "seq": {"$gte": first, "$lte": last}}
            for name, some in spans.items()
            for first, last in merged(some)
        ]
        projection = {
            "_id": 0,
            "conversation": 1,
            "seq": 1,
            "message_id": 1,
            "kind": 1,
            "sender": 1,
        }
        found.add(
            await gather_lists(
                self._connection.documents(
                    find("messages", {"$or": some}, projection=projection)
                )
                for some in chunks(branches, BRANCHES)
            )
        )

    async def _settle(
        self,
        wants: Mapping[_Key, CursorTarget],
        now: Mapping[_Key, Cursor],
        found: FoundMarks,
    ) -> tuple[list[Cursor], dict[_Key, ReadRanges]]:
        raised: list[Cursor] = []
        seen: dict[_Key, ReadRanges] = {}
        for _ in range(_TRIES):
            decided = await self._decide(wants, now, found)
            seen.update(decided)
            before = {key: now.get(key) for key in wants}
            after = {
                key: _cursor(wants[key].to, before[key], decided[key]) for key in wants
            }
            missed = await self._write(before, after)
            raised += [
                _told(to)
                for key, to in after.items()
                if key not in missed and _told(to) != _told(before[key] or Cursor(*key))
            ]
            if not missed:
                return raised, seen
            now = await self._cursors.standings(list(missed))
            wants = {key: wants[key] for key in missed}
        raise Unavailable("other Messages keep changing what the same users have seen")

    async def _decide(
        self,
        wants: Mapping[_Key, CursorTarget],
        now: Mapping[_Key, Cursor],
        found: FoundMarks,
    ) -> dict[_Key, ReadRanges]:
        def decide(key: _Key) -> ReadRanges:
            before = _before(wants[key], now.get(key))
            want = wants[key]
            passed = found.passed(*key) if want.passing else ()
            return advance(before, want.to.seen, passed)

        decided = {key: decide(key) for key in wants}
        far = {
            key: _before(want, now.get(key)).read
            for key, want in wants.items()
            if want.passing
        }
        for above, further in pairwise(STEPS):
            far = {
                key: decided[key].read
                for key, read in far.items()
                if decided[key].read >= read + above
            }
            if not far:
                break
            spans: _Spans = {}
            for (name, _), read in far.items():
                spans.setdefault(name, []).extend(scan_windows(read, (), further))
            await self._look(found, spans)
            decided.update((key, decide(key)) for key in far)
        return decided

    async def _write(
        self, before: Mapping[_Key, Cursor | None], after: Mapping[_Key, Cursor]
    ) -> dict[_Key, None]:
        """
        @return: the keys that another process wrote meanwhile.
        """
        new, moved = [], []
        for key, to in after.items():
            was = before[key]
            if was is None:
                new.append(cursor_document(to))
            elif was != to:
                moved.append((was, to))
        written = 0
        if new:
            reply = await self._connection.run(
                {**insert("cursors", new), "ordered": False}
            )
            check_errors(reply.get("writeErrors", ()))
            written += reply["n"]
        if moved:
            written += await exchange_cursors(self._connection, moved)
        if written == len(new) + len(moved):
            return {}
        # A command that was repeated after a loss may have stored it already.
        there = await self._cursors.standings(list(after))
        return {
            key: None for key, to in after.items() if not _covers(there.get(key), to)
        }


def _wants(
    seqs: Mapping[_Key, Sequence[tuple[int, int]]], floors: Mapping[_Key, int]
) -> dict[_Key, CursorTarget]:
    return {
        key: CursorTarget(Cursor(*key, seen=tuple(some)), floors[key])
        for key, some in seqs.items()
    }


def _before(want: CursorTarget, now: Cursor | None) -> ReadRanges:
    read = max(now.read if now else 0, want.to.read, want.floor)
    return ReadRanges(read, now.seen if now else ())


def _spans(wants: Mapping[_Key, CursorTarget], now: Mapping[_Key, Cursor]) -> _Spans:
    spans: _Spans = {}
    for key, want in wants.items():
        if not want.passing:
            continue
        read = _before(want, now.get(key)).read
        seqs = [seq for ends in want.to.seen for seq in ends]
        spans.setdefault(key[0], []).extend(scan_windows(read, seqs, STEPS[0]))
        # The messages of earlier ranges are looked up as well.
        spans[key[0]] += [(seq, seq) for seq in seqs if seq <= read]
    return spans


def _cursor(to: Cursor, now: Cursor | None, seen: ReadRanges) -> Cursor:
    now = now or Cursor(to.conversation, to.user)
    return Cursor(
        to.conversation,
        to.user,
        max(now.delivered, to.delivered, seen.read if seen.read > now.read else 0),
        seen.read,
        seen.ranges,
    )


def _told(cursor: Cursor) -> Cursor:
    return msgspec.structs.replace(cursor, seen=())


def _covers(there: Cursor | None, to: Cursor) -> bool:
    if there is None or there.read < to.read:
        return False
    seen = advance(ReadRanges(there.read, there.seen))
    return advance(seen, to.seen) == seen
