"""
Section C{http} of Message: its HTTP API.
"""

from __future__ import annotations

from typing import Annotated

from pydantic import Field

from wsmsg.settings.base import Count, Seconds, Section
from wsmsg.settings.tokens import TokenSettings


class HttpSettings(Section):
    """
    Message's HTTP API.  All of it can change live.

    @ivar origins: C{Origin} headers of the web pages that may call without a key, and
        read the answers.
    @ivar token: verification of users' own tokens, which C{unread} and C{mark-read}
        accept if there are API keys.
    @ivar requests_per_s: rate limit for a key; without keys, for an address.
    @ivar requests_in_flight: requests that are being answered; over it requests are
        refused as C{unavailable}.
    @ivar connections: open connections; over it connections are refused.
    @ivar body_bytes: the longest body; 0: half a MiB, or more if the longest content
        needs it.
    @ivar receive_s: time limit for receiving a request.
    @ivar unread: most messages in one answer of C{unread}.
    """

    origins: tuple[str, ...] = ("http://localhost:*", "http://127.0.0.1:*")
    requests_per_s: Count = 1000
    requests_burst: Count = 2000
    requests_in_flight: Count = 500
    connections: Count = 2000
    body_bytes: Annotated[int, Field(ge=0, le=64 * 2**20)] = 0
    receive_s: Seconds = 10.0
    unread: Annotated[Count, Field(le=10000)] = 1000
    token: TokenSettings = TokenSettings()
