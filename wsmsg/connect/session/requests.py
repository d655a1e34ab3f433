"""
What a client that is known may ask for: one function a frame.

What is to be accepted is in L{wsmsg.connect.session.sends}.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any, TypeVar

from twisted.internet.defer import Deferred
from twisted.logger import Logger
from twisted.python.failure import Failure

from wsmsg import model
from wsmsg.connect.session.inbox import QUERIES
from wsmsg.connect.session.registry import deliver, presence_frame
from wsmsg.connect.session.sends import (
    change_group,
    check_member,
    create_group,
    recall,
    send,
)
from wsmsg.connect.upstream.interface import GroupView
from wsmsg.errors import BadFrame, BadRequest, Internal, WsmsgError
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

    asked = session.node.upstream.reads.page(
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

    asked = session.node.upstream.reads.heads(
        session.user, frame.since, limit, frame.after
    )
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
    asked = session.node.upstream.reads.group(
        session.user, group_conversation(frame.group), frame.after, limit + 1
    )
    ask(session, frame.id, asked, told)


def delivered(session: Session, frame: frames.Delivered) -> None:
    """
    All up to this number is on the user's device.
    """
    try:
        check_member(session, frame.conversation)
    except WsmsgError as e:
        refuse(session, e)
        return
    session.node.upstream.cursor(frame.conversation, session.user, frame.seq, 0)


def read(session: Session, frame: frames.Read) -> None:
    """
    All up to this number was seen, and so is on a device; or a message alone was.
    """
    try:
        check_member(session, frame.conversation)
    except WsmsgError as e:
        refuse(session, e)
        return
    seq, upstream = frame.seq, session.node.upstream
    if seq and not upstream.unnumbered:
        upstream.cursor(frame.conversation, session.user, seq, seq)
    elif frame.message_id:
        mark = model.Mark(session.user, frame.message_id)
        upstream.reads.mark(session.user, [mark]).addErrback(_not_marked, session)


def _not_marked(failure: Failure, session: Session) -> None:
    error: Any = failure.check(WsmsgError) and failure.value
    refuse(session, error or Internal("internal error"))


def typing(session: Session, frame: frames.Typing) -> None:
    """
    The user types; whoever hears it late need not hear it.
    """
    try:
        check_member(session, frame.conversation)
    except WsmsgError as e:
        refuse(session, e)
        return
    session.node.upstream.typing(frame.conversation, session.user)


def watch(session: Session, frame: frames.Watch) -> None:
    """
    Whose presence the client wants to know, in place of whom it asked for before.
    """
    users = tuple(dict.fromkeys(frame.users))
    most = session.limits.watch
    if len(users) > most:
        refuse(session, BadRequest(f"watch.users has more than {most} users"))
        return
    node = session.node
    came, left = node.registry.watch(session, session.watching, users)
    session.watching = users
    if came:
        node.upstream.watch(came)
    if left:
        node.upstream.unwatch(left)
    if not users:
        return
    # What is pushed while the answer is on its way is newer than the answer.
    told = session.told = set()

    def present(answer: Sequence[model.UserPresence]) -> None:
        if session.told is not told:
            return  # asked again meanwhile
        session.told = None
        for presence in answer:
            if presence.user not in told:
                session.reply(presence_frame(presence))

    def unknown(failure: Failure) -> list[model.UserPresence]:
        failure.trap(WsmsgError)
        return [model.UserPresence(u, True) for u in users if u in node.registry]

    asked = node.upstream.reads.presence(users)
    ask(session, "", asked.addErrback(unknown), present)


def ping(session: Session, frame: frames.Ping) -> None:
    """
    The client sees that we are there.
    """
    session.reply(frames.Pong(frame.nonce))


def hello(session: Session, frame: frames.Hello) -> None:
    """
    Refused: it was said.
    """
    refuse(session, BadFrame("hello was said already"))


#: What to do for each frame of a client that is known.
ANSWERS: dict[type[Any], Callable[[Any, Any], None]] = {
    frames.Hello: hello,
    frames.Send: send,
    frames.Delivered: delivered,
    frames.Read: read,
    frames.Sync: sync,
    frames.Conversations: conversations,
    frames.Typing: typing,
    frames.Watch: watch,
    frames.Recall: recall,
    frames.Ping: ping,
    frames.CreateGroup: create_group,
    frames.ChangeGroup: change_group,
    frames.Members: members,
}
