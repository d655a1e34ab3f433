"""
The frames about whom a user wants to hear of: blocks.

    -> {"type": "block", "client_id": "b1", "user": 1003, "on": true}
    <- {"type": "accepted", "client_id": "b1", ...}
       # all devices of the user get the change as an event of their own conversation:
    <- {"type": "deliver", "conversation": "u:1001:1001", "from": 1001, "kind": 1008,
        "content": "{\"user\":1003,\"on\":true}", ...}
    -> {"type": "blocks", "id": "q2"}
    <- {"type": "blocked", "id": "q2", "blocks": [{"user": 1003, "time": ...}]}
"""

from __future__ import annotations

import msgspec

from wsmsg.protocol.frame import Frame, Int64, Submission


class Block(Submission, frozen=True):
    """
    A request to block a user, by number or by name, or a group that the user is not in;
    or to end that.
    """

    user: Int64 = 0
    group: Int64 = 0
    on: bool = False
    repeat: bool = False
    user_name: str = ""


class Blocks(Frame, frozen=True):
    """
    C{after} continues a list: it is C{next} of the page before.
    """

    id: str
    after: str = ""
    limit: Int64 = 0


class BlockEntry(msgspec.Struct, frozen=True, gc=False):
    """
    A block in C{blocked}: of a user, or of a group.
    """

    user: Int64 = 0
    group: Int64 = 0
    time: Int64 = 0


class Blocked(Frame, frozen=True, gc=True):
    """
    The answer to C{blocks}.  C{next} is empty on the last page.
    """

    id: str
    blocks: tuple[BlockEntry, ...] = ()
    next: str = ""
