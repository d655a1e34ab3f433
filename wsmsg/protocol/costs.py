"""
The costs of requests: what a frame asks for, in units of C{limits.requests_per_s}.

A frame that names or asks for many things costs a unit for each few of them, so that
one C{watch} of 500 users counts for more than one of five.  Sends have a rate of their
own, and so have refreshed tokens.  The table in C{docs/reference/protocol.md} is made
from this one.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import attrs

from wsmsg.protocol import frames


def _nothing(_: Any) -> int:
    return 0


@attrs.frozen
class Cost:
    """
    The cost of a kind of request.

    @ivar units: what each costs.
    @ivar items: the things of which C{each} cost a unit more, as the docs name them.
    @ivar count: returns how many things a frame names; 0 for a C{limit} that it leaves
        to the server.
    @ivar is_page: the things are rows of a page, of which the server allows a limited
        number.
    """

    units: int
    each: int = 1
    items: str = ""
    count: Callable[[Any], int] = _nothing
    is_page: bool = False

    def of(self, frame: frames.Frame, page: int) -> int:
        """
        Return the units that a frame costs.

        @param page: the size of a page for frames that do not ask for less.
        """
        n = self.count(frame)
        if self.is_page:
            n = min(n, page) if n > 0 else page
        return self.units + n // self.each


def _limit(frame: frames.Sync | frames.Conversations | frames.Members) -> int:
    return frame.limit


def _watched(frame: frames.Watch) -> int:
    return len(frame.users) + len(frame.names)


def _created(frame: frames.CreateGroup) -> int:
    return len(frame.members) + len(frame.member_names)


def _changed(frame: frames.ChangeGroup) -> int:
    named = len(frame.add_names) + len(frame.remove_names)
    return len(frame.add) + len(frame.remove) + named


def _looked_up(frame: frames.Names) -> int:
    return len(frame.names) + len(frame.users)


#: The kinds of requests that cost something, besides the frame itself.
COSTS: Mapping[type[frames.Frame], Cost] = {
    frames.Sync: Cost(1, 20, "messages asked for", _limit, is_page=True),
    frames.Conversations: Cost(1, 10, "conversations asked for", _limit, is_page=True),
    frames.Members: Cost(1, 50, "members asked for", _limit, is_page=True),
    frames.Watch: Cost(1, 5, "users watched", _watched),
    frames.Delivered: Cost(1),
    frames.Read: Cost(1),
    frames.Typing: Cost(10),
    frames.CreateGroup: Cost(1, 5, "members named", _created),
    frames.ChangeGroup: Cost(1, 5, "members named", _changed),
    frames.Names: Cost(1, 5, "names and users asked for", _looked_up),
}
