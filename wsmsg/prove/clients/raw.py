"""
A client of the protocol, written on the protos alone, that checks the server.

It shares no code with C{wsmsg.client}: the promises are checked against what it
receives. It reconnects for ever, sends again what was not accepted, syncs on gaps, and
notes in C{problems} whatever a server must never do.
"""

from __future__ import annotations

import asyncio
import itertools
import time
from collections import defaultdict
from collections.abc import Awaitable, Callable, Sequence
from typing import Any

import websockets
from websockets.asyncio.client import ClientConnection, connect

from wsmsg.protocol import client_pb2 as pb

_RETRY_S = 0.05


class RawClient:
    """
    One device of one user.

    @param urls: the URLs of Connects, which may change; each connection is made to the
        next of them.
    @ivar taken: the received messages of each conversation, in the order of their
        numbers, as a user sees them.
    @ivar accepted: client ids of sends that were accepted.
    @ivar accepted_s: when each client id was accepted, by C{time.monotonic}.
    @ivar taken_s: when each content first arrived.
    @ivar problems: broken promises, in words.
    @ivar checked_s: when the server last compared a session of this client with the
        store, by C{time.monotonic}, as the last pong said.
    """

    def __init__(
        self, urls: Sequence[str], token: str, user: int, device: str = "raw"
    ) -> None:
        self.user = user
        self.taken: defaultdict[str, list[pb.Deliver]] = defaultdict(list)
        self.accepted: dict[str, int] = {}
        self.accepted_s: dict[str, float] = {}
        self.taken_s: dict[str, float] = {}
        self.rejected: list[str] = []
        self.problems: list[str] = []
        self.connects = 0
        self.resyncs = 0
        self.checked_s = 0.0
        self.longest_sync_s = 0.0
        self._asked_s = 0.0
        self.changed = asyncio.Condition()
        self._urls = urls
        self._dialled = 0
        self._token = token
        self._device = device
        self._unanswered: dict[str, pb.Send] = {}
        self._position: defaultdict[str, int] = defaultdict(int)
        self._live: defaultdict[str, int] = defaultdict(int)
        self._syncing: set[str] = set()
        self._rejected_ids: set[str] = set()
        # Sends of this connection without an answer, and those that may have been
        # accepted before and are repeats from then on (docs/protocol.md).
        self._written: set[str] = set()
        self._repeats: set[str] = set()
        # New sends must not be written among repeated ones.
        self._order = asyncio.Lock()
        self._ready = False
        self._at = ""
        self._listed_at = ""
        self._numbers = itertools.count(1)
        self._connection: ClientConnection | None = None
        self._task: asyncio.Task[None] | None = None
        self._late: set[asyncio.Task[None]] = set()

    def __repr__(self) -> str:
        return (
            f"<RawClient {self.user} connected={self._connection is not None}"
            f" position={dict(self._position)} live={dict(self._live)}"
            f" syncing={self._syncing} at={self._at}"
            f" unanswered={list(self._unanswered)}>"
        )

    # -- lifetime

    def start(self) -> None:
        self._task = asyncio.ensure_future(self._run())

    async def stop(self) -> None:
        tasks = [t for t in (self._task, *self._late) if t is not None]
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)

    def drop(self) -> None:
        """
        Drop the connection; the client makes another one.
        """
        if self._connection is not None:
            self._connection.transport.abort()

    async def until(self, predicate: Callable[[], bool], limit_s: float = 60) -> None:
        """
        Wait until an event of this client makes C{predicate} true.
        """
        async with self.changed:
            async with asyncio.timeout(limit_s):
                await self.changed.wait_for(predicate)

    async def until_taken(
        self, conversation: str, n: int, limit_s: float = 60
    ) -> list[pb.Deliver]:
        """
        Wait until a conversation has this number of messages.
        """
        taken = self.taken[conversation]
        await self.until(lambda: len(taken) >= n, limit_s)
        return taken

    @property
    def synced(self) -> bool:
        """
        Tell whether the client has all that the server had when it connected.
        """
        connected = self._connection is not None and self._ready
        return connected and not self._syncing and not self._listed_at

    @property
    def idle(self) -> bool:
        """
        Tell whether every send has been accepted.
        """
        return not self._unanswered

    @property
    def waiting(self) -> int:
        """
        Return the number of sends that have not been accepted.
        """
        return len(self._unanswered)

    # -- requests

    async def send(self, to: int, content: str, group: int = 0) -> str:
        """
        Send a message, again if need be until it is accepted.
        """
        client_id = f"{self.user}-{self._device}-{next(self._numbers)}"
        send = pb.Send(client_id=client_id, to=to, group=group, content=content)
        return await self.submit(send)

    async def submit(self, send: pb.Send) -> str:
        """
        Send this frame, again if need be until it is accepted.
        """
        client_id = send.client_id
        self._unanswered[client_id] = send
        if self._rejected_ids:
            self._rejected_ids.add(
                client_id
            )  # after the rejected ones, which are sent again first
            return client_id
        async with self._order:
            if self._ready:  # otherwise it is sent with all unanswered ones
                await self._write_send(send)
        return client_id

    async def frame(self, **frame: Any) -> None:
        """
        Send any frame, by the name of its field.
        """
        await self._write(**frame)

    async def _write_send(self, send: pb.Send) -> None:
        send.repeat = send.client_id in self._repeats
        self._written.add(send.client_id)
        await self._write(send=send)

    async def _write(self, **frame: Any) -> None:
        if self._connection is not None:
            try:
                data = pb.ClientFrame(**frame).SerializeToString()
                await self._connection.send(data)
            except websockets.ConnectionClosed:
                pass

    # -- the connection

    def _next_url(self) -> str:
        self._dialled += 1
        return self._urls[(self._dialled - 1) % len(self._urls)]

    async def _run(self) -> None:
        while True:
            try:
                async with connect(
                    self._next_url(),
                    subprotocols=[websockets.Subprotocol("wsmsg.v1.protobuf")],
                    additional_headers={"Authorization": self._token},
                    compression=None,
                    ping_interval=None,
                    open_timeout=5,
                ) as connection:
                    await self._speak(connection)
            except (OSError, TimeoutError, websockets.WebSocketException):
                pass
            finally:
                self._connection = None
                self._ended()
            await asyncio.sleep(_RETRY_S)

    def _ended(self) -> None:
        """
        Note that an attempt to connect failed, or that the connection is lost.
        """

    async def _speak(self, connection: ClientConnection) -> None:
        hello = pb.Hello(device=self._device, position=self._at, client="raw/1")
        await connection.send(pb.ClientFrame(hello=hello).SerializeToString())
        self._ready = False
        self._live.clear()
        self._syncing.clear()
        self._listed_at = ""
        async for data in connection:
            assert isinstance(data, bytes)
            frame = pb.ServerFrame.FromString(data)
            name = frame.WhichOneof("frame")
            if name == "welcome":
                self._connection = connection
            elif self._connection is None:
                self.problems.append(f"{name} before welcome")
            method = getattr(self, f"_{name}", None)
            if method is not None:
                await method(getattr(frame, name or ""))
            async with self.changed:
                self.changed.notify_all()

    async def _welcome(self, welcome: pb.Welcome) -> None:
        self.connects += 1
        for head in welcome.heads:
            await self._catch_up(head.conversation, head.head)
        await self._listed("all", welcome)
        async with self._order:
            self._repeats |= self._written
            self._written.clear()
            again: set[str] = set()
            while rest := [s for i, s in self._unanswered.items() if i not in again]:
                for send in rest:
                    again.add(send.client_id)
                    await self._write_send(send)
            self._ready = True

    async def _heads(self, heads: pb.Heads) -> None:
        for head in heads.heads:
            await self._catch_up(head.conversation, head.head)
        await self._listed(heads.id, heads)

    async def _listed(self, request: str, part: pb.Welcome | pb.Heads) -> None:
        if part.more:
            more = pb.Conversations(id=request, position=part.position)
            await self._write(conversations=more)
        elif part.position:
            self._listed_at = part.position
            self._check_synced()

    def _check_synced(self) -> None:
        """
        Use the position of a list once everything that it listed is here.
        """
        if self._listed_at and not self._syncing:
            self._at, self._listed_at = self._listed_at, ""

    async def _resync(self, _: pb.Resync) -> None:
        self.resyncs += 1
        await self._ask_again()

    async def _catch_up(self, conversation: str, head: int) -> None:
        position = self._position[conversation]
        if head > position and conversation not in self._syncing:
            self._syncing.add(conversation)
            self._asked_s = time.monotonic()
            sync = pb.Sync(id=conversation, conversation=conversation, after=position)
            await self._write(sync=sync)

    async def _page(self, page: pb.Page) -> None:
        self._syncing.discard(page.conversation)
        self.longest_sync_s = max(self.longest_sync_s, time.monotonic() - self._asked_s)
        for message in page.messages:
            self._take(message)
        # Messages pushed while the page was on its way may be beyond its head.
        beyond = max(page.head, self._live[page.conversation])
        await self._catch_up(page.conversation, beyond)
        self._check_synced()

    async def _error(self, error: pb.Error) -> None:
        if error.id in self._syncing or error.id == "resync":
            self._syncing.discard(error.id)
            self._later(self._ask_again)
        else:
            self.problems.append(f"error {error.code}: {error.reason}")

    async def _deliver(self, message: pb.Deliver) -> None:
        conversation, seq = message.conversation, message.seq
        last = self._live[conversation]
        if seq <= last:
            self.problems.append(f"{conversation}: {seq} pushed after {last}")
        self._live[conversation] = seq
        if seq == self._position[conversation] + 1:
            self._take(message)
        elif seq > self._position[conversation]:
            await self._catch_up(conversation, seq)

    def _take(self, message: pb.Deliver) -> None:
        if message.seq == self._position[message.conversation] + 1:
            self._position[message.conversation] = message.seq
            self.taken[message.conversation].append(message)
            self.taken_s.setdefault(message.content, time.monotonic())

    # -- answers

    async def ping(self) -> None:
        """
        Ask when this session was compared with the store.
        """
        await self._write(ping=pb.Ping())

    async def _pong(self, pong: pb.Pong) -> None:
        if pong.checked_ms:
            self.checked_s = time.monotonic() - pong.checked_ms / 1000

    async def _accepted(self, accepted: pb.Accepted) -> None:
        self._unanswered.pop(accepted.client_id, None)
        self._written.discard(accepted.client_id)
        self._repeats.discard(accepted.client_id)
        before = self.accepted.setdefault(accepted.client_id, accepted.time)
        self.accepted_s.setdefault(accepted.client_id, time.monotonic())
        if before != accepted.time:
            self.problems.append(f"{accepted.client_id} accepted at two times")

    async def _rejected(self, rejected: pb.Rejected) -> None:
        self.rejected.append(rejected.code)
        send = self._unanswered.get(rejected.client_id)
        self._written.discard(rejected.client_id)
        if rejected.uncertain:
            self._repeats.add(rejected.client_id)
        if not rejected.retry_after_ms or send is None:
            self.problems.append(f"rejected {rejected.code}: {rejected.reason}")
            return
        if not self._rejected_ids:
            self._later(self._send_again, rejected.retry_after_ms / 1000)
        self._rejected_ids.add(rejected.client_id)

    async def _send_again(self) -> None:
        # In the order in which they were made, which keeps the order of the messages.
        async with self._order:
            again, self._rejected_ids = self._rejected_ids, set()
            if not self._ready:
                return  # the new connection begins with all unanswered ones
            for client_id, send in list(self._unanswered.items()):
                if client_id in again:
                    await self._write_send(send)

    async def _ask_again(self) -> None:
        await self._write(
            conversations=pb.Conversations(id="resync", position=self._at)
        )

    def _later(
        self, function: Callable[[], Awaitable[None]], delay_s: float = 0.1
    ) -> None:
        async def wait() -> None:
            await asyncio.sleep(delay_s)
            await function()

        task = asyncio.ensure_future(wait())
        self._late.add(task)
        task.add_done_callback(self._late.discard)
