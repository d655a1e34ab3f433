"""
Interface of the adapters: the events of a protocol, and a user of a system.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Protocol

import msgspec

from wsmsg.bench.load.encoding import NUMBER_CHARS, RUN_CHARS, SMALLEST


class Ready(msgspec.Struct, frozen=True):
    """
    The user is logged in.

    @ivar identity: the name by which others send to the user.
    @ivar version: of the server, if it says so.
    """

    identity: str
    version: str = ""


class Met(msgspec.Struct, frozen=True):
    """
    The user and the other one of its pair can send and receive.
    """


class Confirmed(msgspec.Struct, frozen=True, gc=False):
    """
    The server confirmed a message.
    """

    number: int


class Unsent(msgspec.Struct, frozen=True, gc=False):
    """
    The server refused a message.
    """

    number: int
    code: str


class Arrived(msgspec.Struct, frozen=True, gc=False):
    """
    A message arrived.

    @ivar seq: its number in the conversation; 0 if the system has none.
    """

    number: int
    seq: int = 0


class ToSend(msgspec.Struct, frozen=True):
    """
    The protocol wants this message sent.
    """

    message: bytes


class Stuck(msgspec.Struct, frozen=True):
    """
    The user cannot go on; the reason names a remedy if there is one.
    """

    reason: str


Event = Ready | Met | Confirmed | Unsent | Arrived | ToSend | Stuck


class Wire(Protocol):
    """
    One user's side of a protocol over a WebSocket, without I/O.
    """

    def begin(self) -> Sequence[bytes]:
        """
        Return the messages that follow the opening.
        """

    def take(self, message: bytes) -> Iterable[Event]:
        """
        Process a message of the server.

        @raise ValueError: it is none of this protocol.
        """

    def meet(self, other: str) -> Sequence[bytes]:
        """
        Return the messages that make the user and another one a pair; L{Met} follows.
        """

    def send(self, number: int) -> bytes:
        """
        Make the message with this number, to the other one of the pair.
        """

    def progress(self) -> bytes | None:
        """
        Make the message that tells the server how far the user is; L{None} if there
        is nothing to tell.
        """


class UserEvents(Protocol):
    """
    The load that a user's events go to.
    """

    def accepted(self, number: int) -> None:
        """
        Record that the server confirmed a message.
        """

    def rejected(self, number: int, code: str, retry_after_ms: int) -> None:
        """
        Record that the server refused a message.
        """

    def delivered(self, number: int, seq: int) -> None:
        """
        Record that a message arrived.
        """

    def refill(self) -> None:
        """
        Send what there is room for; called after all events that came together.
        """


class User(Protocol):
    """
    A user of a system, with connections of its own.

    @ivar identity: the name by which others send to the user, once it entered.
    @ivar version: of the server, if it says so.
    """

    identity: str
    version: str

    async def enter(self) -> None:
        """
        Connect and log in.

        @raise OSError: that is not possible; the text is the reason.
        """

    async def meet(self, other: str, *, first: bool) -> None:
        """
        Become one of a pair.

        @param first: whether this user begins, where only one of them can.
        @raise OSError: that is not possible; the text is the reason.
        """

    def join(self, sink: UserEvents) -> None:
        """
        Report to this load from now on.
        """

    def send(self, numbers: list[int]) -> None:
        """
        Send the messages with these numbers to the other one of the pair.
        """

    def report_progress(self) -> None:
        """
        Tell the server how far the user is.
        """

    def leave(self) -> None:
        """
        Close the connections.
        """


class Content:
    """
    Contents of one load, with numbers: C{RUN NUMBER padding}.
    """

    __slots__ = ("_after", "_before", "run")

    def __init__(self, run: str, size: int):
        self.run = run
        self._before = run.encode()
        self._after = b"." * (size - SMALLEST)

    def make(self, number: int) -> bytes:
        """
        Make the content with this number.
        """
        return b"%s%012x%s" % (self._before, number, self._after)

    def number(self, content: object) -> int:
        """
        Return the number in a content; -1 if it is not one of this load.
        """
        if not isinstance(content, str) or not content.startswith(self.run):
            return -1
        return int(content[RUN_CHARS : RUN_CHARS + NUMBER_CHARS], 16)


class LoadUser(msgspec.Struct, frozen=True, kw_only=True):
    """
    One user, as the load wants it.

    @ivar name: unique in the run.
    @ivar key: what the system needs to accept users, if anything.
    @ivar content: makes the contents.
    """

    name: str
    key: str
    content: Content
