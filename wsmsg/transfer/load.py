"""
From records to a store.

Everything that is asked of the store may be asked again, so whatever ended an import,
it is finished by running it again.  What is there already is compared.  Groups come of
the messages that changed them, as they did at first; the records of groups and members
are held against what came of it.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from itertools import groupby

import msgspec

from wsmsg.events import EVENT_KINDS
from wsmsg.message.store.interface import IMessageStore, Outcome
from wsmsg.model import RECALLED, Message
from wsmsg.transfer.dump import group_line, member_line
from wsmsg.transfer.file import Batch
from wsmsg.transfer.records import (
    CursorLine,
    GroupLine,
    MemberLine,
    MessageLine,
    Record,
)
from wsmsg.transfer.retrying import RetryUntil

#: A message and the line that it is on.
_Placed = tuple[int, Message]


class CannotImport(Exception):
    """
    The store has something else; the text names the line.
    """


class Importer:
    """
    Writes batches into a store.

    @ivar written: messages that were not there before.
    @ivar there: messages that were there already, the same.
    """

    def __init__(
        self, store: IMessageStore, patience: RetryUntil, now_ms: Callable[[], int]
    ) -> None:
        self.written = self.there = 0
        self._store = store
        self._ask = patience.ask
        self._now_ms = now_ms
        self._last: tuple[str, int] = ("", 0)

    async def keep(self, batch: Batch) -> None:
        """
        Durable when it is over.

        @raise CannotKeep: the store has something else.
        @raise Unavailable: the store stayed away.
        """
        placed = list(enumerate(batch.records, batch.first_line))
        messages = [(n, r.message) for n, r in placed if isinstance(r, MessageLine)]
        if messages:
            await self._insert(messages)
            _, last = messages[-1]
            self._last = (last.conversation, last.seq)
        events = [m for _, m in messages if m.kind in EVENT_KINDS]
        if events:
            await self._ask(self._store.apply, events)
        for some in _runs(placed):
            await self._check_group(some)
        cursors = [r.cursor for _, r in placed if isinstance(r, CursorLine)]
        if cursors:
            await self._ask(self._store.move_cursors, cursors)

    async def _insert(self, waiting: list[_Placed]) -> None:
        while waiting:
            messages = [m for _, m in waiting]
            outcomes = await self._ask(self._store.insert, messages, self._now_ms())
            left = [
                (placed, outcome)
                for placed, outcome in zip(waiting, outcomes, strict=True)
                if outcome is not Outcome.INSERTED
            ]
            self.written += len(waiting) - len(left)
            if not left:
                return
            again = await self._look_at(left)
            if len(again) == len(waiting):
                line, message = again[0]
                raise CannotImport(
                    f"{_where(line, message)} was neither taken nor found"
                )
            waiting = again

    async def _look_at(self, left: Sequence[tuple[_Placed, Outcome]]) -> list[_Placed]:
        """
        @return: those that are not there and have to be tried again.
        """
        identities = [m.identity for (_, m), _ in left]
        found = await self._ask(self._store.find, identities)
        again = []
        for placed, outcome in left:
            line, message = placed
            there = found.get(message.identity)
            if there is not None:
                _check_same(line, message, there)
                self.there += 1
            elif outcome is Outcome.TAKEN:
                raise CannotImport(
                    f"{_where(line, message)}: in the store another message has this "
                    "number"
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
        page = await self._ask(self._store.group, name, after, max(members, 1))
        found: list[Record] = []
        if page is not None and members:
            found = [member_line(name, member) for member in page.members]
        elif page is not None:
            found = [group_line(page)]
        if found != expected and not await self._went_on(name):
            raise CannotImport(_group_problem(some, found))

    async def _went_on(self, conversation: str) -> bool:
        """
        Whether the store has more of a conversation than the file.
        """
        heads = await self._ask(self._store.heads, [conversation])
        return (conversation, heads[conversation]) > self._last


def same(message: Message, there: Message) -> bool:
    """
    Whether the store's is this message, be it that one of them was recalled since.
    """
    if message == there:
        return True
    if RECALLED not in (message.kind, there.kind):
        return False
    return _lasting(message) == _lasting(there)


def _lasting(m: Message) -> tuple[object, ...]:
    return (m.identity, m.seq, m.message_id, m.time_ms)


def _check_same(line: int, message: Message, there: Message) -> None:
    if same(message, there):
        return
    what = [
        name
        for name in ("seq", "message_id", "kind", "time_ms", "content")
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
    Groups by themselves, and neighbouring members of one group together.
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
    what = "nothing" if instead is None else _spelt(instead)
    return (
        f"line {line}: what came of the changes of {record.conversation} is not as in "
        f"the file, which has {_spelt(record)}; the store has {what}"
    )


def _spelt(record: Record) -> str:
    values = msgspec.structs.asdict(record).items()
    return ", ".join(f"{name} {value}" for name, value in values)
