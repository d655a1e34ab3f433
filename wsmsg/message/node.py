"""
The lifetime of a Message: its start, its stop in order, its settings, status, metrics.

A Message that stops loses nothing, because the log has it.  It stops in an order
that leaves as little as possible to be repeated::

    refuse further sends -> make those in flight durable and answer them
    -> store and push what is durable, and have it acknowledged
    -> store the waiting cursors and marks
    -> end the streams (each Connect turns to another Message, or waits for this one)
    -> stop the log, which writes the last commit of a journal, and close the store
"""

from __future__ import annotations

import time
from collections.abc import Awaitable, Callable
from typing import Protocol

import attrs
from twisted.internet.defer import Deferred, gatherResults
from twisted.internet.interfaces import IReactorTime
from twisted.internet.task import LoopingCall
from twisted.logger import Logger

from wsmsg.dependency.alarms import Alarms
from wsmsg.errors import Unavailable
from wsmsg.message.cluster.nodes import GONE, peer_nodes
from wsmsg.message.delivery.numbering import Numbering
from wsmsg.message.links.stream import ConnectStreams, StreamContext
from wsmsg.message.log.interface import IMessageLog
from wsmsg.message.metrics import MessageMetrics
from wsmsg.message.queries.marks import Marks
from wsmsg.message.queries.queries import Queries
from wsmsg.message.rpc import MessageRpc
from wsmsg.message.store.interface import IMessageStore
from wsmsg.monitoring.metrics import Metrics
from wsmsg.monitoring.nodes import KnownNodes
from wsmsg.peers.parts import PeerParts
from wsmsg.settings.values import MessageSettings
from wsmsg.stream.server import on_loop

_LEASE_RENEWAL_S = 1.0


class MessagePlugin(Protocol):
    """
    An optional part of a Message, which may be added while Message runs.
    """

    def tick(self) -> None:
        """
        Do the work of one second.
        """

    def stop(self) -> Awaitable[object]:
        """
        @return: fires when nothing of the plug-in runs any more.
        """

    def apply_settings(self, settings: MessageSettings) -> None:
        """
        Apply changed settings.
        """

    def status(self) -> dict[str, object]:
        """
        Return further keys of the part C{message} of C{/status}.
        """


