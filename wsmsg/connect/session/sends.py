"""
Submissions of a client: messages and events, which Message accepts or rejects.

All take the same way, as messages of different kinds, and so share their rate, window,
order and answers.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import TYPE_CHECKING

from wsmsg import model
from wsmsg.connect.upstream.interface import NewSend, SendAnswer
from wsmsg.errors import (
    BadRequest,
    Forbidden,
    TooLarge,
    Unsupported,
    WsmsgError,
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
from wsmsg.protocol import frames

if TYPE_CHECKING:
    from wsmsg.connect.session.session import Session

_Event = (
    frames.Recall
    | frames.CreateGroup
    | frames.ChangeGroup
    | frames.Block
    | frames.Invite
    | frames.AcceptInvitation
    | frames.DeclineInvitation
)


def send(session: Session, frame: frames.Send) -> None:
    """
    Pass a message on to Message.
    """
    to = frame.to
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
    _submit(
        session,
        frame,
        conversation,
        frame.content,
        frame.kind or model.TEXT,
        partial(session.finish_send, frame.client_id),
    )


def submit_event(session: Session, frame: _Event) -> None:
    """
    Submit the event that a frame asks for (L{wsmsg.events}).  Message judges whether
    the user may make it.
    """
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
    on_answer = partial(session.finish_send, frame.client_id, created=event.created)
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
    session.context.upstream.send(new, on_answer)
