"""
Matrix's client-server API, with an account for each user and a room for each pair::

    POST /_matrix/client/v3/register                     an account, with a token
    POST /_matrix/client/v3/createRoom                   the sender invites
    POST /_matrix/client/v3/join/ROOM                    the recipient joins
    PUT  /_matrix/client/v3/rooms/ROOM/send/m.room.message/NUMBER
    GET  /_matrix/client/v3/sync?since=...&timeout=...   long polling

A user has two connections, one of which waits in C{/sync}.  A sender's messages follow
each other: the next is sent when the last is answered.  The accounts and rooms stay in
the server's database: use one for tests.
"""

from __future__ import annotations

import asyncio
import secrets
from collections.abc import Callable, Iterator, Mapping
from functools import partial
from urllib.parse import SplitResult, quote

import msgspec

from wsmsg.bench.against.http import HttpAnswer, Lane
from wsmsg.bench.against.interface import LoadUser, UserEvents

_API = "/_matrix/client/v3"
_POLL_MS = 30_000
#: Presence and account data cost a server much, and this load does not use them.
_FILTER = quote(
    '{"presence":{"types":[]},"account_data":{"types":[]},'
    '"room":{"ephemeral":{"types":[]},"account_data":{"types":[]},'
    '"timeline":{"types":["m.room.message"],"limit":100},'
    '"state":{"types":[],"lazy_load_members":true}}}'
)


class _Error(msgspec.Struct):
    errcode: str = ""
    error: str = ""
    flows: list[msgspec.Raw] = []


class _Registered(msgspec.Struct):
    user_id: str
    access_token: str


class _Room(msgspec.Struct):
    room_id: str


class _RoomContent(msgspec.Struct):
    body: object = None


class _RoomEvent(msgspec.Struct):
    type: str = ""
    sender: str = ""
    content: _RoomContent = msgspec.field(default_factory=_RoomContent)


class _Timeline(msgspec.Struct):
    events: list[_RoomEvent] = []


class _Joined(msgspec.Struct):
    timeline: _Timeline = msgspec.field(default_factory=_Timeline)


class _Rooms(msgspec.Struct):
    join: dict[str, _Joined] = {}
    invite: dict[str, msgspec.Raw] = {}


class Synced(msgspec.Struct):
    """
    An answer of C{/sync}.
    """

    next_batch: str
    rooms: _Rooms = msgspec.field(default_factory=_Rooms)

    def bodies(self, room: str, reader: str) -> Iterator[object]:
        """
        Return the texts of a room's new messages by others than the reader.
        """
        joined = self.rooms.join.get(room)
        if joined is not None:
            for event in joined.timeline.events:
                if event.type == "m.room.message" and event.sender != reader:
                    yield event.content.body


class _Versions(msgspec.Struct):
    versions: list[str] = []
    server: dict[str, str] = {}


synced = msgspec.json.Decoder(Synced).decode
_make = msgspec.json.encode


def refusal(answer: HttpAnswer) -> str:
    """
    Return the reason of an answer that is not the wanted one.
    """
    if not answer.status:
        return answer.body.decode()
    try:
        error = msgspec.json.decode(answer.body, type=_Error)
    except ValueError:
        return f"HTTP {answer.status}, and no answer of Matrix"
    text = f"{error.errcode} {error.error}".strip()
    if error.flows:
        text += "registration needs more than m.login.dummy"
    if error.flows or error.errcode == "M_FORBIDDEN":
        text += " (in Synapse: enable_registration_without_verification)"
    return f"HTTP {answer.status}: {text}"


class MatrixUser:
    """
    A user of a Matrix server.

    @param on_lost: called with the reason when the server closes a connection.
    """

    def __init__(
        self, login: LoadUser, url: SplitResult, on_lost: Callable[[str], object]
    ):
        self.identity = self.version = ""
        self._login = login
        self._content = login.content
        self._on_lost = on_lost
        self._sending = Lane(url, self._lost)
        self._syncing = Lane(url, self._lost)
        self._room = self._since = ""
        self._invited: asyncio.Future[str] = asyncio.get_running_loop().create_future()
        self._sink: UserEvents | None = None

    async def enter(self) -> None:
        await self._sending.open()
        await self._syncing.open()
        version = await self._sending.answer("GET", "/_matrix/federation/v1/version")
        if version.status == 200:
            server = msgspec.json.decode(version.body, type=_Versions).server
            self.version = " ".join(server.values())
        body = {
            "username": self._login.name,
            "password": secrets.token_hex(12),
            "auth": {"type": "m.login.dummy"},
        }
        made = await self._ask("POST", f"{_API}/register", body)
        user = msgspec.json.decode(made, type=_Registered)
        self.identity = user.user_id
        for lane in (self._sending, self._syncing):
            lane.authorise(user.access_token)
        first = await self._syncing.answer("GET", f"{_API}/sync?filter={_FILTER}")
        if first.status != 200:
            raise ConnectionError(refusal(first))
        self._since = synced(first.body).next_batch
        self._poll()

    async def meet(self, other: str, *, first: bool) -> None:
        if first:
            body: dict[str, object] = {"preset": "private_chat", "invite": [other]}
            made = await self._ask("POST", f"{_API}/createRoom", body)
            self._room = msgspec.json.decode(made, type=_Room).room_id
        else:
            room = await self._invited
            await self._ask("POST", f"{_API}/join/{quote(room)}", {})
            self._room = room

    async def _ask(self, method: str, path: str, body: Mapping[str, object]) -> bytes:
        answer = await self._sending.answer(method, path, _make(body))
        if answer.status != 200:
            raise ConnectionError(refusal(answer))
        return answer.body

    def join(self, sink: UserEvents) -> None:
        self._sink = sink

    def send(self, numbers: list[int]) -> None:
        for number in numbers:
            content = self._content.make(number)
            body = b'{"msgtype":"m.text","body":"%s"}' % content
            path = f"{_API}/rooms/{quote(self._room)}/send/m.room.message/{number}"
            self._sending.ask("PUT", path, body, partial(self._sent, number))

    def _sent(self, number: int, answer: HttpAnswer) -> None:
        if self._sink is None:
            return
        if answer.status == 200:
            self._sink.accepted(number)
        else:
            self._sink.rejected(number, refusal(answer), 0)
        self._sink.refill()

    def _poll(self) -> None:
        path = f"{_API}/sync?filter={_FILTER}&since={quote(self._since)}"
        self._syncing.ask("GET", f"{path}&timeout={_POLL_MS}", b"", self._polled)

    def _polled(self, answer: HttpAnswer) -> None:
        if answer.status != 200:
            if answer.status:
                self._lost(refusal(answer))
            return
        news = synced(answer.body)
        self._since = news.next_batch
        for room in news.rooms.invite:
            if not self._invited.done():
                self._invited.set_result(room)
        self._poll()
        if self._sink is not None:
            for body in news.bodies(self._room, self.identity):
                number = self._content.number(body)
                if number >= 0:
                    self._sink.delivered(number, number + 1)
            self._sink.refill()

    def report_progress(self) -> None:
        """
        Tell nothing: a client of Matrix sends receipts of what was read.
        """

    def _lost(self, reason: str) -> None:
        if not self._invited.done():
            self._invited.set_exception(ConnectionError(reason))
            # Nobody may wait for it.
            self._invited.exception()
        self._on_lost(reason)

    def leave(self) -> None:
        self._sending.close()
        self._syncing.close()
