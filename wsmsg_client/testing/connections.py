"""
The connections of the fake server: the WebSockets, and the frames on them.
"""

from __future__ import annotations

import asyncio
import json
from collections import deque
from collections.abc import Iterable
from http import HTTPStatus
from typing import assert_never

import attrs
from websockets.asyncio.server import ServerConnection
from websockets.exceptions import ConnectionClosed
from websockets.http11 import Request, Response

from wsmsg.errors import BadFrame, Close, Unsupported, WsmsgError
from wsmsg.events.group_change import GROUP
from wsmsg.protocol import frames, protobuf
from wsmsg.protocol import json as json_codec
from wsmsg.protocol.frames import ClientFrame, Deliver, Limits, ServerFrame
from wsmsg_client.testing.conversations import (
    FakeConversations,
    SentMessage,
    Submission,
    for_user,
)

CODECS = {c.subprotocol: c for c in (protobuf.CODEC, json_codec.CODEC)}
_PAGE = 100


@attrs.define(eq=False)
class FakeSession:
    """
    A connection of a user, from its hello on.
    """

    user: int
    connection: ServerConnection
    codec: protobuf.ProtobufCodec | json_codec.JsonCodec
    device: str = ""
    watched: frozenset[int] = frozenset()
    leaving: asyncio.Queue[ServerFrame] = attrs.field(factory=asyncio.Queue)

    def give(self, frame: ServerFrame) -> None:
        """
        Send a frame, after those before it.
        """
        self.leaving.put_nowait(frame)

    def login(self, device: str) -> None:
        """
        Note the name of the device.
        """
        self.device = device

    def watch(self, users: Iterable[int]) -> None:
        """
        Note whose presence the client wants to know.
        """
        self.watched = frozenset(users)


