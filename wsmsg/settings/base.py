"""
Types that the sections of the settings share.
"""

from __future__ import annotations

import ipaddress
from collections.abc import Iterator
from typing import Annotated, Any

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, PlainSerializer

from wsmsg.text.passwords import without_password

#: The distance between the C{rpc_listen} ports of two workers of a Message.
PORT_STEP = 10

Seconds = Annotated[float, Field(gt=0, le=86400)]
Count = Annotated[int, Field(ge=1)]
#: Processes of one daemon.
Crew = Annotated[int, Field(ge=1, le=64)]
Bytes = Annotated[int, Field(ge=1)]


def _network(text: str) -> str:
    try:
        return str(ipaddress.ip_network(text))
    except ValueError as e:
        raise ValueError(f"is no address or network, as 10.1.0.0/16: {e}") from None


#: Addresses and networks of IP.
Networks = tuple[Annotated[str, AfterValidator(_network)], ...]

#: Marks a setting that is a URL, which may have a password in it.
URL = PlainSerializer(without_password, when_used="json")


class Section(BaseModel):
    """
    A table of settings; its values are frozen.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    def __repr_args__(self) -> Iterator[tuple[str | None, Any]]:
        for name, value in super().__repr_args__():
            yield name, without_password(value) if isinstance(value, str) else value
