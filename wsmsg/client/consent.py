"""
The methods of the client for blocks, and for invitations to groups.
"""

from __future__ import annotations

import uuid
from collections.abc import Sequence
from functools import partial
from typing import TypeVar

import attrs

from wsmsg.client.groups import GroupRequests
from wsmsg.client.state.checks import User, checked, one_of
from wsmsg.client.state.events import SendAccepted
from wsmsg.errors import BadRequest, Internal
from wsmsg.protocol import frames

#: More than any server returns at once.
_PAGE = 10_000

_Page = TypeVar("_Page", frames.Blocked, frames.Invited)


@attrs.frozen
class BlockState:
    """
    A block of the user.
    """

    user: int
    """The user who is blocked; 0: it is a group."""
    group: int
    """The group that is blocked; 0: it is a user."""
    time_ms: int
    """When, in unix milliseconds."""


@attrs.frozen
class InvitationState:
    """
    An open invitation of the user.
    """

    group: int
    name: str
    by: int
    """The user who invited."""
    time_ms: int
    """When, in unix milliseconds."""
    expires_ms: int
    """When it ends."""


class ConsentRequests(GroupRequests):
    """
    The methods of `Client` for blocks and invitations.  The client
    repeats a change until the server accepts it, like a send, across lost connections.
    """

    async def block(self, user: User, *, client_id: str = "") -> SendAccepted:
        """
        Hear nothing more of a user, by number or by name: no direct messages, no
        typing, no invitations.  The other user does not notice it.

        Raises:
            WsmsgError: the server refused the request for good.
        """
        return await self._block(user, 0, client_id, on=True)

    async def unblock(self, user: User, *, client_id: str = "") -> SendAccepted:
        """
        End the block of a user.  What the user sent meanwhile does not arrive any more.

        Raises:
            WsmsgError: the server refused the request for good.
        """
        return await self._block(user, 0, client_id, on=False)

    async def block_group(self, group: int, *, client_id: str = "") -> SendAccepted:
        """
        Let nobody add this user to a group, or invite to it; see also `leave`.

        Raises:
            WsmsgError: the server refused the request for good.
        """
        return await self._block(0, group, client_id, on=True)

    async def unblock_group(self, group: int, *, client_id: str = "") -> SendAccepted:
        """
        End the block of a group.

        Raises:
            WsmsgError: the server refused the request for good.
        """
        return await self._block(0, group, client_id, on=False)

    async def blocks(self) -> Sequence[BlockState]:
        """
        Read all blocks of the user.

        Raises:
            WsmsgError: the server refused, or the client is closed.
        """
        pages = await self._pages(frames.Blocks, frames.Blocked)
        return [BlockState(b.user, b.group, b.time) for p in pages for b in p.blocks]

    async def invite(
        self, group: int, user: User, *, client_id: str = ""
    ) -> SendAccepted:
        """
        Invite a user, by number or by name, to a group; whoever may add members may.

        Raises:
            WsmsgError: the server refused the request for good.
        """
        number, name = one_of(user)
        frame = frames.Invite(client_id or _made_up(), number, group, user_name=name)
        return await self._accepted(checked(frame))

    async def accept_invitation(
        self, group: int, *, client_id: str = ""
    ) -> SendAccepted:
        """
        Join a group to which this user is invited.

        Raises:
            WsmsgError: there is no open invitation.
        """
        frame = frames.AcceptInvitation(client_id or _made_up(), group)
        return await self._accepted(checked(frame))

    async def decline_invitation(
        self, group: int, *, client_id: str = ""
    ) -> SendAccepted:
        """
        Decline an invitation; nobody is told.

        Raises:
            WsmsgError: there is no open invitation.
        """
        frame = frames.DeclineInvitation(client_id or _made_up(), group)
        return await self._accepted(checked(frame))

    async def invitations(self) -> Sequence[InvitationState]:
        """
        Read all open invitations of the user.

        Raises:
            WsmsgError: the server refused, or the client is closed.
        """
        pages = await self._pages(frames.Invitations, frames.Invited)
        return [
            InvitationState(i.group, i.name, i.by, i.time, i.expires)
            for page in pages
            for i in page.invitations
        ]

    async def _pages(
        self,
        asking: type[frames.Blocks] | type[frames.Invitations],
        answering: type[_Page],
    ) -> Sequence[_Page]:
        """
        Read all pages of a list.

        @param asking: the frame that asks for a page.
        @param answering: the frame with a page.
        """
        pages: list[_Page] = []
        after = ""
        while True:
            make = partial(asking, after=after, limit=_PAGE)
            answer = await self._ask(make)
            if not isinstance(answer, answering):
                raise Internal("the server sent an answer of another kind")
            pages.append(answer)
            if not answer.next or answer.next == after:
                return pages
            after = answer.next

    async def _block(
        self, user: User, group: int, client_id: str, *, on: bool
    ) -> SendAccepted:
        number, name = one_of(user)
        frame = checked(
            frames.Block(client_id or _made_up(), number, group, on, user_name=name)
        )
        if not (frame.user or frame.group or frame.user_name):
            raise BadRequest("the user, or the group, is not above 0")
        return await self._accepted(frame)


def _made_up() -> str:
    return uuid.uuid4().hex
