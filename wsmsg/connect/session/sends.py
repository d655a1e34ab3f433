"""
What a client that is known wants to have accepted: messages, changes of groups, and
that a message is taken back.

All go the same way, as messages of different kinds, and so are alike in their rate,
window, order and answers.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import TYPE_CHECKING

from wsmsg import model
from wsmsg.connect.session.inbox import WINDOW
from wsmsg.connect.upstream.interface import NewSend, SendAnswer
from wsmsg.errors import (
    BadRequest,
    Forbidden,
    RateLimited,
    TooLarge,
    Unsupported,
    WsmsgError,
)
from wsmsg.model import (
    GroupChange,
    InvalidName,
    change_problem,
    conversation_of,
    group_conversation,
    group_in,
    group_of,
    is_group,
    members_of,
    spell_change,
)
from wsmsg.protocol import frames

if TYPE_CHECKING:
    from wsmsg.connect.session.session import Session

#: The least that a sender over the rate is told to wait: what they have on the wire
#: must meet the fence, or it overtakes what was refused.
_LEAST_HINT_MS = 500


def send(session: Session, frame: frames.Send) -> None:
    """
    Have a message accepted; the answer comes whenever it does.
    """
    if not _admitted(session, frame.client_id):
        return
    problem = problem_with(frame, session.limits.content_bytes)
    if problem is None and frame.kind > model.TEXT:
        problem = _unsupported(session, "messages of other kinds than 1")
    if problem is not None:
        reject(session, frame.client_id, problem)
        return
    to = frame.to
    _propose(
        session,
        frame.client_id,
        conversation_of(session.user, to) if to else group_conversation(frame.group),
        frame.content,
        frame.kind or model.TEXT,
        partial(session.answered, frame.client_id),
    )


def create_group(session: Session, frame: frames.CreateGroup) -> None:
    """
    Make a group of who asks and others; its number follows from the request.
    """
    if not _admitted(session, frame.client_id):
        return
    if _refused(session, frame.client_id, "groups that are made here"):
        return
    members = dict.fromkeys((session.user, *frame.members))
    change = GroupChange(True, frame.name, frame.history, tuple(members))
    group = group_conversation(group_of(session.user, frame.client_id))
    answered = partial(session.answered, frame.client_id, made=group)
    _propose_change(session, frame.client_id, group, change, answered)


def change_group(session: Session, frame: frames.ChangeGroup) -> None:
    """
    Add and remove members; whether the user may do that is for Message to say.
    """
    if not _admitted(session, frame.client_id):
        return
    if _refused(session, frame.client_id, "groups that are changed here"):
        return
    change = GroupChange(
        add=tuple(dict.fromkeys(frame.add)), remove=tuple(dict.fromkeys(frame.remove))
    )
    group = group_conversation(frame.group)
    answered = partial(session.answered, frame.client_id)
    _propose_change(session, frame.client_id, group, change, answered)


def recall(session: Session, frame: frames.Recall) -> None:
    """
    Take a message back; whether it is one of the user's is for Message to say.
    """
    if not _admitted(session, frame.client_id):
        return
    if _refused(session, frame.client_id, "messages that are taken back"):
        return
    try:
        check_member(session, frame.conversation)
    except WsmsgError as e:
        reject(session, frame.client_id, e)
        return
    _propose(
        session,
        frame.client_id,
        frame.conversation,
        str(frame.seq),
        model.RECALL,
        partial(session.answered, frame.client_id),
    )


def reject(session: Session, client_id: str, error: WsmsgError) -> None:
    """
    Answer one that goes nowhere.
    """
    session.answered(
        client_id,
        SendAnswer(
            code=error.code, reason=error.reason, retry_after_ms=error.retry_after_ms
        ),
    )


def check_member(session: Session, conversation: str) -> None:
    """
    Who is in a group only Message knows; the rest is in the name.

    @raise WsmsgError: the user has no part in it.
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


def _admitted(session: Session, client_id: str) -> bool:
    """
    Whether the user's rate allows one more; if not, it is rejected.
    """
    registry = session.node.registry
    registry.counts.sends += 1
    limits = registry.settings.limits
    now = session.node.clock.seconds()
    bucket = session.sends
    if bucket is None:
        bucket = session.sends = registry.bucket(session.user, now)
    session.unanswered += 1
    away = registry.send_fences
    wait_ms = away.remaining_ms(session.user, now) if away else 0
    if not wait_ms and not bucket.take(now, limits.sends_per_s, limits.sends_burst):
        wait_ms = int(bucket.wait_s(now, limits.sends_per_s) * 1000) + 1
        wait_ms = max(wait_ms, _LEAST_HINT_MS)
        away.raise_for(session.user, now, wait_ms)
    if wait_ms:
        reject(session, client_id, RateLimited("too many sends", wait_ms))
    return not wait_ms


def problem_with(frame: frames.Send, limit: int) -> WsmsgError | None:
    """
    Why the message cannot be, if so.
    """
    content = frame.content
    if frame.group and frame.to:
        return BadRequest("both to and group are set")
    if not frame.to and not frame.group:
        return BadRequest("neither to nor group is set")
    if frame.kind >= model.FIRST_EVENT:
        return BadRequest(f"kinds from {model.FIRST_EVENT} up are the server's")
    # A character is one to four bytes: mostly its number settles it.
    if len(content) * 4 > limit and len(content.encode("utf-8")) > limit:
        return TooLarge(f"content is longer than {limit} bytes")
    if "\0" in content:
        return BadRequest("content has the character U+0000")
    return None


def _unsupported(session: Session, what: str) -> Unsupported | None:
    if not session.node.upstream.unnumbered:
        return None
    return Unsupported(f"the deployed Message behind this server has no {what}")


def _refused(session: Session, client_id: str, what: str) -> bool:
    """
    Whether Message has no such thing; then it is rejected.
    """
    error = _unsupported(session, what)
    if error is not None:
        reject(session, client_id, error)
    return error is not None


def _propose_change(
    session: Session,
    client_id: str,
    group: str,
    change: GroupChange,
    answered: Callable[[SendAnswer], object],
) -> None:
    problem = change_problem(change)
    if problem:
        reject(session, client_id, BadRequest(problem))
        return
    _propose(session, client_id, group, spell_change(change), model.GROUP, answered)


def _propose(
    session: Session,
    client_id: str,
    conversation: str,
    content: str,
    kind: int,
    answered: Callable[[SendAnswer], object],
) -> None:
    if session.unanswered > session.limits.window:
        session.intake.block(WINDOW)
    new = NewSend(session.user, client_id, conversation, content, kind)
    session.node.upstream.send(new, answered)
