"""
The names of users, without a store.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from twisted.internet.defer import Deferred, fail, succeed
from zope.interface import implementer

from wsmsg.errors import Unavailable
from wsmsg.message.store.roles import INames
from wsmsg.names import choose


@implementer(INames)
class NamesInMemory:
    """
    Names in a dict.

    @ivar asked: the number of calls.
    @ivar away: whether each call fails.
    """

    def __init__(self) -> None:
        self.users: dict[str, int] = {}
        self.in_use: set[int] = set()
        self.asked = 0
        self.away = False

    def look_up(
        self, names: Sequence[str], users: Sequence[int]
    ) -> Deferred[dict[str, int]]:
        self.asked += 1
        if self.away:
            return fail(Unavailable("the store is away"))
        found = {n: u for n, u in self.users.items() if n in names or u in users}
        return succeed(found)

    def claim(self, names: Sequence[str]) -> Deferred[dict[str, int]]:
        for name in names:
            if name not in self.users and not self.away:
                taken = self.users.values()
                self.users[name] = choose(name, taken, self.in_use)
        return self.look_up(names, ())

    def keep(self, pairs: Mapping[str, int]) -> Deferred[dict[str, int]]:
        for name, user in pairs.items():
            if name not in self.users and user not in self.users.values():
                self.users[name] = user
        return self.look_up(list(pairs), list(pairs.values()))
