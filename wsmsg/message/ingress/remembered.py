"""
The messages that were accepted of late, remembered without their contents.

A repeat of one of them is answered from memory, and costs no further step.  The digest
of a content is Python's hash of the text: 64 bits, keyed by the process, at almost no
cost for each message.  Only messages of one sender under one client id are ever
compared by it, so a sender who found a collision would deceive nobody else.
"""

from __future__ import annotations

import msgspec

from wsmsg.message.ingress.interface import SendRequest
from wsmsg.model import FIRST_EVENT, RECALLED, TEXT, Message, MessageIdentity


class RememberedMessage(msgspec.Struct, frozen=True, gc=False):
    """
    A message that was accepted, or found in the store.

    @ivar digest: of the content.
    @ivar found: the store had the message before the request that named it came.
    """

    message_id: int
    time_ms: int
    kind: int
    digest: int
    found: bool = False

    def is_repeated_by(self, request: SendRequest) -> bool:
        """
        Return whether a request of the same identity has the same content and kind.  A
        recalled message has lost its content, and any message repeats it.
        """
        if self.kind == RECALLED and request.kind < FIRST_EVENT:
            return True
        if (request.kind or TEXT) != self.kind:
            return False
        return hash(request.content) == self.digest


class RememberedMessages:
    """
    The most recently accepted messages.

    @param limit: the most messages, of a few hundred bytes each.
    """

    def __init__(self, limit: int) -> None:
        self._least = self._limit = limit
        self._messages: dict[MessageIdentity, RememberedMessage] = {}
        self.get = self._messages.get

    def __len__(self) -> int:
        return len(self._messages)

    def add(
        self, identity: MessageIdentity, message: Message, *, found: bool = False
    ) -> None:
        """
        Remember a message.
        """
        self._messages[identity] = summary_of(message, found=found)

    def keep(self, n: int) -> None:
        """
        Have the limit be C{n}, but not less than it was at first.
        """
        self._limit = max(self._least, n)

    def trim(self) -> None:
        """
        Forget the oldest messages over the limit.
        """
        messages = self._messages
        while len(messages) > self._limit:
            del messages[next(iter(messages))]


def summary_of(message: Message, *, found: bool = False) -> RememberedMessage:
    """
    Return what is remembered of a message.
    """
    return RememberedMessage(
        message.message_id,
        message.time_ms,
        message.kind,
        hash(message.content),
        found,
    )
