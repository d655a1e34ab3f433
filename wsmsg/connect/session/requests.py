"""
What a client that is known may ask for: one function a frame.

What is to be accepted is in L{wsmsg.connect.session.sends}, what is to be read in
L{wsmsg.connect.session.reads}, the rest is here.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any

from twisted.python.failure import Failure

from wsmsg import model
from wsmsg.connect.session.reads import QUERIES_MAX as QUERIES_MAX  # noqa: PLC0414
from wsmsg.connect.session.reads import ask, conversations, members, refuse, sync
from wsmsg.connect.session.registry import presence_frame
from wsmsg.connect.session.sends import (
    change_group,
    check_member,
    create_group,
    recall,
    send,
)
from wsmsg.errors import BadFrame, BadRequest, Internal, WsmsgError
from wsmsg.protocol import frames

if TYPE_CHECKING:
    from wsmsg.connect.session.session import Session


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
        upstream.mark(session.user, [mark]).addErrback(_not_marked, session)


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

    asked = node.upstream.presence(users)
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
