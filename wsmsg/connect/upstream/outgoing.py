"""
What waits for the next frame in a form that cannot grow with repetition.
"""

from __future__ import annotations

from collections.abc import Iterable

from wsmsg.rpc import rest_pb2


class NetChange:
    """
    Users who came and went since the last L{take}; the last word of each counts.
    """

    __slots__ = ("_changes",)

    def __init__(self) -> None:
        self._changes: dict[int, bool] = {}

    def __bool__(self) -> bool:
        return bool(self._changes)

    def __len__(self) -> int:
        return len(self._changes)

    def add(self, user: int) -> None:
        self._changes[user] = True

    def remove(self, user: int) -> None:
        self._changes[user] = False

    def take(self) -> tuple[list[int], list[int]]:
        """
        @return: who came, who went.
        """
        changes, self._changes = self._changes, {}
        came = [user for user, there in changes.items() if there]
        return came, [user for user, there in changes.items() if not there]


class CursorPool:
    """
    Cursors that no stream has taken yet, the highest of each user and conversation.

    @ivar shed: how many were dropped at the limit, the oldest first.
    """

    def __init__(self, limit: int) -> None:
        self.shed = 0
        self._limit = limit
        self._cursors: dict[tuple[str, int], tuple[int, int]] = {}

    def __bool__(self) -> bool:
        return bool(self._cursors)

    def __len__(self) -> int:
        return len(self._cursors)

    def put(self, conversation: str, user: int, delivered: int, read: int) -> None:
        key = (conversation, user)
        known = self._cursors.get(key)
        if known is not None:
            delivered, read = max(known[0], delivered), max(known[1], read)
        elif len(self._cursors) >= self._limit:
            del self._cursors[next(iter(self._cursors))]
            self.shed += 1
        self._cursors[key] = (delivered, read)

    def take_into(self, batch: rest_pb2.ConnectBatch, limit: int) -> None:
        """
        Move up to C{limit} of them into a frame.
        """
        if len(self._cursors) <= limit:
            taken, self._cursors = self._cursors, {}
        else:
            keys = list(self._cursors)[:limit]
            taken = {key: self._cursors.pop(key) for key in keys}
        add = batch.cursors.add
        for (conversation, user), (delivered, read) in taken.items():
            add(conversation=conversation, user=user, delivered=delivered, read=read)


class TypingPool:
    """
    Who types where, each once; over the limit nobody is added.
    """

    def __init__(self, limit: int) -> None:
        self.shed = 0
        self._limit = limit
        self._typing: dict[tuple[str, int], None] = {}

    def __bool__(self) -> bool:
        return bool(self._typing)

    def put(self, conversation: str, user: int) -> None:
        if len(self._typing) < self._limit:
            self._typing[conversation, user] = None
        else:
            self.shed += 1

    def clear(self) -> None:
        self.shed += len(self._typing)
        self._typing.clear()

    def take_into(self, batch: rest_pb2.ConnectBatch) -> None:
        """
        Move all of them into a frame.
        """
        typing, self._typing = self._typing, {}
        for conversation, user in typing:
            batch.typing.add(conversation=conversation, user=user)


def chunks(users: Iterable[int], size: int) -> list[rest_pb2.PresenceDelta]:
    """
    A snapshot of all users, in parts of C{size}; at least one part.
    """
    everyone = list(users)
    delta, kind = rest_pb2.PresenceDelta, rest_pb2.PresenceDelta.Snapshot
    if len(everyone) <= size:
        return [delta(online=everyone, snapshot=kind.WHOLE)]
    parts = [
        delta(online=everyone[at : at + size], snapshot=kind.MORE)
        for at in range(0, len(everyone), size)
    ]
    parts[0].snapshot, parts[-1].snapshot = kind.BEGIN, kind.END
    return parts
