"""
Section C{upstream} of Connect: its streams to Message.
"""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field

from wsmsg.settings.base import Section


class UpstreamSettings(Section):
    """
    The Messages that C{discovery} finds.

    @ivar peer: C{wsmsg}, C{legacy} (a Message of the legacy system) or C{auto}:
        detected when Connect dials.
    @ivar quiet_s: a legacy Message sends nothing when it is dialled; one that keeps the
        stream open for so long has accepted it.
    @ivar stalled_s: a legacy Message that neither reads nor answers for so long is
        dialled again.
    @ivar partial_s: a Connect without a direct stream to some Message for so long asks
        its clients to move, if other Connects reach all.
    """

    peer: Literal["auto", "wsmsg", "legacy"] = "auto"
    quiet_s: Annotated[float, Field(gt=0, le=60)] = 0.3
    stalled_s: Annotated[float, Field(ge=0.5, le=600)] = 4.0
    partial_s: Annotated[float, Field(ge=1, le=86400)] = 60.0
