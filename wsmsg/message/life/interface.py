"""
The life of a message: the question and the answer.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Protocol

import attrs

from wsmsg.model import Message


@attrs.frozen
class Subject:
    """
    The message that is asked for: by its id, by its place, or by its sender and client
    id, perhaps with the conversation.
    """

    message_id: int = 0
    conversation: str = ""
    seq: int = 0
    sender: int = 0
    client_id: str = ""

    def __str__(self) -> str:
        if self.message_id:
            return f"message {self.message_id}"
        if self.seq:
            return f"message {self.seq} of {self.conversation}"
        where = f" in {self.conversation}" if self.conversation else ""
        return f"message {self.client_id!r} of user {self.sender}{where}"


@attrs.frozen
class LifeStage:
    """
    A stage that a message has reached.

    @ivar node: where; empty: the store, which does not know.
    @ivar time_ms: when, in unix milliseconds; 0: nobody noted it.
    @ivar details: what else is known, by name.
    """

    stage: str
    node: str = ""
    time_ms: int = 0
    details: Mapping[str, int | str] = attrs.field(factory=dict)


@attrs.frozen
class NodeMemory:
    """
    A node that answered.

    @ivar since_ms: it remembers all facts since then; 0: it remembers none.
    """

    node: str
    kind: str
    since_ms: int


@attrs.frozen
class MessageLife:
    """
    Everything that is known of a message.

    @ivar message: as it is stored; L{None}: it is not, or the store cannot be asked.
    @ivar stages: in the order of the way of a message.
    @ivar notes: what else follows, in sentences, and what is not known.
    @ivar nodes: those that answered.
    @ivar missing: why others did not, by name.
    @ivar forgotten_before_ms: facts from before this time may be forgotten; 0: nothing
        is.
    @ivar left_out: the facts and recipients that are not listed.
    """

    message: Message | None
    stages: Sequence[LifeStage]
    notes: Sequence[str]
    nodes: Sequence[NodeMemory]
    missing: Mapping[str, str]
    forgotten_before_ms: int
    left_out: int


class ILives(Protocol):
    """
    Tells what became of messages.
    """

    async def life(self, subject: Subject) -> MessageLife:
        """
        Put together what is known of a message.

        @raise NotFound: nobody knows of such a message.
        """
