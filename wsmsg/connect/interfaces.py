"""
The seams inside Connect.

::

    websocket --frames--> session --IUpstream--> upstream --stream--> Message
        ^                    |                       |
        `-----ISessionPeer---'      registry <--IEdge+  (pushes, receipts, presence)
"""

from __future__ import annotations

from typing import Callable, NamedTuple

import attrs
from zope.interface import Attribute, Interface


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


#: Called exactly once for each send.
OnAnswer = Callable[[SendAnswer], object]


class IUpstream(Interface):
    """
    Message, as the sessions see it: one thing, however many streams there are.
    """

    up = Attribute("Whether at least one stream is up.")

    def send(new, on_answer):
        """
        Have a message accepted.  It is queued at once; C{on_answer} is called once,
        with a rejection C{unavailable} after C{send_timeout_s} or C{overloaded} at
        once where too many sends wait.

        @type new: L{NewSend}
        @type on_answer: L{OnAnswer}
        """

    def came(user):
        """
        The user has a first session here.

        @return: a Deferred that fires with a bool: L{True} once every stream that
            is up knows it, so that a head read from now on misses nothing that is
            not pushed; L{False} when no stream was up or one was lost meanwhile
            (the session is then told to resync when the stream is back).
        """

    def left(user):
        """
        The user's last session here is gone.
        """

    def cursor(conversation, user, delivered, read):
        """
        The user is so far in the conversation; 0: no news.
        """

    def typing(conversation, user):
        """
        The user types.  Shed when the streams are busy.
        """

    def watch(users):
        """
        Somebody here asks for the presence of these users.
        """

    def unwatch(users):
        """
        Nobody here asks for the presence of these users any more.
        """

    def page(user, conversation, after, limit):
        """
        @return: a Deferred that fires with a tuple (messages, head, more), the
            messages L{wsmsg.model.Message}s; fails with L{wsmsg.errors.WsmsgError}.
        """

    def heads(user, since_ms, limit):
        """
        @return: a Deferred that fires with a tuple (heads, more), the heads
            L{wsmsg.model.Head}s; fails with L{wsmsg.errors.WsmsgError}.
        """

    def presence(users):
        """
        @return: a Deferred that fires with a list of L{wsmsg.model.Presence}; fails
            with L{wsmsg.errors.WsmsgError}.
        """


class IEdge(Interface):
    """
    The sessions, as the streams see them.  None of these raises, blocks or waits:
    when it returns, what it was given is in the outboxes (or given up, and the
    session told to resync).
    """

    def users():
        """
        @return: a list of all users that have a session here.
        """

    def watched():
        """
        @return: a list of all users whose presence a session here asks for.
        """

    def push(message, targets):
        """
        Give a L{wsmsg.model.Message} to all sessions of these users.  One whose
        number a session has had already is dropped there.
        """

    def receipt(cursor, targets):
        """
        Tell these users how far another is (L{wsmsg.model.Cursor}).
        """

    def typing(conversation, user, targets):
        """
        Tell these users that another types.
        """

    def presence(presence):
        """
        Tell whoever watches this user (L{wsmsg.model.Presence}).
        """

    def resync(reason, opened_after_s):
        """
        Tell all sessions that were opened at C{opened_after_s} (clock seconds) or
        later that what they were pushed may be incomplete; spread over
        C{resync_spread_s}.  0: all sessions.
        """


class ISessionPeer(Interface):
    """
    The connection, as its session sees it.
    """

    def write(frame, shed):
        """
        Queue a frame for the client.

        @param frame: a L{wsmsg.frames.ServerFrame}.
        @param shed: whether it may be dropped when the client is slow.
        """

    def close(code, reason):
        """
        End the connection after what is queued is written.

        @type code: L{wsmsg.errors.Close}
        """

    def pause():
        """
        Do not read from the client for now.
        """

    def resume():
        """
        Read from the client again.
        """
