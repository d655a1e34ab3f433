"""
Raw clients that write a history of what they do and see.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Sequence
from typing import Any

from wsmsg.model import conversation_of
from wsmsg.protocol import client_pb2 as pb
from wsmsg.prove.clients.raw import RawClient
from wsmsg.prove.history import HistoryWriter

#: The kind of the first event; messages below it are what people say.
_EVENTS = 1000
_GROUP_CHANGE = 1001


def changed(kind: int, add: Iterable[int], remove: Iterable[int]) -> dict[str, Any]:
    """
    Return what a history says of an event, whoever saw it.
    """
    said = {"add": sorted(map(int, add)), "remove": sorted(map(int, remove))}
    return {"event": True, "body": f"event {kind} {json.dumps(said)}", **said}


def message_fields(message: pb.Deliver) -> dict[str, Any]:
    """
    Return what a history says of a message.
    """
    fields: dict[str, Any] = {
        "conversation": message.conversation,
        "seq": message.seq,
        "id": message.message_id,
        "from": getattr(message, "from"),
        "body": message.content,
    }
    if message.kind == _GROUP_CHANGE:
        change = json.loads(message.content)
        fields |= changed(message.kind, change.get("add", ()), change.get("remove", ()))
    elif message.kind >= _EVENTS:
        fields |= {"event": True}
    return fields


class RecordedClient(RawClient):
    """
    One device of one user, with a history.

    @param watches: the users whose presence the client watches.
    @cvar is_absent: whether the device is away at times, so that messages come late.
    """

    is_absent = False

    def __init__(
        self,
        history: HistoryWriter,
        urls: Sequence[str],
        token: str,
        user: int,
        device: str = "raw",
        watches: Sequence[int] = (),
    ) -> None:
        super().__init__(urls, token, user, device)
        self._history = history
        self._watches = watches
        self._session = 0
        self._is_open = False
        self._sent: dict[str, tuple[str, str]] = {}
        self._refusable: set[str] = set()

    # -- what it does

    async def submit(self, send: pb.Send) -> str:
        self._invoke(send)
        return await super().submit(send)

    async def say_again(self, send: pb.Send) -> None:
        """
        Send a message once more that was accepted, perhaps with another content.
        """
        self._refusable.add(send.client_id)
        self._repeats.add(send.client_id)
        await self.submit(send)

    async def try_to_send(self, send: pb.Send) -> None:
        """
        Send what the server should refuse.
        """
        self._refusable.add(send.client_id)
        await self.submit(send)

    async def vanish(self) -> None:
        """
        Drop the connection, and make none, until the client is started again.
        """
        if self._task is not None:
            self._task.cancel()
        self.drop()
        await self.stop()
        self._connection = None
        self._ended()

    def freeze(self) -> None:
        """
        Stop reading from the connection.
        """
        if self._connection is not None:
            self._connection.transport.pause_reading()

    def thaw(self) -> None:
        """
        Read from the connection again.
        """
        if self._connection is not None:
            self._connection.transport.resume_reading()

    def _invoke(self, send: pb.Send) -> None:
        to = conversation_of(self.user, send.to) if send.to else f"g:{send.group}"
        self._sent.setdefault(send.client_id, (to, send.content))
        about = {"user": self.user, "conversation": to, "id": send.client_id}
        self._history.write("invoke", "send", **about, body=send.content)

    @property
    def device(self) -> str:
        return self._device

    def position(self, conversation: str) -> int:
        """
        Return the number up to which the client has all messages.
        """
        return self._position[conversation]

    def accepted_bodies(self) -> Iterator[tuple[str, str]]:
        """
        Return the conversation and the content of each message that was accepted.
        """
        for client_id in self.accepted:
            yield self._sent[client_id]

    # -- what it sees

    async def _welcome(self, welcome: pb.Welcome) -> None:
        self._session += 1
        self._is_open = True
        self._history.info("open", **self._me())
        if self._watches:
            await self._write(watch=pb.Watch(users=self._watches))
        await super()._welcome(welcome)

    def _ended(self) -> None:
        if self._is_open:
            self._is_open = False
            self._history.info("close", **self._me())

    async def _deliver(self, message: pb.Deliver) -> None:
        self._saw("push", message)
        await super()._deliver(message)

    async def _page(self, page: pb.Page) -> None:
        for message in page.messages:
            self._saw("page", message)
        await super()._page(page)

    def _saw(self, how: str, message: pb.Deliver) -> None:
        old = {"old": True} if self.is_absent else {}
        self._history.info(how, **self._me(), **message_fields(message), **old)

    async def _resync(self, resync: pb.Resync) -> None:
        self._history.info("resync", **self._me())
        await super()._resync(resync)

    async def _accepted(self, accepted: pb.Accepted) -> None:
        about = self._about(accepted.client_id)
        self._history.write("ok", "send", **about, time=accepted.time)
        self._refusable.discard(accepted.client_id)
        await super()._accepted(accepted)

    async def _rejected(self, rejected: pb.Rejected) -> None:
        about = {**self._about(rejected.client_id), "code": rejected.code}
        if rejected.retry_after_ms:
            self._history.info("send", **about)
        else:
            self._history.write("fail", "send", **about)
            if rejected.client_id in self._refusable:
                self._refusable.discard(rejected.client_id)
                self._unanswered.pop(rejected.client_id, None)
                self._written.discard(rejected.client_id)
                self._repeats.discard(rejected.client_id)
                return
        await super()._rejected(rejected)

    async def _presence(self, presence: pb.Presence) -> None:
        about = {"user": self.user, "of": presence.user}
        self._history.info("presence", **about, online=presence.online)

    def _about(self, client_id: str) -> dict[str, Any]:
        conversation, _ = self._sent.get(client_id, ("", ""))
        return {"user": self.user, "conversation": conversation, "id": client_id}

    def _me(self) -> dict[str, Any]:
        return {"user": self.user, "device": self._device, "session": self._session}


class AbsentClient(RecordedClient):
    """
    A user whose device is away at times, or does not read.
    """

    is_absent = True


class GuestClient(RecordedClient):
    """
    A user who joins groups and is removed, so that numbers begin late and have gaps.
    """

    async def _deliver(self, message: pb.Deliver) -> None:
        self._skip_to(message.conversation, message.seq - 1)
        await super()._deliver(message)

    async def _page(self, page: pb.Page) -> None:
        first = page.messages[0].seq - 1 if page.messages else page.head
        self._skip_to(page.conversation, first)
        await super()._page(page)

    def _skip_to(self, conversation: str, seq: int) -> None:
        if conversation.startswith("g:"):
            self._position[conversation] = max(self._position[conversation], seq)
