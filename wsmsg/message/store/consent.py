"""
The role of the store that knows who wants to hear of whom: blocks, invitations, and the
messages that are withheld from a user who blocked their sender.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import msgspec
from twisted.internet.defer import Deferred
from zope.interface import Attribute

from wsmsg.message.store.roles import IStoreRole

#: A user, and the target of a block or the conversation of a group.
ConsentKey = tuple[int, str]


class BlockRow(msgspec.Struct, frozen=True, gc=False):
    """
    A block of a user.

    @ivar target: as in L{wsmsg.events.block}.
    @ivar time_ms: when it was asked for, in unix milliseconds.
    """

    target: str
    time_ms: int


class InvitationRow(msgspec.Struct, frozen=True, gc=False):
    """
    An invitation to a group.

    @ivar conversation: of the group.
    @ivar name: of the group.
    @ivar by: the user who invited.
    @ivar time_ms: when, in unix milliseconds.
    """

    conversation: str
    name: str
    by: int
    time_ms: int


class ShownHead(NamedTuple):
    """
    The end of a conversation for a user from whom the last messages are withheld.

    @ivar head: the number of the last message that the user may read; 0: there is none.
    @ivar time_ms: when that was stored, in unix milliseconds.
    @ivar message_id: of that message; 0: not known.
    """

    head: int
    time_ms: int
    message_id: int = 0


class IConsent(IStoreRole):
    """
    Blocks and invitations, as L{IMessages.apply} keeps them, and withheld messages.
    """

    may_withhold: bool = Attribute(
        "False: nobody has ever blocked anybody, as far as the store knows; then no"
        " message is withheld."
    )

    def look_for_blocks() -> Deferred[None]:
        """
        Find out whether another process has stored the first block, for
        C{may_withhold}.
        """

    def blocked(keys: Sequence[ConsentKey]) -> Deferred[frozenset[ConsentKey]]:
        """
        @param keys: pairs of a user and a target.
        @return: a Deferred that fires with those whose user has blocked the target.
        """

    def blocks(user: int, after: str, limit: int) -> Deferred[list[BlockRow]]:
        """
        @param after: return targets behind this one, in the order of their code points.
        @return: a Deferred that fires with at most C{limit} blocks of the user.
        """

    def block_counts(users: Sequence[int]) -> Deferred[dict[int, int]]:
        """
        @return: a Deferred that fires with the number of blocks of these users; those
            without blocks may be missing.
        """

    def shown_heads(
        keys: Sequence[tuple[str, int]],
    ) -> Deferred[dict[tuple[str, int], ShownHead]]:
        """
        Look up where conversations end for users from whom their ends are withheld.

        @param keys: pairs of a conversation of two, and one of its users.
        @return: a Deferred that fires with a L{ShownHead} for each key whose last
            message is withheld from the user.
        """

    def acquainted(
        pairs: Sequence[tuple[int, int]],
    ) -> Deferred[frozenset[tuple[int, int]]]:
        """
        @param pairs: pairs of different users.
        @return: a Deferred that fires with those who are members of one group now.
        """

    def invited(
        keys: Sequence[ConsentKey], since_ms: int
    ) -> Deferred[frozenset[ConsentKey]]:
        """
        @param keys: pairs of a user and the conversation of a group.
        @param since_ms: only invitations from this time on are open.
        @return: a Deferred that fires with those whose user has an open invitation.
        """

    def invitations(
        user: int, after: str, limit: int, since_ms: int
    ) -> Deferred[list[InvitationRow]]:
        """
        @param after: return groups behind this conversation, by code points.
        @return: a Deferred that fires with at most C{limit} open invitations.
        """

    def invitation_counts(
        users: Sequence[int], since_ms: int
    ) -> Deferred[dict[int, int]]:
        """
        @return: a Deferred that fires with the number of open invitations of these
            users; those without may be missing.
        """
