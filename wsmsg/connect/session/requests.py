"""
Requests of a client that was welcomed, one function for each kind of frame.

Sends are in L{wsmsg.connect.session.sends}.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any, TypeVar

from twisted.logger import Logger
from twisted.python.failure import Failure

from wsmsg import model
from wsmsg.connect.session.registry import to_deliver
from wsmsg.connect.session.sends import (
    QUERIES_MAX,
    answer_later,
    by_number,
    check_member,
    names,
    refuse,
    send,
    submit_event,
)
from wsmsg.connect.session.watchers import to_presence
from wsmsg.connect.upstream.interface import (
    BlocksView,
    GroupView,
    HeadsView,
    InvitationsView,
    PageView,
)
from wsmsg.errors import (
    BadFrame,
    BadRequest,
    Internal,
    Overloaded,
    WsmsgError,
)
from wsmsg.events import KIND_OF_FRAME
from wsmsg.events.block import block_of
from wsmsg.model import group_conversation, group_in
from wsmsg.protocol import frames
from wsmsg.protocol.costs import COSTS

if TYPE_CHECKING:
    from wsmsg.connect.session.session import Session

T = TypeVar("T")

#: Carries out a frame of a session.
Request = Callable[[Any, Any], None]

_log = Logger()


# ---------------------------------------------------------------------- reads


def sync(session: Session, frame: frames.Sync) -> None:
    """
    Answer with the messages of a conversation above a seq.
    """
    try:
        check_member(session, frame.conversation)
    except WsmsgError as e:
        refuse(session, e, frame.id)
        return
    limit = _limit(session, frame.limit)

    def answer(page: PageView) -> None:
        fitting = _fitting(
            page.messages, session.limits.outbox_hard_bytes // QUERIES_MAX
        )
        session.reply(
            frames.Page(
                frame.id,
                frame.conversation,
                tuple(to_deliver(m, session.user) for m in fitting),
                page.head,
                page.more or len(fitting) < len(page.messages),
                page.epoch,
            )
        )

    query = session.context.upstream.reads.page(
        session.user, frame.conversation, frame.after, limit
    )
    answer_later(session, frame.id, query, answer)


def _limit(session: Session, wanted: int) -> int:
    """
    Return how many items an answer may have.
    """
    most = session.limits.page
    return min(wanted or most, most)


def _fitting(messages: Sequence[model.Message], limit: int) -> Sequence[model.Message]:
    """
    Return the first messages that have about C{limit} bytes together, at least one.
    """
    size = 0
    for i, message in enumerate(messages):
        size += 256 + len(message.content.encode("utf-8"))
        if size > limit and i:
            return messages[:i]
    return messages


def conversations(session: Session, frame: frames.Conversations) -> None:
    """
    Answer with the user's conversations that changed since a position.
    """
    limit = _limit(session, frame.limit)
    note_heads = session.note_heads()

    def answer(found: HeadsView) -> None:
        heads = to_heads(found.heads)
        note_heads(heads)
        session.reply(
            frames.Heads(frame.id, heads, found.more, found.position, found.epoch)
        )

    query = session.context.upstream.reads.heads(
        session.user, frame.position, limit, continued=True
    )
    answer_later(session, frame.id, query, answer)


def to_heads(rows: Sequence[model.ConversationHead]) -> tuple[frames.Head, ...]:
    """
    Convert conversations to the client protocol.
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
            row.unread,
            row.message_id,
        )
        for row in rows
    )


def members(session: Session, frame: frames.Members) -> None:
    """
    Answer with a group and a page of its members.
    """
    limit = _limit(session, frame.limit)

    def answer(view: GroupView) -> None:
        session.reply(
            frames.Group(
                frame.id,
                frame.group,
                view.name,
                view.owner,
                view.history,
                view.count,
                tuple(frames.Member(*member) for member in view.members),
                view.more,
                view.key,
            )
        )

    query = session.context.upstream.reads.group(
        session.user, group_conversation(frame.group), frame.after, limit
    )
    answer_later(session, frame.id, query, answer)


def blocks(session: Session, frame: frames.Blocks) -> None:
    """
    Answer with a page of the user's blocks.
    """

    def answer(view: BlocksView) -> None:
        found = [frames.BlockEntry(*block_of(target), ms) for target, ms in view.blocks]
        after = view.blocks[-1][0] if view.more else ""
        session.reply(frames.Blocked(frame.id, tuple(found), after))

    limit, reads = _limit(session, frame.limit), session.context.upstream.reads
    query = reads.blocks(session.user, frame.after, limit)
    answer_later(session, frame.id, query, answer)


def invitations(session: Session, frame: frames.Invitations) -> None:
    """
    Answer with a page of the user's open invitations.
    """

    def answer(view: InvitationsView) -> None:
        rows = view.invitations
        found = [frames.Invitation(group_in(i.conversation), *i[1:]) for i in rows]
        session.reply(frames.Invited(frame.id, tuple(found), view.next))

    limit, reads = _limit(session, frame.limit), session.context.upstream.reads
    asked = reads.invitations(session.user, frame.after, limit)
    answer_later(session, frame.id, asked, answer)


