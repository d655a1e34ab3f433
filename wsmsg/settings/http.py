"""
Message's API over HTTP: its settings.
"""

from __future__ import annotations

from typing import Annotated

from pydantic import Field, SecretStr

from wsmsg.settings.base import Count, Seconds, Section
from wsmsg.settings.tokens import TokenSettings


class HttpSettings(Section):
    """
    Message's API over HTTP.  All of it can change live.

    @ivar keys: whoever calls has to have one of them, as C{Authorization: Bearer
        <key>}; several, so that one can take another's place.  None: whoever reaches
        the listener is believed.
    @ivar token: users' own tokens, which C{unread} and C{mark-read} take where there
        are keys.
    @ivar requests_per_s: of one key; without a key, of one address.
    @ivar requests_in_flight: requests that are being answered; over it they are
        refused as C{unavailable}.
    @ivar connections: at so many further ones are refused.
    @ivar receive_s: how long a request may take to come in.
    @ivar unread: the most messages in one answer of C{unread}.
    """

    keys: tuple[SecretStr, ...] = ()
    requests_per_s: Count = 1000
    requests_burst: Count = 2000
    requests_in_flight: Count = 500
    connections: Count = 2000
    body_bytes: Annotated[int, Field(ge=1024, le=64 * 2**20)] = 524288
    receive_s: Seconds = 10.0
    unread: Annotated[Count, Field(le=10000)] = 1000
    token: TokenSettings = TokenSettings()
