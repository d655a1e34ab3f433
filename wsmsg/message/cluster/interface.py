"""
The ids and the list of Messages, as other packages use them.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Protocol

#: Called with the addresses of all other Messages.
OthersListener = Callable[[frozenset[str]], object]


class IMessageIds(Protocol):
    """
    A source of message ids.
    """

    def next(self) -> int:
        """
        Return an id above all ids returned before.
        """


class IMessageList(Protocol):
    """
    The list of Messages of an installation.
    """

    def on_others(self, listener: OthersListener) -> None:
        """
        Call C{listener} with the addresses of all other Messages: now, if they are
        known, and about once a second while the list can be read.
        """
