"""
The legacy plug-in of a Message, put together: everything that serves legacy peers.

The tap makes it when the first legacy peer opens a stream or makes a call, or when the
first request arrives whose path only the legacy HTTP contract may have.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Sequence
from functools import partial

from twisted.internet.defer import succeed
from twisted.internet.interfaces import IReactorTime

from wsmsg.dependency.retry import Backoff
from wsmsg.http.routes import Route
from wsmsg.message.cluster.interface import IMessageList
from wsmsg.message.ingress.interface import ISubmit
from wsmsg.message.legacy.calls import LegacyCalls
from wsmsg.message.legacy.history import History
from wsmsg.message.legacy.http import LegacyHttpCalls
from wsmsg.message.legacy.peer import COUNTS
from wsmsg.message.legacy.peers import LegacyConnects
from wsmsg.message.legacy.relay import LegacyRelay, grpc_endpoint
from wsmsg.message.legacy.stream import Context, LegacyConnectStream
from wsmsg.message.links.stream import StreamContext
from wsmsg.message.queries.interface import IQueries, Marking
from wsmsg.message.store.interface import IMessageStore
from wsmsg.monitoring.metrics import Metrics
from wsmsg.peers.channel import OpenChannel, open_unproven
from wsmsg.rpc import rest_pb2
from wsmsg.settings.values import MessageSettings


class LegacyPlugin:
    """
    Serves legacy Connects and the legacy HTTP contract.

    Links pushes to legacy Connects only while one of them is subscribed.

    @param settings: the current settings of Message.
    @param mark: marks messages as read; L{wsmsg.message.queries.marks.Marks.mark}.
    @param open_channel: opens the channels to other Messages.
    @param messages: the list of Messages, whose deliveries are relayed to the legacy
        Connects of this one; L{None}: this Message is alone.
    """

    def __init__(
        self,
        core: StreamContext,
        store: IMessageStore,
        mark: Marking,
        queries: IQueries,
        clock: IReactorTime,
        settings: MessageSettings,
        *,
        backoff: Backoff,
        open_channel: OpenChannel = open_unproven,
        messages: IMessageList | None = None,
    ) -> None:
        self._core = core
        self._store = store
        self._mark = mark
        self._queries = queries
        depth = settings.legacy.history_depth
        self._history = History(store, queries.check_stored, depth=depth)
        self.connects = LegacyConnects(
            core.ingress,
            mark,
            clock,
            settings.legacy,
            incarnation=core.incarnation,
            backoff=backoff,
        )
        self.connects.on_subscribed.append(self._listen_to_pushes)
        self._calls = LegacyCalls(
            core.ingress,
            self._history,
            lambda: self.connects.settings.history,
            incarnation=core.incarnation,
        )
        self._relay: LegacyRelay | None = None
        if messages is not None:
            self._relay = LegacyRelay(
                self.connects,
                clock,
                partial(grpc_endpoint, open_channel, keepalive_s=core.keepalive_s),
                node=core.node,
                backoff=backoff,
            )
            messages.on_others(self._relay.listed)

    def http_routes(
        self, acceptance: ISubmit, most_unread: Callable[[], int]
    ) -> Sequence[Route]:
        """
        Return the routes of the legacy HTTP contract.

        @param most_unread: returns the most messages in one answer of C{unread}.
        """
        calls = LegacyHttpCalls(
            self._store,
            self._queries,
            acceptance,
            self._history,
            self._mark,
            most_unread=most_unread,
        )
        return calls.routes()

    # -- L{wsmsg.message.rpc.UnversionedPeers}

    async def serve(
        self, first: rest_pb2.MessageStreamRequest, context: Context
    ) -> None:
        """
        Serve the stream of a legacy Connect until it ends.
        """
        await LegacyConnectStream(self.connects, context).run(first)

    async def send(
        self, request: rest_pb2.SendWSMessageRequest
    ) -> rest_pb2.SendWSMessageResponse:
        """
        Answer C{SendWSMessage}.
        """
        return await self._calls.send(request)

    async def history(
        self, request: rest_pb2.GetHistoryRequest
    ) -> rest_pb2.GetHistoryResponse:
        """
        Answer C{GetHistoryMessages}.
        """
        return await self._calls.history(request)

    def hang_up_all(self, reason: str) -> None:
        """
        End the streams of all legacy Connects.
        """
        self.connects.hang_up_all(reason)

    # -- L{wsmsg.message.node.MessagePlugin}

    def tick(self) -> None:
        """
        Settle pushes that have waited too long, and forget streams that have ended.
        """
        self.connects.tick()

    def stop(self) -> Awaitable[object]:
        """
        End the streams to other Messages.
        """
        return succeed(None) if self._relay is None else self._relay.stop()

    def apply_settings(self, settings: MessageSettings) -> None:
        """
        Apply the table C{legacy}.
        """
        self.connects.apply_settings(settings.legacy)
        self._history.apply_settings(settings.legacy)

    def status(self) -> dict[str, object]:
        """
        Return the keys C{legacy} and C{legacy_relay} of C{/status}.
        """
        found: dict[str, object] = {"legacy": self.connects.status()}
        if self._relay is not None:
            found["legacy_relay"] = self._relay.status()
        return found

    def register_metrics(self, metrics: Metrics) -> None:
        """
        Register C{wsmsg_message_legacy_*}.
        """
        connects = self.connects

        def count(name: str) -> int:
            return connects.counts()[name]

        for name, text in COUNTS.items():
            metrics.counter(
                f"wsmsg_message_legacy_{name}",
                f"Legacy Connects: {text[0].lower()}{text[1:]}",
                partial(count, name),
            )
        metrics.counter(
            "wsmsg_message_legacy_cut",
            "Legacy Connects: streams ended because the peer did not read",
            lambda: connects.cut,
        )
        gauges: tuple[tuple[str, str, Callable[[], int]], ...] = (
            ("streams", "Streams of legacy Connects", lambda: connects.streams),
            ("held", "Pushes and answers that wait for legacy Connects", connects.held),
            ("sends_held", "Sends of legacy Connects that wait", connects.sends_held),
        )
        for name, text, read in gauges:
            metrics.gauge(f"wsmsg_message_legacy_{name}", text, read)

    def _listen_to_pushes(self, subscribed: bool) -> None:
        listeners = self._core.links.push_listeners
        if subscribed:
            listeners.append(self.connects.push)
        else:
            listeners.remove(self.connects.push)
