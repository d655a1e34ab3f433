"""
The twistd plugins C{connect} and C{message}.

The modules are named, not imported: C{twistd --help} loads none of them.
"""

from twisted.application.service import ServiceMaker

connect = ServiceMaker(
    "wsmsg connect",
    "wsmsg.connect.tap",
    "The edge: WebSockets to clients, a gRPC stream to each Message.",
    "connect",
)

message = ServiceMaker(
    "wsmsg message",
    "wsmsg.message.tap",
    "The core: numbers, stores and pushes messages.",
    "message",
)
