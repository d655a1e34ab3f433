"""
A bare client that does what C{docs/reference/protocol.md} says under "Receiving without
loss", and nothing else.

It shares no code with C{wsmsg.client}.  What it keeps between two connections is what
the page tells an author to keep.
"""

from __future__ import annotations

import asyncio
from collections import defaultdict
from typing import Any, NamedTuple

from tests.integration.device import PATIENCE_S, Device
from wsmsg.errors import from_code
from wsmsg.protocol import client_pb2 as pb


class _Asked(NamedTuple):
    """
    A request, with what the client had when the reason for it arose.
    """

    sync: pb.Sync
    have: int
    last: int


class LetterClient:
    """
    One device of one user.

    @ivar position: the newest position whose heads are on the device.
    @ivar witness: the newest one.
    @ivar have: the number up to which it has everything, by conversation.
    @ivar last: the C{message_id} of the message with that number.
    @ivar shown: the messages that the user has seen, by C{message_id}, in order.
    @ivar anew: how often it forgot all numbers.
    """

    def __init__(self, user: int) -> None:
        self.user = user
        self.position = self.witness = self.epoch = ""
        self.have: defaultdict[str, int] = defaultdict(int)
        self.last: defaultdict[str, int] = defaultdict(int)
        self.shown: dict[int, str] = {}
        self.anew = 0
        self._held: dict[tuple[str, int], pb.Deliver] = {}
        self._syncs: dict[str, _Asked] = {}
        self._checks: set[str] = set()
        self._checked_ids: set[int] = set()
        self._confirmed: set[str] = set()
        self._is_listed = False
        self._listed = ""
        self._made = 0
        self._device: Device | None = None
        self._task: asyncio.Task[None] | None = None
        self._changed = asyncio.Condition()

    async def connect(self, device: Device) -> pb.Welcome:
        """
        Log in on a new connection, and follow it.
        """
        self._device = device
        self._begin_connection()
        await device.send_frame(
            hello=pb.Hello(
                device="letter", position=self.position, witness=self.witness
            )
        )
        welcome: pb.Welcome = await device.expect("welcome")
        await self._list(welcome)
        newest = max(self.last, key=lambda name: self.last[name], default="")
        for name in {*self._checks, *([newest] if newest else [])}:
            await self._check(name)
        self._task = asyncio.ensure_future(self._follow(device))
        return welcome

    async def close(self) -> None:
        """
        Close the connection, and keep the rest.
        """
        if self._task is not None and self._device is not None:
            self._task.cancel()
            await asyncio.gather(self._task, return_exceptions=True)
            await self._device.close()

    async def ping(self) -> None:
        """
        Ask for a C{pong}.
        """
        assert self._device is not None
        await self._device.send_frame(ping=pb.Ping(nonce="p"))

    async def until(self, reached: Any) -> None:
        """
        Wait until what arrives makes this true.
        """
        async with asyncio.timeout(PATIENCE_S), self._changed:
            await self._changed.wait_for(reached)

    async def shows(self, *texts: str) -> None:
        """
        Wait until the user has seen these messages.
        """
        await self.until(lambda: set(texts) <= set(self.shown.values()))

    async def _follow(self, device: Device) -> None:
        while True:
            frame = await device.expect(
                ("deliver", "page", "heads", "resync", "pong", "error"),
                10 * PATIENCE_S,
            )
            match frame:
                case pb.Deliver():
                    await self._deliver(frame)
                case pb.Page():
                    await self._page(frame)
                case pb.Heads():
                    await self._list(frame)
                case pb.Resync():
                    self._outdate()
                    await self._ask_list()
                case pb.Error():
                    await self._refused(frame)
                case pb.Pong():
                    self.witness = frame.witness or self.witness
            async with self._changed:
                self._changed.notify_all()

    async def _list(self, part: pb.Welcome | pb.Heads) -> None:
        if part.epoch and self.epoch and part.epoch != self.epoch:
            await self._begin_anew(part.epoch)
            if isinstance(part, pb.Welcome):
                return
        self.epoch = part.epoch or self.epoch
        for head in part.heads:
            name, have = head.conversation, self.have[head.conversation]
            known = (0, self.last[name])
            if head.head > have:
                await self._sync(name)
            elif head.head < have or head.message_id not in known:
                await self._check(name)
        if part.more:
            await self._ask_list(part.position)
        elif part.position:
            self._is_listed, self._listed = True, part.position
            self._keep_position()

    async def _deliver(self, message: pb.Deliver) -> None:
        name, seq, number = message.conversation, message.seq, message.message_id
        if seq <= self.have[name]:
            if number not in self.shown and number not in self._checked_ids:
                self._checked_ids.add(number)
                await self._check(name)
            return
        sure = self._is_listed or name in self._confirmed or not self.last[name]
        self._held[name, seq] = message
        if name in self._checks:
            return
        if sure and seq == self.have[name] + 1:
            self._take_held(name)
        else:
            await self._sync(name)

    async def _page(self, page: pb.Page) -> None:
        asked = self._syncs.pop(page.id, None)
        if asked is None:
            return
        name, first = page.conversation, next(iter(page.messages), None)
        if (
            page.epoch != self.epoch
            or page.head < asked.have
            or (
                first is not None
                and first.seq == asked.have
                and asked.last not in (0, first.message_id)
            )
        ):
            await self._begin_anew(page.epoch)
            return
        await self._told(name, asked)
        if name not in self._checks:
            for message in page.messages:
                if message.seq > self.have[name]:
                    self._take(message)
            self._take_held(name)
            if page.more and not asked.sync.limit:
                await self._ask(name, self.have[name], 0)
        self._keep_position()

    async def _refused(self, error: pb.Error) -> None:
        asked = self._syncs.pop(error.id, None)
        if asked is None:
            return
        if from_code(error.code, error.reason).retry:
            await asyncio.sleep(error.retry_after_ms / 1000 or 1)
            await self._write(asked)
        else:
            await self._told(asked.sync.conversation, asked)

    async def _told(self, name: str, asked: _Asked) -> None:
        if asked.last == self.last[name]:
            self._checks.discard(name)
            self._confirmed.add(name)
            self._take_held(name)
            if asked.sync.limit and any(held == name for held, _ in self._held):
                await self._sync(name)

    def _take(self, message: pb.Deliver) -> None:
        name = message.conversation
        self.have[name], self.last[name] = message.seq, message.message_id
        self.shown.setdefault(message.message_id, message.content)

    def _take_held(self, name: str) -> None:
        while message := self._held.pop((name, self.have[name] + 1), None):
            self._take(message)
        for held, seq in list(self._held):
            if held == name and seq <= self.have[name]:
                del self._held[held, seq]

    async def _begin_anew(self, epoch: str) -> None:
        self.anew += 1
        self.epoch, self.position = epoch, ""
        self.have.clear()
        self.last.clear()
        self._checks.clear()
        self._begin_connection()
        await self._ask_list()

    def _begin_connection(self) -> None:
        self._syncs.clear()
        self._checked_ids.clear()
        self._listed = ""
        self._outdate()

    def _outdate(self) -> None:
        self._is_listed = False
        self._confirmed.clear()
        self._held.clear()

    def _keep_position(self) -> None:
        if self._listed and not self._syncs:
            self.position, self._listed = self._listed, ""

    async def _check(self, name: str) -> None:
        if self.last[name]:
            self._checks.add(name)
            await self._ask(name, self.have[name] - 1, 1)

    async def _sync(self, name: str) -> None:
        after = self.have[name] - 1 if self.last[name] else self.have[name]
        await self._ask(name, after, 0)

    async def _ask(self, name: str, after: int, limit: int) -> None:
        self._made += 1
        sync = pb.Sync(id=f"s{self._made}", conversation=name, after=after, limit=limit)
        await self._write(_Asked(sync, self.have[name], self.last[name]))

    async def _write(self, asked: _Asked) -> None:
        assert self._device is not None
        self._syncs[asked.sync.id] = asked
        await self._device.send_frame(sync=asked.sync)

    async def _ask_list(self, position: str = "") -> None:
        assert self._device is not None
        asked = pb.Conversations(id="list", position=position or self.position)
        await self._device.send_frame(conversations=asked)
