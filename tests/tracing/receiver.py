"""
A real receiver of OTLP over HTTP: it decodes the protobuf of each request.
"""

from __future__ import annotations

from typing import Any

from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import (
    ExportTraceServiceRequest,
    ExportTraceServiceResponse,
)
from twisted.internet import reactor
from twisted.internet.defer import Deferred, maybeDeferred
from twisted.internet.interfaces import IListeningPort
from twisted.internet.protocol import Factory, Protocol
from twisted.internet.task import deferLater
from twisted.web.resource import Resource
from twisted.web.server import Site

#: An alias with types, which mypy cannot see in a module.
REACTOR: Any = reactor


class ReceivedSpan:
    """
    A span, as the receiver got it.

    @ivar service: the C{service.name} of the daemon that made it.
    @ivar node: the name of that daemon.
    """

    def __init__(self, resource: Any, span: Any) -> None:
        about = _values(resource.attributes)
        self.service: str = about["service.name"]
        self.node: str = about["service.instance.id"]
        self.name: str = span.name
        self.operation: str = span.name.partition(" ")[0]
        self.trace_id: str = span.trace_id.hex()
        self.span_id: str = span.span_id.hex()
        self.parent: str = span.parent_span_id.hex()
        self.start_ns: int = span.start_time_unix_nano
        self.end_ns: int = span.end_time_unix_nano
        self.attributes = _values(span.attributes)
        self.links = [(link.trace_id.hex(), link.span_id.hex()) for link in span.links]
        self.error: str = span.status.message

    def __repr__(self) -> str:
        return f"<{self.service} {self.name} {self.span_id} after {self.parent}>"


def _values(attributes: Any) -> dict[str, Any]:
    return {a.key: getattr(a.value, a.value.WhichOneof("value")) for a in attributes}


class _CountedSite(Site):
    """
    A site that can end its connections.
    """

    noisy = False

    def __init__(self, resource: Resource) -> None:
        super().__init__(resource)  # type: ignore[no-untyped-call]
        self._channels: list[Any] = []

    def buildProtocol(self, addr: object) -> Any:
        channel: Any = super().buildProtocol(addr)  # type: ignore[no-untyped-call]
        self._channels.append(channel)
        return channel

    def end_all(self) -> None:
        """
        End all connections.
        """
        for channel in self._channels:
            channel._channel.transport.abortConnection()


class OtlpReceiver(Resource):
    """
    Keeps the spans that it gets.

    @ivar spans: all of them.
    @ivar status: the status of the answers.
    """

    isLeaf = True

    def __init__(self) -> None:
        super().__init__()  # type: ignore[no-untyped-call]
        self.spans: list[ReceivedSpan] = []
        self.status = 200
        self.requests = 0
        self._site = _CountedSite(self)
        self._listening: IListeningPort = REACTOR.listenTCP(
            0, self._site, interface="127.0.0.1"
        )

    @property
    def url(self) -> str:
        address: Any = self._listening.getHost()
        return f"http://127.0.0.1:{address.port}/v1/traces"

    def render_POST(self, request: Any) -> bytes:
        self.requests += 1
        request.setResponseCode(self.status)
        if self.status == 200 and request.path == b"/v1/traces":
            received = ExportTraceServiceRequest.FromString(request.content.read())
            self.spans += [
                ReceivedSpan(each.resource, span)
                for each in received.resource_spans
                for scope in each.scope_spans
                for span in scope.spans
            ]
        request.setHeader(b"Content-Type", b"application/x-protobuf")
        return bytes(ExportTraceServiceResponse().SerializeToString())

    def answer(self, status: int) -> None:
        """
        Answer with this status from now on.
        """
        self.status = status

    def of_trace(self, trace_id: str) -> list[ReceivedSpan]:
        """
        Return the spans of a trace, in the order in which they began.
        """
        found = [span for span in self.spans if span.trace_id == trace_id]
        return sorted(found, key=lambda span: span.start_ns)

    def stop(self) -> Any:
        """
        Stop listening, and end all connections.
        """
        self._site.end_all()
        stopped = maybeDeferred(self._listening.stopListening)
        return stopped.addCallback(lambda _: deferLater(REACTOR, 0))


class HangingReceiver(Factory):
    """
    Accepts connections, and never answers.

    @ivar asked: fires with the first bytes that come.
    """

    noisy = False

    def __init__(self) -> None:
        self.asked: Deferred[None] = Deferred()
        self._open: list[Any] = []
        self._listening: IListeningPort = REACTOR.listenTCP(
            0, self, interface="127.0.0.1"
        )

    @property
    def url(self) -> str:
        address: Any = self._listening.getHost()
        return f"http://127.0.0.1:{address.port}/v1/traces"

    def buildProtocol(self, addr: object) -> Protocol:
        factory = self

        class Hang(Protocol):
            def dataReceived(self, data: bytes) -> None:
                if not factory.asked.called:
                    factory.asked.callback(None)

            def connectionMade(self) -> None:
                factory._open.append(self.transport)

        return Hang()

    def stop(self) -> Any:
        """
        Stop listening, and end all connections.
        """
        for transport in self._open:
            transport.abortConnection()
        stopped = maybeDeferred(self._listening.stopListening)
        return stopped.addCallback(lambda _: deferLater(REACTOR, 0))
