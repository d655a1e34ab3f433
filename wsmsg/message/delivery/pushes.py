"""
The last step of a batch that is stored: its listener hears of it, and the links push
it.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

from twisted.logger import Logger

from wsmsg.message.delivery.numbering import NumberedBatch
from wsmsg.message.links.interface import ILinks, Settled
from wsmsg.model import Message


class StoredPushes:
    """
    Passes stored batches on.  No failure of a listener or of a link comes back.

    @param on_stored: called with the messages of each batch; L{None}: nobody.
    """

    _log = Logger()

    def __init__(
        self, links: ILinks, on_stored: Callable[[Sequence[Message]], object] | None
    ) -> None:
        self._links = links
        self._on_stored = on_stored

    def pass_on(self, stored: NumberedBatch, settled: Settled) -> None:
        """
        Push a batch.

        @param settled: called once, when all of its messages are settled.
        """
        if self._on_stored is not None:
            try:
                self._on_stored(stored.messages)
            except Exception:  # noqa: BLE001 - a guard
                self._log.failure("a listener for stored messages failed")
        try:
            self._links.push(stored.messages, settled, stored.recipients)
        except Exception:  # noqa: BLE001 - a guard
            # Nobody knows which links have the messages, so all sessions sync.
            self._log.failure("a batch of messages is stored and cannot be pushed")
            self._links.break_off_all("messages that are stored could not be pushed")
            settled()
