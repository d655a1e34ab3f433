"""
Event kinds: messages that the server makes because a client asks for a change.

An event is a message in the conversation that it changes, with a seq of its own, so it
is durable, ordered and delivered like any message.  Its kind is 1000 or above, and its
content says what changes.  Each kind is one module, with all that Connect, Message and
the client must agree on::

    frame --from_frame--> content --validate, judge--> journal --> store: apply
      Connect                        Message             |
                                                         '--> client: received

    kind          a row of the table of kinds, and the facts that Message judges by
    group_change  a group is created, or its members change
    recall        a sender recalls a message
    block         a user blocks another one, or a group
    invitation    a user is invited to a group, or declines
    numbers       numbers in contents

The package itself has the table of all kinds.  The stores apply events by a table of
their own (C{events} of each store), and the client turns them into values for a program
(L{wsmsg.client.state.events}).
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from wsmsg.events.block import BLOCK_KIND
from wsmsg.events.group_change import GROUP_KIND
from wsmsg.events.invitation import DECLINE_KIND, INVITATION_KIND
from wsmsg.events.kind import EventKind, InvalidContent, MemberChange
from wsmsg.events.recall import RECALL_KIND
from wsmsg.model import FIRST_EVENT, Message

#: All kinds of events, by their number.
EVENT_KINDS: Mapping[int, EventKind] = {
    row.kind: row
    for row in (GROUP_KIND, RECALL_KIND, BLOCK_KIND, INVITATION_KIND, DECLINE_KIND)
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


def shown_content(message: Message) -> str:
    """
    Return the content of a message as clients receive it.
    """
    if message.kind < FIRST_EVENT:
        return message.content
    row = EVENT_KINDS.get(message.kind)
    return message.content if row is None else row.shown(message.content)
