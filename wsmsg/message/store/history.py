"""
The history of a store: in another one, numbers may be given a second time.

A store that was imported has the epoch of the store that was exported, as its messages
have the same numbers.  The numbers of its changes are others, so positions of the
exported store mean nothing in it: they go by the I{full name} of the history, which is
the epoch and, after an import, a dot and a random text.
"""

from __future__ import annotations

from collections.abc import Mapping
from os import urandom

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

        @return: a Deferred that fires with a sentence if the store is an older copy of
            what it was then; with an empty text if nothing says so.
        """

    def adopt_epoch(epoch: str) -> Deferred[str]:
        """
        Take the epoch of another store, whose records are about to be imported, if this
        store has no message.  Positions of neither store mean anything afterwards.

        @return: a Deferred that fires with the epoch of the store: its own still, if it
            has messages.
        """


def new_epoch() -> str:
    """
    Return a name that no other history has.
    """
    return urandom(8).hex()


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


def shard_behind(
    full: str, numbers: Mapping[int, int], witness: Mapping[int, str]
) -> str:
    """
    Compare the numbers of a store with earlier ones.

    @return: a sentence about the first shard that is behind, or an empty text.  The
        numbers of another history, and other texts, say nothing.
    """
    for shard, text in witness.items():
        name, _, number = text.partition(":")
        if name == full and number.isascii() and number.isdigit():
            now = numbers.get(shard, 0)
            if now < int(number[:20]):
                return (
                    f"change {int(number[:20])} of shard {shard} was stored when the"
                    f" journal was committed, and the store is at {now}"
                )
    return ""
