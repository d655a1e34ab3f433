"""
Names of users, for a server where users have names, and keys of groups.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from functools import partial

import attrs

from wsmsg.client.groups import GroupRequests
from wsmsg.errors import Internal
from wsmsg.protocol import frames

#: The most names that a client remembers.
KEPT = 10_000


@attrs.frozen
class FoundNames:
    """
    The answer to a look-up.
    """

    users: Mapping[str, int]
    """The numbers of the names that were found, by name."""
    unknown: Sequence[str]
    """The names that no user has."""
    groups: Mapping[str, int]
    """The numbers of the groups with these keys, by key; whether there is such a group,
    `members` tells."""


class NameTable:
    """
    The names that came with frames of the server, the newest of them.
    """

    def __init__(self, kept: int = KEPT) -> None:
        self._names: dict[int, str] = {}
        self._kept = kept

    def __len__(self) -> int:
        return len(self._names)

    def learn(self, names: Mapping[int, str]) -> None:
        """
        Keep names, and drop the oldest beyond the bound.
        """
        for user, name in names.items():
            self._names.pop(user, None)
            self._names[user] = name
        while len(self._names) > self._kept:
            del self._names[next(iter(self._names))]

    def name_of(self, user: int) -> str:
        """
        Return the name of a user; the digits of the number if none is known.
        """
        return self._names.get(user) or str(user)


class NameRequests(GroupRequests):
    """
    The methods of `Client` for names.
    """

    _names: NameTable

    def name_of(self, user: int) -> str:
        """
        Return the name of a user whom the server has mentioned; the digits of the
        number if the user has none, or if it is not known (`look_up` asks for it).
        """
        return self._names.name_of(user)

    async def look_up(
        self,
        names: Iterable[str] = (),
        *,
        users: Iterable[int] = (),
        keys: Iterable[str] = (),
    ) -> FoundNames:
        """
        Ask for the numbers of names and of groups' keys, and for the names of users,
        which `name_of` returns from then on; at most 1,000 of each together.

        Raises:
            Unsupported: users have no names at this server.
            WsmsgError: the server refused, or the client is closed.
        """
        wanted, asked, groups = tuple(names), tuple(users), tuple(keys)
        answer = await self._ask(
            partial(frames.Names, names=wanted, users=asked, keys=groups)
        )
        if not isinstance(answer, frames.Named):
            raise Internal("the server sent an answer of another kind")
        known = {self._names.name_of(user): user for user in answer.users}
        return FoundNames(
            known, answer.unknown, dict(zip(groups, answer.groups, strict=False))
        )
