"""
What a client that is known may ask for: one function a frame.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import partial
from typing import TYPE_CHECKING, Any, TypeVar

from twisted.internet.defer import Deferred
from twisted.logger import Logger
from twisted.python.failure import Failure

from wsmsg import frames, model
from wsmsg.connect.blocks import QUERIES, WINDOW
from wsmsg.connect.interfaces import NewSend, SendAnswer
from wsmsg.connect.registry import deliver, presence_frame
from wsmsg.errors import (
    BadFrame,
    BadRequest,
    Forbidden,
    Internal,
    NotFound,
    RateLimited,
    TooLarge,
    WsmsgError,
)
from wsmsg.model import InvalidName, conversation_of, members_of

if TYPE_CHECKING:
    from wsmsg.connect.session import Session

T = TypeVar("T")

#: The least that a sender over the rate is told to wait: what they have on the wire
#: must meet the fence, or it overtakes what was refused.
_LEAST_HINT_MS = 500

#: Queries of one session that may be unanswered; then it is not read.
QUERIES_MAX = 4

_log = Logger()


# ---------------------------------------------------------------------- sends


def send(session: Session, frame: frames.Send) -> None:
    """
    Have a message accepted; the answer comes whenever it does.
    """
    registry = session.node.registry
    registry.counts.sends += 1
    limits = registry.settings.limits
    now = session.node.clock.seconds()
    bucket = session.sends
    if bucket is None:
        bucket = session.sends = registry.bucket(session.user, now)
    session.unanswered += 1
    away = registry.turned_away
    wait_ms = away.standing_ms(session.user, now) if away else 0
    if not wait_ms and not bucket.take(now, limits.sends_per_s, limits.sends_burst):
        wait_ms = int(bucket.wait_s(now, limits.sends_per_s) * 1000) + 1
        wait_ms = max(wait_ms, _LEAST_HINT_MS)
        away.turn_away(session.user, now, wait_ms)
    if wait_ms:
        _reject(session, frame.client_id, RateLimited("too many sends", wait_ms))
        return
    fault = _fault(frame, limits.content_bytes)
    if fault is not None:
        _reject(session, frame.client_id, fault)
        return
    if session.unanswered > limits.window:
        session.intake.block(WINDOW)
    session.node.upstream.send(
        NewSend(
            session.user,
            frame.client_id,
            conversation_of(session.user, frame.to),
            frame.content,
            frame.kind or model.TEXT,
        ),
        partial(session.answered, frame.client_id),
    )


def _fault(frame: frames.Send, limit: int) -> WsmsgError | None:
    """
    Why the message cannot be, if so.
    """
    content = frame.content
    if frame.group:
        if frame.to:
            return BadRequest("both to and group are set")
        return NotFound(f"there is no group {frame.group}")
    if not frame.to:
        return BadRequest("neither to nor group is set")
    # A character is one to four bytes: mostly its number settles it.
    if len(content) * 4 > limit and len(content.encode("utf-8")) > limit:
        return TooLarge(f"content is longer than {limit} bytes")
    if "\0" in content:
        return BadRequest("content has the character U+0000")
    return None


def _reject(session: Session, client_id: str, error: WsmsgError) -> None:
    session.answered(
        client_id,
        SendAnswer(
            code=error.code, reason=error.reason, retry_after_ms=error.retry_after_ms
        ),
    )


def recall(session: Session, frame: frames.Recall) -> None:
    """
    Refused: this server does not have it yet.
    """
    error = NotFound("recall is not supported by this server yet")
    session.reply(frames.Rejected(frame.client_id, error.code, error.reason))


# -------------------------------------------------------------------- cursors


def _member(session: Session, conversation: str) -> None:
    """
    @raise WsmsgError: the user has no part in it.
    """
    try:
        members = members_of(conversation)
    except InvalidName as e:
        if conversation.startswith("g:"):
            raise NotFound(f"there is no group {conversation[2:]}") from None
        raise BadRequest(str(e)) from None
    if session.user not in members:
        raise Forbidden(f"you are not in the conversation {conversation}")


def _refuse(session: Session, error: WsmsgError, request: str = "") -> None:
    session.reply(frames.Error(error.code, error.reason, request))


def delivered(session: Session, frame: frames.Delivered) -> None:
    """
    All up to this number is on the user's device.
    """
    try:
        _member(session, frame.conversation)
    except WsmsgError as e:
        _refuse(session, e)
        return
    session.node.upstream.cursor(frame.conversation, session.user, frame.seq, 0)


def read(session: Session, frame: frames.Read) -> None:
    """
    All up to this number was seen, and so is on a device.
    """
    try:
        _member(session, frame.conversation)
    except WsmsgError as e:
        _refuse(session, e)
        return
    seq = frame.seq
    session.node.upstream.cursor(frame.conversation, session.user, seq, seq)


def typing(session: Session, frame: frames.Typing) -> None:
    """
    The user types; whoever hears it late need not hear it.
    """
    try:
        _member(session, frame.conversation)
    except WsmsgError as e:
        _refuse(session, e)
        return
    session.node.upstream.typing(frame.conversation, session.user)


# -------------------------------------------------------------------- queries


def _ask(
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
        _refuse(session, error, request)

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
        _member(session, frame.conversation)
    except WsmsgError as e:
        _refuse(session, e, frame.id)
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
    _ask(session, frame.id, asked, page)


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

    def heads(result: tuple[Sequence[model.Head], bool]) -> None:
        rows, more = result
        session.reply(frames.Heads(frame.id, heads_of(rows), more))

    asked = session.node.upstream.heads(session.user, frame.since, limit, frame.after)
    _ask(session, frame.id, asked, heads)


def heads_of(rows: Sequence[model.Head]) -> tuple[frames.Head, ...]:
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


# ------------------------------------------------------------------- presence


def watch(session: Session, frame: frames.Watch) -> None:
    """
    Whose presence the client wants to know, in place of whom it asked for before.
    """
    users = tuple(dict.fromkeys(frame.users))
    most = session.limits.watch
    if len(users) > most:
        _refuse(session, BadRequest(f"watch.users has more than {most} users"))
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

    def present(answer: Sequence[model.Presence]) -> None:
        if session.told is not told:
            return  # asked again meanwhile
        session.told = None
        for presence in answer:
            if presence.user not in told:
                session.reply(presence_frame(presence))

    def unknown(failure: Failure) -> list[model.Presence]:
        failure.trap(WsmsgError)
        return [model.Presence(u, True) for u in users if u in node.registry]

    asked = node.upstream.presence(users)
    _ask(session, "", asked.addErrback(unknown), present)


# ----------------------------------------------------------------------- rest


def ping(session: Session, frame: frames.Ping) -> None:
    """
    The client sees that we are there.
    """
    session.reply(frames.Pong(frame.nonce))


def hello(session: Session, frame: frames.Hello) -> None:
    """
    Refused: it was said.
    """
    _refuse(session, BadFrame("hello was said already"))


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
}
