"""
Which of the streams leads: its Message is the primary, which writes our users'
presence for readers outside, and it has what any one of them may do.
"""

from __future__ import annotations

import hashlib
from collections.abc import Sequence

from twisted.logger import Logger

from wsmsg.connect.upstream.context import Stream


class PrimaryChoice:
    """
    The stream that leads.  It stays for as long as it is fit to, so that the primary
    moves only when it must, and then at once: the lease on our users is short.

    @param node: our name; different nodes choose differently.
    @ivar stream: L{None} while no stream is up.
    """

    _log = Logger()

    def __init__(self, node: str) -> None:
        self.stream: Stream | None = None
        self._node = node

    def review(self, up: Sequence[Stream], fit: Sequence[Stream]) -> None:
        """
        Have the best one lead.

        @param up: the streams there are.
        @param fit: those of them that are neither silent nor about to leave.
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
            self._log.info("{message} is our primary", message=self.stream.name)
            self.stream.lead(True)

    def _rank(self, stream: Stream) -> tuple[bool, bytes]:
        # One that has our users, if there is one.
        name = f"{self._node} {stream.name}".encode()
        return not stream.is_synced, hashlib.blake2b(name).digest()
