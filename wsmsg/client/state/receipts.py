"""
Receipts: how far others are in the conversations.
"""

from __future__ import annotations

from collections.abc import Callable

from wsmsg.client.state.events import ReceiptReceived, merged_receipt
from wsmsg.protocol.frames import Receipt


class Receipts:
    """
    The last receipt of each user in each conversation.

    @param put: called with each receipt that is news.
    """

    def __init__(self, put: Callable[[ReceiptReceived], object]) -> None:
        self._put = put
        self._last: dict[tuple[str, int], ReceiptReceived] = {}

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
