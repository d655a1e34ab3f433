"""
The part of L{wsmsg.connect.upstream.upstream.Upstream} that is about its peers: how to
dial them, and what became of it.
"""

from __future__ import annotations

from collections.abc import Callable

from twisted.internet.interfaces import IStreamClientEndpoint

from wsmsg.connect.upstream.endpoint import Hello
from wsmsg.connect.upstream.peers import Peers
from wsmsg.dependency.retry import RetryPolicy
from wsmsg.dependency.state import Dependency
from wsmsg.rpc import rest_pb2
from wsmsg.settings.values import ConnectSettings

EndpointOf = Callable[[str, Hello, ConnectSettings], IStreamClientEndpoint]


class UpstreamDialling:
    """
    What L{wsmsg.connect.upstream.peer.UpstreamPeerOwner} wants to know.
    """

    _settings: ConnectSettings
    _policy: RetryPolicy
    _endpoint: EndpointOf
    _peers: Peers
    _node: str
    _incarnation: str

    def retry_policy(self) -> RetryPolicy:
        return self._policy

    def endpoint(
        self, address: str, hello: Hello, *, surely_ours: bool
    ) -> IStreamClientEndpoint:
        settings = self._settings
        if surely_ours:
            upstream = settings.upstream.model_copy(update={"peer": "wsmsg"})
            settings = settings.model_copy(update={"upstream": upstream})
        return self._endpoint(address, hello, settings)

    def welcomes(self, address: str, deployed: bool) -> bool:
        return not deployed or not self._peers.is_other_ours(address)

    @property
    def only_deployed(self) -> bool:
        return self._settings.upstream.peer == "legacy"

    @property
    def stalled_s(self) -> float:
        return self._settings.upstream.stalled_s

    def subscribe(self, address: str) -> rest_pb2.SubscribeRequest:
        if self.only_deployed:
            return rest_pb2.SubscribeRequest(connect_service_id=self._node)
        return rest_pb2.SubscribeRequest(
            connect_service_id=self._node,
            incarnation=self._incarnation,
        )

    def dependencies(self) -> list[Dependency]:
        """
        One for each Message, by address.
        """
        return self._peers.dependencies()
