"""
The choice of the stream that leads.

The Message of that stream is the primary: it writes the presence of this node's users
for readers outside.  The stream also carries what any one stream may carry: cursors
and typing signals.
"""

from __future__ import annotations

import hashlib
from collections.abc import Sequence

from twisted.logger import Logger

from wsmsg.connect.upstream.context import Stream


class PrimaryChoice:
    """
    The stream that leads.

    It keeps the lead for as long as it is fit to, so that the primary moves only when
    it must, and then at once: the lease on the users of this node is short.

    @param node: the name of this Connect; different nodes choose differently.
    @ivar stream: L{None} while no stream is up.
    """

    _log = Logger()

    def __init__(self, node: str) -> None:
        self.stream: Stream | None = None
        self._node = node

    def review(self, up: Sequence[Stream], fit: Sequence[Stream]) -> None:
        """
        Give the lead to the best stream, unless the one that has it is fit.

        @param up: all streams that are up.
        @param fit: those of them that are neither silent nor about to be closed.
        """
        before = self.stream
        if before not in up:
            before = None
        if before is not None and (before in fit or not fit):
            return
        self.stream = min(fit or up, key=self._rank, default=None)
        if before is not None:
            before.lead(False)
        if self.stream is not None and not self.stream.unnumbered:
            self._log.info("{message} is the primary", message=self.stream.name)
            self.stream.lead(True)

    def _rank(self, stream: Stream) -> tuple[bool, bytes]:
        # Prefers a stream whose Message knows the users of this node.
        name = f"{self._node} {stream.name}".encode()
        return not stream.is_synced, hashlib.blake2b(name).digest()
