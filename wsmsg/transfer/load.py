"""
Writes records into a store.

Every call to the store may be repeated, so an import that was interrupted is completed
by running it again; records that are there already are compared.  Groups follow from
the messages that changed them, as they did at first; the records of groups and members
are compared with the result.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from itertools import groupby

import msgspec

from wsmsg.events import EVENT_KINDS
from wsmsg.message.store.interface import IMPORTS, IMessageStore, Outcome
from wsmsg.model import RECALLED, Message
from wsmsg.transfer.dump import group_line, member_line
from wsmsg.transfer.file import Batch
from wsmsg.transfer.records import (
    CursorLine,
    GroupLine,
    MemberLine,
    MessageLine,
    NameLine,
    Record,
    RevocationLine,
)
from wsmsg.transfer.retrying import RetryUntil

#: The number of a line, and the message on it.
_Placed = tuple[int, Message]


class CannotImport(Exception):
    """
    The store has a conflicting record; the text names the line.
    """


class Importer:
    """
    Writes batches into a store.

    @ivar written: messages that were not in the store before.
    @ivar there: the same messages that were in the store already.
    """

    def __init__(
        self, store: IMessageStore, retrying: RetryUntil, now_ms: Callable[[], int]
    ) -> None:
        self.written = self.there = 0
        self._store = store
        self._call = retrying.call
        self._now_ms = now_ms
        self._last: tuple[str, int] = ("", 0)

    async def write_batch(self, batch: Batch) -> None:
        """
        Write a batch; it is durable when this returns.

        @raise CannotImport: the store has a conflicting record.
        @raise Unavailable: the store stayed away for too long.
        """
        placed = list(enumerate(batch.records, batch.first_line))
        for record in batch.records:
            if isinstance(record, RevocationLine):
                await self._call(self._store.revoke, record.user, record.before_ms)
        names = [(n, r) for n, r in placed if isinstance(r, NameLine)]
        if names:
            await self._keep_names(names)
        messages = [(n, r.message) for n, r in placed if isinstance(r, MessageLine)]
        if messages:
            await self._insert(messages)
            _, last = messages[-1]
            self._last = (last.conversation, last.seq)
        events = [m for _, m in messages if m.kind in EVENT_KINDS]
        if events:
            await self._call(self._store.apply, events)
        for some in _runs(placed):
            await self._check_group(some)
        cursors = [r.cursor for _, r in placed if isinstance(r, CursorLine)]
        if cursors:
            await self._call(self._store.move_cursors, cursors)

    async def _keep_names(self, placed: Sequence[tuple[int, NameLine]]) -> None:
        pairs = {record.name: record.user for _, record in placed}
        found = await self._call(self._store.names.keep, pairs)
        names = {user: name for name, user in found.items()}
        for line, record in placed:
            there = found.get(record.name, record.user)
            if there != record.user:
                raise CannotImport(
                    f"line {line}: in the store, the name {record.name!r} has the "
                    f"number {there}, and not {record.user}"
                )
            if names.get(record.user) != record.name:
                raise CannotImport(
                    f"line {line}: in the store, the number {record.user} is of the "
                    f"name {names.get(record.user)!r}, and not of {record.name!r}"
                )

    async def _insert(self, waiting: list[_Placed]) -> None:
        while waiting:
            messages = [m for _, m in waiting]
            shards = [IMPORTS] * len(messages)
            outcomes = await self._call(
                self._store.insert, messages, self._now_ms(), shards
            )
            left = [
                (placed, outcome)
                for placed, outcome in zip(waiting, outcomes, strict=True)
                if outcome is not Outcome.INSERTED
            ]
            self.written += len(waiting) - len(left)
            if not left:
                return
            again = await self._compare_stored(left)
            if len(again) == len(waiting):
                line, message = again[0]
                raise CannotImport(
                    f"{_where(line, message)} was neither stored nor found"
                )
            waiting = again

    async def _compare_stored(
        self, left: Sequence[tuple[_Placed, Outcome]]
    ) -> list[_Placed]:
        """
        Compare messages that were not inserted with the stored ones.

        @return: messages that are not in the store, to be inserted again.
        """
        identities = [m.identity for (_, m), _ in left]
        found = await self._call(self._store.find, identities)
        again = []
        for placed, outcome in left:
            line, message = placed
            there = found.get(message.identity)
            if there is not None:
                _check_same(line, message, there)
                self.there += 1
            elif outcome is Outcome.TAKEN:
                raise CannotImport(
                    f"{_where(line, message)}: another message in the store has "
                    "this number"
                )
            elif outcome is Outcome.REFUSED:
                raise CannotImport(f"{_where(line, message)}: the store refuses it")
            else:
                again.append(placed)
        return again

    async def _check_group(self, some: Sequence[tuple[int, Record]]) -> None:
        _, first = some[0]
        expected = [record for _, record in some]
        members = len(some) if isinstance(first, MemberLine) else 0
        after = first.user - 1 if isinstance(first, MemberLine) else 0
        name = first.conversation
        page = await self._call(self._store.group, name, after, max(members, 1))
        found: list[Record] = []
        if page is not None and members:
            found = [member_line(name, member) for member in page.members]
        elif page is not None:
            found = [group_line(page)]
        if found != expected and not await self._has_later_messages(name):
            raise CannotImport(_group_problem(some, found))

    async def _has_later_messages(self, conversation: str) -> bool:
        """
        Return whether the store has later messages of a conversation than the file.
        """
        heads = await self._call(self._store.heads, [conversation])
        return (conversation, heads[conversation]) > self._last


def is_same(message: Message, there: Message) -> bool:
    """
    Return whether the stored message is this one; either may have been recalled since.
    """
    if message == there:
        return True
    if RECALLED not in (message.kind, there.kind):
        return False
    return _lasting(message) == _lasting(there)


def _lasting(m: Message) -> tuple[object, ...]:
    return (m.identity, m.seq, m.message_id, m.time_ms)


def _check_same(line: int, message: Message, there: Message) -> None:
    if is_same(message, there):
        return
    what = [
        name
        for name in (
            *("seq", "message_id", "kind", "time_ms", "content", "extra"),
            "withheld",
        )
        if getattr(message, name) != getattr(there, name)
    ]
    raise CannotImport(
        f"{_where(line, message)}: the store has a message of the same sender and "
        f"client id with another {', '.join(what)}"
    )


def _where(line: int, m: Message) -> str:
    return f"line {line}: message {m.seq} of {m.conversation}"


def _runs(
    placed: Sequence[tuple[int, Record]],
) -> Iterator[list[tuple[int, Record]]]:
    """
    Return each group alone, and neighbouring members of one group together.
    """
    asked = [p for p in placed if isinstance(p[1], GroupLine | MemberLine)]
    for _, some in groupby(asked, key=lambda p: (type(p[1]), p[1].conversation)):
        yield list(some)


def _group_problem(some: Sequence[tuple[int, Record]], found: Sequence[Record]) -> str:
    there = [*found, *[None] * len(some)]
    (line, record), instead = next(
        (placed, other)
        for placed, other in zip(some, there, strict=False)
        if placed[1] != other
    )
    what = "nothing" if instead is None else _described(instead)
    return (
        f"line {line}: the changes of {record.conversation} lead to another result "
        f"than in the file, which has {_described(record)}; the store has {what}"
    )


def _described(record: Record) -> str:
    values = msgspec.structs.asdict(record).items()
    return ", ".join(f"{name} {value}" for name, value in values)
