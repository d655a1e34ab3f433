"""
Doubles of everything around sessions: the connection, the upstream, the clock.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from twisted.internet.defer import Deferred, succeed
from twisted.internet.task import Clock
from zope.interface import implementer
from zope.interface.verify import verifyObject

from wsmsg.auth.identity import Identity
from wsmsg.connect.session.context import SessionContext
from wsmsg.connect.session.input import FrameDecoder
from wsmsg.connect.session.interface import ISession, ISessionPeer
from wsmsg.connect.session.registry import Registry
from wsmsg.connect.session.session import Session
from wsmsg.connect.upstream.interface import (
    BlocksView,
    ComparedHeads,
    GroupView,
    HeadsView,
    InvitationsView,
    IUpstream,
    IUpstreamReads,
    Login,
    NewSend,
    OnAnswer,
    PageView,
    SendAnswer,
    SendKey,
    UnreadView,
)
from wsmsg.errors import Close, Fault, Unauthenticated
from wsmsg.flow.send_fence import SendFences
from wsmsg.model import Mark, Message, UserPresence
from wsmsg.protocol import frames
from wsmsg.protocol import json as codec_json
from wsmsg.protocol.codec import ICodec
from wsmsg.protocol.frames import ClientFrame, Hello, ServerFrame
from wsmsg.settings.values import ConnectSettings, LimitSettings

NOW_S = 1_700_000_000.0


def unframed(data: bytes) -> bytes:
    """
    Return the payload of one WebSocket message of a server.
    """
    size, at = data[1], 2
    if size == 126:
        size, at = int.from_bytes(data[2:4], "big"), 4
    elif size == 127:
        size, at = int.from_bytes(data[2:10], "big"), 10
    assert len(data) == at + size, "exactly one message"
    return data[at:]


@implementer(ISessionPeer)
class FakePeer:
    """
    A connection that records the calls of its session.

    @ivar written: what the session wrote, framed.
    @ivar closed: the code and the reason of the close.
    @ivar reading: whether the client is read.
    """

    def __init__(self) -> None:
        self.written: list[bytes] = []
        self.closed: tuple[Close, str] | None = None
        self.reading = True
        self.pauses = 0
        self.failed: list[tuple[Close, str]] = []

    def write_encoded(self, data: bytes) -> None:
        assert self.closed is None, "written after the close"
        self.written.append(data)

    def close(self, code: Close, reason: str) -> None:
        assert self.closed is None, "closed twice"
        self.closed = (code, reason)

    def login_failed(self, code: Close, reason: str, fault: Fault) -> None:
        self.failed.append((code, reason))

    def pause(self) -> None:
        self.reading = False
        self.pauses += 1

    def resume(self) -> None:
        self.reading = True

    @property
    def code(self) -> Close | None:
        """
        The code with which the session closed the connection, or L{None}.
        """
        return self.closed[0] if self.closed else None


@implementer(IUpstream, IUpstreamReads)
class FakeUpstream:
    """
    An upstream that answers when the test tells it to.

    @ivar joined_d: the result of the next C{user_joined}; L{None}: C{True} at once.
    @ivar asked: the queries that wait for an answer.
    """

    def __init__(self) -> None:
        self.up = True
        self.unnumbered = False
        self.changed_s = 0.0
        self.reads = self
        self.judges = False
        self.calls: list[tuple[Any, ...]] = []
        self.logins: list[Login] = []
        self.sends: list[tuple[NewSend, OnAnswer]] = []
        self.fences: SendFences[SendKey] = SendFences()
        self.joined_d: Deferred[bool] | None = None
        self.heads_d: Deferred[HeadsView] | None = None
        self.asked: list[Deferred[Any]] = []

    def send(self, new: NewSend, on_answer: OnAnswer) -> None:
        self.sends.append((new, on_answer))

    def unanswered(self, key: SendKey) -> list[str]:
        return [new.client_id for new, _ in self.sends if new.key == key]

    def accept(self, count: int = 1) -> None:
        """
        Accept the oldest sends.
        """
        for _ in range(count):
            _, on_answer = self.sends.pop(0)
            on_answer(SendAnswer(time_ms=5))

    def user_joined(self, user: int, login: Login | None = None) -> Deferred[bool]:
        self.calls.append(("user_joined", user))
        if login is not None:
            self.logins.append(login)
            login.numbered(len(self.logins) + 1)
        return self.joined_d or succeed(self.up)

    def user_left(self, user: int) -> None:
        self.calls.append(("user_left", user))

    def cursor(self, conversation: str, user: int, delivered: int, read: int) -> None:
        self.calls.append(("cursor", conversation, user, delivered, read))

    def typing(self, conversation: str, user: int) -> None:
        self.calls.append(("typing", conversation, user))

    def watch(self, users: Sequence[int]) -> None:
        self.calls.append(("watch", sorted(users)))

    def unwatch(self, users: Sequence[int]) -> None:
        self.calls.append(("unwatch", sorted(users)))

    def page(
        self, user: int, conversation: str, after: int, limit: int
    ) -> Deferred[PageView]:
        return self._ask("page", user, conversation, after, limit)

    def heads(
        self,
        user: int,
        position: str,
        limit: int,
        *,
        continued: bool,
        witness: str = "",
    ) -> Deferred[HeadsView]:
        more = (witness,) if witness else ()
        self.calls.append(("heads", user, position, limit, continued, *more))
        if self.heads_d is not None:
            return self.heads_d
        return succeed(HeadsView((), False, "p1", "e1"))

    def compare(
        self, pushed: Sequence[tuple[int, str, int]]
    ) -> Deferred[ComparedHeads]:
        return self._ask("compare", tuple(pushed))

    def group(
        self, user: int, conversation: str, after: int, limit: int
    ) -> Deferred[GroupView]:
        return self._ask("group", user, conversation, after, limit)

    def presence(
        self, users: Sequence[int], asker: int = 0
    ) -> Deferred[list[UserPresence]]:
        return self._ask("presence", tuple(users))

    def mark(self, user: int, marks: Sequence[Mark]) -> Deferred[list[bool]]:
        return self._ask("mark", user, tuple(marks))

    def blocks(self, user: int, after: str, limit: int) -> Deferred[BlocksView]:
        return self._ask("blocks", user, after, limit)

    def invitations(
        self, user: int, after: str, limit: int
    ) -> Deferred[InvitationsView]:
        return self._ask("invitations", user, after, limit)

    def unread(self, user: int, position: str, limit: int) -> Deferred[UnreadView]:
        return self._ask("unread", user, position, limit)

    def _ask(self, *call: Any) -> Deferred[Any]:
        self.calls.append(call)
        asked: Deferred[Any] = Deferred()
        self.asked.append(asked)
        return asked

    def named(self, name: str) -> list[tuple[Any, ...]]:
        """
        Return the arguments of all calls with this name.
        """
        return [call[1:] for call in self.calls if call[0] == name]


def authenticate(token: str, claimed_user: int | None) -> Identity:
    """
    Accept tokens that name their user, and perhaps the times of their expiry and issue:
    C{token-1001}, C{token-1001/1700000060/1700000000}.
    """
    if not token.startswith("token-"):
        raise Unauthenticated("the token is forged")
    user, *times = token[6:].split("/")
    expires_s, issued_s, *_ = (*map(float, times), 0.0, 0.0)
    if not user.isdecimal():
        return Identity(0, expires_s, issued_s, user)
    if claimed_user not in (None, int(user)):
        raise Unauthenticated("the token is of another user than the one named")
    return Identity(int(user), expires_s, issued_s)


class FakeNode:
    """
    A node with sessions.

    @ivar set_by_s: seconds by which the system clock was set.
    """

    def __init__(self, upstream: FakeUpstream | None = None, **limits: Any) -> None:
        self.clock = Clock()
        self.clock.advance(NOW_S)
        self.settings = ConnectSettings(limits=LimitSettings(**limits))
        self.set_by_s = 0.0
        self.registry = Registry(
            self.settings, self.clock, lambda low, high: high, unix_s=self.unix_s
        )
        self.upstream = upstream or FakeUpstream()
        verifyObject(IUpstream, self.upstream)
        self.context = SessionContext(
            decoder=FrameDecoder(),
            name="here",
            incarnation="life",
            registry=self.registry,
            upstream=self.upstream,
            authenticate=authenticate,
            clock=self.clock,
            unix_s=self.unix_s,
        )

    def unix_s(self) -> float:
        """
        Return the time of the system clock, which was set by C{set_by_s}.
        """
        return self.clock.seconds() + self.set_by_s

    def client(
        self,
        identity: Identity | None = None,
        *,
        codec: ICodec = codec_json.CODEC,
    ) -> Client:
        """
        Connect a client.
        """
        return Client(self, identity, codec)

    def log_in(
        self,
        user: int,
        device: str = "phone",
        *,
        codec: ICodec = codec_json.CODEC,
        token: str = "",
    ) -> Client:
        """
        Connect a client and log it in; its welcome has been read.
        """
        client = self.client(codec=codec)
        client.say(Hello(token or f"token-{user}", device))
        (welcome,) = client.heard()
        assert isinstance(welcome, frames.Welcome)
        return client

    def pass_time(self, seconds: float) -> None:
        """
        Advance the clock, then sweep.
        """
        self.clock.advance(seconds)
        self.registry.timers.sweep()
        self.registry.expiry.sweep()


class Client:
    """
    The client's end of a session.
    """

    def __init__(
        self, node: FakeNode, identity: Identity | None, codec: ICodec
    ) -> None:
        self.peer = FakePeer()
        verifyObject(ISessionPeer, self.peer)
        self.codec = codec
        self.session = Session(self.peer, codec, node.context, identity=identity)
        verifyObject(ISession, self.session)

    def say(self, *said: ClientFrame) -> None:
        """
        Send frames.
        """
        for frame in said:
            self.raw(self.codec.encode_client(frame))

    def raw(self, data: bytes) -> None:
        """
        Send a payload.
        """
        self.session.received(data, self.codec.binary)

    def heard(self) -> list[ServerFrame]:
        """
        Return the frames received since the last call.
        """
        written, self.peer.written = self.peer.written, []
        return [self.codec.decode_server(unframed(data)) for data in written]

    def hang_up(self) -> None:
        """
        Lose the connection.
        """
        self.session.lost("the client hung up")


def message(
    sender: int,
    to: int,
    seq: int,
    *,
    content: str = "hi",
    client_id: str = "c1",
) -> Message:
    """
    Return a stored message of two users.
    """
    low, high = sorted((sender, to))
    name = f"u:{low}:{high}"
    return Message(name, sender, client_id, 100 + seq, content, 1, 7, seq)
