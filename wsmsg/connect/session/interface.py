"""
The contract between a WebSocket connection and its session.

::

    client == connection --ISession--> session --IUpstream--> upstream == Message
                  ^                       |
                  `-----ISessionPeer------'
"""

from __future__ import annotations

from zope.interface import Attribute, Interface

from wsmsg.errors import Close


class ISessionPeer(Interface):
    """
    The connection, as its session sees it.

    When it opens it makes a L{wsmsg.connect.session.session.Session}, registers the
    session's C{outbox} as streaming producer of its transport, and hands over what
    comes (L{ISession}).
    """

    def write_encoded(data: bytes) -> None:
        """
        Write these bytes to the transport as they are: one whole WebSocket message
        with its header (L{wsmsg.connect.session.framing.framed}), perhaps the same
        object for many connections.  Not called after C{close}.
        """

    def close(code: Close, reason: str) -> None:
        """
        End the connection, with a close frame behind what was written.  Called at
        most once; L{ISession.lost} follows.
        """

    def pause() -> None:
        """
        Do not read from the client for now.  What was read already may still be
        given to the session.  Its silence meanwhile is no sign that it is dead: its
        pongs are not read either.
        """

    def resume() -> None:
        """
        Read from the client again.
        """


class ISession(Interface):
    """
    A session, as its connection sees it.  Made as C{Session(peer, codec, node,
    identity=..., claimed_user=...)}: the identity where a header carried a token
    that was good, the claimed user where a header named one.
    """

    outbox = Attribute("The L{twisted.internet.interfaces.IPushProducer} to register.")

    is_legacy = Attribute(
        "Whether its client is a deployed one: it may send text or binary messages, "
        "and none of them twice, so that all are taken that can be read."
    )

    def received(data: bytes, binary: bool) -> None:
        """
        The payload of one message of the client came.  Never raises.
        """

    def lost(reason: str) -> None:
        """
        The connection is gone, whoever ended it.  Called once.
        """
