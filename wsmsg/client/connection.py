"""
The life of one connection: hello, welcome, then frames both ways until it ends.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable

import attrs

from wsmsg.client.renewal import REFRESH_ID, Renewal
from wsmsg.client.state.exchange import Exchange
from wsmsg.client.state.heartbeat import HeartbeatTimer
from wsmsg.client.state.reconnect import Ended, Reconnect
from wsmsg.client.token_source import TokenSource
from wsmsg.client.transport.interface import ClientTransport, Lost, within
from wsmsg.errors import BadFrame, Close, from_code
from wsmsg.protocol import frames
from wsmsg.protocol.frames import ClientFrame

_WELCOME_S = 15.0
_FINISH_S = 2.0
_NO_CLOSE = 1006

_log = logging.getLogger("wsmsg.client")


class Connection:
    """
    Carries frames between a transport and the exchange.

    @param token_source: for a session whose token expires.
    @param before_write: called before frames are written, to save state that must be
        durable before the server learns of it.
    @param heartbeat_s: seconds of silence before the server is pinged; L{None}: a
        little more than the server's own heartbeat.
    """

    def __init__(
        self,
        link: ClientTransport,
        exchange: Exchange,
        reconnect: Reconnect,
        *,
        token_source: TokenSource,
        before_write: Callable[[], object],
        on_change: Callable[[], object],
        heartbeat_s: float | None,
    ) -> None:
        self._link = link
        self._exchange = exchange
        self._reconnect = reconnect
        self._before_write = before_write
        self._on_change = on_change
        self._heartbeat_s = heartbeat_s
        self._wake = asyncio.Event()
        self._now = asyncio.get_running_loop().time
        self._left: Ended | None = None
        self._renewal = Renewal(token_source, lambda frame: self._link.send([frame]))

    def wake(self) -> None:
        """
        Check whether the exchange has frames to write.
        """
        self._wake.set()

    async def finish(self) -> None:
        """
        Write the last frames and close.
        """
        try:
            async with asyncio.timeout(_FINISH_S):
                last = self._exchange.last_words()
                self._before_write()
                await self._link.send(last)
                await self._link.close("bye")
        except (Lost, TimeoutError):
            pass

    async def run(self) -> Ended:
        """
        Run until the connection ends.
        """
        began = self._now()
        welcomed = False
        writer: asyncio.Task[None] | None = None
        try:
            welcome = await self._greet()
            welcomed, began = True, self._now()
            self._exchange.receive(welcome, began)
            self._reconnect.welcomed()
            self._on_change()
            interval_s = self._heartbeat_s or max(1.0, welcome.heartbeat_s * 2)
            heartbeat = HeartbeatTimer(interval_s, began)
            writer = asyncio.create_task(self._write(heartbeat))
            await self._read(heartbeat)
        except Lost as lost:
            how = self._left or lost.how
            if how.close_code == Close.BAD_FRAME and self._exchange.tracer.active:
                # The next connection finds and settles the frame that is the cause.
                how = attrs.evolve(how, close_code=_NO_CLOSE)
            lived_s = self._now() - began if welcomed else 0.0
            return attrs.evolve(how, lived_s=lived_s)
        finally:
            self._renewal.stop()
            if writer is not None:
                writer.cancel()
                await asyncio.gather(writer, return_exceptions=True)
            self._link.abort()
        raise AssertionError("reading ends only with the connection")

    async def _greet(self) -> frames.Welcome:
        await self._link.send([self._exchange.hello()])
        refusal: frames.Error | None = None
        while True:
            try:
                frame = await within(_WELCOME_S, self._link.receive())
            except BadFrame as error:
                # Perhaps not the server's, so the client tries again.
                raise Lost(Ended(reason=error.reason)) from None
            except Lost as lost:
                if refusal is None or lost.how.close_code != 1006:
                    raise
                # The connection was lost before its close frame arrived.
                raise Lost(_refusal(refusal)) from None
            match frame:
                case frames.Welcome():
                    return self._checked(frame)
                case frames.Error():
                    refusal = frame
                case frames.Goaway():
                    self._told_to_move(frame)
                case _:
                    _log.warning("%s before welcome", type(frame).__name__)

    def _checked(self, welcome: frames.Welcome) -> frames.Welcome:
        saved = self._exchange.user
        if saved and saved != welcome.user:
            reason = (
                f"the token is of user {welcome.user}, the position file of {saved}"
            )
            raise Lost(Ended(reason=reason, close_code=Close.FORBIDDEN))
        return welcome

    async def _read(self, heartbeat: HeartbeatTimer) -> None:
        while True:
            try:
                frame = await self._link.receive()
            except BadFrame as error:
                _log.warning("invalid frame from the server: %s", error.reason)
                heartbeat.received(self._now())
                continue
            now = self._now()
            heartbeat.received(now)
            match frame:
                case frames.Goaway():
                    self._told_to_move(frame)
                    self._exchange.receive(frame, now)
                case frames.TokenExpiring():
                    self._renewal.expiring()
                case frames.Error(id=id) if id == REFRESH_ID:
                    self._renewal.refused(frame)
                case _:
                    self._exchange.receive(frame, now)
            self._on_change()
            self._wake.set()

    def _told_to_move(self, frame: frames.Goaway) -> None:
        _log.info("the server asks the client to move: %s", frame.reason)
        at = self._now() + frame.after_ms / 1000
        self._reconnect.told_to_move(at, frame.alternatives)

    async def _write(self, heartbeat: HeartbeatTimer) -> None:
        try:
            while True:
                self._wake.clear()
                now = self._now()
                if heartbeat.dead(now):
                    self._leave("the server is silent")
                    return
                move_at = self._reconnect.move_at
                if move_at is not None and now >= move_at:
                    self._leave("moved at the request of the server")
                    return
                out: list[ClientFrame] = self._exchange.due(now)
                if heartbeat.ask(now):
                    out.append(frames.Ping("h"))
                if out:
                    await self._send(out)
                await self._until(heartbeat)
        except Lost:
            return  # the reader learns it, too
        except Exception as error:  # noqa: BLE001 (the guard of the task)
            _log.exception("the client cannot write")
            self._leave(f"a bug in the client: {error!r}", Close.BUG)

    async def _send(self, out: list[ClientFrame]) -> None:
        self._before_write()
        limits = self._exchange.limits
        refused = await self._link.send(out, limits.frame_bytes if limits else 0)
        for frame, error in refused:
            self._exchange.refused(frame, error, self._now())
        if refused:
            self._on_change()
            self._wake.set()

    def _leave(self, reason: str, close_code: Close = Close.DRAIN) -> None:
        self._left = Ended(reason=reason, close_code=close_code)
        self._link.abort()

    async def _until(self, heartbeat: HeartbeatTimer) -> None:
        """
        Wait until there may be frames to write.
        """
        now = self._now()
        times = [
            heartbeat.next_due,
            self._exchange.next_due(now),
            self._reconnect.move_at,
        ]
        at = min(t for t in times if t is not None)
        try:
            # Not wait_for(), which may lose a cancellation in Python 3.11.  A little
            # later than due, because the loop rounds its clock and timers apart.
            async with asyncio.timeout(max(0.0, at - now) + 0.001):
                await self._wake.wait()
        except TimeoutError:
            pass


def _refusal(frame: frames.Error) -> Ended:
    error = from_code(frame.code, frame.reason)
    return Ended(reason=frame.reason, close_code=error.close or 1006)
