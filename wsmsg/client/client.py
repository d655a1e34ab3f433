"""
The client that programs use.

It keeps one connection up and hides that it breaks: what was sent is sent again
under the same id until the server has it, what was missed is asked for, and what
comes twice is dropped::

    async with Client(url, token, device="bot") as client:
        await client.send(1002, "hello")
        async for event in client.events():
            match event:
                case MessageReceived(content=content):
                    print(content)
"""

from __future__ import annotations

import asyncio
import uuid
from collections.abc import Callable, Iterable
from pathlib import Path
from types import TracebackType
from typing import Self

from wsmsg.client.groups import GroupRequests
from wsmsg.client.history import HistoryReader
from wsmsg.client.saving import Saving
from wsmsg.client.state.event_queue import Events
from wsmsg.client.state.events import (
    Closed,
    Connected,
    Event,
    SendAccepted,
    SendSettled,
    StateChanged,
    Stored,
)
from wsmsg.client.state.exchange import Answer, Exchange, Request
from wsmsg.client.state.inbound import Start
from wsmsg.client.state.reconnect import Reconnect
from wsmsg.client.token_source import TokenSource
from wsmsg.client.transport import CodecName, Dial, websocket_dial
from wsmsg.client.upkeep import Upkeep
from wsmsg.client.waiters import Waiting
from wsmsg.errors import Unavailable, WsmsgError
from wsmsg.model import TEXT
from wsmsg.protocol import frames


class Client(GroupRequests):
    """
    One user on one device.

    All methods are for the event loop's thread.

    @param url: C{ws://host:21005/api/v1/connect/ws}, or C{wss}.
    @param token_source: a token, or what gives one.
    @param device: a newer login of the same user and device ends the older.
    @param position_file: where the program's position and its unsent messages
        survive it; L{None}: nowhere.
    @param start: where a conversation begins that is not in that file: with its
        first message, after what the user has on any device, or with what is new.
    @param queued_messages: the most messages that wait for the program; what does
        not fit is asked for again when there is room.
    @param unsent: the most messages that wait to be accepted; one more is refused.
    @param heartbeat_s: of silence, after which the server must give a sign of life.
    @param dial: opens connections; for tests.
    @raise BadPositions: the position file is not one.
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
    ) -> None:
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
        self._upkeep = Upkeep(
            self._exchange,
            self._saving,
            reconnect or Reconnect(url),
            dial=dial or websocket_dial(codec),
            token_source=token_source,
            heartbeat_s=heartbeat_s,
            on_end=self._ended,
        )
        self._asked = 0
        self._taken: Event | None = None

    @property
    def state(self) -> StateChanged:
        """
        Whether there is a connection, as the last such event said it.
        """
        return self._upkeep.state

    @property
    def user(self) -> int:
        """
        Who we are; 0 before the first connection.
        """
        return self._exchange.user

    @property
    def limits(self) -> frames.Limits | None:
        """What the server takes; L{None} before the first connection."""
        return self._exchange.limits

    @property
    def unsent(self) -> int:
        """
        How many messages are not accepted and not refused yet.
        """
        return len(self._exchange.outbound)

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
            self._taken = None  # the program failed over it, so it comes again
        await self.close()

    def start(self) -> None:
        """
        Begin to connect, and go on for ever; does not wait.
        """
        self._upkeep.start()

    async def connect(self) -> None:
        """
        Begin to connect, and wait until the server knows us.

        @raise WsmsgError: it does not want us, and trying again would not help.
        """
        self.start()
        await self._upkeep.until(lambda: isinstance(self.state, Connected))

    async def caught_up(self) -> None:
        """
        Wait until we are connected and what was missed is with the program, or waits
        for it.

        @raise WsmsgError: the client is closed.
        """
        await self._upkeep.until(lambda: self._exchange.caught_up)

    async def close(self) -> None:
        """
        End the connection and stop; whatever still waits for an answer is refused.
        The last event that was taken counts as done.
        """
        self._upkeep.closing()
        self._done_with_taken()
        await self._upkeep.close()

    async def send(
        self,
        to: int = 0,
        content: str = "",
        *,
        group: int = 0,
        client_id: str = "",
        kind: int = TEXT,
    ) -> SendAccepted:
        """
        Have a message accepted, however often the connection breaks meanwhile.

        If this is cancelled (by a timeout, say) the message is withdrawn, unless it
        was on its way already: then it goes on, as it may be there.

        @param to: a user; or none, where C{group} is the group that it is for.
        @param client_id: the same id makes it the same message; one is made if empty.
        @return: when the server has it and cannot lose it any more.
        @raise Overloaded: too many messages wait already.
        @raise WsmsgError: the server refused it for good.
        """
        client_id = client_id or uuid.uuid4().hex
        return await self._accepted(
            frames.Send(client_id, to=to, group=group, content=content, kind=kind)
        )

    def events(self) -> Events:
        """
        What happens, in order.  An event is done with when the next is asked for:
        only then is a message called delivered, and only then does it not come again
        after a crash.  It ends when the client is closed.
        """
        return Events(self._next_event)

    def head(self, conversation: str) -> int:
        """
        The last number of a conversation that we know of; 0: we know of none.
        """
        return self._exchange.inbound.head(conversation)

    def mark_read(
        self, conversation: str, seq: int = 0, *, message_id: int = 0
    ) -> None:
        """
        The user saw all up to this number; or this message, if it has none (of a
        server that keeps no numbers, see C{limits.unnumbered}).
        """
        self._exchange.mark_read(conversation, seq, message_id)
        self._upkeep.moved()

    def typing(self, conversation: str) -> None:
        """
        The user types; lost if there is no connection.
        """
        self._exchange.typing(conversation)
        self._upkeep.moved()

    def watch(self, users: Iterable[int]) -> None:
        """
        Have L{Presence} events of these users, and no others, from now on.
        """
        self._exchange.watch(users)
        self._upkeep.moved()

    async def history(
        self,
        conversation: str,
        *,
        before: int | None = None,
        after: int | None = None,
        limit: int = 50,
    ) -> list[Stored]:
        """
        What a conversation has, in its order, read anew from the server: those
        after a number, or the last ones, or the last before a number.  They do not
        count as delivered.

        @raise WsmsgError: the server refused, or the client is closed.
        """
        reader = HistoryReader(self._ask, lambda: self.user)
        if after is not None:
            return await reader.after(conversation, after, limit)
        return await reader.before(conversation, before, limit)

    async def conversations(self) -> list[frames.Head]:
        """
        All conversations of the user, oldest change first.
        """
        return await HistoryReader(self._ask, lambda: self.user).conversations()

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
        request = make(f"q{self._asked}")
        self._exchange.ask(request, asyncio.get_running_loop().time())
        self._upkeep.moved()
        try:
            return await self._waiting.answer(request.id)
        finally:
            self._exchange.forget(request.id)

    async def _self(self) -> int:
        await self._upkeep.until(lambda: self.user > 0)
        return self.user
