"""
Types that the sections of the settings share.
"""

from __future__ import annotations

import ipaddress
from typing import Annotated

from pydantic import AfterValidator, BaseModel, ConfigDict, Field

Seconds = Annotated[float, Field(gt=0, le=86400)]
Count = Annotated[int, Field(ge=1)]
Bytes = Annotated[int, Field(ge=1)]


def _network(text: str) -> str:
    try:
        return str(ipaddress.ip_network(text))
    except ValueError as e:
        raise ValueError(f"is no address or network, as 10.1.0.0/16: {e}") from None


#: Addresses and networks of IP.
Networks = tuple[Annotated[str, AfterValidator(_network)], ...]


class Section(BaseModel):
    """
    A table of settings; its values are frozen.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")
