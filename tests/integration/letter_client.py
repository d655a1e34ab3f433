"""
A bare client that does what C{docs/reference/protocol.md} says under "Receiving without
loss", and nothing else.

It shares no code with C{wsmsg.client}.  What it keeps between two connections is what
the page tells an author to keep.
"""

from __future__ import annotations

import asyncio
import itertools
from collections import defaultdict
from typing import Any

from tests.integration.device import PATIENCE_S, Device
from wsmsg.protocol import client_pb2 as pb

_NEWEST = "newest"


class LetterClient:
    """
    One device of one user.

    @ivar position: the newest position whose heads are on the device.
    @ivar witness: the newest one.
    @ivar shown: the messages that the user has seen, by C{message_id}, in order.
    @ivar anew: how often it forgot all numbers.
    """

    def __init__(self, user: int) -> None:
        self.user = user
        self.position = self.witness = self.epoch = ""
        self.have: defaultdict[str, int] = defaultdict(int)
        self.shown: dict[int, str] = {}
        self.anew = 0
        self._ids: dict[tuple[str, int], int] = {}
        self._held: dict[tuple[str, int], pb.Deliver] = {}
        self._syncs: dict[str, pb.Sync] = {}
        self._listed = ""
        self._numbers = itertools.count(1)
        self._device: Device | None = None
        self._task: asyncio.Task[None] | None = None
        self._changed = asyncio.Condition()

    async def connect(self, device: Device) -> pb.Welcome:
        """
        Log in on a new connection, and follow it.
        """
        self._device = device
        self._syncs.clear()
        await device.send_frame(
            hello=pb.Hello(
                device="letter", position=self.position, witness=self.witness
            )
        )
        welcome: pb.Welcome = await device.expect("welcome")
        self._task = asyncio.ensure_future(self._follow(device))
        await self._list(welcome)
        newest = max(self._ids, key=lambda place: self._ids[place], default=None)
        if newest is not None and self.have[newest[0]] >= newest[1]:
            await self._ask(_NEWEST, newest[0], newest[1] - 1, 1)
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
                ("deliver", "page", "heads", "resync", "pong"), 10 * PATIENCE_S
            )
            match frame:
                case pb.Deliver():
                    await self._deliver(frame)
                case pb.Page():
                    await self._page(frame)
                case pb.Heads():
                    await self._list(frame)
                case pb.Resync():
                    await self._ask_list()
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
            if head.head > have:
                await self._ask(f"s{next(self._numbers)}", name, have, 0)
            elif head.head < have:
                await self._ask(f"s{next(self._numbers)}", name, have - 1, 1)
        if part.more:
            await self._ask_list(part.position)
        else:
            self._listed = part.position
            self._keep_position()

    async def _deliver(self, message: pb.Deliver) -> None:
        name, seq = message.conversation, message.seq
        if seq <= self.have[name]:
            if self._ids[name, seq] != message.message_id:
                await self._begin_anew(self.epoch)
        elif seq == self.have[name] + 1:
            self._take(message)
        else:
            self._held[name, seq] = message
            await self._ask(f"s{next(self._numbers)}", name, self.have[name], 0)

    async def _page(self, page: pb.Page) -> None:
        asked = self._syncs.pop(page.id, None)
        if asked is None:
            return
        name, known = page.conversation, self._ids
        if (
            page.epoch != self.epoch
            or page.head < asked.after
            or any(
                known.get((name, m.seq), m.message_id) != m.message_id
                for m in page.messages
            )
            or (asked.limit and not page.messages)
        ):
            await self._begin_anew(page.epoch)
            return
        for message in page.messages:
            if message.seq > self.have[name]:
                self._take(message)
        if page.more and not asked.limit:
            await self._ask(f"s{next(self._numbers)}", name, self.have[name], 0)
        self._keep_position()

    def _take(self, message: pb.Deliver) -> None:
        name = message.conversation
        self.have[name] = message.seq
        self._ids[name, message.seq] = message.message_id
        self.shown.setdefault(message.message_id, message.content)
        following = self._held.pop((name, message.seq + 1), None)
        if following is not None:
            self._take(following)

    async def _begin_anew(self, epoch: str) -> None:
        self.anew += 1
        self.epoch, self.position, self._listed = epoch, "", ""
        self.have.clear()
        self._ids.clear()
        self._held.clear()
        self._syncs.clear()
        await self._ask_list()

    def _keep_position(self) -> None:
        if self._listed and not self._syncs:
            self.position, self._listed = self._listed, ""

    async def _ask(self, id_: str, name: str, after: int, limit: int) -> None:
        assert self._device is not None
        sync = pb.Sync(id=id_, conversation=name, after=after, limit=limit)
        self._syncs[id_] = sync
        await self._device.send_frame(sync=sync)

    async def _ask_list(self, position: str = "") -> None:
        assert self._device is not None
        asked = pb.Conversations(id="list", position=position or self.position)
        await self._device.send_frame(conversations=asked)
