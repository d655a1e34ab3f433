"""
Autobahn's options and first values as attributes of a class.

Autobahn gives each connection a copy of some seventy values.  Where the class has
them, a connection needs none of its own: options are not copied where they are there
already (that is Autobahn's rule), and what the handshake leaves in a connection can
be dropped, because the class answers in its place.
"""

from __future__ import annotations

from typing import Any

import autobahn.twisted.websocket
import autobahn.websocket.protocol
import autobahn.websocket.types
import txaio

from wsmsg.errors import Close

# As Any: what Autobahn declares contradicts what it lets subclasses do.
_autobahn: Any = autobahn.twisted.websocket
_protocol: Any = autobahn.websocket.protocol
_types: Any = autobahn.websocket.types
_txaio: Any = txaio

CLOSED: int = _protocol.WebSocketProtocol.STATE_CLOSED
CONNECTING: int = _protocol.WebSocketProtocol.STATE_CONNECTING
OPEN: int = _protocol.WebSocketProtocol.STATE_OPEN

#: What Autobahn sets in a connection that is open.
AUTOBAHN_SLOTS = (
    "_isMessageCompressed",
    "closedByMe",
    "control_frame_data",
    "current_frame",
    "current_frame_masker",
    "data",
    "droppedByMe",
    "factory",
    "failedByMe",
    "frame_data",
    "frame_length",
    "inside_message",
    "localCloseCode",
    "localCloseReason",
    "message_data",
    "message_data_total_length",
    "message_is_binary",
    "remoteCloseCode",
    "remoteCloseReason",
    "state",
    "transport",
    "utf8validateIncomingCurrentMessage",
    "wasClean",
    "wasNotCleanReason",
)


def deny(status: int, reason: str) -> Exception:
    """
    What C{onConnect} raises to refuse.
    """
    denied: Exception = _types.ConnectionDeny(status, reason)
    return denied


def close_name(code: int) -> str:
    """
    A close code as logs and counts have it.
    """
    try:
        return Close(code).name.lower()
    except ValueError:
        return str(code)


class _Unheard:
    """
    Stands where Autobahn has a Deferred that nobody waits for.
    """

    __slots__ = ()

    def callback(self, result: object) -> None:
        pass

    errback = callback


class AutobahnOptions(_autobahn.WebSocketServerProtocol):  # type: ignore[misc]
    """
    Autobahn's options and first values, one for all connections.
    """

    __slots__ = ()

    CONFIG_ATTRS: list[str] = []
    log = _txaio.make_logger("error")

    logOctets = logFrames = trackTimings = False
    applyMask = requireMaskedClientFrames = tcpNoDelay = True
    utf8validateIncoming = maskServerFrames = webStatus = False
    failByDrop = echoCloseCodeReason = serveFlashSocketPolicy = False
    flashSocketPolicy = ""
    autoFragmentSize = openHandshakeTimeout = closeHandshakeTimeout = 0
    autoPingInterval = autoPingTimeout = maxConnections = trustXForwardedFor = 0
    autoPingSize = 12
    autoPingRestartOnAnyTraffic = False
    versions = (13,)
    allowedOrigins = ["*"]
    allowedOriginsPatterns = _protocol.wildcards2patterns(["*"])
    allowNullOrigin = True

    _transport_details = _protocol.TransportDetails()
    _perMessageCompress = trackedTimings = utf8validator = None
    trafficStats = _protocol.TrafficStats()
    send_state = _protocol.WebSocketProtocol.SEND_STATE_GROUND
    send_queue = ()
    triggered = False
    wasMaxFramePayloadSizeExceeded = wasMaxMessagePayloadSizeExceeded = False
    wasServerConnectionDropTimeout = wasOpenHandshakeTimeout = False
    wasCloseHandshakeTimeout = wasServingFlashSocketPolicyFile = False
    openHandshakeTimeoutCall = closeHandshakeTimeoutCall = None
    autoPingTimeoutCall = autoPingPending = autoPingPendingCall = None
    autoPingPendingSeq = 0
    autoPingPendingSent = None
    websocket_version = 13
    is_open = is_closed = _Unheard()

    @staticmethod
    def perMessageCompressionAccept(offers: object) -> None:
        """
        None: its memory is the client's to choose.
        """
