"""
A scripted server, in memory.
"""

from __future__ import annotations

import asyncio
from typing import TypeVar

from wsmsg.client.state.reconnect import Ended
from wsmsg.client.transport.interface import ClientTransport, Lost
from wsmsg.errors import BadFrame, WsmsgError
from wsmsg.protocol import frames
from wsmsg.protocol.frames import ClientFrame, Limits, ServerFrame

LIMITS = Limits(1000, 4000, window=8, sends_per_s=0, page=10, watch=10)

F = TypeVar("F")


def welcome(
    *heads: frames.Head, more: bool = False, synced: bool = True
) -> ServerFrame:
    at = ("p1", "e1") if synced else ("", "")
    return frames.Welcome(1, "s1", 60.0, LIMITS, 10**12, heads, more, synced, *at)


def unnumbered_welcome() -> ServerFrame:
    """
    The welcome of a server that does not number messages.
    """
    limits = Limits(1000, 4000, 8, 0, page=10, watch=10, unnumbered=True)
    return frames.Welcome(1, "s1", 60.0, limits, 10**12)


class FakeLink:
    """
    A connection, with both ends in one hand.

    @ivar came: what the client wrote.
    @ivar unsendable: client ids of messages that the codec refuses, and why.
    """

    def __init__(self) -> None:
        self.came: asyncio.Queue[ClientFrame] = asyncio.Queue()
        self._given: asyncio.Queue[ServerFrame | Ended | BadFrame] = asyncio.Queue()
        self._over: Ended | None = None
        self.over = asyncio.Event()
        self.closed_with = ""
        self.unsendable: dict[str, WsmsgError] = {}

    # ------------------------------------------------------- the client's end

    async def send(
        self, frames: list[ClientFrame], limit_bytes: int = 0
    ) -> list[tuple[ClientFrame, WsmsgError]]:
        if self._over is not None:
            raise Lost(self._over)
        refused: list[tuple[ClientFrame, WsmsgError]] = []
        for frame in frames:
            error = self.unsendable.get(getattr(frame, "client_id", ""))
            if error is not None:
                refused.append((frame, error))
            else:
                self.came.put_nowait(frame)
        return refused

    async def receive(self) -> ServerFrame:
        given = await self._given.get()
        if isinstance(given, Ended):
            self._given.put_nowait(given)
            raise Lost(given)
        if isinstance(given, BadFrame):
            raise given
        return given

    async def close(self, reason: str) -> None:
        self.closed_with = reason
        self.lose(1000, reason)

    def abort(self) -> None:
        self.lose(1006, "aborted")

    # ------------------------------------------------------- the server's end

    def give(self, *given: ServerFrame) -> None:
        """
        Send frames to the client.
        """
        for frame in given:
            self._given.put_nowait(frame)

    def give_invalid(self, reason: str) -> None:
        """
        Send bytes that are not a frame.
        """
        self._given.put_nowait(BadFrame(reason))

    def lose(self, code: int = 1006, reason: str = "broke") -> None:
        """
        End the connection after the frames that were sent.
        """
        if self._over is None:
            self._over = Ended(reason=reason, close_code=code)
            self._given.put_nowait(self._over)
            self.over.set()

    async def next(self, kind: type[F]) -> F:
        """
        Return the client's next frame of a kind, and skip others before it.
        """
        while True:
            frame = await self.came.get()
            if isinstance(frame, kind):
                return frame

    def rest(self) -> list[ClientFrame]:
        """
        Return the frames of the client that no test has read.
        """
        found = []
        while not self.came.empty():
            found.append(self.came.get_nowait())
        return found


class FakeServer:
    """
    Gives a L{FakeLink} for each attempt to connect.

    @ivar refuse: how the next attempts fail.
    @ivar dialled: the addresses and tokens of the attempts.
    """

    def __init__(self) -> None:
        self.refuse: list[Ended] = []
        self.dialled: list[tuple[str, str]] = []
        self._links: asyncio.Queue[FakeLink] = asyncio.Queue()

    async def dial(self, url: str, token: str) -> ClientTransport:
        self.dialled.append((url, token))
        if self.refuse:
            raise Lost(self.refuse.pop(0))
        link = FakeLink()
        self._links.put_nowait(link)
        return link

    async def connection(self, *given: ServerFrame) -> FakeLink:
        """
        Return the next connection, after its hello, and send frames to the client.
        """
        link = await self._links.get()
        self.hello = await link.next(frames.Hello)
        link.give(*given)
        return link
