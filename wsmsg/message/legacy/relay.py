"""
The relay of pushes from other Messages to the legacy Connects of this one.

The Message that owns a partition of the journal pushes its records, but a legacy
Connect has a stream to only one Message.  So a Message with a legacy Connect subscribes
to all other Messages, as a Connect with every user would, and writes their pushes to
the streams of its legacy Connects::

    journal --> Message A --Links--> [everything] --> Message B --> legacy Connect

Relayed pushes go to legacy streams and nowhere else, so nothing circulates.  A push is
acknowledged when it is written to all of these streams.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from twisted.internet.defer import Deferred, gatherResults
from twisted.internet.interfaces import IReactorTime, IStreamClientEndpoint

from wsmsg.dependency.retry import Backoff
from wsmsg.message.legacy.peers import LegacyConnects
from wsmsg.message.legacy.relay_peer import Hello, RelayPeer
from wsmsg.peers.channel import OpenChannel
from wsmsg.rpc import rest_pb2
from wsmsg.stream.contract import LINK_VERSION, MESSAGE_STREAM
from wsmsg.stream.endpoint import StreamEndpoint

#: After an address has been missing from the list for so long, its stream ends.
MISSING_S = 5.0
_WELCOME_S = 5.0

#: Makes the endpoint of one attempt.
EndpointOf = Callable[[str, Hello], IStreamClientEndpoint]


def grpc_endpoint(
    open_channel: OpenChannel, address: str, hello: Hello, keepalive_s: float
) -> StreamEndpoint:
    """
    Return the endpoint of a stream to another Message.
    """
    return StreamEndpoint(
        open_channel,
        address,
        MESSAGE_STREAM,
        request=rest_pb2.MessageStreamRequest,
        response=rest_pb2.MessageStreamResponse,
        hello=hello,
        welcomed=lambda message: message is not None and message.HasField("welcome"),
        welcome_timeout_s=_WELCOME_S,
        keepalive_s=keepalive_s,
    )


class LegacyRelay:
    """
    The streams to all other Messages, while a legacy Connect is subscribed here.

    @param node: the name of this Message.
    """

    def __init__(
        self,
        connects: LegacyConnects,
        clock: IReactorTime,
        endpoint: EndpointOf,
        *,
        node: str,
        backoff: Backoff,
    ) -> None:
        self._connects = connects
        self._clock = clock
        self._endpoint = endpoint
        self._node = node
        self._backoff = backoff
        self._addresses: frozenset[str] = frozenset()
        self._missing: dict[str, float] = {}
        self._peers: dict[str, RelayPeer] = {}
        self._leaving: set[Deferred[Any]] = set()
        self._stopped = False
        connects.on_subscribed.append(lambda _: self._dial())

    def listed(self, addresses: frozenset[str]) -> None:
        """
        Set the addresses of all other Messages.
        """
        now_s = self._clock.seconds()
        for address in addresses:
            self._missing.pop(address, None)
        for address in self._addresses - addresses:
            self._missing.setdefault(address, now_s)
        gone = {a for a, since in self._missing.items() if now_s - since >= MISSING_S}
        for address in gone:
            del self._missing[address]
        known = (self._addresses | addresses) - gone
        if known != self._addresses:
            self._addresses = known
            self._dial()

    def status(self) -> dict[str, Any]:
        """
        Return the part C{legacy_relay} of C{/status}.
        """
        return {"messages": [peer.status() for peer in self._peers.values()]}

    def stop(self) -> Deferred[list[object]]:
        """
        End all streams.
        """
        self._stopped = True
        self._dial()
        return gatherResults(list(self._leaving))

    def subscribe(self) -> rest_pb2.SubscribeRequest:
        """
        Return the first frame of a stream.  Its name has a colon, which no name of a
        Connect has.
        """
        return rest_pb2.SubscribeRequest(
            connect_service_id=f"message:{self._node}",
            link_version=LINK_VERSION,
            incarnation=self._connects.incarnation,
            everything=True,
        )

    def _dial(self) -> None:
        wanted = self._connects.subscribers > 0 and not self._stopped
        addresses = self._addresses if wanted else frozenset[str]()
        for address in self._peers.keys() - addresses:
            self._leave(self._peers.pop(address))
        for address in addresses - self._peers.keys():
            peer = RelayPeer(
                address,
                self._clock,
                self._endpoint,
                subscribe=self.subscribe,
                push=self._connects.push_to,
                backoff=self._backoff,
            )
            self._peers[address] = peer
            peer.start()

    def _leave(self, peer: RelayPeer) -> None:
        left = peer.stop()
        self._leaving.add(left)
        left.addBoth(lambda _: self._leaving.discard(left))
