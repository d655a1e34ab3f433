"""
Progress in each conversation, reported to the server.  Only the last number counts, so
a report is one frame for any number of messages, and no number is reported twice.

The server does not answer these frames.  After a lost connection, the client repeats
the reports of that connection on the next one.

The server asks the members of a large group to report at a pace
(L{Deliver.ack_ms<wsmsg.protocol.frames.Deliver>}): once in each slot of that length, on
the client's own clock.
"""

from __future__ import annotations

from collections.abc import Callable, Hashable, Mapping
from itertools import islice
from math import inf
from types import MappingProxyType
from typing import Generic, Literal, TypeVar

from wsmsg.client.state.events import ReceiptReceived, merged_receipt
from wsmsg.protocol.frames import Deliver, Delivered, Head, Read, Receipt

#: The reports that are repeated; older ones have arrived long ago.
REMEMBERED = 10_000

_K = TypeVar("_K", bound=Hashable)
_F = TypeVar("_F", bound=Delivered | Read)
_T = TypeVar("_T")
_Key = tuple[str, Literal["delivered", "read"]]


class Reports(Generic[_K, _F]):
    """
    Frames that the server does not answer, the newest of each key.

    @ivar untold: the frames to write.
    @ivar told: the frames of this connection.
    @ivar held: the times until which frames are held back.
    """

    def __init__(self) -> None:
        self.untold: dict[_K, _F] = {}
        self.told: dict[_K, _F] = {}
        self.held: dict[_K, float] = {}

    def due(self, limit: int, now: float) -> list[_F]:
        """
        Return the frames to write now, up to a limit.
        """
        due = (key for key in self.untold if self.held.get(key, 0.0) <= now)
        frames: list[_F] = []
        for key in list(islice(due, limit)):
            frames.append(frame := self.untold.pop(key))
            self.held.pop(key, None)
            remember(self.told, key, frame)
        return frames

    def next_report(self, after: float) -> float:
        """
        Return the first time, not before another one, at which there is something to
        report.
        """
        first = inf
        for key in self.untold:
            first = min(first, max(after, self.held.get(key, 0.0)))
            if first == after:
                break
        return first

    def lost(self) -> None:
        """
        Repeat the reports of a lost connection, which the server may not have received.
        """
        self.untold = {**self.told, **self.untold}
        self.told = {}
        self.held.clear()

    def begin_anew(self) -> None:
        """
        Forget all reports.
        """
        self.untold.clear()
        self.told.clear()
        self.held.clear()


class CursorState(Reports[_Key, Delivered | Read]):
    """
    The delivered and read numbers, by conversation.

    @param delivered: the numbers that an earlier run reached and most likely reported.
    """

    def __init__(self, delivered: Mapping[str, int] = MappingProxyType({})) -> None:
        super().__init__()
        self._known: dict[_Key, int] = {
            (conversation, "delivered"): seq for conversation, seq in delivered.items()
        }

    def pace(self, message: Deliver, now: float) -> None:
        """
        Hold back what is delivered in the conversation of a message until the end of
        the slot, if the message asks for that.
        """
        slot_s = message.ack_ms / 1000
        key: _Key = (message.conversation, "delivered")
        if slot_s > 0 and key not in self.held:
            self.held[key] = now - now % slot_s + slot_s

    def delivered(self, conversation: str, seq: int) -> None:
        """
        The program has all messages up to this number.
        """
        self._raise_to((conversation, "delivered"), seq)

    def read(self, conversation: str, seq: int) -> None:
        """
        The user has read all messages up to this number.
        """
        self._raise_to((conversation, "read"), seq)

    def apply_head(self, head: Head) -> None:
        """
        Apply the numbers that the server has.
        """
        for key, seq in self._keys(head):
            known = self._known.get(key, 0)
            if seq >= known:
                self._known[key] = seq
                self.untold.pop(key, None)
            else:
                self.untold[key] = _frame(key, known)

    def begin_anew(self) -> None:
        """
        Forget all numbers: the server has another history.
        """
        super().begin_anew()
        self._known.clear()

    def _raise_to(self, key: _Key, seq: int) -> None:
        if seq > self._known.get(key, 0):
            self._known[key] = seq
            self.untold[key] = _frame(key, seq)

    def _keys(self, head: Head) -> tuple[tuple[_Key, int], ...]:
        return (
            ((head.conversation, "delivered"), head.delivered),
            ((head.conversation, "read"), head.read),
        )


def _frame(key: _Key, seq: int) -> Delivered | Read:
    conversation, what = key
    return (Delivered if what == "delivered" else Read)(conversation, seq)


def remember(where: dict[_K, _T], key: _K, value: _T) -> None:
    """
    Add an entry, and drop the oldest one above the bound.
    """
    where[key] = value
    if len(where) > REMEMBERED:
        del where[next(iter(where))]


class Receipts:
    """
    The last receipt of each user in each conversation.

    @param put: called with each receipt that is news.
    """

    def __init__(self, put: Callable[[ReceiptReceived], object]) -> None:
        self._put = put
        self._last: dict[tuple[str, int], ReceiptReceived] = {}

    def begin_anew(self) -> None:
        """
        Forget all receipts: the server has another history.
        """
        self._last.clear()

    def received(self, frame: Receipt, own: int) -> None:
        """
        Process a receipt.

        @param own: the user of this client, whose own receipts are no news.
        """
        key = frame.conversation, frame.user
        known = self._last.get(key)
        receipt = merged_receipt(frame, known)
        if receipt != known and frame.user != own:
            self._last[key] = receipt
            self._put(receipt)
