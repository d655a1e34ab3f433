"""
Read marks in the memory of a test.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

from wsmsg.message.store.interface import Marked
from wsmsg.message.store.read_ranges import ReadRanges, advance, is_skippable
from wsmsg.model import Cursor, InvalidName, Mark, Message, members_of

_Key = tuple[str, int]


class SeenInMemory:
    """
    Read marks and unread messages, in the simplest way.

    @ivar moved: the cursors.
    @ivar seen: the read ranges above them.
    """

    def __init__(
        self,
        messages: Callable[[], Sequence[Message]],
        readable: Callable[[Sequence[_Key]], dict[_Key, int]],
    ) -> None:
        self.moved: dict[_Key, Cursor] = {}
        self.seen: dict[_Key, tuple[tuple[int, int], ...]] = {}
        self._messages = messages
        self._readable = readable

    def mark(self, marks: Sequence[Mark]) -> Marked:
        """
        As L{wsmsg.message.store.interface.IReadMarks.mark}.
        """
        risen: dict[_Key, Cursor] = {}
        known = []
        for m in marks:
            key = (m.conversation, m.user)
            there = [
                message
                for message in self._messages()
                if (message.conversation, message.seq) == (m.conversation, m.seq)
                and m.message_id in (0, message.message_id)
            ]
            known.append(bool(there) and m.seq >= self._first(*key))
            if known[-1]:
                risen.update(self._marked(key, m.seq))
        return Marked(known, list(risen.values()))

    def unread(self, user: int) -> list[Message]:
        """
        Return all unread messages of a user, oldest first.
        """
        found = [m for m in self._messages() if self._is_unread(m, user)]
        return sorted(found, key=lambda m: m.message_id)

    def _marked(self, key: _Key, seq: int) -> dict[_Key, Cursor]:
        name, user = key
        passed = [
            m.seq
            for m in self._messages()
            if m.conversation == name and is_skippable(m.kind, m.sender, user)
        ]
        old = self.moved.get(key, Cursor(name, user))
        before = ReadRanges(
            max(old.read, self._first(*key) - 1), self.seen.get(key, ())
        )
        read, self.seen[key] = advance(before, [(seq, seq)], passed)
        if read == old.read:
            return {}
        self.moved[key] = Cursor(name, user, max(old.delivered, read), read)
        return {key: self.moved[key]}

    def _first(self, name: str, user: int) -> int:
        # The number that the user may read from; one that no message has if none.
        try:
            return 1 if user in members_of(name) else 2**63
        except InvalidName:
            return self._readable([(name, user)]).get((name, user), 2**63)

    def _is_unread(self, m: Message, user: int) -> bool:
        key = (m.conversation, user)
        cursor = self.moved.get(key, Cursor(*key))
        return (
            m.seq >= self._first(*key)
            and not is_skippable(m.kind, m.sender, user)
            and m.seq not in ReadRanges(cursor.read, self.seen.get(key, ()))
        )
