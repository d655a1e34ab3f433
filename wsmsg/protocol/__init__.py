"""
The client protocol, for both of its ends: its frames and their encodings.

Neither the client nor Connect may import the other, so this package has what they
share.  Each encoding turns L{wsmsg.protocol.frames} into bytes and back::

    frames      the frames, in the form that all encodings share
    frame       the base of all frames
    group_frames    the frames about groups
    consent_frames  the frames about blocks
    values      the limits of a connection
    validation  what the fields of every client frame must be
    costs       the units that requests cost
    naming      names of users in frames of clients
    codec       the interface of an encoding
    protobuf    C{wsmsg.v1.protobuf}: a binary message is one frame
    json        C{wsmsg.v1.json}: a text message is one object
    client_pb2  generated from protos/wsmsg/protocol, never edited

A session in JSON, C{->} from the client, C{<-} from the server::

    -> {"type": "hello", "token": "...", "device": "phone", "position": "lbA..."}
       # position: the newest one whose heads the client has
    <- {"type": "welcome", "user": 1001, "session": "...", "heartbeat_s": 2.0,
        "limits": {...}, "time": 1767225660000, "position": "lbB...", "epoch": "3f...",
        "heads": [{"conversation": "u:1001:1002", "head": 17, "read": 15, ...}]}
       # the conversations that changed since then; the client has messages up to 15:
    -> {"type": "sync", "id": "q1", "conversation": "u:1001:1002", "after": 15}
    <- {"type": "page", "id": "q1", "conversation": "u:1001:1002", "head": 17,
        "messages": [{"type": "deliver", "seq": 16, ...}, {...}]}

    -> {"type": "send", "client_id": "5f0c8d3e", "to": 1002, "content": "Good morning"}
    <- {"type": "accepted", "client_id": "5f0c8d3e", "time": 1767225661000}
       # durable; the client repeats unanswered sends, with the same client_id
    <- {"type": "deliver", "conversation": "u:1001:1002", "seq": 18, "from": 1001,
        "client_id": "5f0c8d3e", "content": "Good morning", ...}
       # the sender's devices get their own messages, too
    <- {"type": "receipt", "conversation": "u:1001:1002", "user": 1002, "delivered": 18}
    <- {"type": "deliver", "conversation": "u:1001:1002", "seq": 19, "from": 1002, ...}
    -> {"type": "read", "conversation": "u:1001:1002", "seq": 19}

    -> {"type": "create_group", "client_id": "7d", "name": "Crew", "members": [1002]}
    <- {"type": "accepted", "client_id": "7d", "conversation": "g:8140...", ...}
    -> {"type": "recall", "client_id": "7e", "conversation": "u:1001:1002", "seq": 18}
    <- {"type": "rejected", "client_id": "7e", "code": "rate_limited",
        "retry_after_ms": 500, "reason": "too many sends"}

    <- {"type": "expiring", "expires": 1767229260000}
    -> {"type": "refresh", "id": "r1", "token": "..."}
    <- {"type": "refreshed", "id": "r1", "expires": 1767232800000}

    <- {"type": "goaway", "reason": "stopping", "after_ms": 640}
       # the server closes soon: reconnect, here or elsewhere
"""
