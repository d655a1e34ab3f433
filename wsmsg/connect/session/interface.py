"""
The contract between a WebSocket connection and its session.

::

    client == connection --ISession--> session --IUpstream--> upstream == Message
                  ^                       |
                  `-----ISessionPeer------'
"""

from __future__ import annotations

from collections.abc import Callable, Mapping

import attrs
from zope.interface import Attribute, Interface

from wsmsg.auth.identity import Authenticate, Identity
from wsmsg.errors import Close, Fault


class ISessionPeer(Interface):
    """
    The connection, as its session sees it.

    When the handshake is over, the connection opens a session
    (L{Subprotocol.open}), registers the session's C{outbox} as the streaming producer
    of its transport, and passes the client's messages to the session (L{ISession}).
    """

    def write_encoded(data: bytes) -> None:
        """
        Write these bytes to the transport unchanged.  Not called after C{close}.

        @param data: one complete WebSocket message with its header
            (L{wsmsg.connect.session.output.framed}).  Many connections may share
            the object.
        """

    def close(code: Close, reason: str) -> None:
        """
        Send a close frame after everything that was written, and end the connection.
        Called at most once; L{ISession.lost} follows.

        @param reason: cut to the 123 bytes that fit into a close frame.
        """

    def login_failed(code: Close, reason: str, fault: Fault) -> None:
        """
        Note that the session closes and that nobody has logged in.

        @param fault: that of the token, if the code is C{UNAUTHENTICATED}.
        """

    def pause() -> None:
        """
        Pass no more messages to the session, except those that a message in progress
        completes.  Pings are answered all the same, until so much waits that the
        client is not read; then its silence does not count against it.
        """

    def resume() -> None:
        """
        Read from the client again.
        """


class ISession(Interface):
    """
    A session, as its connection sees it.
    """

    outbox = Attribute("The L{twisted.internet.interfaces.IPushProducer} to register.")

    reads_to_end = Attribute(
        "Whether the session accepts text and binary messages alike, and also those "
        "that arrive after the server's close frame: its client never repeats a "
        "message.  Not if the close is for what the client did."
    )

    def received(data: bytes, binary: bool) -> None:
        """
        Process the payload of one message of the client.  Never raises.
        """

    def count_frame() -> None:
        """
        Count a part of a message that costs as much as a whole one.  The session pauses
        the connection of a client that is over its rate of frames.
        """

    def lost(reason: str) -> None:
        """
        Note that the connection ends, whichever side ended it.  Called once.  If it can
        still be written to, the session writes what waits in its outbox.
        """


#: Opens a session.  It takes the connection, the identity that a token in the headers
#: proved, and the user that a C{User-ID} header claims.
OpenSession = Callable[[ISessionPeer, Identity | None, int | None], ISession]


def _accept_headers(headers: Mapping[str, str]) -> None:
    """
    Accept a handshake with any headers.
    """


@attrs.frozen
class Subprotocol:
    """
    A WebSocket subprotocol that clients may choose in the handshake.

    @ivar name: as in C{Sec-WebSocket-Protocol}; empty: for clients that offer none.
    @ivar is_binary: whether its messages are binary (else text).
    @ivar authenticate: identifies the bearer of a token in the headers; L{None}: as for
        all clients.
    @ivar check_headers: takes the headers of the handshake by their lower-case names;
        raises L{wsmsg.errors.WsmsgError} where one is missing or wrong.
    """

    name: str
    is_binary: bool
    open: OpenSession
    check_headers: Callable[[Mapping[str, str]], None] = _accept_headers
    authenticate: Authenticate | None = None
