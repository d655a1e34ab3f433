"""
The names of users, as sessions see them.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import TypeVar

from twisted.internet.defer import Deferred
from zope.interface import Interface

T = TypeVar("T")


class IUserNames(Interface):
    """
    The names that this node knows, and the look-ups of others at Message.

    The digits of a number that is not given to names (L{wsmsg.names}) count as the name
    of the user with this number.
    """

    def known(names: Iterable[str]) -> dict[str, int]:
        """
        Return the numbers of those names that this node knows.
        """

    def among(users: Iterable[int]) -> dict[int, str]:
        """
        Return the names of those users whose names this node knows, by number.
        """

    def lacking(users: Iterable[int]) -> list[int]:
        """
        Return those users who may have a name that this node does not know.
        """

    def find(names: Sequence[str], users: Sequence[int]) -> Deferred[dict[str, int]]:
        """
        Look up users by name and names by user.  All look-ups of one turn of the
        reactor are one query.

        @return: a Deferred that fires with the numbers of those that are known, by
            name.
        @raise WsmsgError: (as failure) Message cannot be asked.
        """

    def claim(name: str) -> Deferred[int]:
        """
        Return the number of a name, which is given one if it has none.

        @param name: that of a user who logs in.
        @raise WsmsgError: (as failure) Message cannot be asked.
        """

    def prepare(answer: T) -> Deferred[T]:
        """
        Look up the names of the users whom an answer of Message mentions.

        @return: a Deferred that fires with the answer, also if a name cannot be looked
            up; it is then missing in the frame.
        """
