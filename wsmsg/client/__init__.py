"""
The Python client: asyncio, without Twisted.

::

    program -- Client -- Connection -- transport ==WebSocket== server
                  |          |
                  +- Exchange (no I/O): outbound, inbound, cursors, listing, events
                  +- Reconnect (no I/O)          PositionFile (disk)

    client       what programs use; see its example
    group_requests  its half that is about groups and recall
    upkeep       keeps a connection up
    connection   one connection from hello to its end
    transport    the WebSocket; knows the library
    exchange     both directions of the talk
    outbound     what is sent, in which order, and what goes again
    inbound      each message once, in order, without a hole
    unnumbered   the same where the server keeps no numbers
    cursors      telling how far we are
    listing      asking what changed
    history      reading what is stored
    heartbeat    whether the server is there
    reconnect    whether, when and where to come back
    positions    what survives the program; saving: when it is written
    waiting      the parts of the program that wait for the server
    token_source where the token comes from
    event_queue  what waits for the program
    events       what the program is told
"""

from wsmsg.client.client import Client
from wsmsg.client.groups import GroupMemberState, GroupState
from wsmsg.client.state.event_queue import Events
from wsmsg.client.state.events import (
    Closed,
    Connected,
    Event,
    GroupChanged,
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
    "Client",
    "Closed",
    "Connected",
    "Event",
    "Events",
    "GroupChanged",
    "GroupMemberState",
    "GroupState",
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
