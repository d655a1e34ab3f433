"""
The Python client: asyncio, without Twisted.

::

    program -- Client -- Connection -- transport ==WebSocket== server
                  |          |
                  +- state.exchange (no I/O): outbound, inbound, cursors, listing
                  +- state.reconnect (no I/O)          state.positions (disk)

    client        the class that programs use; see its example
    connection    one connection, from hello to its end
    conversations  the methods of the client for replies, history and marks
    consent       the methods of the client for blocks and invitations
    environment   the settings in the environment of the process
    groups        the methods of the client for groups and recall
    history       stored messages and conversations, page by page
    names         the methods of the client for names of users
    saving        times at which the position file is written
    token_source  the token for each attempt to connect
    renewal       a new token for a session whose token expires
    transport     a package: the connection to the server, as frames
    upkeep        the connection, opened again whenever it is lost
    waiters       futures of the program's calls that wait for the server
    state         a package: the decisions, without I/O
"""

from wsmsg.client.client import Client
from wsmsg.client.consent import BlockState, InvitationState
from wsmsg.client.groups import GroupMemberState, GroupState
from wsmsg.client.names import FoundNames
from wsmsg.client.state.event_queue import Events
from wsmsg.client.state.events import (
    BlockChanged,
    Closed,
    Connected,
    Event,
    GroupChanged,
    HistoryReplaced,
    HistoryRewound,
    InvitationDeclined,
    InvitationReceived,
    MessageRecalled,
    MessageReceived,
    PresenceChanged,
    ReceiptReceived,
    Reconnecting,
    SendAccepted,
    SendSettled,
    Stored,
    TypingReceived,
)
from wsmsg.client.state.positions import BadPositions
from wsmsg.client.state.reconnect import Reconnect
from wsmsg.client.token_source import TokenSource

__all__ = [
    "BadPositions",
    "BlockChanged",
    "BlockState",
    "Client",
    "Closed",
    "Connected",
    "Event",
    "Events",
    "FoundNames",
    "GroupChanged",
    "GroupMemberState",
    "GroupState",
    "HistoryReplaced",
    "HistoryRewound",
    "InvitationDeclined",
    "InvitationReceived",
    "InvitationState",
    "MessageRecalled",
    "MessageReceived",
    "PresenceChanged",
    "ReceiptReceived",
    "Reconnect",
    "Reconnecting",
    "SendAccepted",
    "SendSettled",
    "Stored",
    "TokenSource",
    "TypingReceived",
]
