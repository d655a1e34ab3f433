"""
The base of all frames of the client protocol.
"""

from __future__ import annotations

from typing import Annotated

import msgspec

from wsmsg.model import INT64_MAX

#: The numbers that both encodings can hold; a codec refuses any other.
Int64 = Annotated[int, msgspec.Meta(ge=-INT64_MAX - 1, le=INT64_MAX)]


class Frame(msgspec.Struct, frozen=True, gc=False, tag_field="type", tag=str.lower):
    """One unit of the client protocol."""


class Submission(Frame, frozen=True):
    """
    A message or an event to be C{accepted} or C{rejected}.  Another one with this
    C{client_id} is the same.  C{repeat}: an earlier one may have been accepted.
    """

    client_id: str
