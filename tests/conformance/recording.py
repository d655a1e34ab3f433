"""
Bytes recorded from the legacy peers: two test clients, 1001 and 1002, with a Connect
and a Message.
"""

from __future__ import annotations

from typing import Any, NamedTuple

MESSAGE_ID = 1795447835846364
SENT_AT = 1795447835
CONNECT_ID = "connect-1795447831741097515"


class Recorded(NamedTuple):
    """
    One recorded payload.

    @ivar direction: sender and receiver.
    @ivar meaning: a description.
    @ivar kind: the message of the contract that it is.
    @ivar hex: the bytes, with a space before each field.
    @ivar fields: its fields, complete.
    """

    direction: str
    meaning: str
    kind: str
    hex: str
    fields: dict[str, Any]

    @property
    def data(self) -> bytes:
        return bytes.fromhex(self.hex)


TEXT_SENT = Recorded(
    "client to Connect",
    "1001 says hello; no message_id, no ack_id",
    "WSMessage",
    "10e907 18ea07 2a0f68656c6c6f2066726f6d2031303031 309bb891d806 3801",
    {
        "from": 1001,
        "to": 1002,
        "content": "hello from 1001",
        "timestamp": SENT_AT,
        "message_type": 1,
    },
)

TEXT_HEARD = Recorded(
    "Connect to client",
    "1002 hears it, with the id that Message gave it",
    "WSMessage",
    "08dccddfb3b49e9803 10e907 18ea07 2a0f68656c6c6f2066726f6d2031303031"
    " 309bb891d806 3801",
    {"message_id": MESSAGE_ID, **TEXT_SENT.fields},
)

ACKNOWLEDGED = Recorded(
    "client to Connect",
    "1002 acknowledges it, with the message's timestamp; no ack_id",
    "WSMessage",
    "08dccddfb3b49e9803 10ea07 309bb891d806 3804",
    {
        "message_id": MESSAGE_ID,
        "from": 1002,
        "timestamp": SENT_AT,
        "message_type": 4,
    },
)

SUBSCRIBE = Recorded(
    "Connect to Message",
    "the first thing on the stream",
    "MessageStreamRequest",
    "0a1d 0a1b636f6e6e6563742d31373935343437383331373431303937353135",
    {"subscribe": {"connect_service_id": CONNECT_ID}},
)

SEND = Recorded(
    "Connect to Message",
    "the client's WSMessage as it came",
    "MessageStreamRequest",
    "2221 0a1f 10e907 18ea07 2a0f68656c6c6f2066726f6d2031303031 309bb891d806 3801",
    {"send_message": {"msg": TEXT_SENT.fields}},
)

PUSH = Recorded(
    "Message to Connect",
    "a push to 1002",
    "MessageStreamResponse",
    "0a3a 08ea07 1228 08dccddfb3b49e9803 10e907 18ea07"
    " 2a0f68656c6c6f2066726f6d2031303031 309bb891d806 3801"
    " 1a0b6e65775f6d657373616765",
    {
        "push_event": {
            "target_user_id": 1002,
            "message": TEXT_HEARD.fields,
            "event_type": "new_message",
        }
    },
)

PUSH_RESULT = Recorded(
    "Connect to Message",
    "it was written to the WebSocket of 1002",
    "MessageStreamRequest",
    "1a05 0801 18ea07",
    {"push_result": {"success": True, "target_user_id": 1002}},
)

ACK = Recorded(
    "Connect to Message",
    "the client's acknowledgement",
    "MessageStreamRequest",
    "1212 10dccddfb3b49e9803 18ea07 209bb891d806",
    {"ack": {"message_id": MESSAGE_ID, "user_id": 1002, "timestamp": SENT_AT}},
)

ACK_CONFIRMED = Recorded(
    "Message to Connect",
    "an acknowledgement (of another message) is confirmed",
    "MessageStreamResponse",
    "1a0b 10b381dab4b49e9803 1801",
    {"ack_confirm": {"message_id": 1795447837851827, "confirmed": True}},
)

ACK_NOT_CONFIRMED = Recorded(
    "Message to Connect",
    "an acknowledgement that overtook the storing is not",
    "MessageStreamResponse",
    "1a09 10dccddfb3b49e9803",
    {"ack_confirm": {"message_id": MESSAGE_ID}},
)

RECORDED = (
    TEXT_SENT,
    TEXT_HEARD,
    ACKNOWLEDGED,
    SUBSCRIBE,
    SEND,
    PUSH,
    PUSH_RESULT,
    ACK,
    ACK_CONFIRMED,
    ACK_NOT_CONFIRMED,
)
