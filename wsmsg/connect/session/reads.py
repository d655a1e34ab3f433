"""
What a client that is known may read: pages, conversations, members.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, TypeVar

from twisted.internet.defer import Deferred
from twisted.logger import Logger
from twisted.python.failure import Failure

from wsmsg import model
from wsmsg.connect.session.blocks import QUERIES
from wsmsg.connect.session.registry import deliver
from wsmsg.connect.session.sends import check_member
from wsmsg.connect.upstream.interface import GroupView
from wsmsg.errors import Internal, WsmsgError
from wsmsg.model import group_conversation
from wsmsg.protocol import frames

if TYPE_CHECKING:
    from wsmsg.connect.session.session import Session

T = TypeVar("T")

#: Queries of one session that may be unanswered; then it is not read.
QUERIES_MAX = 4

_log = Logger()


def refuse(session: Session, error: WsmsgError, request: str = "") -> None:
    """
    Say why there is no answer to a request.
    """
    session.reply(frames.Error(error.code, error.reason, request))


def ask(
    session: Session, request: str, asked: Deferred[T], tell: Callable[[T], object]
) -> None:
    """
    Tell the client the result when it is there, or why there is none; do not read
    it while it waits for too many.
    """
    session.queries += 1
    if session.queries >= QUERIES_MAX:
        session.intake.block(QUERIES)

    def failed(failure: Failure) -> None:
        error = failure.value
        if not isinstance(error, WsmsgError):
            _log.failure("a query failed", failure=failure)
            error = Internal("internal error")
        refuse(session, error, request)

    def settled(_: object) -> None:
        session.queries -= 1
        session.made_room()

    asked.addCallback(tell)
    asked.addErrback(failed)
    asked.addBoth(settled)


def sync(session: Session, frame: frames.Sync) -> None:
    """
    The messages of a conversation above a number.
    """
    try:
        check_member(session, frame.conversation)
    except WsmsgError as e:
        refuse(session, e, frame.id)
        return
    most = session.limits.page
    limit = min(frame.limit or most, most)

    def page(result: tuple[Sequence[model.Message], int, bool]) -> None:
        messages, head, more = result
        fitting = _fitting(messages, session.limits.outbox_hard_bytes // QUERIES_MAX)
        session.reply(
            frames.Page(
                frame.id,
                frame.conversation,
                tuple(deliver(m, session.user) for m in fitting),
                head,
                more or len(fitting) < len(messages),
            )
        )

    asked = session.node.upstream.page(
        session.user, frame.conversation, frame.after, limit
    )
    ask(session, frame.id, asked, page)


def _fitting(messages: Sequence[model.Message], limit: int) -> Sequence[model.Message]:
    """
    As many of the first as have about C{limit} bytes together, and at least one.
    """
    size = 0
    for i, message in enumerate(messages):
        size += 256 + len(message.content.encode("utf-8"))
        if size > limit and i:
            return messages[:i]
    return messages


def conversations(session: Session, frame: frames.Conversations) -> None:
    """
    The user's conversations that changed at a time or later, from the first or
    going on.
    """
    most = session.limits.page
    limit = min(frame.limit or most, most)

    def heads(result: tuple[Sequence[model.ConversationHead], bool]) -> None:
        rows, more = result
        session.reply(frames.Heads(frame.id, heads_of(rows), more))

    asked = session.node.upstream.heads(session.user, frame.since, limit, frame.after)
    ask(session, frame.id, asked, heads)


def heads_of(rows: Sequence[model.ConversationHead]) -> tuple[frames.Head, ...]:
    """
    Conversations as the client protocol has them.
    """
    return tuple(
        frames.Head(
            row.conversation,
            row.head,
            row.read,
            row.delivered,
            row.time_ms,
            tuple(
                frames.Receipt(c.conversation, c.user, c.read, c.delivered)
                for c in row.others
            ),
        )
        for row in rows
    )


def members(session: Session, frame: frames.Members) -> None:
    """
    A group with some of its members, from the first or going on.
    """
    most = session.limits.page
    limit = min(frame.limit or most, most)

    def told(view: GroupView) -> None:
        more = len(view.members) > limit
        if not frame.after:
            more = more or len(view.members) < view.count
        session.reply(
            frames.Group(
                frame.id,
                frame.group,
                view.name,
                view.owner,
                view.history,
                view.count,
                tuple(frames.Member(*member) for member in view.members[:limit]),
                more,
            )
        )

    # One more than is told, to know whether there are more.
    asked = session.node.upstream.group(
        session.user, group_conversation(frame.group), frame.after, limit + 1
    )
    ask(session, frame.id, asked, told)
