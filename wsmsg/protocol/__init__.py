"""
The client protocol, for both of its ends: its frames and their encodings.

Neither the client nor Connect may import the other, so this package has what they
share.  Each encoding turns L{wsmsg.protocol.frames} into bytes and back::

    frames      the frames, in the form that all encodings share
    frame       the base of all frames
    group_frames    the frames about groups
    consent_frames  the frames about blocks
    validation  what the fields of every client frame must be
    costs       the units that requests cost
    codec       the interface of an encoding
    protobuf    C{wsmsg.v1.protobuf}: a binary message is one frame
    json        C{wsmsg.v1.json}: a text message is one object
    legacy      messages of legacy clients, which have no subprotocol
    legacy_extra  what these have beside content and recipient: timestamp, type, ack_id
"""
