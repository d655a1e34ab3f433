"""
The connection, opened again until the program closes the client or the server refuses
it.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable

from wsmsg.client.connection import Connection
from wsmsg.client.saving import Saving
from wsmsg.client.state.events import Closed, Connected, Reconnecting, StateChanged
from wsmsg.client.state.exchange import Exchange
from wsmsg.client.state.reconnect import Again, Ended, Never, Reconnect
from wsmsg.client.token_source import TokenSource, token_of
from wsmsg.client.transport.interface import Dial, Lost
from wsmsg.errors import Unavailable

_log = logging.getLogger("wsmsg.client")


class Upkeep:
    """
    Opens a connection after each that was lost.

    @param on_end: called once when there will be no further connection.
    @ivar state: the state of the connection, as the last event about it.
    """

    def __init__(
        self,
        exchange: Exchange,
        saving: Saving,
        reconnect: Reconnect,
        *,
        dial: Dial,
        token_source: TokenSource,
        heartbeat_s: float | None,
        on_end: Callable[[Closed], object],
    ) -> None:
        self.state: StateChanged = Reconnecting("not started", 0.0)
        self._exchange = exchange
        self._saving = saving
        self._reconnect = reconnect
        self._dial = dial
        self._token_source = token_source
        self._heartbeat_s = heartbeat_s
        self._on_end = on_end
        self._connection: Connection | None = None
        self._running: asyncio.Task[None] | None = None
        self._changed = asyncio.Event()
        self._closing = False

    def start(self) -> None:
        """
        Start to connect, and reconnect until the client is closed.  This method does
        not wait.
        """
        if self._running is None:
            self._running = asyncio.create_task(self._run())

    async def until(self, reached: Callable[[], bool]) -> None:
        """
        Wait until a condition is true.

        @raise WsmsgError: there will be no further connection, and the condition is
            false.
        """
        while not reached():
            self.check()
            await self.change()

    async def change(self) -> None:
        """
        Wait until something arrives, or the state changes.
        """
        self._changed.clear()
        await self._changed.wait()

    def check(self) -> None:
        """
        Raise if there will be no further connection.

        @raise WsmsgError: the reason.
        """
        if isinstance(self.state, Closed):
            raise self.state.error or Unavailable("the client is closed")

    def moved(self) -> None:
        """
        Check for frames to write, after the program changed something.
        """
        if self._connection is not None:
            self._connection.wake()
        self._saving.soon(self._exchange)

    def closing(self) -> None:
        """
        Open no further connection after this one.
        """
        self._closing = True

    async def close(self) -> None:
        """
        Close the connection and stop.
        """
        if self._connection is not None:
            await self._connection.finish()
        if self._running is not None:
            self._running.cancel()
            await asyncio.gather(self._running, return_exceptions=True)
        if not isinstance(self.state, Closed):
            self._end(Closed("closed"))
        self._saving.last(self._exchange)

    async def _run(self) -> None:
        url = self._reconnect.url
        try:
            while True:
                how = await self._connect_once(url)
                self._exchange.lost()
                if self._closing:
                    return
                now = asyncio.get_running_loop().time()
                match self._reconnect.ended(how, now):
                    case Never(error):
                        self._end(Closed(error.reason, error))
                        return
                    case Again(url, delay_s, reason):
                        self._become(Reconnecting(reason, delay_s))
                        await asyncio.sleep(delay_s)
        except Exception as error:  # noqa: BLE001 (the guard of the task)
            _log.exception("the client failed")
            self._end(
                Closed(f"a bug in the client: {error!r}", Unavailable(str(error)))
            )

    async def _connect_once(self, url: str) -> Ended:
        try:
            link = await self._dial(url, await token_of(self._token_source))
        except Lost as lost:
            return lost.how
        self._connection = Connection(
            link,
            self._exchange,
            self._reconnect,
            token_source=self._token_source,
            before_write=lambda: self._saving.before_write(self._exchange),
            on_change=self._received,
            heartbeat_s=self._heartbeat_s,
        )
        try:
            return await self._connection.run()
        finally:
            self._connection = None

    def _received(self) -> None:
        """
        Process received frames.
        """
        if not isinstance(self.state, Connected) and self._exchange.connected:
            self.state = self._exchange.connected
        self._saving.soon(self._exchange)
        self._changed.set()

    def _become(self, state: StateChanged) -> None:
        self.state = state
        self._exchange.events.put(state)
        self._changed.set()

    def _end(self, state: Closed) -> None:
        self._become(state)
        self._on_end(state)
