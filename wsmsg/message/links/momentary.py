"""
The part of a link's frames that is true, or of use, only now: answers to sends, typing,
presence, kicks.  It has no number, and is never replayed.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Sequence
from itertools import islice
from typing import Final

from wsmsg.rpc import rest_pb2

#: The most answers to sends that wait for a stream.
MOST_RESULTS = 50_000

#: The fields of a batch that this module fills.
MOMENTARY: Final = (
    "results",
    "typing",
    "presence",
    "presence_applied",
    "kicks",
    "messages",
    "whole",
)

_FRAME_RESULTS = 4096
_FRAME_PRESENCE = 10_000
_MOST_TYPING = 1024
# The most kicks that wait for a frame; beyond it, the oldest are dropped.
_KICKS = 10_000


class MomentaryOutput:
    """
    The momentary output that waits for the next frames of a stream.

    @ivar has_output: whether there is any.
    """

    def __init__(self) -> None:
        self._results: deque[rest_pb2.SendResult] = deque()
        self._typing: list[rest_pb2.TypingPush] = []
        self._presence: dict[int, rest_pb2.Presence] = {}
        self._kicks: deque[rest_pb2.Kick] = deque(maxlen=_KICKS)
        self._presence_applied = 0
        self._listed: Sequence[str] | None = None
        self._whole: int | None = None
        self.has_output = False

    def results(self, results: Sequence[rest_pb2.SendResult]) -> bool:
        """
        Add answers to sends.

        @return: L{False} if too many wait; all of them are dropped then, which loses
            nothing, as Connect repeats unanswered sends.
        """
        self._results.extend(results)
        if len(self._results) > MOST_RESULTS:
            self._results.clear()
            self.has_output = self._has_any()
            return False
        self.has_output = True
        return True

    def typing(self, typing: rest_pb2.Typing, targets: Sequence[int]) -> None:
        """
        Add typing; drop it if too much of it waits already.
        """
        if len(self._typing) < _MOST_TYPING:
            self._typing.append(rest_pb2.TypingPush(typing=typing, targets=targets))
            self.has_output = True

    def presence(self, presence: rest_pb2.Presence) -> None:
        """
        Add the presence of a watched user.  It replaces an older one.
        """
        self._presence[presence.user] = presence
        self.has_output = True

    def kick(self, kick: rest_pb2.Kick) -> None:
        """
        Add the end of sessions.
        """
        self._kicks.append(kick)
        self.has_output = True

    def listed(self, addresses: Sequence[str]) -> None:
        """
        Set the list of all Messages.
        """
        self._listed = addresses
        self.has_output = True

    def whole(self, connects: int) -> None:
        """
        Set the number of Connects that reach all Messages.
        """
        self._whole = connects
        self.has_output = True

    def presence_applied(self, number: int) -> None:
        """
        Set the last presence delta that is applied.
        """
        self._presence_applied = number
        self.has_output = True

    def stream_lost(self) -> None:
        """
        Drop what is of no use on another stream; kicks wait for it.
        """
        self._results.clear()
        self._typing.clear()
        self._presence.clear()
        self._presence_applied = 0
        self._listed = None  # the welcome has it
        self._whole = None
        self.has_output = self._has_any()

    def move_into(self, batch: rest_pb2.PushBatch) -> None:
        """
        Move as much as fits into a batch.
        """
        results, presence = self._results, self._presence
        for _ in range(min(len(results), _FRAME_RESULTS)):
            batch.results.append(results.popleft())
        batch.typing.extend(self._typing)
        for user in list(islice(presence, _FRAME_PRESENCE)):
            batch.presence.append(presence.pop(user))
        if self._listed is not None:
            batch.messages.addresses.extend(self._listed)
            batch.messages.SetInParent()
            self._listed = None
        if self._whole is not None:
            batch.whole, self._whole = self._whole, None
        batch.presence_applied = self._presence_applied
        batch.kicks.extend(self._kicks)
        self._typing.clear()
        self._kicks.clear()
        self._presence_applied = 0
        self.has_output = bool(results or presence)

    def _has_any(self) -> bool:
        return bool(
            self._results
            or self._presence_applied
            or self._typing
            or self._presence
            or self._kicks
            or self._listed is not None
            or self._whole is not None
        )
