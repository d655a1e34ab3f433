"""
Submissions of a client: messages and events, which Message accepts or rejects; and
requests with names of users in them.

All submissions take the same way, as messages of different kinds, and so share their
rate, window, order and answers.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import partial
from typing import TYPE_CHECKING, TypeVar

from twisted.internet.defer import Deferred
from twisted.logger import Logger
from twisted.python.failure import Failure

from wsmsg import model
from wsmsg.connect.session.inbox import NAMES
from wsmsg.connect.upstream.interface import NewSend, SendAnswer
from wsmsg.errors import (
    BadRequest,
    Forbidden,
    Internal,
    NotFound,
    TooLarge,
    Unsupported,
    WsmsgError,
    from_code,
)
from wsmsg.events import KIND_OF_FRAME
from wsmsg.events.kind import EventKind, NewEvent
from wsmsg.model import (
    InvalidName,
    conversation_of,
    group_conversation,
    group_in,
    is_group,
    members_of,
)
from wsmsg.names import group_in_text, unknown_of
from wsmsg.protocol import frames
from wsmsg.protocol.naming import NamingFrame, names_in, with_users

if TYPE_CHECKING:
    from wsmsg.connect.session.session import Session

_log = Logger()

#: Unanswered queries of a session at which Connect stops reading from it.
QUERIES_MAX = 4

#: The reason for refusing a name.
NO_NAMES = "users have no names here: users.names is false"
# The least time to retry where Message did not say one.
_LEAST_HINT_MS = 500

_Event = (
    frames.Recall
    | frames.CreateGroup
    | frames.ChangeGroup
    | frames.Block
    | frames.Invite
    | frames.AcceptInvitation
    | frames.DeclineInvitation
)
# Those in which users may have names.
_Naming = frames.CreateGroup | frames.ChangeGroup | frames.Block | frames.Invite


def refuse(session: Session, error: WsmsgError, request: str = "") -> None:
    """
    Answer a request with an error.
    """
    after_ms = error.retry_after_ms
    session.reply(frames.Error(error.code, error.reason, request, after_ms))


def answer_later(
    session: Session,
    request: str,
    query: Deferred[T],
    answer: Callable[[T], object],
) -> None:
    """
    Answer a request when its query has a result, or with the error why it has none.
    Connect does not read from a session with too many queries.

    @param request: the id of the request, for the error.
    @param answer: called with the result.
    """
    session.start_query()

    def failed(failure: Failure) -> None:
        error = failure.value
        if not isinstance(error, WsmsgError):
            _log.failure("a query failed", failure=failure)
            error = Internal("internal error")
        refuse(session, error, request)

    names = session.context.names
    if names is not None:
        query.addCallback(names.prepare)
    query.addCallback(answer)
    query.addErrback(failed)
    query.addBoth(lambda _: session.finish_query())


def send(session: Session, frame: frames.Send) -> None:
    """
    Pass a message on to Message.
    """
    to = frame.to
    if frame.to_name and not to:
        by_number(session, frame, send)
        return
    conversation = (
        conversation_of(session.user, to) if to else group_conversation(frame.group)
    )
    if not session.start_send(frame.client_id, conversation):
        return
    problem = problem_with(frame, session.limits.content_bytes)
    if problem is None and frame.kind > model.TEXT:
        problem = _unsupported(session, "kinds other than 1")
    if problem is not None:
        session.reject_send(frame.client_id, problem)
        return
    on_answer = partial(session.finish_send, frame.client_id)
    if frame.to_name:
        on_answer = partial(on_answer, told=conversation)
    _submit(
        session,
        frame,
        conversation,
        frame.content,
        frame.kind or model.TEXT,
        on_answer,
        frame.traceparent,
    )


def submit_event(session: Session, frame: _Event) -> None:
    """
    Submit the event that a frame asks for (L{wsmsg.events}).  Message judges whether
    the user may make it.
    """
    if isinstance(frame, _Naming) and names_in(frame):
        by_number(session, frame, submit_event)
        return
    kind = KIND_OF_FRAME[type(frame)]
    event = _event_of(session, kind, frame)
    conversation = "" if isinstance(event, WsmsgError) else event.conversation
    if not session.start_send(frame.client_id, conversation):
        return
    if _rejected(session, frame.client_id, f"{kind.name}s"):
        return
    if isinstance(event, WsmsgError):
        session.reject_send(frame.client_id, event)
        return
    told = event.created
    if isinstance(frame, frames.Invite) and frame.user_name:
        told = conversation
    on_answer = partial(session.finish_send, frame.client_id, told=told)
    _submit(
        session,
        frame,
        event.conversation,
        event.content,
        kind.kind,
        on_answer,
    )


def _event_of(
    session: Session, kind: EventKind, frame: _Event
) -> NewEvent | WsmsgError:
    try:
        event = kind.frames[type(frame)](frame, session.user)
        check_member(session, event.conversation)
    except WsmsgError as e:
        return e
    return event


def check_member(session: Session, conversation: str) -> None:
    """
    Check that the user is in a conversation of two, by its name.  The members of a
    group are known to Message only.

    @raise WsmsgError: the user is not in it, or the name is invalid.
    """
    try:
        if is_group(conversation):
            group_in(conversation)
            return
        members = members_of(conversation)
    except InvalidName as e:
        raise BadRequest(str(e)) from None
    if session.user not in members:
        raise Forbidden(f"you are not in the conversation {conversation}")


def problem_with(frame: frames.Send, limit: int) -> WsmsgError | None:
    """
    Return what is wrong with the frame, or L{None}.

    @param limit: the maximum length of the content in bytes.
    """
    content = frame.content
    if frame.group and frame.to:
        return BadRequest("both to and group are set")
    if not frame.to and not frame.group:
        return BadRequest("neither to nor group is set")
    if frame.kind >= model.FIRST_EVENT:
        return BadRequest(
            f"kinds from {model.FIRST_EVENT} on are reserved for the server"
        )
    # A character is one to four bytes, so the number of characters mostly decides.
    if len(content) * 4 > limit and len(content.encode("utf-8")) > limit:
        return TooLarge(f"content is longer than {limit} bytes")
    if "\0" in content:
        return BadRequest("content has the character U+0000")
    return None


def _unsupported(session: Session, what: str) -> Unsupported | None:
    if not session.context.upstream.unnumbered:
        return None
    return Unsupported(f"the Message behind this server does not support {what}")


def _rejected(session: Session, client_id: str, what: str) -> bool:
    """
    Reject a send that Message does not support.

    @return: whether it was rejected.
    """
    error = _unsupported(session, what)
    if error is not None:
        session.reject_send(client_id, error)
    return error is not None


def _submit(
    session: Session,
    frame: frames.Send | _Event,
    conversation: str,
    content: str,
    kind: int,
    on_answer: Callable[[SendAnswer], object],
    asked: str = "",
) -> None:
    new = NewSend(
        session.user,
        frame.client_id,
        conversation,
        content,
        kind,
        session.number,
        repeat=frame.repeat,
    )
    registry = session.context.registry
    if (traces := registry.traces) is not None and traces.samples(asked):
        life = registry.life
        new, on_answer = traces.received(asked, new, on_answer, session.name, life)
    session.context.upstream.send(new, on_answer)


# ---------------------------------------------------------------------- by name

T = TypeVar("T")
F = TypeVar("F", bound=NamingFrame)


def by_number(
    session: Session, frame: F, carry_out: Callable[[Session, F], None]
) -> None:
    """
    Carry out a request with numbers in the places of its names.  While a name is looked
    up, the session processes no other frame of its client, so that none overtakes.
    """
    known = session.context.names
    wanted = names_in(frame)
    if known is None:
        _refuse_named(session, frame, Unsupported(NO_NAMES))
        return
    users = known.known(wanted)
    if all(name in users for name in wanted):
        _carry_out(session, frame, users, carry_out)
        return
    session.start_query()
    session.inbox.block(NAMES)

    def done(found: dict[str, int] | Failure) -> None:
        if not session.closed:
            if isinstance(found, Failure):
                _refuse_named(session, frame, _error_of(found))
            else:
                _carry_out(session, frame, found, carry_out)
        session.inbox.unblock(NAMES)
        session.finish_query()

    known.find(wanted, ()).addBoth(done).addErrback(session.failed)


def _carry_out(
    session: Session,
    frame: F,
    users: Mapping[str, int],
    carry_out: Callable[[Session, F], None],
) -> None:
    unknown = {name for name in names_in(frame) if name not in users}
    if unknown:
        _refuse_named(session, frame, NotFound(unknown_of(unknown)))
        return
    if isinstance(frame, frames.Send | frames.Invite) and _is_behind(session, frame):
        return
    carry_out(session, with_users(frame, users))


def _is_behind(session: Session, frame: frames.Send | frames.Invite) -> bool:
    """
    Refuse a submission by name behind an earlier one that was refused as its name could
    not be looked up.
    """
    conversation = _conversation(session, frame)
    fences = session.context.upstream.fences
    key = (conversation, session.user, session.number)
    if key not in fences.standing:
        return False
    if fences.hint_ms(key, frame.client_id, session.context.clock.seconds()):
        session.start_send(frame.client_id, conversation)  # refuses it
        return True
    # From here on, the fence of the conversation keeps the order.
    fences.forget(key, frame.client_id)
    return False


def _refuse_named(session: Session, frame: F, error: WsmsgError) -> None:
    """
    Refuse a request with names.
    """
    if isinstance(frame, frames.Watch):
        refuse(session, error)
        return
    conversation = _conversation(session, frame)
    if not session.start_send(frame.client_id, conversation):
        return
    if error.retry:
        hint_ms = max(error.retry_after_ms, _LEAST_HINT_MS)
        error = from_code(error.code, error.reason, hint_ms)
        upstream, now_s = session.context.upstream, session.context.clock.seconds()
        key = (conversation, session.user, session.number)
        if conversation:
            upstream.fences.refuse(
                key, frame.client_id, now_s, hint_ms, upstream.unanswered
            )
    session.reject_send(frame.client_id, error)


def _conversation(session: Session, frame: NamingFrame) -> str:
    """
    Return the conversation of a submission with names, or what stands for that with a
    user whose number is not known; empty: there is none yet.
    """
    match frame:
        case frames.Send():
            return f"?{frame.to_name}"
        case frames.Invite():
            return f"?{frame.user_name}"
        case frames.ChangeGroup():
            return group_conversation(frame.group)
        case frames.Block():
            return conversation_of(session.user, session.user)
        case _:
            return ""


def _error_of(failure: Failure) -> WsmsgError:
    error = failure.value
    return error if isinstance(error, WsmsgError) else Internal("internal error")


def names(session: Session, frame: frames.Names) -> None:
    """
    Answer with the numbers of names and of keys, and the names of users.
    """
    known = session.context.names
    if known is None:
        refuse(session, Unsupported(NO_NAMES), frame.id)
        return

    def answer(found: dict[str, int]) -> None:
        users = tuple(dict.fromkeys(found.values()))
        unknown = (n for n in dict.fromkeys(frame.names) if n not in found)
        groups = tuple(map(group_in_text, frame.keys))
        session.reply(frames.Named(frame.id, users, tuple(unknown), groups))

    answer_later(session, frame.id, known.find(frame.names, frame.users), answer)
