"""
Conversion of the stream's messages and of query answers to what the sessions take.
"""

from __future__ import annotations

from collections.abc import Hashable

from wsmsg.connect.upstream.interface import GroupView, IEdge, SendAnswer
from wsmsg.connect.upstream.presence import WatchedPresence
from wsmsg.errors import from_code
from wsmsg.rpc import rest_pb2
from wsmsg.stream.convert import cursor_of, presence_of
from wsmsg.stream.logins import LoginNumbers

_REASON_CHARACTERS = 500
_LONGEST_HINT_MS = 3_600_000


def group_view_of(g: rest_pb2.GroupAnswer) -> GroupView:
    members = [(member.user, member.joined) for member in g.members]
    return GroupView(g.name, g.owner, g.history, g.count, members, g.more, g.key)


def rejection_of(result: rest_pb2.SendResult) -> SendAnswer:
    """
    Return the rejection of a send, with an error code that clients know and bounded
    texts and hints.
    """
    error = from_code(result.code, result.reason[:_REASON_CHARACTERS])
    retry_after_ms = min(result.retry_after_ms, _LONGEST_HINT_MS)
    return SendAnswer(0, error.code, error.reason, retry_after_ms, result.uncertain)


def apply_ephemeral(
    batch: rest_pb2.PushBatch,
    edge: IEdge,
    watching: WatchedPresence,
    stream: Hashable,
) -> None:
    """
    Give the sessions receipts, typing signals, presence and blocks.

    @param stream: the stream that carried the batch.
    """
    for receipt in batch.receipts:
        edge.receipt(cursor_of(receipt.cursor), tuple(receipt.targets))
    for push in batch.typing:
        typing = push.typing
        edge.typing(typing.conversation, typing.user, tuple(push.targets))
    for presence in batch.presence:
        watching.reported(stream, presence_of(presence))
    for block in batch.blocks:
        edge.blocked(block.by, block.user)


def apply_kicks(
    batch: rest_pb2.PushBatch, edge: IEdge, logins: LoginNumbers
) -> list[rest_pb2.Login]:
    """
    Give the sessions orders to end, by a service, by another login or as their tokens
    are revoked.

    @return: the logins here that are newer than one elsewhere, which Message has to be
        told of again.
    """
    newer = []
    for kick in batch.kicks:
        user, device, last_login = kick.user, kick.device, kick.last_login
        if last_login:
            # Logins here that have no number yet get a higher one.
            logins.heard(last_login + 1)
            if number := edge.replaced(user, device, last_login):
                newer.append(rest_pb2.Login(user=user, device=device, number=number))
        else:
            edge.kick(user, device, kick.reason)
    # Behind the kicks, which tell their own reason.
    apply_revocations(batch.revocations, edge)
    return newer


def apply_revocations(revocations: rest_pb2.Revocations, edge: IEdge) -> None:
    """
    Give the sessions the times before which tokens of users are revoked.
    """
    edge.revoke(zip(revocations.users, revocations.before_ms, strict=False))
