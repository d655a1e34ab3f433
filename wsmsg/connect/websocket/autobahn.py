"""
Autobahn's options and initial values, as attributes of a class.

Autobahn gives each connection a copy of about seventy values.  If the class has them,
a connection needs none of its own: Autobahn does not copy options that exist already,
and the values that the handshake leaves in a connection can be deleted, because
lookups then find those of the class.
"""

from __future__ import annotations

from typing import Any

import autobahn.twisted.websocket
import autobahn.websocket.protocol
import autobahn.websocket.types
import txaio

from wsmsg.errors import Close

# As Any: Autobahn's annotations contradict what it lets subclasses do.
_autobahn: Any = autobahn.twisted.websocket
_protocol: Any = autobahn.websocket.protocol
_types: Any = autobahn.websocket.types
_txaio: Any = txaio

CLOSED: int = _protocol.WebSocketProtocol.STATE_CLOSED
CONNECTING: int = _protocol.WebSocketProtocol.STATE_CONNECTING
OPEN: int = _protocol.WebSocketProtocol.STATE_OPEN

#: The attributes that Autobahn sets in an open connection.
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

_REASON_BYTES = 123


def deny(status: int, reason: str) -> Exception:
    """
    Return the exception that C{onConnect} raises to refuse a handshake.
    """
    denied: Exception = _types.ConnectionDeny(status, reason)
    return denied


def close_name(code: int) -> str:
    """
    Return the name of a close code, as in logs and metrics.
    """
    try:
        return Close(code).name.lower()
    except ValueError:
        return str(code)


def close_reason(reason: str) -> bytes:
    """
    Return as much of a reason as fits into a close frame (RFC 6455 section 5.5),
    without half a character at the end.
    """
    short = reason.encode("utf-8", "replace")[:_REASON_BYTES]
    return short.decode("utf-8", "ignore").encode()


class _Unheard:
    """
    Replaces a Deferred of Autobahn's that is never awaited.
    """

    __slots__ = ()

    def callback(self, result: object) -> None:
        pass

    errback = callback


class AutobahnOptions(_autobahn.WebSocketServerProtocol):  # type: ignore[misc]
    """
    Autobahn's options and initial values, shared by all connections.
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
        Accept no compression: the client would choose how much memory it takes.
        """
