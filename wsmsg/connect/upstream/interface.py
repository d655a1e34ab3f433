"""
The contract between the sessions and the streams to Message.

::

    websocket --frames--> session --IUpstream--> upstream ==stream== Message
                             ^                       |
                             `------- IEdge ---------'
                          (pushes, receipts, presence)
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from typing import NamedTuple

import attrs
from twisted.internet.defer import Deferred
from zope.interface import Attribute, Interface

from wsmsg.connect.upstream.reading.views import (
    BlocksView as BlocksView,  # noqa: PLC0414
)
from wsmsg.connect.upstream.reading.views import (
    ComparedHeads as ComparedHeads,  # noqa: PLC0414
)
from wsmsg.connect.upstream.reading.views import GroupView as GroupView  # noqa: PLC0414
from wsmsg.connect.upstream.reading.views import HeadsView as HeadsView  # noqa: PLC0414
from wsmsg.connect.upstream.reading.views import (
    InvitationsView as InvitationsView,  # noqa: PLC0414
)
from wsmsg.connect.upstream.reading.views import (
    InvitationView as InvitationView,  # noqa: PLC0414
)
from wsmsg.connect.upstream.reading.views import PageView as PageView  # noqa: PLC0414
from wsmsg.connect.upstream.reading.views import (
    UnreadView as UnreadView,  # noqa: PLC0414
)
from wsmsg.model import Cursor, Mark, Message, UserPresence

#: The most numbers in a comparison with the heads.
MOST_COMPARED = 1000

#: The sends that keep their order: of a conversation, a sender and a session.
SendKey = tuple[str, int, int]


class NewSend(NamedTuple):
    """
    A send that has passed the checks of its session.

    @ivar session: the number of the session; 0 for all sessions of a legacy client.
    @ivar extra: as in L{wsmsg.model.Message}.
    @ivar repeat: it may have been accepted before.
    @ivar traceparent: as in L{wsmsg.model.Message}.
    """

    sender: int
    client_id: str
    conversation: str
    content: str
    kind: int
    session: int = 0
    extra: str = ""
    repeat: bool = False
    traceparent: str = ""

    @property
    def key(self) -> SendKey:
        """The sends that this one keeps its order with."""
        return self.conversation, self.sender, self.session


@attrs.frozen
class SendAnswer:
    """
    @ivar time_ms: the unix time of acceptance; 0: rejected, with a C{code} of
        L{wsmsg.errors.ERRORS}, and perhaps (C{uncertain}) accepted all the same.
    @ivar retry_after_ms: when the client may send it again; 0: it must not.
    """

    time_ms: int = 0
    code: str = ""
    reason: str = ""
    retry_after_ms: int = 0
    uncertain: bool = False


#: Receives the answer to a send; called exactly once for each.
OnAnswer = Callable[[SendAnswer], object]


@attrs.frozen
class Login:
    """
    The login of a session of a named device.

    @ivar numbered: called once with the number of the login (L{wsmsg.stream.logins}),
        when every Message knows the user; returns whether the session lives.
    """

    device: str
    numbered: Callable[[int], bool]


class IUpstream(Interface):
    """
    Message as the sessions see it: one object, however many streams there are.
    """

    up = Attribute("Whether at least one stream is up.")
    reads = Attribute("The reads of Message, an L{IUpstreamReads}.")
    fences = Attribute(
        "The L{wsmsg.flow.send_fence.SendFences} of the sends of each L{SendKey}; "
        "who refuses one for now, before it is sent, raises its fence here."
    )
    changed_s = Attribute(
        "When a stream came up or was lost last, in seconds of the clock."
    )
    unnumbered = Attribute(
        "Whether the Message that was met last numbers no messages; most reads then "
        "fail with C{Unsupported}."
    )

    def send(new: NewSend, on_answer: OnAnswer) -> None:
        """
        Have Message accept a message.

        The send is queued at once, and C{on_answer} is called once: with the answer
        of Message, with C{unavailable} after C{send_timeout_s}, or at once with
        C{overloaded} when too many sends wait for an answer.

        @type new: L{NewSend}
        @type on_answer: L{OnAnswer}
        """

    def unanswered(key: SendKey) -> Iterable[str]:
        """
        Return the client ids of the sends that have no answer yet, oldest first.
        """

    def user_joined(user: int, login: Login | None = None) -> Deferred[bool]:
        """
        Report that the user has one more session on this node.

        @param login: the login of a named device, which ends the device's older
            sessions on other nodes.
        @return: a Deferred that fires with L{True} once every Message whose stream is
            up knows the user: it pushes each message whose number is above a head
            that is read from now on.  It fires with L{False} when no stream is up or
            one is lost meanwhile; the client is then asked to resync when the stream
            is back.
        """

    def user_left(user: int) -> None:
        """
        Report that the user has no session on this node any more.
        """

    def cursor(conversation: str, user: int, delivered: int, read: int) -> None:
        """
        Report how far the user is in the conversation; 0 leaves a mark as it is.
        """

    def typing(conversation: str, user: int) -> None:
        """
        Report that the user is typing.  Dropped when the streams are busy.
        """

    def watch(users: Sequence[int]) -> None:
        """
        Follow the presence of these users for a session on this node.
        """

    def unwatch(users: Sequence[int]) -> None:
        """
        Stop following the presence of these users.
        """


class IUpstreamReads(Interface):
    """
    The reads of Message, and marks.  Each Deferred may fail with
    L{wsmsg.errors.WsmsgError}, and with C{Unsupported} for what a Message that numbers
    no messages does not keep.
    """

    def page(
        user: int, conversation: str, after: int, limit: int
    ) -> Deferred[PageView]:
        """
        Read the messages of a conversation.

        @param after: the seq behind which the page begins.
        @return: a Deferred that fires with a L{PageView}.
        """

    def heads(
        user: int, position: str, limit: int, *, continued: bool, witness: str = ""
    ) -> Deferred[HeadsView]:
        """
        Read the conversations of the user that changed since a position.

        @param position: of an earlier answer; empty: from the beginning; C{now}: none.
        @param continued: continue the list of the position where that answer ended,
            rather than begin a list.
        @param witness: that of L{ComparedHeads} that the client was given last.
        @return: a Deferred that fires with a L{HeadsView}.
        """

    def compare(pushed: Sequence[tuple[int, str, int]]) -> Deferred[ComparedHeads]:
        """
        Read the heads of conversations that sessions were pushed in.

        @param pushed: at most L{MOST_COMPARED} triples of the user, the conversation
            and the last number that was pushed.
        @return: a Deferred that fires with L{ComparedHeads}.
        """

    def group(
        user: int, conversation: str, after: int, limit: int
    ) -> Deferred[GroupView]:
        """
        Read a group and its members.

        @param user: the reader, who must be a member.
        @param after: read only members with ids above this one.
        @return: a Deferred that fires with a L{GroupView} of at most C{limit}
            members.
        """

    def blocks(user: int, after: str, limit: int) -> Deferred[BlocksView]:
        """
        Read the blocks of a user.

        @param after: read only targets behind this one.
        @return: a Deferred that fires with a L{BlocksView}.
        """

    def invitations(user: int, after: str, limit: int) -> Deferred[InvitationsView]:
        """
        Read the open invitations of a user.

        @param after: read only groups whose conversations are behind this one.
        @return: a Deferred that fires with an L{InvitationsView}.
        """

    judges = Attribute(
        "False: as far as Message has said, no presence is hidden from any user."
    )

    def presence(users: Sequence[int], asker: int = 0) -> Deferred[list[UserPresence]]:
        """
        Read the presence of users.

        @param asker: the user who is to be told; users who hide from this one are
            marked as C{hidden}.
        @return: a Deferred that fires with a list of L{wsmsg.model.UserPresence}.
        """

    def mark(user: int, marks: Sequence[Mark]) -> Deferred[list[bool]]:
        """
        Mark single messages as seen, whatever the read cursor is.  Idempotent.

        @param marks: a sequence of L{wsmsg.model.Mark} of this user.
        @return: a Deferred that fires with a list of bool, one for each mark: whether
            the message exists, was sent to the user, and is stored as seen.
        """

    def unread(user: int, position: str, limit: int) -> Deferred[UnreadView]:
        """
        Read the messages that the user was sent and has not seen.

        @param position: of the answer before; empty: from the beginning.
        @return: a Deferred that fires with an L{UnreadView}.
        """


class IEdge(Interface):
    """
    The sessions of this node, as the streams see them.

    No method raises, blocks or waits.  When it returns, its frames are in the outboxes,
    or were dropped and the client was asked to resync.
    """

    life = Attribute("What this node remembers of messages, a L{LifeRing}.")
    waited: int = Attribute("The frames that had to wait in an outbox so far.")

    def users() -> Sequence[int]:
        """Return all users with a session on this node."""

    def is_unsure() -> bool:
        """
        Return whether some users may be gone whom this node has not missed yet, as its
        process stood still.  It soon knows; until then, a Message that may have given
        up this node is not told of any.
        """

    def has_user(user: int) -> bool:
        """Return whether the user has a session on this node."""

    def is_alone(user: int) -> bool:
        """Return whether the user has exactly one session on this node."""

    def watched() -> Sequence[int]:
        """Return all users whose presence a session on this node watches."""

    def push(message: Message, targets: Sequence[int]) -> int:
        """
        Deliver a L{wsmsg.model.Message} to all sessions of these users.

        A session drops a message whose number it already received; one without a
        number, if it received the same message recently.

        @return: the number of sessions that have the message.
        """

    def receipt(cursor: Cursor, targets: Sequence[int]) -> None:
        """
        Show these users the L{wsmsg.model.Cursor} of another user.
        """

    def typing(conversation: str, user: int, targets: Sequence[int]) -> None:
        """
        Show these users that another user is typing.
        """

    def presence(presence: UserPresence) -> None:
        """
        Send a L{wsmsg.model.UserPresence} to the sessions that watch the user.
        """

    def blocked(by: int, user: int) -> None:
        """
        Judge again what the sessions of a user may be shown of another one, who has
        blocked the user or has ended that.
        """

    def reconnect_all(reason: str) -> None:
        """
        Ask all clients to reconnect, spread over C{resync_spread_s}, because the
        server's abilities, which their welcome states, have changed.
        """

    def kick(user: int, device: str, reason: str) -> None:
        """
        End the session of one device of the user, or of all devices if C{device} is
        empty, with a close code that tells the client not to reconnect.
        """

    def revoke(revoked: Iterable[tuple[int, int]]) -> None:
        """
        Refuse tokens of users that were issued before these times, in unix
        milliseconds, and end the sessions with such tokens.
        """

    def replaced(user: int, device: str, last_login: int) -> int:
        """
        End the session of a device that has a newer one on another node.

        @param last_login: end only sessions of logins with numbers up to this one.
        @return: the number of the newer login that the device has here; 0: it has none.
        """

    def resync(reason: str, opened_after_s: float) -> None:
        """
        Tell sessions that they may have missed pushes, spread over
        C{resync_spread_s}.

        @param opened_after_s: the clock time from which on these sessions were opened;
            0: all sessions.
        """