class FakeConnections:
    """
    The open connections.

    Attributes:
        sent: the messages that were accepted from clients.
        unread: those of them that the test has not looked at.
        refusals: the errors for the next requests.
    """

    def __init__(self, conversations: FakeConversations) -> None:
        self.conversations = conversations
        self.sessions: dict[tuple[int, str], FakeSession] = {}
        self.sent: list[SentMessage] = []
        self.unread: asyncio.Queue[SentMessage] = asyncio.Queue()
        self.refusals: deque[WsmsgError] = deque()
        self._lost_answers = 0
        self._logins = 0

    def is_online(self, user: int) -> bool:
        """
        Return whether a user is connected.
        """
        return any(session.user == user for session in self.sessions.values())

    def lose_answers(self, times: int) -> None:
        """
        Accept the next requests without an answer, and cut the connection instead.
        """
        self._lost_answers += times

    def abort(self) -> None:
        """
        Cut all connections.
        """
        for session in list(self.sessions.values()):
            session.connection.transport.abort()

    def admit(self, connection: ServerConnection, request: Request) -> Response | None:
        """
        Refuse a handshake whose token is not one of a user.
        """
        if _user_of(request):
            return None
        status = HTTPStatus.UNAUTHORIZED
        document = {
            "status": status.value,
            "code": "unauthenticated",
            "detail": "the fake server takes the tokens that server.token returns",
        }
        return connection.respond(status, json.dumps(document))

    async def serve(self, connection: ServerConnection) -> None:
        """
        Serve a connection until it ends.
        """
        codec = CODECS.get(connection.subprotocol or "")
        assert connection.request is not None
        if codec is None:
            await connection.close(Close.BAD_FRAME, "no subprotocol")
            return
        session = FakeSession(_user_of(connection.request), connection, codec)
        writing = asyncio.create_task(self._write(session))
        try:
            async for data in connection:
                raw = data.encode() if isinstance(data, str) else data
                self._take(session, codec.decode(raw))
        except BadFrame as error:
            await connection.close(Close.BAD_FRAME, error.reason[:100])
        except ConnectionClosed:
            pass
        finally:
            writing.cancel()
            if self.sessions.get((session.user, session.device)) is session:
                del self.sessions[session.user, session.device]
                self._tell_presence(session.user)

    async def _write(self, session: FakeSession) -> None:
        text = not session.codec.binary
        try:
            while True:
                frame = await session.leaving.get()
                await session.connection.send(session.codec.encode(frame), text=text)
        except ConnectionClosed:
            pass

    def _take(self, session: FakeSession, frame: ClientFrame) -> None:
        user, known = session.user, self.conversations
        try:
            match frame:
                case frames.Hello():
                    self._hello(session, frame)
                case frames.Send() | frames.CreateGroup() | frames.ChangeGroup():
                    self._submit(session, frame)
                case frames.Sync():
                    session.give(known.page(user, frame, _PAGE))
                case frames.Conversations():
                    session.give(
                        frames.Heads(
                            frame.id, known.heads(user), position="p", epoch="fake"
                        )
                    )
                case frames.Members():
                    session.give(known.group(user, frame))
                case frames.Delivered():
                    receipt = known.mark(user, frame.conversation, delivered=frame.seq)
                    self._tell(user, frame.conversation, receipt)
                case frames.Read():
                    receipt = known.mark(user, frame.conversation, read=frame.seq)
                    self._tell(user, frame.conversation, receipt)
                case frames.Typing():
                    typing = frames.Typing(frame.conversation, user)
                    self._tell(user, frame.conversation, typing)
                case frames.Watch():
                    session.watch(frame.users)
                    for other in frame.users:
                        session.give(frames.Presence(other, self.is_online(other)))
                case frames.Ping():
                    session.give(frames.Pong(frame.nonce))
                case frames.Refresh():
                    session.give(frames.Refreshed(frame.id))
                case (
                    frames.Recall()
                    | frames.Block()
                    | frames.Invite()
                    | frames.AcceptInvitation()
                    | frames.DeclineInvitation()
                    | frames.Blocks()
                    | frames.Invitations()
                    | frames.Names()
                ):
                    kind = type(frame).__name__
                    raise Unsupported(f"the fake server has no {kind}")
                case _:
                    assert_never(frame)
        except WsmsgError as error:
            session.give(_refusal(frame, error))

    def _hello(self, session: FakeSession, hello: frames.Hello) -> None:
        key = (session.user, hello.device)
        older = self.sessions.pop(key, None)
        if older is not None:
            closing = older.connection.close(Close.REPLACED, "a newer login")
            asyncio.ensure_future(closing)  # noqa: RUF006 (ends with the connection)
        session.login(hello.device)
        self.sessions[key] = session
        self._logins += 1
        session.give(
            frames.Welcome(
                session.user,
                f"fake-{self._logins}",
                heartbeat_s=30.0,
                limits=Limits(
                    content_bytes=self.conversations.limit_bytes,
                    frame_bytes=self.conversations.limit_bytes * 4 + 4096,
                    window=1000,
                    sends_per_s=0,
                    page=_PAGE,
                    watch=1000,
                ),
                time=0,
                heads=self.conversations.heads(session.user),
                position="p",
                epoch="fake",
            )
        )
        self._tell_presence(session.user)

    def _submit(self, session: FakeSession, request: Submission) -> None:
        if self.refusals:
            raise self.refusals.popleft()
        accepted, new = self.conversations.accept(session.user, request)
        if self._lost_answers:
            self._lost_answers -= 1
            session.connection.transport.abort()
        else:
            session.give(accepted)
        if new is not None:
            if new.kind != GROUP:
                message = self.conversations.described(new)
                self.sent.append(message)
                self.unread.put_nowait(message)
            self.publish(new)

    def publish(self, message: Deliver) -> None:
        """
        Send a message to all whom it is for, as far as they are connected.
        """
        for session in self.of(self.conversations.recipients(message)):
            session.give(for_user(message, session.user))

    def _tell(self, user: int, conversation: str, frame: ServerFrame | None) -> None:
        members = self.conversations.members(conversation)
        if frame is not None and user in members:
            for session in self.of(members):
                if session.user != user:
                    session.give(frame)

    def _tell_presence(self, user: int) -> None:
        for session in self.sessions.values():
            if user in session.watched:
                session.give(frames.Presence(user, self.is_online(user)))

    def of(self, users: Iterable[int]) -> list[FakeSession]:
        """
        Return the connections of users.
        """
        return [one for one in self.sessions.values() if one.user in users]


def _user_of(request: Request) -> int:
    login = request.headers.get("Authorization", "")
    digits = login.removeprefix("Bearer user-")
    return int(digits) if digits.isascii() and digits.isdecimal() else 0


def _refusal(frame: ClientFrame, error: WsmsgError) -> ServerFrame:
    client_id = getattr(frame, "client_id", "")
    if client_id:
        return frames.Rejected(
            client_id, error.code, error.reason, error.retry_after_ms, error.uncertain
        )
    request_id = getattr(frame, "id", "")
    return frames.Error(error.code, error.reason, request_id, error.retry_after_ms)
