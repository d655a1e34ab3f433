"""
The limits of a connection, in C{welcome}.
"""

from __future__ import annotations

import msgspec

from wsmsg.protocol.frame import Int64


class Limits(msgspec.Struct, frozen=True, gc=False):
    """
    The limits of this connection.

    Attributes:
        unnumbered: messages have no seqs, and so there is no sync, and there are no
            heads, receipts, groups and recalls.
    """

    content_bytes: Int64
    frame_bytes: Int64
    window: Int64
    sends_per_s: Int64
    page: Int64
    watch: Int64
    unnumbered: bool = False
