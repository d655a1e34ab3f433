"""
The settings of Connect's way to Message.
"""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field

from wsmsg.settings.base import Section


class UpstreamSettings(Section):
    """
    What C{discovery} leads to.

    @ivar peer: C{wsmsg}, C{deployed} (a Message of the deployed system) or C{auto}:
        as each one shows when it is dialled.
    @ivar quiet_s: a deployed Message that is dialled says nothing; one that keeps the
        stream for so long has taken it.
    @ivar stalled_s: a deployed Message that took or answered nothing for so long is
        dialled again.
    """

    peer: Literal["auto", "wsmsg", "legacy"] = "auto"
    quiet_s: Annotated[float, Field(gt=0, le=60)] = 0.3
    stalled_s: Annotated[float, Field(ge=0.5, le=600)] = 4.0
