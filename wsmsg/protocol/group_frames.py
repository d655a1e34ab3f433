"""
The frames about groups, their members and invitations to them.

Someone who may add a member may also invite a user, who then decides::

    -> {"type": "invite", "client_id": "7f", "user": 1003, "group": 8140}
    <- {"type": "accepted", "client_id": "7f", ...}
       # the other user gets the invitation as an event of their conversation:
    <- {"type": "deliver", "conversation": "u:1001:1003", "from": 1001, "kind": 1009,
        "content": "{\"group\":8140}", ...}
    -> {"type": "accept_invitation", "client_id": "a1", "group": 8140}
"""

from __future__ import annotations

import msgspec

from wsmsg.protocol.frame import Frame, Int64, Submission


class CreateGroup(Submission, frozen=True, gc=True, tag="create_group"):
    """
    A request to create a group of the user and others.
    """

    name: str = ""
    members: tuple[Int64, ...] = ()
    history: bool = False
    repeat: bool = False
    member_names: tuple[str, ...] = ()


class ChangeGroup(Submission, frozen=True, gc=True, tag="change_group"):
    """
    A request to add members to a group and to remove others.
    """

    group: Int64
    add: tuple[Int64, ...] = ()
    remove: tuple[Int64, ...] = ()
    repeat: bool = False
    add_names: tuple[str, ...] = ()
    remove_names: tuple[str, ...] = ()


class Members(Frame, frozen=True):
    """
    C{after} continues a list: it is the last user of the list so far.
    """

    id: str
    group: Int64
    after: Int64 = 0
    limit: Int64 = 0


class Invite(Submission, frozen=True):
    """
    A request to invite a user, by number or by name, to a group.
    """

    user: Int64 = 0
    group: Int64 = 0
    repeat: bool = False
    user_name: str = ""


class AcceptInvitation(Submission, frozen=True, tag="accept_invitation"):
    """
    A request to join a group to which the user is invited.
    """

    group: Int64
    repeat: bool = False


class DeclineInvitation(Submission, frozen=True, tag="decline_invitation"):
    """
    A request to close an invitation.
    """

    group: Int64
    repeat: bool = False


class Invitations(Frame, frozen=True):
    """
    C{after} continues a list: it is C{next} of the page before.
    """

    id: str
    after: str = ""
    limit: Int64 = 0


class Member(msgspec.Struct, frozen=True, gc=False):
    """A member in C{group}."""

    user: Int64
    joined: Int64 = 0


class Group(Frame, frozen=True, gc=True):
    """
    The answer to C{members}.
    """

    id: str
    group: Int64
    name: str
    owner: Int64
    history: bool = False
    count: Int64 = 0
    members: tuple[Member, ...] = ()
    more: bool = False
    key: str = ""


class Invitation(msgspec.Struct, frozen=True, gc=False):
    """
    An open invitation in C{invited}.

    @ivar by: the user who invited.
    @ivar expires: when it ends.
    """

    group: Int64
    by: Int64
    name: str = ""
    time: Int64 = 0
    expires: Int64 = 0


class Invited(Frame, frozen=True, gc=True):
    """
    The answer to C{invitations}.  C{next} is empty on the last page.
    """

    id: str
    invitations: tuple[Invitation, ...] = ()
    next: str = ""
