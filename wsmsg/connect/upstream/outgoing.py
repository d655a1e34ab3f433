"""
Data that waits for the next frame, in forms that do not grow with repetition.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterable, Sequence

from wsmsg.rpc import rest_pb2

#: The most watched users in a frame, beside those that changed since the last one.
FRAME_WATCHED = 5000
#: The most cursors in a frame.
FRAME_CURSORS = 2048


class NetChange:
    """
    Users who were added or removed since the last L{pop}; the last change of each user
    counts.

    @ivar changes: whether each user was added.
    """

    __slots__ = ("changes",)

    def __init__(self) -> None:
        self.changes: dict[int, bool] = {}

    def add(self, user: int) -> None:
        self.changes[user] = True

    def remove(self, user: int) -> None:
        self.changes[user] = False

    def pop(self) -> tuple[list[int], list[int]]:
        """
        Clear the changes.

        @return: the users who were added, and those who were removed.
        """
        changes, self.changes = self.changes, {}
        added = [user for user, is_added in changes.items() if is_added]
        return added, [user for user, is_added in changes.items() if not is_added]


class WatchChange(NetChange):
    """
    The watched users for a Message: first all, then the changes.

    At its beginning a stream has up to a million users to name.  They are kept as plain
    numbers, and written some thousand in a frame, so that Message does other work in
    between.  A user who is not watched any more when it is their turn is left out.

    @param is_watched: returns whether any session watches a user.
    @ivar listed: the users to name; empty once they are written.
    """

    __slots__ = ("_at", "_is_watched", "listed")

    def __init__(self, is_watched: Callable[[int], bool]) -> None:
        super().__init__()
        self._is_watched = is_watched
        self.listed: Sequence[int] = ()
        self._at = 0

    def begin(self, users: Sequence[int]) -> None:
        """
        Name all these users.
        """
        self.listed, self._at = users, 0

    def move_into(self, delta: rest_pb2.WatchDelta) -> None:
        """
        Write the changes so far, and the next part of the list.
        """
        added, removed = self.pop()
        delta.add.extend(added)
        delta.remove.extend(removed)
        end = self._at + FRAME_WATCHED
        delta.add.extend(filter(self._is_watched, self.listed[self._at : end]))
        self._at = end
        if end >= len(self.listed):
            self.begin(())


class CursorPool:
    """
    Cursors that no stream has written yet, the highest of each user and conversation.

    @param limit: the most cursors; over it the oldest are dropped.
    @ivar cursors: delivered and read, and whether only sessions that were alone said
        so, by conversation and user.
    @ivar shed: the number of dropped cursors.
    """

    def __init__(self, limit: int) -> None:
        self.shed = 0
        self._limit = limit
        self.cursors: dict[tuple[str, int], tuple[int, int, bool]] = {}

    def add(
        self, conversation: str, user: int, delivered: int, read: int, *, alone: bool
    ) -> None:
        """
        Add a cursor.

        @param alone: whether the session that says it is the only one of the user here.
        """
        key = (conversation, user)
        known = self.cursors.get(key)
        if known is not None:
            delivered, read = max(known[0], delivered), max(known[1], read)
            alone = alone and known[2]
        elif len(self.cursors) >= self._limit:
            del self.cursors[next(iter(self.cursors))]
            self.shed += 1
        self.cursors[key] = (delivered, read, alone)

    def move_into(
        self, batch: rest_pb2.ConnectBatch, is_alone: Callable[[int], bool]
    ) -> None:
        """
        Move up to L{FRAME_CURSORS} cursors into a frame.

        @param is_alone: returns whether a user has one session here by now.
        """
        if len(self.cursors) <= FRAME_CURSORS:
            moved, self.cursors = self.cursors, {}
        else:
            keys = list(self.cursors)[:FRAME_CURSORS]
            moved = {key: self.cursors.pop(key) for key in keys}
        add = batch.cursors.add
        for (conversation, user), (delivered, read, alone) in moved.items():
            add(
                conversation=conversation,
                user=user,
                delivered=delivered,
                read=read,
                alone=alone and is_alone(user),
            )


class TypingPool:
    """
    Typing signals that no stream has written yet, one for each user and conversation.

    @param limit: the most signals; further ones are dropped.
    @ivar typing: the conversation and the user of each signal.
    @ivar shed: the number of dropped signals.
    """

    def __init__(self, limit: int) -> None:
        self.shed = 0
        self._limit = limit
        self.typing: dict[tuple[str, int], None] = {}

    def add(self, conversation: str, user: int) -> None:
        if len(self.typing) < self._limit:
            self.typing[conversation, user] = None
        else:
            self.shed += 1

    def clear(self) -> None:
        """
        Drop all signals.
        """
        self.shed += len(self.typing)
        self.typing.clear()

    def move_into(self, batch: rest_pb2.ConnectBatch) -> None:
        """
        Move all signals into a frame.
        """
        typing, self.typing = self.typing, {}
        for conversation, user in typing:
            batch.typing.add(conversation=conversation, user=user)


class UserListing:
    """
    The list of all users of this node, with which a stream begins.

    @ivar waits: whether the list is to be made when it is sure who is there.
    @ivar parts: what of the list is not written.
    """

    def __init__(self) -> None:
        self.waits = False
        self.parts: deque[rest_pb2.PresenceDelta] = deque()
        self._number = 0

    @property
    def is_applied(self) -> bool:
        """
        True once Message has the list.
        """
        return not (self.waits or self.parts or self._number)

    def begin(self) -> None:
        """
        Have the list made.
        """
        self.waits = True

    def make(self, users: Iterable[int], size: int, last_login: int) -> None:
        """
        Make the list (L{snapshot_of}).
        """
        self.parts.extend(snapshot_of(users, size, last_login))
        self.waits = False

    def move_into(self, delta: rest_pb2.PresenceDelta, number: int) -> None:
        """
        Move the next part into a delta with this number.
        """
        delta.CopyFrom(self.parts.popleft())
        delta.number = number
        if not self.parts:
            self._number = number

    def applied(self, number: int) -> bool:
        """
        Note that Message has applied the deltas up to a number.

        @return: whether the list became complete by that.
        """
        completes = 0 < self._number <= number
        if completes:
            self._number = 0
        return completes


def snapshot_of(
    users: Iterable[int], size: int, last_login: int = 0
) -> list[rest_pb2.PresenceDelta]:
    """
    Return a snapshot of all users, in parts of at most C{size} users; at least one
    part.

    @param last_login: the number of the last login of these users.
    """
    everyone = list(users)
    delta, kind = rest_pb2.PresenceDelta, rest_pb2.PresenceDelta.Snapshot
    if len(everyone) <= size:
        return [delta(online=everyone, snapshot=kind.WHOLE, last_login=last_login)]
    starts = range(0, len(everyone), size)
    kinds = [kind.BEGIN, *[kind.MORE] * (len(starts) - 2), kind.END]
    return [
        delta(
            online=everyone[start : start + size],
            snapshot=of_part,
            last_login=last_login,
        )
        for start, of_part in zip(starts, kinds, strict=True)
    ]
