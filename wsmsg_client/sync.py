"""
The client for programs without asyncio: scripts, notebooks, and servers with threads.

::

    from wsmsg_client.sync import Client

    with Client.from_env(timeout_s=30) as client:
        client.send(1002, "the backup is done")

The client works in a thread of its own, and its methods wait for it.  Any thread may
call them; one thread at a time may read events.
"""

from __future__ import annotations

import asyncio
import threading
from collections.abc import AsyncIterator, Callable, Coroutine, Iterator, Mapping
from concurrent.futures import CancelledError
from functools import wraps
from pathlib import Path
from types import TracebackType
from typing import Any, Concatenate, ParamSpec, Self, TypeVar

from wsmsg.client.client import Client as AsyncClient
from wsmsg.client.state.events import Closed, Connected, Event, Reconnecting, Stored
from wsmsg.client.state.inbound import Start
from wsmsg.client.token_source import TokenSource
from wsmsg.client.transport.interface import CodecName
from wsmsg.errors import Unavailable
from wsmsg.protocol.frames import Limits

P = ParamSpec("P")
R = TypeVar("R")

#: Seconds that the end of the thread may take, beyond the end of the client.
_END_S = 5.0


def _waiting(
    method: Callable[Concatenate[AsyncClient, P], Coroutine[Any, Any, R]],
) -> Callable[Concatenate[Client, P], R]:
    """
    Return the method that waits for a coroutine of the client.
    """

    @wraps(method)
    def wait(self: Client, /, *arguments: P.args, **named: P.kwargs) -> R:
        return self._wait(method(self._client, *arguments, **named), self._timeout_s)

    return wait


def _calling(
    method: Callable[Concatenate[AsyncClient, P], R],
) -> Callable[Concatenate[Client, P], R]:
    """
    Return the method that calls one of the client in the client's thread.
    """

    @wraps(method)
    def call(self: Client, /, *arguments: P.args, **named: P.kwargs) -> R:
        async def called() -> R:
            return method(self._client, *arguments, **named)

        return self._wait(called(), self._timeout_s)

    return call


