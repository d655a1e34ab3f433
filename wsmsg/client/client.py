"""
The client that programs use.

The client keeps one connection up and hides its losses: it sends each message again
under the same id until the server has accepted it, asks for the messages it missed, and
drops repeats::

    async with Client(url, token, device="bot") as client:
        await client.send(1002, "hello")
        async for event in client.events():
            match event:
                case MessageReceived(content=content):
                    print(content)
"""

from __future__ import annotations

import asyncio
import os
import uuid
from collections.abc import Callable, Iterable, Mapping
from pathlib import Path
from types import TracebackType
from typing import Self

from wsmsg.client.consent import ConsentRequests
from wsmsg.client.conversations import ConversationRequests
from wsmsg.client.environment import settings_in
from wsmsg.client.names import NameRequests, NameTable
from wsmsg.client.saving import Saving
from wsmsg.client.state.checks import User, apart, checked, one_of
from wsmsg.client.state.event_queue import Events
from wsmsg.client.state.events import (
    Closed,
    Connected,
    Event,
    SendAccepted,
    SendSettled,
    StateChanged,
)
from wsmsg.client.state.exchange import Exchange
from wsmsg.client.state.inbound import Start
from wsmsg.client.state.queries import Answer, Request
from wsmsg.client.state.reconnect import Reconnect
from wsmsg.client.token_source import TokenSource, check_token_source
from wsmsg.client.transport.interface import CodecName, Dial
from wsmsg.client.upkeep import Upkeep
from wsmsg.client.waiters import Waiting
from wsmsg.errors import Unavailable, WsmsgError
from wsmsg.model import TEXT
from wsmsg.protocol import frames


