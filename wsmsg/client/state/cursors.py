"""
Progress in each conversation, reported to the server.  Only the last number counts, so
a report is one frame for any number of messages, and no number is reported twice.

The server does not answer these frames.  After a lost connection, the client repeats
the reports of that connection on the next one.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Literal

from wsmsg.client.state.events import ReceiptReceived, merged_receipt
from wsmsg.protocol.frames import Delivered, Head, Read, Receipt

_Key = tuple[str, Literal["delivered", "read"]]


class CursorState:
    """
    The delivered and read numbers, by conversation.
    """

    def __init__(self) -> None:
        self._known: dict[_Key, int] = {}
        self._untold: dict[_Key, None] = {}
        self._told: dict[_Key, None] = {}

    def resume(self, conversation: str, seq: int) -> None:
        """
        Start from the number that an earlier run reached and most likely reported.
        """
        self._known[conversation, "delivered"] = seq

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
            if seq >= self._known.get(key, 0):
                self._known[key] = seq
                self._untold.pop(key, None)
            elif key in self._known:
                self._untold[key] = None

    def due(self, limit: int) -> list[Delivered | Read]:
        """
        Return the frames to write now, up to a limit.
        """
        frames: list[Delivered | Read] = []
        while self._untold and len(frames) < limit:
            key = next(iter(self._untold))
            del self._untold[key]
            self._told[key] = None
            name, what = key
            kind = Delivered if what == "delivered" else Read
            frames.append(kind(name, self._known[key]))
        return frames

    @property
    def waiting(self) -> bool:
        """
        L{True} if there is something to report.
        """
        return bool(self._untold)

    def lost(self) -> None:
        """
        Repeat the reports of a lost connection, which the server may not have received.
        """
        self._untold.update(self._told)
        self._told.clear()

    def begin_anew(self) -> None:
        """
        Forget all numbers: the server has another history.
        """
        self._known.clear()
        self._untold.clear()
        self._told.clear()

    def _raise_to(self, key: _Key, seq: int) -> None:
        if seq > self._known.get(key, 0):
            self._known[key] = seq
            self._untold[key] = None

    def _keys(self, head: Head) -> tuple[tuple[_Key, int], ...]:
        return (
            ((head.conversation, "delivered"), head.delivered),
            ((head.conversation, "read"), head.read),
        )


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
