"""
Types that the sections of the settings share.
"""

from __future__ import annotations

from typing import Annotated

from pydantic import BaseModel, ConfigDict, Field

Seconds = Annotated[float, Field(gt=0, le=86400)]
Count = Annotated[int, Field(ge=1)]
Bytes = Annotated[int, Field(ge=1)]


class Section(BaseModel):
    """
    A table of settings; its values are frozen.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")
