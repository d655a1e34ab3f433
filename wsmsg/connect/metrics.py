"""
The metrics of a Connect that no part of it registers itself.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from wsmsg.monitoring.measures.stages import STAGES
from wsmsg.monitoring.metrics import Counter, Gauge, Metrics

if TYPE_CHECKING:
    from wsmsg.connect.node import ConnectNode

_UPSTREAM = {
    "streams_up": Gauge("wsmsg_connect_streams", "Streams to Messages that are up"),
    "sends_unanswered": Gauge(
        "wsmsg_connect_sends_unanswered", "Sends that wait for an answer of a Message"
    ),
    "sends": Counter(
        "wsmsg_connect_stream_sends", "Sends passed to the streams to Messages"
    ),
    "sends_accepted": Counter(
        "wsmsg_connect_stream_sends_accepted", "Sends that a Message accepted"
    ),
    "sends_rejected": Counter(
        "wsmsg_connect_stream_sends_rejected", "Sends that a Message rejected"
    ),
    "sends_expired": Counter(
        "wsmsg_connect_sends_expired",
        "Sends rejected because no Message answered within send_timeout_s",
    ),
    "sends_overloaded": Counter(
        "wsmsg_connect_sends_overloaded",
        "Sends rejected because limits.waiting_sends were waiting",
    ),
    "sends_moved": Counter(
        "wsmsg_connect_sends_moved",
        "Unanswered sends that went from a lost stream to another",
    ),
    "frames_written": Counter(
        "wsmsg_connect_stream_frames_written", "Frames written to Messages"
    ),
    "frames_read": Counter(
        "wsmsg_connect_stream_frames_read", "Frames read from Messages"
    ),
    "pushes": Counter(
        "wsmsg_connect_stream_pushes", "Pushes that Messages sent to this Connect"
    ),
    "resyncs": Counter(
        "wsmsg_connect_stream_resyncs",
        "Times that a stream lost pushes, so that all sessions were told to sync",
    ),
    "protocol_errors": Counter(
        "wsmsg_connect_stream_protocol_errors",
        "Frames of Messages that broke the rules of the stream",
    ),
    "cursors_shed": Counter(
        "wsmsg_connect_cursors_shed", "Cursors dropped because too many waited"
    ),
    "typing_shed": Counter(
        "wsmsg_connect_typing_shed", "Typing notices dropped because too many waited"
    ),
    "reads": Counter("wsmsg_connect_reads", "Queries of clients"),
    "reads_failed": Counter(
        "wsmsg_connect_reads_failed", "Queries of clients that failed"
    ),
    # Of Messages that number no messages; there are none before such a stream.
    "sends_repeated": Counter(
        "wsmsg_connect_unnumbered_sends_repeated",
        "Sends repeated to a Message that numbers no messages",
    ),
    "failures": Counter(
        "wsmsg_connect_unnumbered_failures",
        "Failures that a Message that numbers no messages reported",
    ),
    "odd_events": Counter(
        "wsmsg_connect_unnumbered_odd_events",
        "Events of a Message that numbers no messages that were ignored as invalid",
    ),
    "acks_waiting": Gauge(
        "wsmsg_connect_unnumbered_acks_waiting",
        "Acknowledgements that wait for a Message that numbers no messages",
    ),
    "acks_confirmed": Counter(
        "wsmsg_connect_unnumbered_acks_confirmed",
        "Acknowledgements that a Message that numbers no messages confirmed",
    ),
    "acks_early": Counter(
        "wsmsg_connect_unnumbered_acks_early",
        "Acknowledgements that came before a Message that numbers no messages knew "
        "their push",
    ),
    "acks_shed": Counter(
        "wsmsg_connect_unnumbered_acks_shed",
        "Acknowledgements dropped because too many waited",
    ),
}


class ConnectMetrics:
    """
    The metrics of the streams, of the stages of messages, and of the sessions.
    """

    def __init__(self, node: ConnectNode) -> None:
        self._node = node

    def register_metrics(self, metrics: Metrics) -> None:
        """
        Have the values read by each scrape.
        """
        registry, upstream = self._node.registry, self._node.upstream
        metrics.gauge(
            "wsmsg_connect_sessions",
            "Clients that are connected, those that log in included",
            lambda: registry.count,
        )
        metrics.keyed(upstream.stats, _UPSTREAM)
        metrics.histograms(
            *STAGES,
            {**upstream.stages(), **registry.counters.stages()},
            label="stage",
        )
