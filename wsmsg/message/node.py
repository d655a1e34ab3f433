"""
What a Message does as a whole: stop in order, take new settings, tell of itself.

Nothing is lost when it stops (the journal has it), but as little as possible is left
to be done again::

    take no more sends -> what is on its way becomes durable and is answered
    -> what is durable is stored, pushed, acknowledged -> cursors and marks are
    -> streams end (each Connect turns to another Message, or waits for this one)
    -> the last commit is written, the files are closed
"""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Any

import attrs
from twisted.internet.defer import Deferred, gatherResults
from twisted.internet.interfaces import IReactorTime
from twisted.internet.task import LoopingCall
from twisted.logger import Logger

from wsmsg.message.delivery.reader import JournalReader
from wsmsg.message.journal.interface import IJournal
from wsmsg.message.legacy.peer import COUNTS
from wsmsg.message.legacy.peers import LegacyConnects
from wsmsg.message.links.stream import StreamContext
from wsmsg.message.queries.marks import Marks
from wsmsg.message.queries.queries import Queries
from wsmsg.message.rpc import MessageRpc
from wsmsg.message.store.interface import IMessageStore
from wsmsg.monitoring.metrics import Metrics
from wsmsg.settings.values import MessageSettings
from wsmsg.stream.server import on_loop

_LEASE_RENEWAL_S = 1.0


