"""
The history of a store: in another one, numbers may be given a second time.

A store that was imported has the epoch of the store that was exported, as its messages
have the same numbers.  The numbers of its changes are others, so positions of the
exported store mean nothing in it: they go by the I{full name} of the history, which is
the epoch and, after an import, a dot and a random text.

Beside its name, a store has a secret, with which it seals positions
(L{wsmsg.message.store.position}).  It stays the same in all epochs, and goes with the
epoch where a store is exported and imported.
"""

from __future__ import annotations

from collections.abc import Mapping
from os import urandom

import attrs
from twisted.internet.defer import Deferred
from zope.interface import Attribute, Interface


class IHistory(Interface):
    """
    A store that knows which history its numbers belong to.
    """

    epoch: str = Attribute(
        "The random name of this history of the store, as it was read last: in another "
        "one, numbers may be given a second time.  Empty before it was read."
    )

    def read_epoch() -> Deferred[str]:
        """
        @return: a Deferred that fires with the epoch as it is now: another process may
            have begun one.
        """

    def position_now() -> Deferred[str]:
        """
        Read the epoch, as L{read_epoch}, and how far the store is.

        @return: a Deferred that fires with the position behind all that is stored.
        """

    def renew_epoch(known: str) -> Deferred[str]:
        """
        Begin another epoch, unless that is done: because the store was replaced with an
        older copy, so that messages that readers have are not in it.

        @param known: the epoch to end.
        @return: a Deferred that fires with the epoch of the store.
        """

    def witness() -> Mapping[int, str]:
        """
        Return a text for each shard that this process has changed: how far the store
        is in it.  Any thread may call this.
        """

    def behind(witness: Mapping[int, str]) -> Deferred[str]:
        """
        Compare texts of earlier L{witness}, of any process, with the store.

        @return: a Deferred that fires with a clause if the store is an older copy of
            what it was then; with an empty text if nothing says so.
        """

    def passes_head(conversation: str, user: int) -> Deferred[str]:
        """
        Look whether a cursor is above the last message of its conversation, as after
        the messages alone were restored from an older copy: cursors are cut off at the
        head when they are stored.

        @return: a Deferred that fires with a clause if it is, and with an empty text if
            not, or if an epoch was begun since the store was made: the cursor may be
            of the epoch before.
        """

    def adopt_epoch(epoch: str, secret: str = "") -> Deferred[str]:
        """
        Take the epoch of another store, whose records are about to be imported, if this
        store has no message.  Positions of neither store mean anything afterwards.

        @param secret: of the other store, in hexadecimal; empty: keep this store's.
        @return: a Deferred that fires with the epoch of the store: its own still, if it
            has messages.
        """


@attrs.frozen
class NameAndSecret:
    """
    The identity of a history.

    @ivar full: its full name.
    @ivar secret: the key of the codes in positions, in hexadecimal; empty: none.
    @ivar renewed: whether the store had another epoch before.
    """

    full: str = ""
    secret: str = attrs.field(default="", repr=False)
    renewed: bool = False


def new_epoch() -> str:
    """
    Return a name that no other history has.
    """
    return urandom(8).hex()


def new_secret() -> str:
    """
    Return a key for the codes in positions.
    """
    return urandom(16).hex()


def imported(epoch: str) -> str:
    """
    Return the full name of the history of a store into which another one of this epoch
    is imported.
    """
    return f"{epoch}.{urandom(4).hex()}"


def epoch_of(full: str) -> str:
    """
    Return the epoch in the full name of a history.
    """
    return full.partition(".")[0]


def witness_of(full: str, number: int) -> str:
    """
    Return the text that says how far a shard is.

    @param full: the full name of the history.
    @param number: the highest change number that is stored.
    """
    return f"{full}:{number}"


def above_head(conversation: str, user: int, mark: int, head: int) -> str:
    """
    Return the clause that says that a cursor is above the head; empty if it is not.
    """
    if mark <= head:
        return ""
    return f"user {user} was at {mark} of {conversation}, and the store has {head}"
