"""
The methods of the client for groups, and for the recall of messages.
"""

from __future__ import annotations

import uuid
from abc import ABC, abstractmethod
from collections.abc import Callable, Iterable, Sequence
from functools import partial

import attrs

from wsmsg.client.state.checks import User, apart, checked
from wsmsg.client.state.events import SendAccepted
from wsmsg.client.state.queries import Answer, Request
from wsmsg.errors import BadRequest, Internal
from wsmsg.events.group_change import GROUP_CHANGE_USERS, GroupChange, change_problem
from wsmsg.model import INT64_MAX, group_in
from wsmsg.protocol import frames

#: More than any server returns at once.
_PAGE = 10_000


@attrs.frozen
class GroupMemberState:
    """
    A member of a group.
    """

    user: int
    joined: int
    """The number of the change that added the member."""


@attrs.frozen(kw_only=True)
class GroupState:
    """
    A group with its members, by user.
    """

    group: int
    name: str
    owner: int
    history: bool
    """New members can read all messages, not only those after they joined."""
    count: int
    """The number of members, which may be more than were asked for."""
    members: Sequence[GroupMemberState]
    key: str = ""
    """The application's own id of the group; empty: it has none."""


class GroupRequests(ABC):
    """
    The methods of `Client` for groups.  The client repeats a
    change of a group until the server accepts it, like a send, across lost connections.
    """

    @abstractmethod
    async def _accepted(self, frame: frames.Submission) -> SendAccepted:
        """
        Submit a request, and wait until the server accepts it.
        """

    @abstractmethod
    async def _ask(self, make: Callable[[str], Request]) -> Answer:
        """
        Send a query, and wait for the answer.
        """

    async def create_group(
        self,
        name: str,
        members: Iterable[User] = (),
        *,
        history: bool = False,
        client_id: str = "",
    ) -> int:
        """
        Create a group that this user owns.

        Args:
            members: numbers or names, at most 1,000; see `add_members` for more.
            history: new members can read all messages from the first one.
            client_id: a repeat with the same id creates no second group; empty: a new
                id.

        Returns:
            the group's number.

        Raises:
            WsmsgError: the server refused the request for good.
        """
        users, names = apart(members)
        frame = frames.CreateGroup(
            client_id or _made_up(), name, users, history, member_names=names
        )
        frame = checked(frame)
        _check(GroupChange(True, frame.name, history, frame.members), len(names))
        return group_in((await self._accepted(frame)).conversation)

    async def change_group(
        self,
        group: int,
        *,
        add: Iterable[User] = (),
        remove: Iterable[User] = (),
        client_id: str = "",
    ) -> SendAccepted:
        """
        Add and remove members, by number or by name, in one change; at most 1,000 users
        together.

        Raises:
            WsmsgError: the server refused the request for good.
        """
        (added, more), (removed, less) = apart(add), apart(remove)
        frame = frames.ChangeGroup(
            client_id or _made_up(),
            group,
            added,
            removed,
            add_names=more,
            remove_names=less,
        )
        frame = checked(frame)
        if more or less:
            _check_count(len(added) + len(removed) + len(more) + len(less))
        else:
            _check(GroupChange(add=frame.add, remove=frame.remove))
        return await self._accepted(frame)

    async def add_members(self, group: int, users: Iterable[User]) -> None:
        """
        Add any number of members, a thousand in each change; only the owner may.

        Raises:
            WsmsgError: the server refused a change for good.
        """
        for some in _thousands(users):
            await self.change_group(group, add=some)

    async def remove_members(self, group: int, users: Iterable[User]) -> None:
        """
        Remove any number of members, a thousand in each change; only the owner may.

        Raises:
            WsmsgError: the server refused a change for good.
        """
        for some in _thousands(users):
            await self.change_group(group, remove=some)

    async def leave(self, group: int) -> SendAccepted:
        """
        Leave a group.

        Raises:
            WsmsgError: the server refused the request for good.
        """
        return await self.change_group(group, remove=[await self._self()])

    @abstractmethod
    async def _self(self) -> int:
        """
        Return the id of this user, once it is known.
        """

    async def members(self, group: int, *, limit: int = INT64_MAX) -> GroupState:
        """
        Read a group of this user with its members.

        Args:
            limit: most members to read.

        Raises:
            WsmsgError: the server refused, or the client is closed.
        """
        found: dict[int, GroupMemberState] = {}
        while True:
            after = max(found, default=0)
            most = min(limit - len(found), _PAGE)
            answer = await self._ask(
                partial(frames.Members, group=group, after=after, limit=most)
            )
            if not isinstance(answer, frames.Group):
                raise Internal("the server sent an answer of another kind")
            for member in answer.members:
                found[member.user] = GroupMemberState(member.user, member.joined)
            more = answer.more or len(found) < answer.count
            if not more or len(found) >= limit or max(found, default=0) <= after:
                break
        return GroupState(
            group=group,
            name=answer.name,
            owner=answer.owner,
            history=answer.history,
            count=answer.count,
            members=tuple(found.values()),
            key=answer.key,
        )

    async def recall(
        self, conversation: str, seq: int, *, client_id: str = ""
    ) -> SendAccepted:
        """
        Recall a message of this user: its content is deleted, and all members are
        notified.

        Raises:
            WsmsgError: the message is of another user, or the time limit is over.
        """
        frame = frames.Recall(client_id or _made_up(), conversation, seq)
        return await self._accepted(frame)


def _made_up() -> str:
    return uuid.uuid4().hex


def _check(change: GroupChange, named: int = 0) -> None:
    problem = change_problem(change)
    if problem:
        raise BadRequest(problem)
    if named:
        _check_count(len(change.add) + named)


def _check_count(users: int) -> None:
    if users > GROUP_CHANGE_USERS:
        raise BadRequest(f"more than {GROUP_CHANGE_USERS} users in one change")


def _thousands(users: Iterable[User]) -> Iterable[Sequence[User]]:
    everyone = list(dict.fromkeys(users))
    for at in range(0, len(everyone), GROUP_CHANGE_USERS):
        yield everyone[at : at + GROUP_CHANGE_USERS]
