"""
The connection to the server as frames: the contract of it, and its end.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Coroutine
from typing import Any, Literal, Protocol

from wsmsg.client.state.reconnect import Ended
from wsmsg.errors import WsmsgError
from wsmsg.protocol.frames import ClientFrame, ServerFrame

CodecName = Literal["protobuf", "json"]

#: Takes names of users that came with a frame, by number.
Learn = Callable[[dict[int, str]], object]


class Lost(Exception):
    """
    There is no connection, or it is lost.

    @ivar how: the end of the connection, for the decision to reconnect.
    """

    def __init__(self, how: Ended) -> None:
        super().__init__(how.reason)
        self.how = how


class ClientTransport(Protocol):
    """
    An open connection.
    """

    async def send(
        self, frames: list[ClientFrame], limit_bytes: int = 0
    ) -> list[tuple[ClientFrame, WsmsgError]]:
        """
        Write frames; waits while the server does not read.

        @param limit_bytes: the longest frame that the server reads; 0: not known.
        @return: the frames that cannot be encoded, or are longer, and why; they are not
            written.
        @raise Lost: the connection is lost.
        """

    async def receive(self) -> ServerFrame:
        """
        Return the next frame.

        @raise Lost: the connection is lost.
        @raise BadFrame: the frame is not valid.
        """

    async def close(self, reason: str) -> None:
        """
        Close the connection with the closing handshake, within a second.
        """

    def abort(self) -> None:
        """
        Close the connection at once; L{receive} raises L{Lost}.
        """


#: Opens a connection to an address with a token, or raises L{Lost}.
Dial = Callable[[str, str], Coroutine[Any, Any, ClientTransport]]


async def within(
    seconds: float, receiving: Coroutine[Any, Any, ServerFrame]
) -> ServerFrame:
    """
    Return the result of a receive within a time limit.

    @raise Lost: nothing arrived in time.
    """
    try:
        async with asyncio.timeout(seconds):
            return await receiving
    except TimeoutError:
        raise Lost(Ended(reason=f"the server sent nothing for {seconds} s")) from None