class Client:
    """
    One user on one device, for a program without asyncio.

    Use it in a `with` statement, which connects, and closes the connection at the end.
    Ctrl-C ends a call that waits: a message that was not sent yet is withdrawn.

    Args:
        url: `ws://host:21005/api/v1/connect/ws`, or `wss`.
        token_source: a token, or a function that returns one, and is called in the
            client's thread.
        device: the name of the device; a newer login of the same user and device ends
            the older one.
        timeout_s: most seconds that a call waits before it raises `TimeoutError`;
            `None`: as long as it takes.

    The other parameters are those of `wsmsg_client.Client`.

    Raises:
        BadPositions: the position file is not valid.
    """

    def __init__(
        self,
        url: str,
        token_source: TokenSource,
        device: str = "",
        *,
        timeout_s: float | None = None,
        codec: CodecName = "protobuf",
        position_file: str | Path | None = None,
        start: Start = "beginning",
        queued_messages: int = 1000,
        unsent: int = 10000,
        ca: str | Path | None = None,
    ) -> None:
        self._prepare(
            AsyncClient(
                url,
                token_source,
                device,
                codec=codec,
                position_file=position_file,
                start=start,
                queued_messages=queued_messages,
                unsent=unsent,
                ca=ca,
            ),
            timeout_s,
        )

    @classmethod
    def from_env(
        cls,
        environ: Mapping[str, str] | None = None,
        *,
        timeout_s: float | None = None,
        start: Start = "delivered",
    ) -> Self:
        """
        Make a client from the environment of the process, as
        `wsmsg_client.Client.from_env`, which lists the variables.

        Raises:
            BadRequest: a variable is missing or not valid.
        """
        made = cls.__new__(cls)
        made._prepare(AsyncClient.from_env(environ, start=start), timeout_s)
        return made

    def _prepare(self, client: AsyncClient, timeout_s: float | None) -> None:
        self._client = client
        self._timeout_s = timeout_s
        self._thread: threading.Thread | None = None
        self._loop: asyncio.AbstractEventLoop | None = None
        self._changing = threading.Lock()
        self._reading = threading.Lock()

    # ----------------------------------------------------------------- lifetime

    def __enter__(self) -> Self:
        try:
            self.connect()
        except BaseException:
            self.close()
            raise
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self._end(self._client.__aexit__(kind, error, traceback))

    def start(self) -> None:
        """
        Start to connect, and reconnect until the client is closed.  This method does
        not wait.
        """
        with self._changing:
            if self._thread is None:
                started = threading.Event()
                self._thread = threading.Thread(
                    target=self._run, args=(started,), name="wsmsg-client", daemon=True
                )
                self._thread.start()
                started.wait()

    def connect(self) -> None:
        """
        Start to connect, and wait until the server has authenticated the user.

        Raises:
            WsmsgError: the server refuses the user, and a retry would not help.
            TimeoutError: it took longer than `timeout_s`.
        """
        self.start()
        self._wait(self._client.connect(), self._timeout_s)

    def close(self) -> None:
        """
        Close the connection and stop; calls that still wait for an answer fail.  The
        last event that the program took counts as processed.
        """
        self._end(self._client.close())

    def _run(self, started: threading.Event) -> None:
        with asyncio.Runner() as runner:
            loop = self._loop = runner.get_loop()
            loop.call_soon(self._client.start)
            loop.call_soon(started.set)
            loop.run_forever()

    def _end(self, closing: Coroutine[Any, Any, None]) -> None:
        with self._changing:
            loop, self._loop = self._loop, None
            if loop is None or self._thread is None:
                closing.close()
                return
            try:
                asyncio.run_coroutine_threadsafe(closing, loop).result()
            finally:
                loop.call_soon_threadsafe(loop.stop)
                self._thread.join(_END_S)

    def _wait(self, call: Coroutine[Any, Any, R], timeout_s: float | None) -> R:
        """
        Wait for a call in the client's thread.
        """
        if threading.current_thread() is self._thread:
            call.close()
            raise RuntimeError("the client's own thread cannot wait for the client")
        # The lock is held meanwhile by whoever ends the loop, which must not get a call
        # that it would not run.
        with self._changing:
            if self._loop is None:
                call.close()
                how = "closed" if self._thread else "not started"
                raise Unavailable(f"the client is {how}")
            limited = _within(timeout_s, call)
            waiting = asyncio.run_coroutine_threadsafe(limited, self._loop)
        try:
            return waiting.result()
        except CancelledError:
            raise Unavailable("the client is closed") from None
        except BaseException:
            # Ctrl-C; a call that has failed is done already.
            waiting.cancel()
            raise

    # -------------------------------------------------------- events and history

    def events(self, *, timeout_s: float | None = None) -> Iterator[Event]:
        """
        Iterate over the events, in order.

        An event counts as processed when the program asks for the next one: only then
        does the client report a message as delivered, and only then does the message
        not come again after a crash.  The iteration ends when the client is closed.

        Args:
            timeout_s: most seconds to wait for an event; `None`: as long as it takes.

        Raises:
            TimeoutError: no event came in that time; the program may call `events`
                again.
            RuntimeError: another thread waits for an event.
        """
        events = self._client.events()
        while self._loop is not None or self._thread is None:
            if not self._reading.acquire(blocking=False):
                raise RuntimeError("another thread reads the events")
            try:
                event = self._wait(_next_of(events), timeout_s)
            except Unavailable:
                if isinstance(self.state, Closed):
                    return
                raise
            finally:
                self._reading.release()
            if event is None:
                return
            yield event

    def history(
        self,
        conversation: str,
        *,
        after: int = 0,
        before: int | None = None,
        newest_first: bool = False,
        limit: int | None = None,
    ) -> Iterator[Stored]:
        """
        Iterate over the stored messages and events of a conversation; see
        `wsmsg_client.Client.history`.
        """
        messages = self._client.history(
            conversation,
            after=after,
            before=before,
            newest_first=newest_first,
            limit=limit,
        )
        return self._each(messages)

    def _each(self, messages: AsyncIterator[Stored]) -> Iterator[Stored]:
        while True:
            message = self._wait(_next_of(messages), self._timeout_s)
            if message is None:
                return
            yield message

    # -------------------------------------------------------------------- state

    @property
    def state(self) -> Connected | Reconnecting | Closed:
        """
        The state of the connection, as the last event about it.
        """
        return self._client.state

    @property
    def user(self) -> int:
        """
        The id of the user; 0 before the first connection.
        """
        return self._client.user

    @property
    def limits(self) -> Limits | None:
        """
        The limits of the server; `None` before the first connection.
        """
        return self._client.limits

    @property
    def busy(self) -> str:
        """
        The reason for which the server, though it is connected, has asked to send
        later; empty: there is none, or it has accepted something since.
        """
        return self._client.busy

    @property
    def unsent(self) -> int:
        """
        The number of messages that are neither accepted nor refused yet.
        """
        return self._client.unsent

    # ------- the other methods: parameters and descriptions are those of the client

    send = _waiting(AsyncClient.send)
    reply = _waiting(AsyncClient.reply)
    caught_up = _waiting(AsyncClient.caught_up)
    conversations = _waiting(AsyncClient.conversations)
    create_group = _waiting(AsyncClient.create_group)
    change_group = _waiting(AsyncClient.change_group)
    add_members = _waiting(AsyncClient.add_members)
    remove_members = _waiting(AsyncClient.remove_members)
    leave = _waiting(AsyncClient.leave)
    members = _waiting(AsyncClient.members)
    recall = _waiting(AsyncClient.recall)
    block = _waiting(AsyncClient.block)
    unblock = _waiting(AsyncClient.unblock)
    block_group = _waiting(AsyncClient.block_group)
    unblock_group = _waiting(AsyncClient.unblock_group)
    blocks = _waiting(AsyncClient.blocks)
    invite = _waiting(AsyncClient.invite)
    accept_invitation = _waiting(AsyncClient.accept_invitation)
    decline_invitation = _waiting(AsyncClient.decline_invitation)
    invitations = _waiting(AsyncClient.invitations)
    look_up = _waiting(AsyncClient.look_up)
    state_changed = _waiting(AsyncClient.state_changed)
    watch = _calling(AsyncClient.watch)
    mark_read = _calling(AsyncClient.mark_read)
    typing = _calling(AsyncClient.typing)
    head = _calling(AsyncClient.head)
    name_of = _calling(AsyncClient.name_of)


async def _within(timeout_s: float | None, call: Coroutine[Any, Any, R]) -> R:
    """
    Run a call with a time limit.  The limit is in the client's own thread: that of
    another thread could pass while the call returns an event, which would be lost.
    """
    async with asyncio.timeout(timeout_s):
        return await call


async def _next_of(iterator: AsyncIterator[R]) -> R | None:
    async for one in iterator:
        return one
    return None
