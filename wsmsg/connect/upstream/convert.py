"""
What sessions are told, of the stream's and the queries' messages.
"""

from __future__ import annotations

from wsmsg.connect.upstream.interface import GroupView, SendAnswer
from wsmsg.errors import from_code
from wsmsg.rpc import rest_pb2

_REASON = 500
_LONGEST_HINT_MS = 3_600_000


def group_view_of(g: rest_pb2.GroupAnswer) -> GroupView:
    members = [(member.user, member.joined) for member in g.members]
    return GroupView(g.name, g.owner, g.history, g.count, members)


def rejection_of(result: rest_pb2.SendResult) -> SendAnswer:
    """
    Why a send was refused, with a code that clients know and a hint they can hold.
    """
    error = from_code(result.code, result.reason[:_REASON])
    retry_after_ms = min(result.retry_after_ms, _LONGEST_HINT_MS)
    return SendAnswer(0, error.code, error.reason, retry_after_ms)
