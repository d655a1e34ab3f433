"""
The family of the stages of a message, of which each daemon has its part::

    client -- Connect -- Message -- journal -- store -- Message -- Connect -- client

    frame_accepted     Connect  a frame of a client, until a Message accepts it
    received_durable   Message  a send request, until its record is durable
    received_stored    Message  a send request, until the message is stored
    stored_pushed      Message  a stored message, until Connect has it in all outboxes
    pushed_written     Connect  a push, until the connections of its sessions have it
    received_written   Connect  a send request at Message, until then: all of the way
    queued_written     Connect  a frame that a slow client has to wait for, until its
                                connection has all that waited
    queued_delivered   Connect  a push in an outbox, until the client confirms it
    received_delivered Connect  a send request at Message, until then

Those from C{received}, but C{received_durable}, are differences of unix times, perhaps
of two machines; the others are of one monotonic clock.  Those to C{delivered} are of
samples: of one message of a session at a time.
"""

from __future__ import annotations

from typing import Final

#: The name and the help text of the family; the label is C{stage}.
STAGES: Final = (
    "wsmsg_stage_seconds",
    "Time that a message takes from one stage of its way to another",
)
