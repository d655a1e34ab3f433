"""
The seams inside Connect.

::

    websocket --frames--> session --IUpstream--> upstream --stream--> Message
        ^                    |                       |
        `-----ISessionPeer---'      registry <--IEdge+  (pushes, receipts, presence)
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import NamedTuple

import attrs
from twisted.internet.defer import Deferred
from zope.interface import Attribute, Interface

from wsmsg.auth.identity import Authenticate as Authenticate  # noqa: PLC0414
from wsmsg.auth.identity import Identity as Identity  # noqa: PLC0414
from wsmsg.model import ConversationHead, Cursor, Mark, Message, UserPresence
from wsmsg.protocol.codec import ICodec as ICodec  # noqa: PLC0414


class NewSend(NamedTuple):
    """
    A send that a session's checks let through.
    """

    sender: int
    client_id: str
    conversation: str
    content: str
    kind: int


@attrs.frozen
class SendAnswer:
    """
    What became of a send.

    @ivar time_ms: when it was accepted; 0: it was rejected, as C{code} says.
    @ivar code: of L{wsmsg.errors.ERRORS}.
    @ivar retry_after_ms: 0: do not send it again.
    """

    time_ms: int = 0
    code: str = ""
    reason: str = ""
    retry_after_ms: int = 0


@attrs.frozen
class GroupView:
    """
    A group with some of its members.

    @ivar count: how many members there are in all.
    @ivar members: pairs of user and the number at which they joined, by user.
    """

    name: str
    owner: int
    history: bool
    count: int
    members: Sequence[tuple[int, int]]


#: Called exactly once for each send.
OnAnswer = Callable[[SendAnswer], object]


class IUpstream(Interface):
    """
    Message, as the sessions see it: one thing, however many streams there are.
    """

    up = Attribute("Whether at least one stream is up.")
    reads = Attribute("The reads of Message, an L{IUpstreamReads}.")
    unnumbered = Attribute(
        "Whether the Message that was met last numbers no messages; most reads then "
        "fail with C{Unsupported}."
    )

    def send(new: NewSend, on_answer: OnAnswer) -> None:
        """
        Have a message accepted.  It is queued at once; C{on_answer} is called once,
        with a rejection C{unavailable} after C{send_timeout_s} or C{overloaded} at
        once where too many sends wait.

        @type new: L{NewSend}
        @type on_answer: L{OnAnswer}
        """

    def user_joined(user: int) -> Deferred[bool]:
        """
        The user has a session here; called for each of several, too.

        @return: a Deferred that fires with a bool: L{True} once every stream that
            is up knows it, so that a head read from now on misses nothing that is
            not pushed; L{False} when no stream was up or one was lost meanwhile
            (the session is then told to resync when the stream is back).
        """

    def user_left(user: int) -> None:
        """
        The user's last session here is gone.
        """

    def cursor(conversation: str, user: int, delivered: int, read: int) -> None:
        """
        The user is so far in the conversation; 0: no news.
        """

    def typing(conversation: str, user: int) -> None:
        """
        The user types.  Shed when the streams are busy.
        """

    def watch(users: Sequence[int]) -> None:
        """
        Somebody here asks for the presence of these users.
        """

    def unwatch(users: Sequence[int]) -> None:
        """
        Nobody here asks for the presence of these users any more.
        """


class IUpstreamReads(Interface):
    """
    The reads of Message, and marks.  Each Deferred fails with
    L{wsmsg.errors.WsmsgError}; while Message numbers no messages, with C{Unsupported}
    for what it does not keep.
    """

    def page(
        user: int, conversation: str, after: int, limit: int
    ) -> Deferred[tuple[Sequence[Message], int, bool]]:
        """
        @return: a Deferred that fires with a tuple (messages, head, more), the
            messages L{wsmsg.model.Message}s; fails with L{wsmsg.errors.WsmsgError}.
        """

    def heads(
        user: int, since_ms: int, limit: int, after: str = ""
    ) -> Deferred[tuple[Sequence[ConversationHead], bool]]:
        """
        @param after: go on with a list: the last conversation there was, its time
            as C{since_ms}.
        @return: a Deferred that fires with a tuple (heads, more), the heads
            L{wsmsg.model.ConversationHead}s; fails with L{wsmsg.errors.WsmsgError}.
        """

    def group(
        user: int, conversation: str, after: int, limit: int
    ) -> Deferred[GroupView]:
        """
        @param user: who asks; only members are answered.
        @param after: members with greater numbers than this user.
        @return: a Deferred that fires with a L{GroupView} of at most C{limit}
            members; fails with L{wsmsg.errors.WsmsgError}.
        """

    def presence(users: Sequence[int]) -> Deferred[list[UserPresence]]:
        """
        @return: a Deferred that fires with a list of L{wsmsg.model.UserPresence}; fails
            with L{wsmsg.errors.WsmsgError}.
        """

    def mark(user: int, marks: Sequence[Mark]) -> Deferred[list[bool]]:
        """
        The user has seen these messages, whatever is before them.  May be repeated.

        @param marks: a sequence of L{wsmsg.model.Mark} of this user.
        @return: a Deferred that fires with a list of bool, one a mark: whether there
            is such a message to the user, and it is stored that it was seen; fails
            with L{wsmsg.errors.WsmsgError}.
        """

    def unread(
        user: int, after: int, limit: int
    ) -> Deferred[tuple[Sequence[Message], int, bool]]:
        """
        What the user was sent and has not seen.

        @param after: messages with greater ids than this.
        @return: a Deferred that fires with a tuple (messages, total, more): the
            L{wsmsg.model.Message}s by C{message_id}, how many are unread in all,
            and whether there are any behind these; fails with
            L{wsmsg.errors.WsmsgError}.
        """


class IEdge(Interface):
    """
    The sessions, as the streams see them.  None of these raises, blocks or waits:
    when it returns, what it was given is in the outboxes (or given up, and the
    session told to resync).
    """

    def users() -> Sequence[int]:
        """
        @return: a list of all users that have a session here.
        """

    def here(user: int) -> bool:
        """
        @return: whether this user has a session here.
        """

    def watched() -> Sequence[int]:
        """
        @return: a list of all users whose presence a session here asks for.
        """

    def push(message: Message, targets: Sequence[int]) -> int:
        """
        Give a L{wsmsg.model.Message} to all sessions of these users.  One whose
        number a session has had already is dropped there; one without a number, if
        it had the same of late.

        @return: how many sessions have it.
        """

    def receipt(cursor: Cursor, targets: Sequence[int]) -> None:
        """
        Tell these users how far another is (L{wsmsg.model.Cursor}).
        """

    def typing(conversation: str, user: int, targets: Sequence[int]) -> None:
        """
        Tell these users that another types.
        """

    def presence(presence: UserPresence) -> None:
        """
        Tell whoever watches this user (L{wsmsg.model.UserPresence}).
        """

    def renew(reason: str) -> None:
        """
        What clients were told in their welcome is not so any more: have them come
        again, over C{resync_spread_s}.
        """

    def kick(user: int, device: str, reason: str) -> None:
        """
        End the session of a device of the user, or all of them if C{device} is empty.
        Their clients are not to come back by themselves.
        """

    def resync(reason: str, opened_after_s: float) -> None:
        """
        Tell all sessions that were opened at C{opened_after_s} (clock seconds) or
        later that what they were pushed may be incomplete; spread over
        C{resync_spread_s}.  0: all sessions.
        """
