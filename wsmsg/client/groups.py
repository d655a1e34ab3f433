"""
What programs ask of groups, and that a message is taken back.
"""

from __future__ import annotations

import uuid
from abc import ABC, abstractmethod
from collections.abc import Callable, Iterable, Sequence
from functools import partial

import attrs

from wsmsg.client.state.events import SendAccepted
from wsmsg.client.state.exchange import Answer, Request
from wsmsg.errors import BadRequest, Internal
from wsmsg.events.group_change import GROUP_CHANGE_USERS, GroupChange, change_problem
from wsmsg.model import INT64_MAX, group_in
from wsmsg.protocol import frames

#: More than any server gives at once.
_PAGE = 10_000


@attrs.frozen
class GroupMemberState:
    """
    A member of a group.

    @ivar joined: the number of the change that made them one.
    """

    user: int
    joined: int


@attrs.frozen(kw_only=True)
class GroupState:
    """
    A group with its members, by user.

    @ivar history: whoever joins reads from number 1 on, not from where they joined.
    @ivar count: how many members there are, whether all were asked for or not.
    """

    group: int
    name: str
    owner: int
    history: bool
    count: int
    members: Sequence[GroupMemberState]


class GroupRequests(ABC):
    """
    The half of L{wsmsg.client.client.Client} that is about groups.  What changes
    something is repeated like a send until it is accepted, whatever breaks meanwhile.
    """

    @abstractmethod
    async def _accepted(self, frame: frames.Submission) -> SendAccepted:
        """
        Have it accepted.
        """

    @abstractmethod
    async def _ask(self, make: Callable[[str], Request]) -> Answer:
        """
        Put a question.
        """

    async def create_group(
        self,
        name: str,
        members: Iterable[int] = (),
        *,
        history: bool = False,
        client_id: str = "",
    ) -> int:
        """
        Make a group of us, its owner, and others.

        @param members: at most 1,000; see L{add_members} for more.
        @param history: whoever joins later reads from the first message on.
        @param client_id: the same id makes the same group; one is made if empty.
        @return: the group's number.
        @raise WsmsgError: the server refused it for good.
        """
        users = tuple(dict.fromkeys(members))
        _check(GroupChange(True, name, history, users))
        frame = frames.CreateGroup(client_id or _made_up(), name, users, history)
        return group_in((await self._accepted(frame)).conversation)

    async def change_group(
        self,
        group: int,
        *,
        add: Iterable[int] = (),
        remove: Iterable[int] = (),
        client_id: str = "",
    ) -> SendAccepted:
        """
        Add and remove members, at most 1,000 users together, at once.

        @raise WsmsgError: the server refused it for good.
        """
        change = GroupChange(
            add=tuple(dict.fromkeys(add)), remove=tuple(dict.fromkeys(remove))
        )
        _check(change)
        _check_number(group, "a group")
        frame = frames.ChangeGroup(
            client_id or _made_up(), group, change.add, change.remove
        )
        return await self._accepted(frame)

    async def add_members(self, group: int, users: Iterable[int]) -> None:
        """
        Add any number of members, a thousand at a time; only the owner may.
        """
        for some in _thousands(users):
            await self.change_group(group, add=some)

    async def remove_members(self, group: int, users: Iterable[int]) -> None:
        """
        Remove any number of members, a thousand at a time; only the owner may.
        """
        for some in _thousands(users):
            await self.change_group(group, remove=some)

    async def leave(self, group: int) -> SendAccepted:
        """
        Be a member no more.
        """
        return await self.change_group(group, remove=[await self._self()])

    @abstractmethod
    async def _self(self) -> int:
        """
        Who we are, once that is known.
        """

    async def members(self, group: int, *, limit: int = INT64_MAX) -> GroupState:
        """
        A group that we are in, and its members.

        @param limit: the most members to ask for.
        @raise WsmsgError: the server refused, or the client is closed.
        """
        found: dict[int, GroupMemberState] = {}
        _check_number(group, "a group")
        while True:
            after = max(found, default=0)
            most = min(limit - len(found), _PAGE)
            answer = await self._ask(
                partial(frames.Members, group=group, after=after, limit=most)
            )
            if not isinstance(answer, frames.Group):
                raise Internal("the server answered something else")
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
        )

    async def recall(
        self, conversation: str, seq: int, *, client_id: str = ""
    ) -> SendAccepted:
        """
        Take a message of ours back: its content is gone, and everybody is told.

        @raise WsmsgError: it is not ours, or the time for it is over.
        """
        _check_number(seq, "a number of a message")
        frame = frames.Recall(client_id or _made_up(), conversation, seq)
        return await self._accepted(frame)


def _made_up() -> str:
    return uuid.uuid4().hex


def _check(change: GroupChange) -> None:
    problem = change_problem(change)
    if problem:
        raise BadRequest(problem)


def _check_number(number: int, what: str) -> None:
    if not 1 <= number <= INT64_MAX:
        raise BadRequest(f"{number} is not {what}")


def _thousands(users: Iterable[int]) -> Iterable[Sequence[int]]:
    everyone = list(dict.fromkeys(users))
    for at in range(0, len(everyone), GROUP_CHANGE_USERS):
        yield everyone[at : at + GROUP_CHANGE_USERS]
