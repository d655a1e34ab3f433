"""
In-memory doubles of the sessions, of Message and of the network, for tests of
Connect's upstream.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from twisted.internet.defer import Deferred, succeed
from twisted.internet.interfaces import IStreamClientEndpoint
from twisted.internet.task import Clock
from twisted.python.failure import Failure
from zope.interface import implementer
from zope.interface.verify import verifyObject

from tests.connect.upstream.recording_edge import RecordingEdge
from wsmsg.connect.discovery.interface import Changed, IDiscovery
from wsmsg.connect.legacy.upstream.plugin import LegacyUpstream
from wsmsg.connect.upstream.endpoint import MessageEndpoints
from wsmsg.connect.upstream.interface import IEdge, IUpstream, NewSend, SendAnswer
from wsmsg.connect.upstream.upstream import Upstream
from wsmsg.dependency.alarms import Alarms
from wsmsg.dependency.retry import RetryPolicy
from wsmsg.dependency.state import Dependency
from wsmsg.rpc import rest_pb2
from wsmsg.settings.values import ConnectSettings
from wsmsg.stream.endpoint import StreamAddress
from wsmsg.stream.errors import AlreadyOpen, StreamFailed, StreamLost

Batch = rest_pb2.ConnectBatch


class MemoryStream:
    """
    One stream as Message sees it.

    @ivar hello: the subscribe.
    @ivar queries: the requests of all queries, with the Deferreds that answer them.
    @ivar reaches: the questions if it reaches another Message, with their Deferreds.
    @ivar last: the frames that Connect still had when it closed the stream.
    @ivar echoes: the Deferreds that answer echoes.
    """

    def __init__(self, clock: Clock, hello: rest_pb2.SubscribeRequest) -> None:
        self.hello = hello
        self.queries: list[tuple[Any, Deferred[Any]]] = []
        self.reaches: list[tuple[rest_pb2.ReachRequest, Deferred[Any]]] = []
        self.echoes: list[Deferred[None]] = []
        self.last = Batch()
        self.dropped = ""
        self.numbers = 0
        self.protocol: Any = None
        self._clock = clock

    # -- the transport

    def flush_soon(self) -> None:
        pass

    flush_later = flush_soon

    def loseConnection(self) -> None:
        self.last = self.take()
        self._clock.callLater(0, self.lose, "closed by this node")

    def abortConnection(self, reason: str) -> None:
        self.dropped = reason
        self._clock.callLater(0, self.lose, reason)

    def query(
        self, method: str, request: Any, answer: type[Any], timeout_s: float
    ) -> Deferred[Any]:
        asked: Deferred[Any] = Deferred()
        reaches = isinstance(request, rest_pb2.ReachRequest)
        (self.reaches if reaches else self.queries).append((request, asked))
        return asked

    def echo(self, timeout_s: float) -> Deferred[None]:
        asked: Deferred[None] = Deferred()
        self.echoes.append(asked)
        return asked

    # -- Message

    def events(self) -> list[rest_pb2.MessageStreamRequest]:
        """
        Take all events that Connect has for a legacy Message.
        """
        return list(iter(self.protocol.drain, None))

    def frames(self) -> list[Batch]:
        """
        Take all frames that Connect has for a Message of wsmsg.
        """
        frames = []
        while (request := self.protocol.drain()) is not None:
            frames.append(request.batch)
        return frames

    def take(self) -> Batch:
        """
        Take all frames, merged into one.
        """
        whole = Batch()
        for frame in self.frames():
            whole.MergeFrom(frame)
        return whole

    def apply(self) -> Batch:
        """
        Take all frames, and answer that their presence is applied.
        """
        whole = self.take()
        self.say(presence_applied=whole.presence.number)
        return whole

    def say(self, **batch: Any) -> None:
        """
        Send a push batch; C{number=True} numbers it.
        """
        if batch.get("number") is True:
            self.numbers += 1
            batch["number"] = self.numbers
        push = rest_pb2.PushBatch(**batch)
        self.protocol.messageReceived(rest_pb2.MessageStreamResponse(batch=push))

    def accept(self, *numbers: int) -> None:
        """
        Accept the sends of these numbers.
        """
        self.say(results=[rest_pb2.SendResult(id=n, time_ms=1000 + n) for n in numbers])

    def lose(self, reason: str = "the peer closed the connection") -> None:
        protocol, self.protocol = self.protocol, None
        if protocol is not None:
            protocol.connectionLost(Failure(StreamLost(reason)))


class MemoryMessage:
    """
    A Message at an address, which refuses streams until C{refuses} is empty.

    @ivar address: of this Message in the list of Messages.
    @ivar listed: all addresses in that list.
    @ivar other: the double of the same Message at another address, if there is one.
    @ivar hangs: whether its own address swallows attempts.
    @ivar unnumbered: whether it sends no welcome.
    @ivar unix_ms: its system clock; 0: it tells no time.
    @ivar peers: for each attempt, the kind of Message that Connect expected, as a
        value of the setting C{upstream.peer}.
    """

    def __init__(self, clock: Clock) -> None:
        self.attempts = 0
        self.unnumbered = self.hangs = False
        self.other: MemoryMessage | None = None
        self.peers: list[str] = []
        self.refuses = "connection refused"
        self.incarnation = "m1"
        self.resumes = False
        self.heartbeat_ms = self.unix_ms = 0
        self.address = ""
        self.listed: Sequence[str] = ()
        self.streams: list[MemoryStream] = []
        self._clock = clock

    @property
    def stream(self) -> MemoryStream:
        return self.streams[-1]

    def connect(self, hello: rest_pb2.MessageStreamRequest, factory: Any) -> Any:
        self.attempts += 1
        if self.refuses:
            raise StreamFailed(self.refuses)
        if self.other is not None:
            self._replace(self.other, hello.subscribe)
        stream = MemoryStream(self._clock, hello.subscribe)
        address = StreamAddress("memory", welcomed=not self.unnumbered)
        stream.protocol = protocol = factory.buildProtocol(address)
        if protocol is None:
            raise StreamFailed("not wanted any more")
        self.streams.append(stream)
        if self.resumes:
            stream.numbers = hello.subscribe.resume_from
        protocol.makeConnection(stream)
        if self.unnumbered:
            return protocol
        welcome = rest_pb2.LinkWelcome(
            incarnation=self.incarnation,
            link_version=1,
            resumed=self.resumes,
            heartbeat_ms=self.heartbeat_ms,
            unix_ms=self.unix_ms,
            address=self.address,
            messages=rest_pb2.MessageList(addresses=self.listed),
        )
        protocol.messageReceived(rest_pb2.MessageStreamResponse(welcome=welcome))
        return protocol

    def _replace(self, other: MemoryMessage, hello: rest_pb2.SubscribeRequest) -> None:
        """
        End the stream by the other address, unless Connect has it as well.
        """
        for stream in other.streams:
            if stream.protocol is not None:
                if stream.hello.stream in hello.other_streams:
                    raise AlreadyOpen("there is a stream by another address")
                stream.lose("another stream began")


@implementer(IStreamClientEndpoint)
class MemoryEndpoint:
    """
    The endpoint of a L{MemoryMessage}.
    """

    def __init__(
        self, message: MemoryMessage, hello: Any, *, hangs: bool = False
    ) -> None:
        self._message = message
        self._hello = hello
        self._hangs = hangs

    def connect(self, protocolFactory: Any) -> Deferred[Any]:
        if self._hangs:
            return Deferred()
        attempt: Deferred[Any] = succeed(None)
        return attempt.addCallback(
            lambda _: self._message.connect(self._hello(), protocolFactory)
        )


@implementer(IDiscovery)
class MemoryDiscovery:
    """
    Finds the addresses in its URL, and those that a test reports.
    """

    dependency: Dependency | None = None

    def __init__(self, url: str) -> None:
        self.url = url
        self.stopped = False
        self.changed: Changed | None = None

    def start(self, changed: Changed) -> None:
        self.changed = changed
        changed(frozenset(self.url.removeprefix("static:").split(",")))

    def stop(self) -> Deferred[None]:
        self.stopped = True
        return succeed(None)


class World:
    """
    An L{Upstream} between C{edge}, a L{RecordingEdge}, and L{MemoryMessage}s.

    @ivar relayed: the attempts through another Message: its address, and that of the
        Message to reach.
    @ivar ahead_s: the seconds that the system clock is ahead of C{clock}.
    """

    def __init__(
        self,
        addresses: str = "a:1",
        *,
        node: str = "connect-1",
        edge: IEdge | None = None,
        **settings: Any,
    ) -> None:
        self.clock = Clock()
        self.clock.advance(1000)
        self.ahead_s = 0.0
        self.edge = RecordingEdge()
        verifyObject(IEdge, self.edge)
        self.messages: dict[str, MemoryMessage] = {}
        self.gave_up: list[str] = []
        self.relayed: list[tuple[str, str]] = []
        self.alarms = Alarms(self.clock.seconds)
        settings.setdefault("retry", {"jitter": 0})
        self.settings = ConnectSettings(discovery=f"static:{addresses}", **settings)
        self.upstream = Upstream(
            self.settings,
            self.clock,
            edge or self.edge,
            node=node,
            incarnation="c1",
            give_up=self.gave_up.append,
            endpoints=MessageEndpoints(self._endpoint, self._relayed, self._answers),
            discovery=self._discover,
            unnumbered_mode=LegacyUpstream,
            alarms=self.alarms,
            unix_s=lambda: self.clock.seconds() + self.ahead_s,
        )
        verifyObject(IUpstream, self.upstream)
        self.answers: dict[str, SendAnswer] = {}

    def _discover(
        self, settings: ConnectSettings, reactor: Any, retry: RetryPolicy
    ) -> MemoryDiscovery:
        self.discovery_retry = retry
        self.discovery = MemoryDiscovery(settings.discovery)
        return self.discovery

    def _endpoint(
        self, address: str, hello: Any, settings: Any, unnumbered: Any
    ) -> MemoryEndpoint:
        peer = settings.upstream.peer if unnumbered else "wsmsg"
        if peer == "legacy":
            hello = unnumbered()._hello
        self.message(address).peers.append(peer)
        message = self.message(address)
        return MemoryEndpoint(message, hello, hangs=message.hangs)

    def _relayed(
        self, through: str, address: str, hello: Any, settings: Any
    ) -> MemoryEndpoint:
        self.relayed.append((through, address))
        found = [m for m in self.messages.values() if m.address == address]
        return MemoryEndpoint(found[0] if found else self.message(address), hello)

    def _answers(self, address: str, limit_s: float) -> Deferred[bool]:
        message = self.message(address)
        return succeed(not message.refuses and not message.hangs)

    def message(self, address: str = "a:1") -> MemoryMessage:
        if address not in self.messages:
            self.messages[address] = MemoryMessage(self.clock)
        return self.messages[address]

    def start(self, *up: str) -> None:
        """
        Start, with the Messages at these addresses up and the users of the node known
        to them.
        """
        for address in up:
            self.message(address).refuses = ""
        self.upstream.startService()
        self.clock.advance(0)
        for address in up:
            self.message(address).stream.apply()

    def run(self, seconds: float) -> None:
        """
        Advance the clock in small steps.
        """
        self.clock.pump([0.05] * round(seconds / 0.05))

    def send(self, client_id: str, conversation: str = "u:1:2") -> None:
        def on_answer(answer: SendAnswer) -> None:
            assert client_id not in self.answers, "answered twice"
            self.answers[client_id] = answer

        new = NewSend(1, client_id, conversation, f"text of {client_id}", 1)
        self.upstream.send(new, on_answer)


def client_ids(batch: Batch) -> list[str]:
    return [send.client_id for send in batch.sends]
