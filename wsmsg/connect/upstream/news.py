"""
What a push batch has beside messages and answers: for the sessions, and not numbered.
"""

from __future__ import annotations

from typing import Any

from wsmsg.connect.upstream.interface import IEdge
from wsmsg.connect.upstream.presence import WatchedPresence
from wsmsg.rpc import rest_pb2
from wsmsg.stream.convert import cursor_of, presence_of


def tell(
    batch: rest_pb2.PushBatch, edge: IEdge, watching: WatchedPresence, stream: Any
) -> None:
    """
    Give it to the edge.

    @param stream: the one that it came on.
    """
    for receipt in batch.receipts:
        edge.receipt(cursor_of(receipt.cursor), tuple(receipt.targets))
    for push in batch.typing:
        typing = push.typing
        edge.typing(typing.conversation, typing.user, tuple(push.targets))
    for presence in batch.presence:
        watching.said(stream, presence_of(presence))
    for kick in batch.kicks:
        edge.kick(kick.user, kick.device, kick.reason)