# ------------------------------------------------------- marks, typing, presence


def delivered(session: Session, frame: frames.Delivered) -> None:
    """
    Note that all messages up to a seq are on a device of the user.
    """
    try:
        check_member(session, frame.conversation)
    except WsmsgError as e:
        refuse(session, e)
        return
    session.confirmed(frame.conversation, frame.seq)
    session.context.upstream.cursor(frame.conversation, session.user, frame.seq, 0)


def read(session: Session, frame: frames.Read) -> None:
    """
    Note that the user has seen all messages up to a seq, or a single message by id.
    """
    try:
        check_member(session, frame.conversation)
    except WsmsgError as e:
        refuse(session, e)
        return
    seq, upstream = frame.seq, session.context.upstream
    session.confirmed(frame.conversation, seq)
    if seq and not upstream.unnumbered:
        upstream.cursor(frame.conversation, session.user, seq, seq)
    elif frame.message_id:
        mark = model.Mark(session.user, frame.message_id)
        upstream.reads.mark(session.user, [mark]).addErrback(_mark_failed, session)


def _mark_failed(failure: Failure, session: Session) -> None:
    error = failure.value
    if not isinstance(error, WsmsgError):
        error = Internal("internal error")
    refuse(session, error)


def typing(session: Session, frame: frames.Typing) -> None:
    """
    Tell the others in a conversation that the user types.
    """
    try:
        check_member(session, frame.conversation)
    except WsmsgError as e:
        refuse(session, e)
        return
    session.context.upstream.typing(frame.conversation, session.user)


def watch(session: Session, frame: frames.Watch) -> None:
    """
    Watch the presence of these users in place of those watched before, and answer
    with their presence now.
    """
    if frame.names:
        by_number(session, frame, watch)
        return
    users = tuple(dict.fromkeys(frame.users))
    most = session.limits.watch
    if len(users) > most:
        refuse(session, BadRequest(f"watch.users has more than {most} users"))
        return
    registry, upstream = session.context.registry, session.context.upstream
    watchers = registry.watchers
    if not watchers.has_room(users):
        refuse(session, Overloaded("the clients of this node watch too many users"))
        return
    added, removed = watchers.replace(session, users)
    if added:
        upstream.watch(added)
    if removed:
        upstream.unwatch(removed)
    if not users:
        return
    kept = watchers.record(session)
    reads = upstream.reads

    def answer(found: Sequence[model.UserPresence]) -> None:
        for presence in watchers.answered(session, kept, found):
            session.reply(to_presence(presence))

    def unavailable(failure: Failure) -> list[model.UserPresence]:
        failure.trap(WsmsgError)
        if reads.judges:
            watchers.hide(session, users)  # until they can be judged
            return []
        return [model.UserPresence(u, True) for u in users if u in registry]

    query = reads.presence(users, session.user)
    answer_later(session, "", query.addErrback(unavailable), answer)
    query.addBoth(lambda _: watchers.stop_recording(session, kept))


# ----------------------------------------------------------------------- others


def ping(session: Session, frame: frames.Ping) -> None:
    """
    Answer a ping.
    """
    witness = session.newer_witness()
    session.reply(frames.Pong(frame.nonce, session.checked_ms, witness))


def refresh(session: Session, frame: frames.Refresh) -> None:
    """
    Verify a new token as that of a login of the same user.  If it is refused, the
    session keeps the token that it has.
    """
    context = session.context
    try:
        session.count_refresh()
        identity = context.authenticate_again(session, frame.token)
        context.registry.revocations.check(identity)
    except WsmsgError as e:
        refuse(session, e, frame.id)
        return
    session.take_token(identity)
    context.registry.counters.refreshed += 1
    session.reply(frames.Refreshed(frame.id, identity.expires_ms))


def hello(session: Session, frame: frames.Hello) -> None:
    """
    Refuse a second hello.
    """
    refuse(session, BadFrame("hello was sent already"))


def _charged(kind: type[Any], request: Request) -> Request:
    """
    Return the request with its cost (L{wsmsg.protocol.costs}).
    """
    cost = COSTS.get(kind)
    if cost is None:
        return request
    units = cost.of

    def charged(session: Session, frame: Any) -> None:
        session.charge(units(frame, session.limits.page))
        request(session, frame)

    return charged


_FREE: dict[type[Any], Request] = {
    frames.Hello: hello,
    frames.Send: send,
    frames.Delivered: delivered,
    frames.Read: read,
    frames.Sync: sync,
    frames.Conversations: conversations,
    frames.Typing: typing,
    frames.Watch: watch,
    frames.Ping: ping,
    frames.Members: members,
    frames.Refresh: refresh,
    frames.Blocks: blocks,
    frames.Invitations: invitations,
    frames.Names: names,
    **dict.fromkeys(KIND_OF_FRAME, submit_event),
}

#: The function for each kind of frame of a client that was welcomed.
REQUESTS = {kind: _charged(kind, request) for kind, request in _FREE.items()}
