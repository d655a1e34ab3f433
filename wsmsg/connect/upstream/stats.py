"""
What went to Message and came from it, in numbers.
"""

from __future__ import annotations

from wsmsg.connect.upstream.context import UpstreamContext
from wsmsg.connect.upstream.queries import UpstreamQueries


def stats(shared: UpstreamContext, queries: UpstreamQueries) -> dict[str, int]:
    """
    What was counted since the start, and what is there now, by name.
    """
    sends, counters, acks = shared.sends, shared.counters, shared.acks
    return {
        "sends_unanswered": len(sends),
        "sends": sends.sent,
        "sends_accepted": sends.accepted,
        "sends_rejected": sends.rejected,
        "sends_expired": sends.expired,
        "sends_overloaded": sends.overloaded,
        "sends_moved": sends.moved,
        "frames_written": counters.frames_written,
        "frames_read": counters.frames_read,
        "pushes": counters.pushes,
        "resyncs": counters.resyncs,
        "protocol_errors": counters.protocol_errors,
        "cursors_shed": shared.cursors.shed,
        "typing_shed": shared.typing.shed,
        "reads": queries.asked,
        "reads_failed": queries.failed,
        "failures": counters.failures,
        "odd_events": counters.odd_events,
        "acks_waiting": len(acks),
        "acks_confirmed": acks.confirmed,
        "acks_early": acks.early,
        "acks_shed": acks.shed,
    }
