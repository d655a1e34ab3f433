"""
Calls that change something, as the audit is told of them.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping

import attrs

#: The status of a call whose caller left before the answer; it may have been done.
LEFT = 499


@attrs.frozen
class Change:
    """
    A call that was to change something, and its result.

    @ivar key: the name of the key, or C{(anybody)}, C{(user)}, C{(operator)} and
        C{(unknown)}.
    @ivar address: of the caller.
    @ivar call: the method and the path of the route, with names in braces.
    @ivar objects: what the call was about, by name.
    @ivar result: the HTTP status.
    @ivar code: C{ok}, C{left}, or the code of the error.
    """

    key: str
    address: str
    call: str
    objects: Mapping[str, object]
    result: int
    code: str


#: Records a change.
Audit = Callable[[Change], object]


def unaudited(change: Change) -> None:
    """
    Stand in for an audit where no call changes anything.
    """
    raise AssertionError(f"nobody records {change.call}")