@attrs.define
class MessageNode:
    """
    The parts of one Message.

    @ivar plugins: the optional parts that are in use.
    """

    _log = Logger()

    settings: MessageSettings
    clock: IReactorTime
    alarms: Alarms
    log: IMessageLog
    numbering: Numbering
    store: IMessageStore
    core: StreamContext
    marks: Marks
    queries: Queries
    streams: ConnectStreams
    rpc: MessageRpc
    peers: PeerParts
    plugins: list[MessagePlugin] = attrs.field(factory=list)
    nodes: KnownNodes = attrs.field()
    _leases: LoopingCall | None = None
    _looking: bool = False

    @nodes.default
    def _no_nodes_yet(self) -> KnownNodes:
        return KnownNodes(self.clock.seconds, time.time, GONE)

    # -- start and stop

    def open_files(self) -> None:
        """
        Open the store and the log, and begin to deliver.
        """
        self.store.start()
        self.log.start()

    def start_leases(self) -> None:
        """
        Begin the work of each second: the leases of the Connects whose primary this
        Message is, the links that are too slow, and the plug-ins.
        """
        self._leases = LoopingCall(self._each_second)
        self._leases.clock = self.clock
        self._leases.start(_LEASE_RENEWAL_S)

    def _each_second(self) -> None:
        work: list[tuple[str, Callable[[], object]]] = [
            ("the leases cannot be renewed", self.core.links.users.renew_leases),
            ("slow Connects cannot be found", self._check_links),
            ("the progress of delivery is not known", self._check_progress),
            ("the history of the store is not known", self._check_history),
            ("blocks cannot be found", self._look_for_blocks),
            ("the alarms of peers cannot be cleared", self.peers.look),
            ("the other nodes are not known", self._look_for_nodes),
        ]
        work += [
            ("a plug-in fails in its work of a second", plugin.tick)
            for plugin in self.plugins
        ]
        for failure, do in work:
            # LoopingCall makes no further call after one that raises.
            with self._log.failuresHandled(failure):
                do()

    def _check_links(self) -> None:
        self.core.links.check_slow()
        links = self.core.links
        links.tell_partial()
        self.alarms.set("slow_connect", links.slow())
        self.alarms.set("unreachable_message", links.reach.unreached())
        self.alarms.set("unreachable_connect", links.unlinked())
        self.alarms.set("clocks_differ", self.core.clocks.reason())

    def _check_progress(self) -> None:
        self.alarms.set("delivery_stalled", self.log.stalled())

    def _check_history(self) -> None:
        self.queries.history.look()
        self.alarms.set("store_behind", self.queries.history.reason())

    def _look_for_nodes(self) -> None:
        links = self.core.links
        reach = links.reach
        self.nodes.look(
            peer_nodes(
                links.status(), reach.address, reach.listed, reach.unreached_by()
            )
        )

    def _look_for_blocks(self) -> None:
        # Another Message may have stored the first one.
        if self.store.dependency.up and not self._looking:
            self._looking = True
            found = self.store.consent.look_for_blocks()
            found.addErrback(lambda failure: failure.trap(Unavailable))
            found.addErrback(lambda failure: self._log.failure("blocks", failure))
            found.addBoth(self._looked)

    def _looked(self, _: object) -> None:
        self._looking = False

    def stop_leases(self) -> None:
        """
        Renew no more leases; they expire.
        """
        if self._leases is not None and self._leases.running:
            self._leases.stop()

    async def drain(self) -> None:
        """
        Refuse further sends and finish those in flight.

        Each of the three steps is given a quarter of C{stop_s}: a Connect that does
        not acknowledge its pushes must not keep the last commit from being written.
        """
        self.core.drain()
        for work, finished in (
            ("sends to become durable", self.core.ingress.idle),
            ("records to be settled", self.log.caught_up),
            ("cursors and marks to be stored", self._cursors_and_marks_stored),
        ):
            if not await self._in_time(finished()):
                self._log.warn("stopping without waiting longer for {work}", work=work)

    def _cursors_and_marks_stored(self) -> Deferred[None]:
        idle = gatherResults([self.core.cursors.idle(), self.marks.idle()])
        return idle.addCallback(lambda _: None)

    async def stop_plugins(self) -> None:
        """
        Stop the plug-ins, in the order in which they were added.
        """
        for plugin in self.plugins:
            await plugin.stop()

    async def close_files(self) -> None:
        """
        Stop the log, which writes the last commit, and close the store.
        """
        self.core.links.give_up_all()
        self.marks.stop()
        self.queries.stop()
        await self.log.stop()
        await self.store.stop()

    async def stop_rpc(self) -> None:
        """
        End the streams, and the queries that do not finish within a second.
        """
        await on_loop(self.rpc.stop(1.0))

    async def start_rpc(self) -> None:
        """
        Listen for gRPC calls if the settings name an address.
        """
        if self.settings.rpc_listen:
            credentials = self.peers.credentials()
            await on_loop(self.rpc.start(self.settings.rpc_listen, credentials))

    # -- settings

    def apply_settings(self, settings: MessageSettings) -> None:
        """
        Apply changed settings to all parts.
        """
        self.settings = settings
        self.core.apply_settings(settings)
        self.log.apply_settings(settings)
        self.queries.apply_settings(settings)
        for plugin in self.plugins:
            plugin.apply_settings(settings)

    # -- status and metrics

    def status(self) -> dict[str, object]:
        """
        Return the part C{message} of C{/status}.
        """
        self._look_for_nodes()
        found: dict[str, object] = {
            "nodes": self.nodes.document(),
            "links": self.core.links.status(),
            "users": len(self.core.links.routes),
            "appends_in_flight": self.core.ingress.in_flight,
            "unsettled": self.log.unsettled,
            "accepted": self.core.ingress.accepted,
            "journal": dict(self.log.counts()),
        }
        for plugin in self.plugins:
            found.update(plugin.status())
        return found

    def register_metrics(self, metrics: Metrics) -> None:
        """
        Register the metrics of all parts but the plug-ins.
        """
        MessageMetrics(self).register_metrics(metrics)
        self.queries.register_metrics(metrics)

    async def _in_time(self, finished: Deferred[None]) -> bool:
        late: list[float] = []

        def give_up(_: object, seconds: float) -> None:
            late.append(seconds)

        await finished.addTimeout(self.settings.stop_s / 4, self.clock, give_up)
        return not late
