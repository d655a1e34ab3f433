"""
A server of the client protocol that lies, to see that the proof convicts it.

It keeps everything in memory, and knows just as much of the protocol as the clients of
a proof need.
"""

from __future__ import annotations

import itertools
import json
from collections import defaultdict
from typing import Any

import websockets
from websockets.asyncio.server import Server, ServerConnection, serve

from wsmsg.model import conversation_of
from wsmsg.protocol import client_pb2 as pb
from wsmsg.prove.deployment.daemons import free_ports

#: One in so many messages is lost, pushed twice, or pushed after the next one.
_EACH = 40
_LIMITS = pb.Limits(
    content_bytes=65536, frame_bytes=131072, window=100, sends_per_s=100, page=200
)


class Liar:
    """
    The server.

    @param lies: of C{loses}, C{doubles}, C{reorders}, C{leaks}.
    """

    def __init__(self, *lies: str) -> None:
        self.port = free_ports(1)[0]
        self._lies = lies
        self._server: Server | None = None
        self._sessions: dict[int, dict[str, ServerConnection]] = defaultdict(dict)
        self._stored: dict[str, list[pb.Deliver]] = defaultdict(list)
        self._members: dict[str, set[int]] = {}
        self._accepted: dict[tuple[int, str], tuple[int, str]] = {}
        self._held: dict[int, pb.Deliver] = {}
        self._numbers = itertools.count(1)

    @property
    def url(self) -> str:
        return f"ws://127.0.0.1:{self.port}/"

    async def start(self) -> None:
        self._server = await serve(
            self._serve,
            "127.0.0.1",
            self.port,
            subprotocols=[websockets.Subprotocol("wsmsg.v1.protobuf")],
            compression=None,
            ping_interval=None,
        )

    async def stop(self) -> None:
        assert self._server is not None
        self._server.close()
        await self._server.wait_closed()

    async def _serve(self, connection: ServerConnection) -> None:
        assert connection.request is not None
        token = connection.request.headers.get("Authorization", "")
        user, device = int(token.split()[-1] or 0), ""
        try:
            async for data in connection:
                assert isinstance(data, bytes)
                frame = pb.ClientFrame.FromString(data)
                name = frame.WhichOneof("frame") or ""
                if name == "hello":
                    device = frame.hello.device
                    self._sessions[user][device] = connection
                method = getattr(self, f"_{name}", None)
                if method is not None:
                    await method(user, connection, getattr(frame, name))
        except websockets.ConnectionClosed:
            pass
        finally:
            if self._sessions[user].get(device) is connection:
                del self._sessions[user][device]

    async def _hello(self, user: int, to: ServerConnection, frame: pb.Hello) -> None:
        welcome = pb.Welcome(
            user=user,
            session="s",
            heartbeat_s=60,
            limits=_LIMITS,
            heads=self._heads(user),
            synced=True,
            position="p",
            epoch="0011223344556677",
        )
        await _say(to, welcome=welcome)

    def _heads(self, user: int) -> list[pb.Head]:
        own = [c for c in self._stored if user in self._readers(c)]
        return [pb.Head(conversation=c, head=len(self._stored[c])) for c in own]

    async def _conversations(
        self, user: int, to: ServerConnection, frame: pb.Conversations
    ) -> None:
        heads = pb.Heads(id=frame.id, heads=self._heads(user), position="p")
        await _say(to, heads=heads)

    async def _sync(self, user: int, to: ServerConnection, frame: pb.Sync) -> None:
        c = frame.conversation
        stored = self._stored[c]
        page = stored[frame.after : frame.after + _LIMITS.page]
        more = frame.after + len(page) < len(stored)
        head = len(stored)
        answer = pb.Page(
            id=frame.id, conversation=c, messages=page, head=head, more=more
        )
        await _say(to, page=answer)

    async def _ping(self, user: int, to: ServerConnection, frame: pb.Ping) -> None:
        await _say(to, pong=pb.Pong(nonce=frame.nonce, checked_ms=1))

    async def _send(self, user: int, to: ServerConnection, frame: pb.Send) -> None:
        c = conversation_of(user, frame.to) if frame.to else f"g:{frame.group}"
        rejected = pb.Rejected(client_id=frame.client_id, reason="no")
        if user not in self._readers(c):
            await _say(to, rejected=_coded(rejected, "forbidden"))
            return
        known = self._accepted.get((user, frame.client_id))
        if known is not None and known[1] != frame.content:
            await _say(to, rejected=_coded(rejected, "conflict"))
            return
        await self._take(user, to, frame.client_id, c, frame.content, 1)

    async def _recall(self, user: int, to: ServerConnection, frame: pb.Recall) -> None:
        rejected = pb.Rejected(client_id=frame.client_id, reason="too late")
        await _say(to, rejected=_coded(rejected, "forbidden"))

    async def _create_group(
        self, user: int, to: ServerConnection, frame: pb.CreateGroup
    ) -> None:
        c = "g:77"
        self._members[c] = {user, *frame.members}
        change = {"created": True, "name": "x", "add": sorted(self._members[c])}
        await self._take(user, to, frame.client_id, c, json.dumps(change), 1001)

    async def _change_group(
        self, user: int, to: ServerConnection, frame: pb.ChangeGroup
    ) -> None:
        c = f"g:{frame.group}"
        change = {"add": [*frame.add], "remove": [*frame.remove]}
        self._members[c] |= {*frame.add}
        await self._take(user, to, frame.client_id, c, json.dumps(change), 1001)
        self._members[c] -= {*frame.remove}

    def _readers(self, c: str) -> set[int]:
        if c.startswith("g:"):
            return self._members.get(c, set())
        return {*map(int, c.split(":")[1:])}

    async def _take(
        self,
        user: int,
        to: ServerConnection,
        client_id: str,
        c: str,
        body: str,
        kind: int,
    ) -> None:
        is_new = (user, client_id) not in self._accepted
        number = next(self._numbers)
        time, _ = self._accepted.setdefault((user, client_id), (number, body))
        accepted = pb.Accepted(client_id=client_id, time=time, conversation=c)
        await _say(to, accepted=accepted)
        if not is_new or ("loses" in self._lies and number % _EACH == 0 and kind == 1):
            return
        stored = self._stored[c]
        message = pb.Deliver(
            conversation=c,
            seq=len(stored) + 1,
            message_id=number,
            content=body,
            kind=kind,
            time=number,
        )
        setattr(message, "from", user)
        stored.append(message)
        for reader in self._readers(c):
            await self._push(reader, message)
        if "leaks" in self._lies and number % _EACH == 0:
            await self._push(max(self._sessions), message)

    async def _push(self, reader: int, message: pb.Deliver) -> None:
        messages = [message]
        if "doubles" in self._lies and message.message_id % _EACH == 0:
            messages *= 2
        if "reorders" in self._lies:
            held = self._held.pop(reader, None)
            if held is not None:
                messages.append(held)
            elif message.message_id % _EACH == 0:
                self._held[reader] = message
                return
        for session in list(self._sessions[reader].values()):
            for each in messages:
                await _say(session, deliver=each)


def _coded(rejected: pb.Rejected, code: str) -> pb.Rejected:
    rejected.code = code
    return rejected


async def _say(to: ServerConnection, **frame: Any) -> None:
    try:
        await to.send(pb.ServerFrame(**frame).SerializeToString())
    except websockets.ConnectionClosed:
        pass