@attrs.define
class MessageNode:
    """
    The parts of one Message that its life is about.
    """

    _log = Logger()

    settings: MessageSettings
    clock: IReactorTime
    journal: IJournal
    store: IMessageStore
    core: StreamContext
    marks: Marks
    queries: Queries
    reading: JournalReader
    rpc: MessageRpc
    deployed: LegacyConnects
    _leases: LoopingCall | None = None

    # -- parts that begin and end

    def open_files(self) -> None:
        """
        Open journal and store, and read the journal as soon as it is there.
        """
        self.journal.start()
        self.store.start()
        self.reading.start()

    def start_leases(self) -> None:
        """
        Renew the leases of the Connects whose presence is ours, once a second.
        """
        self._leases = LoopingCall(self._each_second)
        self._leases.clock = self.clock
        self._leases.start(_LEASE_RENEWAL_S)

    def _each_second(self) -> None:
        self.core.links.renew_leases()
        self.deployed.tick()

    def stop_leases(self) -> None:
        """
        Let them run out.
        """
        if self._leases is not None and self._leases.running:
            self._leases.stop()

    async def drain(self) -> None:
        """
        Take no more sends and finish those that were taken, within half of the time
        that stopping may take: a Connect that does not acknowledge its pushes must
        not keep the last commit from being written.
        """
        self.core.draining = True
        for what, finished in (
            ("sends to become durable", self.core.ingress.idle),
            ("records to be settled", self.reading.caught_up),
            ("cursors and marks to be stored", self._seen_stored),
        ):
            if not await self._in_time(finished()):
                self._log.warn("stopping without waiting longer for {what}", what=what)

    def _seen_stored(self) -> Deferred[Any]:
        return gatherResults([self.core.cursors.idle(), self.marks.idle()])

    async def close_files(self) -> None:
        """
        End the reading, write the last commit, close journal and store.
        """
        self.core.links.give_up_all()
        self.marks.stop()
        reading = Deferred.fromCoroutine(self.reading.stop())
        await self.journal.stop()
        await reading
        await self.store.stop()

    async def stop_rpc(self) -> None:
        """
        End the streams, and queries that take too long.
        """
        await on_loop(self.rpc.stop(1.0))

    async def start_rpc(self) -> None:
        """
        Serve, if the settings say where.
        """
        if self.settings.rpc_listen:
            await on_loop(self.rpc.start(self.settings.rpc_listen))

    # -- settings

    def adopt(self, settings: MessageSettings) -> None:
        """
        Go by these settings from now on, in all that can change live.
        """
        self.settings = settings
        core = self.core
        core.content_bytes = core.ingress.content_bytes = settings.content_bytes
        core.ingress.limit = settings.appends_in_flight
        core.ingress.rules.group_members = settings.group_members
        core.ingress.rules.recall_s = settings.recall_s
        core.links.grace_s = settings.link_grace_s
        core.links.limit_records = settings.link_records
        core.links.limit_bytes = settings.link_bytes
        self.reading.batch = settings.read_batch
        self.reading.limit_unsettled = settings.unsettled_records
        self.queries.page_limit = settings.page
        self.deployed.settings = settings.legacy

    # -- what it tells of itself

    def status(self) -> dict[str, object]:
        """
        The part C{message} of C{/status}.
        """
        return {
            "links": self.core.links.nodes(),
            "users": len(self.core.links.routes),
            "appends_in_flight": self.core.ingress.in_flight,
            "unsettled": self.reading.unsettled,
            "accepted": self.core.ingress.accepted,
            "legacy": self.deployed.nodes(),
            "journal": dict(self.journal.counts()),
        }

    def measure(self, metrics: Metrics) -> None:
        """
        Have the counts of all parts read where they are.
        """
        core, reading, journal = self.core, self.reading, self.journal
        ingress, links, deployed = core.ingress, core.links, self.deployed
        counters: list[tuple[str, str, Callable[[], int]]] = [
            ("accepted", "Sends accepted", lambda: ingress.accepted),
            ("rejected", "Sends rejected", lambda: ingress.rejected),
            ("repeats", "Sends of a message accepted before", lambda: ingress.repeats),
            ("records_read", "Records read", lambda: reading.read),
            ("stored", "Messages stored", lambda: reading.delivery.stored),
            ("events", "Group changes, recalls", lambda: reading.delivery.events),
            ("dead_letters", "Records put aside", lambda: reading.dead_letters),
            ("pushed", "Messages pushed", lambda: links.pushed),
            ("links_cut", "Links cut as too slow", lambda: links.cut),
            ("cursors_dropped", "Cursors dropped", lambda: core.cursors.dropped),
            ("marked", "Messages marked as seen", lambda: self.marks.marked),
            ("marks_unknown", "Marks of what is not there", lambda: self.marks.unknown),
            ("queries", "Queries answered", lambda: self.queries.answered),
        ]
        for name, text, read in counters:
            metrics.counter(f"wsmsg_message_{name}", text, read)

        def deployed_count(name: str) -> int:
            return deployed.counts()[name]

        for name, text in COUNTS.items():
            metrics.counter(
                f"wsmsg_message_legacy_{name}",
                f"Legacy Connects: {text[0].lower()}{text[1:]}",
                partial(deployed_count, name),
            )
        metrics.counter(
            "wsmsg_message_legacy_cut",
            "Legacy Connects: streams ended as nobody read them",
            lambda: deployed.cut,
        )

        def journal_count(name: str) -> int:
            return journal.counts()[name]

        gauges: list[tuple[str, str, Callable[[], int]]] = [
            ("in_flight", "Sends that are being appended", lambda: ingress.in_flight),
            ("unsettled", "Records not settled", lambda: reading.unsettled),
            *(
                (f"journal_{name}", text, partial(journal_count, name))
                for name, text in _JOURNAL_COUNTS
            ),
            ("users", "Users that are connected", lambda: len(links.routes)),
            ("streams", "Streams that are open", lambda: self.rpc.streams),
            ("legacy_streams", "Streams of legacy Connects", lambda: deployed.streams),
            ("legacy_held", "Pushes and answers that wait for them", deployed.held),
            ("legacy_sends_held", "Sends of them that wait", deployed.sends_held),
        ]
        for name, text, read in gauges:
            metrics.gauge(f"wsmsg_message_{name}", text, read)

    async def _in_time(self, finished: Deferred[None]) -> bool:
        ended: Deferred[Any] = finished
        ended.addTimeout(self.settings.stop_s / 4, self.clock, _give_up)
        return await ended is not _TOO_LATE


_TOO_LATE: Any = object()

_JOURNAL_COUNTS = (
    ("lag", "Records of our partitions that are not settled"),
    ("in_flight", "Records that are being appended"),
    ("partitions", "Partitions of the journal that are ours"),
)


def _give_up(_: object, __: float) -> object:
    return _TOO_LATE
