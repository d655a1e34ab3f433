"""
The traces of a Connect, as its sessions see them.
"""

from __future__ import annotations

from typing import Protocol

from wsmsg.connect.upstream.interface import NewSend, OnAnswer
from wsmsg.flow.life_ring import LifeRing
from wsmsg.model import Message
from wsmsg.settings.values import ConnectSettings


class IEdgeTraces(Protocol):
    """
    Decides which messages are traced, and makes their spans.
    """

    def samples(self, asked: str) -> bool:
        """
        Decide whether the next message is traced.

        @param asked: the C{traceparent} of the client; empty: none.
        """

    def received(
        self,
        asked: str,
        new: NewSend,
        on_answer: OnAnswer,
        session: str,
        life: LifeRing,
    ) -> tuple[NewSend, OnAnswer]:
        """
        Begin the trace of a message of a client, or continue the client's.

        @param session: the name of the session.
        @param life: remembers the trace.
        @return: the send with its C{traceparent}, and what takes the answer to it.
        """

    def now_ns(self) -> int:
        """
        Return unix nanoseconds.
        """

    def written(self, message: Message, sessions: int, start_ns: int) -> None:
        """
        Make the span of a traced message that was pushed.

        @param sessions: those that have it, or will get it.
        """

    def apply_settings(self, settings: ConnectSettings) -> None:
        """
        Apply how many messages are traced.
        """
