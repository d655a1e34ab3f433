"""
The behaviour of every store that counts what users have used of their limits.
"""

from __future__ import annotations

from tests.message.store.cursor_contract import StorePlace
from tests.message.store.group_contract import changed, made
from tests.message.store.list_contract import ListTests
from wsmsg.message.store.interface import UsageRow
from wsmsg.model import group_conversation


class UsageTests(ListTests):
    """
    Row 11: the usage of users, and their groups.
    """

    place: StorePlace

    async def test_usage(self) -> None:
        """
        Amounts of users add up, by kind and period, also those that several rows of a
        batch name; they survive a kill, and earlier periods can be forgotten.
        """
        usage = self.store.usage
        big = 2**63 - 1
        first = [
            UsageRow(7, 1, 20000, 5),
            UsageRow(big, 1, 20000, 0),
            UsageRow(7, 2, 20000, 1),
        ]
        self.assertEqual(await usage.add(first), [5, 0, 1])
        again = [
            UsageRow(7, 1, 20000, 2**40),
            UsageRow(7, 1, 20001, 3),
            UsageRow(big, 1, 1, 9),
        ]
        totals = await usage.add(again)
        self.assertEqual(totals, [2**40 + 5, 3, 9])
        self.assertEqual({type(n) for n in totals}, {int})
        self.store = await self.place.kill()
        usage = self.store.usage
        await usage.forget(1, 20001)
        none = [
            UsageRow(7, 1, 20000, 0),
            UsageRow(7, 1, 20001, 0),
            UsageRow(7, 2, 20000, 0),
        ]
        self.assertEqual(await usage.add(none), [0, 3, 1])
        self.assertEqual(await usage.add([]), [])
        many = [UsageRow(user, 3, 1, 1) for user in range(1, 2501)]
        self.assertEqual(await usage.add(many), [1] * 2500)
        self.assertEqual(await usage.add(many[-1:]), [2])

    async def test_groups_of_users(self) -> None:
        """
        The store counts the groups that a user created, and those of which the user is
        a member now.
        """
        usage = self.store.usage
        self.assertEqual(await usage.groups([1, 2]), {1: (0, 0), 2: (0, 0)})
        await self.happens(made(2, 3))
        other = group_conversation(78)
        await self.happens(made(1, conversation=other, sender=2))
        self.assertEqual(
            await usage.groups([1, 2, 3]), {1: (1, 2), 2: (1, 2), 3: (0, 1)}
        )
        await self.happens(changed(2, remove=(3, 1)))
        found = await usage.groups([1, 3])
        self.assertEqual(found, {1: (1, 1), 3: (0, 0)})
        self.assertEqual({type(n) for row in found.values() for n in row}, {int})
