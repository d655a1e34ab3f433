"""
A transport for HTTP in memory.
"""

from __future__ import annotations

from twisted.internet.testing import StringTransport


class Wire(StringTransport):
    """
    A transport that remembers how it was closed.
    """

    half_closed = False
    aborted = False

    def loseWriteConnection(self) -> None:
        self.half_closed = True

    def abortConnection(self) -> None:
        self.aborted = True
        self.disconnected = True