class Client(ConsentRequests, NameRequests, ConversationRequests):
    """
    One user on one device.

    All methods must be called in the event loop's thread.


    All methods check their arguments before they do anything: they raise `TypeError`
    for one of another type, and `BadRequest` for a value that cannot be sent.

    Args:
        url: `ws://host:21005/api/v1/connect/ws`, or `wss`.
        token_source: a token, or a function that returns one.
        device: the name of the device; a newer login of the same user and device ends
            the older one.
        position_file: the file that keeps the program's position and its unsent
            messages across restarts; `None`: they are not kept.  If it cannot be
            written, an error is logged, the old file stays, and the client works on and
            tries again.
        start: the point from which a conversation that is not in that file is read:
            from its first message, after the last message that the user has on any
            device, or from now on.
        queued_messages: most messages in the queue of events; the client asks for
            further messages when there is room.
        unsent: most messages that wait to be accepted; a further one is refused.
        heartbeat_s: seconds of silence after which the client pings the server; `None`:
            a little more than the server's own heartbeat.
        reconnect: the policy of reconnecting; `None`: the default policy.
        dial: opens connections; for tests.
        ca: a PEM file with the certificate authorities of the server, for a URL that
            begins with `wss`; `None`: those of the machine.

    Raises:
        BadPositions: the position file is not valid.
    """

    def __init__(
        self,
        url: str,
        token_source: TokenSource,
        device: str = "",
        *,
        codec: CodecName = "protobuf",
        position_file: str | Path | None = None,
        start: Start = "beginning",
        queued_messages: int = 1000,
        unsent: int = 10000,
        heartbeat_s: float | None = None,
        reconnect: Reconnect | None = None,
        dial: Dial | None = None,
        ca: str | Path | None = None,
    ) -> None:
        check_token_source(token_source)
        device = checked(frames.Hello(device=device)).device
        self._saving = Saving(position_file)
        self._waiting = Waiting()
        self._exchange = Exchange(
            device=device,
            saved=self._saving.load(),
            on_settled=self._settled,
            on_answer=self._waiting.answered,
            start=start,
            queued_messages=queued_messages,
            unsent=unsent,
        )
        from wsmsg.client.transport.websocket import authorities, websocket_dial

        self._names = NameTable()
        tls, learn = authorities(ca), self._names.learn
        self._upkeep = Upkeep(
            self._exchange,
            self._saving,
            reconnect or Reconnect(url),
            dial=dial or websocket_dial(codec, tls=tls, learn=learn),
            token_source=token_source,
            heartbeat_s=heartbeat_s,
            on_end=self._ended,
        )
        self._asked = 0
        self._taken: Event | None = None

    @classmethod
    def from_env(
        cls,
        environ: Mapping[str, str] | None = None,
        *,
        codec: CodecName = "protobuf",
        start: Start = "delivered",
        queued_messages: int = 1000,
        unsent: int = 10000,
    ) -> Self:
        """
        Make a client from the environment of the process.

        `WSMSG_URL` is the server: `wss://host`, or a whole URL. `WSMSG_TOKEN` is the
        token; in its place `WSMSG_TOKEN_COMMAND` may name a program that prints one,
        and is run for each connection, and before a token expires.  Optional are
        `WSMSG_DEVICE`, `WSMSG_POSITION_FILE` and `WSMSG_CA`, which are the
        parameters `device`, `position_file` and `ca` of the class.

        Args:
            environ: the variables; `None`: those of the process.
            start: as for the class.  Without a position file, the default is to
                continue after the last message that any device of the user has.

        Raises:
            BadRequest: a variable is missing or not valid.
        """
        given = settings_in(os.environ if environ is None else environ)
        return cls(
            given.url,
            given.token_source,
            given.device,
            codec=codec,
            position_file=given.position_file,
            start=start,
            queued_messages=queued_messages,
            unsent=unsent,
            ca=given.ca,
        )

    @property
    def state(self) -> StateChanged:
        """
        The state of the connection, as the last event about it.
        """
        return self._upkeep.state

    @property
    def user(self) -> int:
        """
        The id of the user; 0 before the first connection.
        """
        return self._exchange.user

    @property
    def limits(self) -> frames.Limits | None:
        """
        The limits of the server; `None` before the first connection.
        """
        return self._exchange.limits

    @property
    def unsent(self) -> int:
        """
        The number of messages that are neither accepted nor refused yet.
        """
        return len(self._exchange.outbound)

    @property
    def busy(self) -> str:
        """
        The reason for which the server, though it is connected, has asked to send
        later; empty: there is none, or it has accepted something since.
        """
        return self._exchange.outbound.busy

    @property
    def checked_s(self) -> float | None:
        """
        The seconds since the server last made sure that this client was pushed all
        that it has for the user, or was told to sync; it does so about once a minute.
        `None`: the server has not said so yet.
        """
        return self._exchange.history.checked_s(asyncio.get_running_loop().time())

    async def __aenter__(self) -> Self:
        await self.connect()
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        if kind is not None:
            self._taken = None  # the program failed on it, so it is not processed
        await self.close()

    def start(self) -> None:
        """
        Start to connect, and reconnect until the client is closed.  This method does
        not wait.
        """
        self._upkeep.start()

    async def connect(self) -> None:
        """
        Start to connect, and wait until the server has authenticated the user.

        Raises:
            WsmsgError: the server refuses the user, and a retry would not help.
        """
        self.start()
        await self._upkeep.until(lambda: isinstance(self.state, Connected))

    async def state_changed(self) -> StateChanged:
        """
        Wait until the state of the connection changes, and return it.  Each failed
        attempt to connect is a change.  After the last one, which is `Closed`, the call
        returns it at once.
        """
        before = self.state
        await asyncio.sleep(0)  # lets others run, also in a loop over a closed client
        while self.state is before and not isinstance(before, Closed):
            await self._upkeep.change()
        return self.state

    async def caught_up(self) -> None:
        """
        Wait until the client is connected and all missed messages are with the program
        or in the queue of events.

        Raises:
            WsmsgError: the client is closed.
        """
        await self._upkeep.until(lambda: self._exchange.caught_up)

    async def close(self) -> None:
        """
        Close the connection and stop; calls that still wait for an answer fail.  The
        last event that the program took counts as processed.
        """
        self._upkeep.closing()
        self._done_with_taken()
        await self._upkeep.close()

    async def send(
        self,
        to: User = 0,
        content: str = "",
        *,
        group: int = 0,
        client_id: str = "",
        kind: int = TEXT,
        traceparent: str = "",
    ) -> SendAccepted:
        """
        Send a message, and wait until the server has accepted it, across lost
        connections.

        If this call is cancelled (by a timeout, say), the message is withdrawn, unless
        it was already sent once: then the client continues, as the server may have it.

        Args:
            to: the user to send to, by number or by name; omit it for a group.
            group: the group to send to.
            client_id: a repeat with the same id is the same message; empty: a new id.
            traceparent: a span of the program (W3C Trace Context), which the trace of
                the message continues; empty: none.

        Returns:
            the acceptance: the server cannot lose the message any more.

        Raises:
            Overloaded: too many messages wait to be accepted.
            WsmsgError: the server refused the message for good.
        """
        client_id = client_id or uuid.uuid4().hex
        number, name = one_of(to)
        return await self._accepted(
            frames.Send(
                client_id,
                to=number,
                group=group,
                content=content,
                kind=kind,
                to_name=name,
                traceparent=traceparent,
            )
        )

    def events(self) -> Events:
        """
        Iterate over the events, in order.

        An event counts as processed when the program asks for the next one: only then
        does the client report a message as delivered, and only then does the message
        not come again after a crash.  The iteration ends when the client is closed.
        """
        return Events(self._next_event)

    def watch(self, users: Iterable[User]) -> None:
        """
        Subscribe to `PresenceChanged` events of these users, by number or by name, in
        place of earlier ones.
        """
        self._exchange.watch(checked(frames.Watch(*apart(users))))
        self._upkeep.moved()

    # --------------------------------------------------------- events, answers

    async def _next_event(self) -> Event | None:
        self._done_with_taken()
        while True:
            event = self._exchange.events.take()
            if event is not None:
                self._taken = event
                return event
            if isinstance(self.state, Closed):
                return None
            await self._upkeep.change()

    def _done_with_taken(self) -> None:
        event, self._taken = self._taken, None
        if event is not None:
            self._exchange.took(event)
            self._upkeep.moved()

    def _settled(self, client_id: str, outcome: SendAccepted | WsmsgError) -> None:
        if not self._waiting.settled(client_id, outcome):
            accepted = outcome if isinstance(outcome, SendAccepted) else None
            error = outcome if isinstance(outcome, WsmsgError) else None
            self._exchange.events.put(SendSettled(client_id, accepted, error))

    def _ended(self, state: Closed) -> None:
        self._waiting.fail(state.error or Unavailable("the client is closed"))

    async def _accepted(self, frame: frames.Submission) -> SendAccepted:
        frame = checked(frame)
        self._upkeep.check()
        self._exchange.send(frame)
        self._upkeep.moved()
        client_id = frame.client_id
        try:
            return await self._waiting.send(client_id)
        except asyncio.CancelledError:
            if not self._waiting.waits_for(client_id):
                self._exchange.outbound.withdraw(client_id)
                self._upkeep.moved()
            raise

    async def _ask(self, make: Callable[[str], Request]) -> Answer:
        self._upkeep.check()
        self._asked += 1
        request = checked(make(f"q{self._asked}"))
        self._exchange.ask(request, asyncio.get_running_loop().time())
        self._upkeep.moved()
        try:
            return await self._waiting.answer(request.id)
        finally:
            self._exchange.forget(request.id)

    async def _self(self) -> int:
        await self._upkeep.until(lambda: self.user > 0)
        return self.user
