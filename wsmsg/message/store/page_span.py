"""
The arguments of a page of messages, as values.
"""

from __future__ import annotations

from typing import NamedTuple

#: The most bytes of contents in a page, unless one message alone has more.
PAGE_BYTES = 256 * 1024


class PageSpan(NamedTuple):
    """
    The arguments of L{wsmsg.message.store.interface.IMessages.page}.
    """

    after: int
    before: int
    limit: int
    limit_bytes: int
    reader: int
