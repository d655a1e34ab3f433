"""
The usage of users (how much of their limits they have used), in the memory of a test.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Sequence

from twisted.internet.defer import Deferred, fail, succeed
from zope.interface import implementer

from tests.message.store.groups_in_memory import GroupsInMemory
from wsmsg.errors import Unavailable
from wsmsg.message.store.interface import GroupCount, IUsage, UsageRow


@implementer(IUsage)
class UsageInMemory:
    """
    Amounts in a dict, and the groups of a store in memory.

    @param is_up: returns whether the store is there.
    @ivar amounts: by kind, period and user.
    @ivar calls: the number of batches that were added.
    """

    def __init__(
        self, groups: GroupsInMemory, is_up: Callable[[], bool] = lambda: True
    ) -> None:
        self.amounts: Counter[tuple[int, int, int]] = Counter()
        self.calls = 0
        self._groups = groups
        self._is_up = is_up

    def add(self, rows: Sequence[UsageRow]) -> Deferred[list[int]]:
        if not self._is_up():
            return fail(Unavailable("the store is away"))
        self.calls += 1
        totals = []
        for row in rows:
            key = (row.kind, row.period, row.user)
            self.amounts[key] += row.amount
            totals.append(self.amounts[key])
        return succeed(totals)

    def forget(self, kind: int, before_period: int) -> Deferred[None]:
        for key in list(self.amounts):
            if key[0] == kind and key[1] < before_period:
                del self.amounts[key]
        return succeed(None)

    def groups(self, users: Sequence[int]) -> Deferred[dict[int, GroupCount]]:
        there = self._groups.groups.values()
        return succeed(
            {
                user: GroupCount(
                    sum(owner == user for _, owner, _ in there),
                    sum(user in members for _, _, members in there),
                )
                for user in users
            }
        )
