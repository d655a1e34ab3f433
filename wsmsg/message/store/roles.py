"""
The part that all roles of the store share; the role that keeps message ids from being
given out twice; the role of revoked tokens; that of the usage of users; that of their
names; and that of the topics of journals.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import NamedTuple

from twisted.internet.defer import Deferred
from zope.interface import Attribute, Interface


class IStoreRole(Interface):
    """
    The part that all roles share.
    """

    dependency = Attribute(
        "The L{wsmsg.dependency.state.Dependency} with the state of the store."
    )


class IReservations(IStoreRole):
    """
    The times up to which message ids are reserved, by node number.
    """

    def reserve_ids(node_number: int, until_ms: int) -> Deferred[int]:
        """
        Reserve the ids of a node number up to a time, durably.  A time never falls.

        @param until_ms: in unix milliseconds.
        @return: a Deferred that fires with the time up to which ids were reserved
            before; 0: none were.
        """


class IRevocations(IStoreRole):
    """
    The times before which the tokens of users were revoked.
    """

    def revoke(user: int, before_ms: int) -> Deferred[int]:
        """
        Revoke the tokens of a user that were issued before a time, durably.  The time
        of a user never falls.

        @param before_ms: in unix milliseconds.
        @return: a Deferred that fires with the time of the user now.
        """

    def revocations() -> Deferred[dict[int, int]]:
        """
        @return: a Deferred that fires with the time of each user that has one.
        """

    def revocations_changed() -> Deferred[int]:
        """
        @return: a Deferred that fires with a number that is another one after each
            L{revoke}, also by another process.
        """

    def forget_revocations(until_ms: int) -> Deferred[None]:
        """
        Forget the times up to this one: all tokens that they concern have expired.
        """


class UsageRow(NamedTuple):
    """
    An amount of something that a user has used in a period.

    @ivar kind: a number for what is used.
    @ivar period: a number for the period, which rises.
    """

    user: int
    kind: int
    period: int
    amount: int


class GroupCount(NamedTuple):
    """
    The number of groups that a user created, and of those the user is a member of.
    """

    owned: int
    joined: int


class IUsage(Interface):
    """
    The usage of users: amounts by kind and period, and numbers of groups.
    """

    def add(rows: Sequence[UsageRow]) -> Deferred[list[int]]:
        """
        Add amounts, durably.

        @return: a Deferred that fires with the amount of each row's user, kind and
            period now, in the order of the rows.
        """

    def forget(kind: int, before_period: int) -> Deferred[None]:
        """
        Forget the amounts of a kind in earlier periods.
        """

    def groups(users: Sequence[int]) -> Deferred[dict[int, GroupCount]]:
        """
        @return: a Deferred that fires with the number of groups of each of these users.
        """


class INames(Interface):
    """
    The names of users (L{wsmsg.names}).  Each name has one number and each number one
    name, for ever, whichever processes ask for them at once.
    """

    def look_up(names: Sequence[str], users: Sequence[int]) -> Deferred[dict[str, int]]:
        """
        Find users by their names and names by their users, in one round trip.

        @return: a Deferred that fires with the numbers of those that are known, by
            name.
        """

    def claim(names: Sequence[str]) -> Deferred[dict[str, int]]:
        """
        Give a number, durably, to each of these names that has none.

        @param names: valid ones.
        @return: a Deferred that fires with the numbers of all of them, by name.
        """

    def keep(pairs: Mapping[str, int]) -> Deferred[dict[str, int]]:
        """
        Give names the numbers that they have in another store, durably, where neither
        the name nor the number is known here.

        @return: a Deferred that fires with what is known then of all these names and
            numbers, by name.
        """


class ITopics(Interface):
    """
    The topics of journals that took the place of others
    (L{wsmsg.message.journal.kafka.moving}).
    """

    def current(topic: str) -> Deferred[str]:
        """
        @return: a Deferred that fires with the topic that has the place of this one
            now; the same if none has.
        """

    def succeed(before: str, after: str) -> Deferred[str]:
        """
        Put a topic in the place of another one, durably and for ever.

        @return: a Deferred that fires with the topic that has its place: another one,
            if it was taken before.
        """
