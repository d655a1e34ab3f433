"""
Names of users in frames of clients, in the places of numbers.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import TypeVar

import msgspec

from wsmsg.protocol.frames import (
    Block,
    ChangeGroup,
    CreateGroup,
    Invite,
    Send,
    Watch,
)

#: A frame in which users may have names.
NamingFrame = Send | Watch | CreateGroup | ChangeGroup | Block | Invite

F = TypeVar("F", bound=NamingFrame)

#: The fields with names, each with the field of the numbers.
_FIELDS: Mapping[type, Mapping[str, str]] = {
    Watch: {"names": "users"},
    CreateGroup: {"member_names": "members"},
    ChangeGroup: {"add_names": "add", "remove_names": "remove"},
}


def names_in(frame: NamingFrame) -> tuple[str, ...]:
    """
    Return the names in a frame that have no number yet.
    """
    if isinstance(frame, Send):
        return (frame.to_name,) if frame.to_name else ()
    if isinstance(frame, Block | Invite):
        return (frame.user_name,) if frame.user_name and not frame.user else ()
    fields = _FIELDS[type(frame)]
    return tuple(name for field in fields for name in getattr(frame, field))


def with_users(frame: F, users: Mapping[str, int]) -> F:
    """
    Return the frame with numbers for its names; C{send} and C{invite} keep the name,
    as their answers tell the conversation.

    @param users: the numbers of all of them.
    """
    if isinstance(frame, Send):
        return msgspec.structs.replace(frame, to=users[frame.to_name])
    if isinstance(frame, Invite):
        return msgspec.structs.replace(frame, user=users[frame.user_name])
    if isinstance(frame, Block):
        user = users[frame.user_name]
        return msgspec.structs.replace(frame, user=user, user_name="")
    changes: dict[str, tuple[int, ...]] = {}
    for of_names, of_numbers in _FIELDS[type(frame)].items():
        more = [users[name] for name in getattr(frame, of_names)]
        changes[of_names] = ()
        changes[of_numbers] = (*getattr(frame, of_numbers), *more)
    return msgspec.structs.replace(frame, **changes)
