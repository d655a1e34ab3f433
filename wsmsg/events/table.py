"""
The table of event kinds.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from wsmsg.events.group_change import GROUP_KIND
from wsmsg.events.kind import EventKind, InvalidContent, MemberChange
from wsmsg.events.recall import RECALL_KIND
from wsmsg.model import Message

#: All kinds of events, by their number.
EVENT_KINDS: Mapping[int, EventKind] = {
    row.kind: row for row in (GROUP_KIND, RECALL_KIND)
}

#: The kind of event that each client frame asks for.
KIND_OF_FRAME: Mapping[type[Any], EventKind] = {
    frame: row for row in EVENT_KINDS.values() for frame in row.frames
}


def member_change(message: Message) -> MemberChange | None:
    """
    Return the change of membership that a message makes; L{None}: none, or its content
    is not valid, and then no store applies it either.
    """
    row = EVENT_KINDS.get(message.kind)
    if row is None or row.member_change is None:
        return None
    try:
        return row.member_change(message.content)
    except InvalidContent:
        return None
