"""
The metrics of a Message, read from its parts by each scrape.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from functools import partial
from typing import TYPE_CHECKING

from wsmsg.errors import ERRORS
from wsmsg.message.journal.interface import LetterKind
from wsmsg.monitoring.measures.stages import STAGES
from wsmsg.monitoring.metrics import Metrics

if TYPE_CHECKING:
    from wsmsg.message.node import MessageNode

_JOURNAL_COUNTS = (
    ("lag", "Records of this Message's partitions that are not settled"),
    ("unread", "Records of this Message's partitions that are not read"),
    ("lag_bytes", "About the bytes of these records"),
    ("in_flight", "Records being appended"),
    ("partitions", "Partitions of the journal that this Message owns"),
)


class MessageMetrics:
    """
    The metrics of all parts of a Message but the plug-ins and the queries.
    """

    def __init__(self, node: MessageNode) -> None:
        self._node = node

    def register_metrics(self, metrics: Metrics) -> None:
        """
        Register the metrics of all parts but the plug-ins.
        """
        for name, text, read in self._counters():
            metrics.counter(f"wsmsg_message_{name}", text, read)
        for name, text, read in self._gauges():
            metrics.gauge(f"wsmsg_message_{name}", text, read)
        self._register_timings(metrics)
        metrics.counters(
            "wsmsg_message_presence_changes",
            "Times that users came online at the first Connect or left the last one",
            label="change",
            read=self._presence_changes,
        )
        metrics.counters(
            "wsmsg_message_rejected",
            "Sends rejected",
            label="code",
            read=lambda: self._node.core.ingress.rejected,
            values=ERRORS,
        )
        metrics.counters(
            "wsmsg_message_dead_letters",
            "Records written to the dead letters",
            label="kind",
            read=lambda: self._node.log.dead_lettered,
            values=LetterKind,
        )

    def _register_timings(self, metrics: Metrics) -> None:
        log, pushes = self._node.log.timings, self._node.core.links.timings
        metrics.histograms(
            *STAGES,
            {
                "received_durable": log.durable,
                "received_stored": log.stored,
                "stored_pushed": pushes.pushed,
            },
            label="stage",
        )
        for name, text, histogram in (
            (
                "journal_append",
                "Time that an append to the journal takes",
                log.append,
            ),
            (
                "store_batch",
                "Time that the store takes for a batch",
                log.store_batch,
            ),
            (
                "stream_round_trip",
                "Time from a frame with pushes to the acknowledgement by Connect",
                pushes.round_trip,
            ),
        ):
            metrics.histogram(f"wsmsg_message_{name}_seconds", text, histogram)

    def _presence_changes(self) -> dict[str, float]:
        users = self._node.core.links.users
        return {"online": users.joined, "offline": users.left}

    def _counters(self) -> Iterator[tuple[str, str, Callable[[], float]]]:
        node, core = self._node, self._node.core
        ingress, links, log = core.ingress, core.links, node.log
        yield "accepted", "Sends accepted", lambda: ingress.accepted
        yield "repeats", "Sends of a message accepted before", lambda: ingress.repeats
        yield "records_read", "Journal records read", lambda: log.read
        yield (
            "records_from_memory",
            "Journal records read that this Message wrote, and need not fetch",
            partial(self._journal_count, "from_memory"),
        )
        yield "stored", "Messages stored", lambda: self._node.numbering.stored
        yield (
            "events",
            "Events applied, such as group changes",
            lambda: self._node.numbering.events,
        )
        yield (
            "dead_letters_dropped",
            "Dead letters removed for newer ones of their kind",
            partial(self._journal_count, "dead_letters_dropped"),
        )
        yield (
            "records_lost",
            "Journal records removed (by retention) before they were read",
            partial(self._journal_count, "records_lost"),
        )
        yield "pushed", "Messages pushed", lambda: links.pushed
        yield (
            "links_cut",
            "Links cut because their Connect did not keep up",
            lambda: links.cut,
        )
        yield (
            "cursors_dropped",
            "Cursors dropped",
            lambda: self._node.core.cursors.dropped,
        )
        yield "marked", "Messages marked as read", lambda: self._node.marks.marked
        yield (
            "marks_unknown",
            "Marks for messages that do not exist",
            lambda: self._node.marks.unknown,
        )
        queries = self._node.queries
        yield "queries", "Queries asked", lambda: queries.asked
        forged = "Positions of clients that the store did not make"
        yield "positions_forged", forged, lambda: queries.history.forged

    def _gauges(self) -> Iterator[tuple[str, str, Callable[[], float]]]:
        node, core = self._node, self._node.core
        ingress, links, log = core.ingress, core.links, node.log
        yield "in_flight", "Sends being appended", lambda: ingress.in_flight
        yield "unsettled", "Records not settled", lambda: log.unsettled
        yield (
            "oldest_unstored_seconds",
            "Age of the oldest message that is accepted and not stored",
            log.oldest_unstored_s,
        )
        yield (
            "oldest_unsettled_seconds",
            "Time since the oldest record that is not settled was read",
            log.oldest_unsettled_s,
        )
        for name, text in _JOURNAL_COUNTS:
            yield f"journal_{name}", text, partial(self._journal_count, name)
        yield (
            "link_oldest_push_seconds",
            "Age of the oldest push that a Connect has not acknowledged",
            links.oldest_push_s,
        )
        yield (
            "streams_forwarded",
            "Streams of Connects that are passed on to other Messages",
            lambda: self._node.rpc.forwarded,
        )
        yield "users", "Connected users", lambda: len(links.routes)
        yield "streams", "Open streams of Connects", lambda: self._node.streams.open

    def _journal_count(self, name: str) -> int:
        return self._node.log.counts()[name]
