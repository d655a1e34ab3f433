"""
Constants that both ends of the gRPC interface of C{wsmsg/rpc/rest.proto} must agree on.
"""

from __future__ import annotations

#: The version of the stream protocol that this build speaks.
LINK_VERSION = 1

MESSAGE_STREAM = "/rest.MessageService/MessageStream"
#: The service with which a Message passes streams on to another one, whose address is
#: in the metadata C{RELAY_TO}.
RELAY_SERVICE = "rest.RelayService"
RELAY_STREAM = f"/{RELAY_SERVICE}/MessageStream"
REACHES = f"/{RELAY_SERVICE}/Reaches"
RELAY_TO = "wsmsg-to"
QUERY = "/rest.QueryService/Query"

#: The most characters in the name or the incarnation of a node.
NAME_CHARACTERS = 128

#: The most users that the sessions of a Connect may watch together: above it Message
#: ends the stream.
MOST_WATCHED = 1_000_000

#: The interval of HTTP/2 keepalive pings.  A dead peer is found in twice this time.
KEEPALIVE_S = 1.5

#: Values of C{WSMessage.message_type} that are signals and not messages of a person:
#: heartbeat, connection, acknowledgement, presence.
SIGNAL_TYPES = frozenset({2, 3, 4, 10})
