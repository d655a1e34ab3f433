"""
What other Messages deliver, for the deployed Connects on streams of this one.

A record is pushed by the Message that owns its part of the journal, and a deployed
Connect has a stream to one Message only.  So a Message with such a Connect subscribes
to all others, as a Connect with every user would, and writes what they push to its own
deployed streams::

    journal --> Message A --Links--> [everything] --> Message B --> deployed Connect

What comes this way is given to deployed streams and to nobody else, so that nothing
goes round; what was written to all of them is acknowledged.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from twisted.internet.defer import Deferred, gatherResults
from twisted.internet.interfaces import IReactorTime, IStreamClientEndpoint

from wsmsg.dependency.retry import Backoff
from wsmsg.message.legacy.peers import LegacyConnects
from wsmsg.message.legacy.relay_peer import Hello, RelayPeer
from wsmsg.rpc import rest_pb2
from wsmsg.stream.contract import LINK_VERSION, MESSAGE_STREAM, SPACING_S
from wsmsg.stream.endpoint import StreamEndpoint

#: An address that is missing from the list for so long is left.
MISSING_S = 5.0
_WELCOME_S = 5.0

#: Makes the endpoint of one attempt.
EndpointOf = Callable[[str, Hello], IStreamClientEndpoint]


def grpc_endpoint(address: str, hello: Hello, keepalive_s: float) -> StreamEndpoint:
    """
    The way to another Message.
    """
    return StreamEndpoint(
        address,
        MESSAGE_STREAM,
        request=rest_pb2.MessageStreamRequest,
        response=rest_pb2.MessageStreamResponse,
        hello=hello,
        welcomed=lambda message: message is not None and message.HasField("welcome"),
        welcome_timeout_s=_WELCOME_S,
        keepalive_s=keepalive_s,
        spacing_s=SPACING_S,
    )


class LegacyRelay:
    """
    The streams to all other Messages, while there is a deployed Connect here.

    @param node: this Message.
    """

    def __init__(
        self,
        deployed: LegacyConnects,
        clock: IReactorTime,
        endpoint: EndpointOf,
        *,
        node: str,
        backoff: Backoff,
    ) -> None:
        self._deployed = deployed
        self._clock = clock
        self._endpoint = endpoint
        self._node = node
        self._backoff = backoff
        self._addresses: frozenset[str] = frozenset()
        self._missing: dict[str, float] = {}
        self._peers: dict[str, RelayPeer] = {}
        self._leaving: set[Deferred[Any]] = set()
        self._stopped = False
        deployed.on_subscribed.append(lambda _: self._dial())

    def listed(self, addresses: frozenset[str]) -> None:
        """
        These are all other Messages now.
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
        The part C{legacy_relay} of C{/status}.
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
        Who we are.  No Connect's name has a colon.
        """
        return rest_pb2.SubscribeRequest(
            connect_service_id=f"message:{self._node}",
            link_version=LINK_VERSION,
            incarnation=self._deployed.incarnation,
            everything=True,
        )

    def _dial(self) -> None:
        wanted = self._deployed.subscribers > 0 and not self._stopped
        addresses = self._addresses if wanted else frozenset[str]()
        for address in self._peers.keys() - addresses:
            self._leave(self._peers.pop(address))
        for address in addresses - self._peers.keys():
            peer = RelayPeer(
                address,
                self._clock,
                self._endpoint,
                subscribe=self.subscribe,
                push=self._deployed.push_to,
                backoff=self._backoff,
            )
            self._peers[address] = peer
            peer.start()

    def _leave(self, peer: RelayPeer) -> None:
        left = peer.stop()
        self._leaving.add(left)
        left.addBoth(lambda _: self._leaving.discard(left))
