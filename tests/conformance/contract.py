"""
The legacy contract as data, and its messages made from that data.

The tables are the contract's own: a message, and its fields as C{number: type name}.
The descriptors are in a pool of their own, so that no other definition of the same
names in this process, ours included, can replace them. Only legacy fields are known
here; other fields are kept as unknown fields, see L{strange}.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any

from google.protobuf import descriptor_pb2, descriptor_pool, message_factory
from google.protobuf.unknown_fields import UnknownFieldSet

PACKAGE = "rest"

MESSAGES = {
    "WSMessage": """
        1: int64 message_id, 2: int64 from, 3: int64 to, 4: int64 group_id,
        5: string content, 6: int64 timestamp, 7: int32 message_type, 8: string ack_id
    """,
    "SendWSMessageRequest": "1: WSMessage msg",
    "SendWSMessageResponse": "1: bool success, 2: string message",
    "GetHistoryRequest": """
        1: int64 user_id, 2: int64 group_id, 3: int32 page, 4: int32 size
    """,
    "GetHistoryResponse": """
        1: repeated WSMessage messages, 2: int32 total, 3: int32 page, 4: int32 size
    """,
    "MessageStreamRequest": """
        oneof request_type: 1: SubscribeRequest subscribe, 2: MessageAckRequest ack,
        3: PushResultRequest push_result, 4: SendWSMessageRequest send_message
    """,
    "SubscribeRequest": "1: string connect_service_id",
    "MessageAckRequest": """
        1: string ack_id, 2: int64 message_id, 3: int64 user_id, 4: int64 timestamp
    """,
    "PushResultRequest": """
        1: bool success, 2: string error_message, 3: int64 target_user_id
    """,
    "MessageStreamResponse": """
        oneof response_type: 1: MessagePushEvent push_event,
        2: MessageFailureEvent failure, 3: AckConfirmEvent ack_confirm
    """,
    "MessagePushEvent": """
        1: int64 target_user_id, 2: WSMessage message, 3: string event_type
    """,
    "MessageFailureEvent": """
        1: int64 original_sender, 2: string failure_reason,
        3: WSMessage original_message
    """,
    "AckConfirmEvent": "1: string ack_id, 2: int64 message_id, 3: bool confirmed",
    "OnlineStatusRequest": "1: repeated int64 user_ids",
    "OnlineStatusResponse": "1: map<int64, bool> status",
}

#: Service, method: request, response; C{stream} where there are many.
METHODS = {
    ("MessageService", "SendWSMessage"): (
        "SendWSMessageRequest",
        "SendWSMessageResponse",
    ),
    ("MessageService", "GetHistoryMessages"): (
        "GetHistoryRequest",
        "GetHistoryResponse",
    ),
    ("MessageService", "MessageStream"): (
        "stream MessageStreamRequest",
        "stream MessageStreamResponse",
    ),
    ("ConnectService", "OnlineStatus"): ("OnlineStatusRequest", "OnlineStatusResponse"),
}

#: C{message_type} of a C{WSMessage}.
TEXT, HEARTBEAT, CONNECTION, ACKNOWLEDGEMENT, ONLINE = 1, 2, 3, 4, 10

#: C{event_type} of a C{MessagePushEvent}.
NEW_MESSAGE = "new_message"

WEBSOCKET_PATH = "/api/v1/connect/ws"
ONLINE_STATUS_PATH = "/api/v1/connect/online_status"
MESSAGES_PATH = "/api/v1/messages/"
#: That of the legacy Connect is C{auth-debug}, which is too short for wsmsg.
DEBUG_TOKEN = "auth-debug-of-the-tests-of-legacy-clients"

_Field = descriptor_pb2.FieldDescriptorProto
_SCALARS = {
    "int32": _Field.TYPE_INT32,
    "int64": _Field.TYPE_INT64,
    "bool": _Field.TYPE_BOOL,
    "string": _Field.TYPE_STRING,
}


def method(service: str, name: str) -> str:
    """
    Return the path of a method, as gRPC calls it.
    """
    assert (service, name) in METHODS
    return f"/{PACKAGE}.{service}/{name}"


class FieldRow:
    """
    One cell of the tables: C{3: int64 to}.

    @ivar entry: the types of a map's key and value.
    """

    def __init__(self, text: str) -> None:
        found = re.fullmatch(
            r"(\d+): (?:(repeated) )?(?:map<(\w+), (\w+)>|(\w+)) (\w+)", text
        )
        assert found is not None, text
        number, repeated, key, value, kind, self.name = found.groups()
        self.number = int(number)
        self.repeated = bool(repeated or key)
        self.entry = (key, value) if key else None
        self.kind: str = kind or self.name.capitalize() + "Entry"


def rows(message: str) -> tuple[str, list[FieldRow]]:
    """
    Parse a message's row into the name of its oneof, if it is one, and its fields.
    """
    text = " ".join(MESSAGES[message].split())
    found = re.match(r"oneof (\w+): ", text)
    one_of = found[1] if found else ""
    cells = re.split(r", (?=\d+: )", text[found.end() if found else 0 :])
    return one_of, [FieldRow(cell) for cell in cells]


def _describe(into: descriptor_pb2.DescriptorProto, name: str) -> None:
    into.name = name
    one_of, fields = rows(name)
    if one_of:
        into.oneof_decl.add(name=one_of)
    for row in fields:
        if row.entry:
            nested = into.nested_type.add(name=row.kind)
            nested.options.map_entry = True
            for number, part in enumerate(("key", "value"), 1):
                _add(nested, number, part, row.entry[number - 1])
            field = _add(into, row.number, row.name, f"{name}.{row.kind}")
        else:
            field = _add(into, row.number, row.name, row.kind)
        if row.repeated:
            field.label = _Field.LABEL_REPEATED
        if one_of:
            field.oneof_index = 0


def _add(
    into: descriptor_pb2.DescriptorProto, number: int, name: str, kind: str
) -> descriptor_pb2.FieldDescriptorProto:
    field = into.field.add(name=name, number=number, label=_Field.LABEL_OPTIONAL)
    if kind in _SCALARS:
        field.type = _SCALARS[kind]
    else:
        field.type = _Field.TYPE_MESSAGE
        field.type_name = f".{PACKAGE}.{kind}"
    return field


def _pool() -> descriptor_pool.DescriptorPool:
    made = descriptor_pb2.FileDescriptorProto(
        name="legacy.proto", package=PACKAGE, syntax="proto3"
    )
    for name in MESSAGES:
        _describe(made.message_type.add(), name)
    for (service, name), (request, response) in METHODS.items():
        if service not in [s.name for s in made.service]:
            made.service.add(name=service)
        made.service[-1].method.add(
            name=name,
            input_type=f".{PACKAGE}.{request.rpartition(' ')[2]}",
            output_type=f".{PACKAGE}.{response.rpartition(' ')[2]}",
            client_streaming=request.startswith("stream "),
            server_streaming=response.startswith("stream "),
        )
    pool = descriptor_pool.DescriptorPool()
    pool.Add(made)
    return pool


POOL = _pool()


def message_class(name: str) -> Any:
    """
    Return the class of a message of the contract.
    """
    descriptor = POOL.FindMessageTypeByName(f"{PACKAGE}.{name}")
    return message_factory.GetMessageClass(descriptor)


WSMessage = message_class("WSMessage")
SendWSMessageRequest = message_class("SendWSMessageRequest")
SendWSMessageResponse = message_class("SendWSMessageResponse")
GetHistoryRequest = message_class("GetHistoryRequest")
GetHistoryResponse = message_class("GetHistoryResponse")
MessageStreamRequest = message_class("MessageStreamRequest")
MessageStreamResponse = message_class("MessageStreamResponse")
OnlineStatusRequest = message_class("OnlineStatusRequest")
OnlineStatusResponse = message_class("OnlineStatusResponse")


def ws_message(**fields: Any) -> Any:
    """
    Make a C{WSMessage}; C{sender} stands for C{from}, a keyword of Python.
    """
    if "sender" in fields:
        fields["from"] = fields.pop("sender")
    return WSMessage(**fields)


def sender_of(message: Any) -> int:
    """
    Return the field C{from} of a C{WSMessage}.
    """
    return int(getattr(message, "from"))


def fields_of(message: Any) -> dict[str, Any]:
    """
    Return the fields that are set in a message, nested messages as dictionaries; a
    field that has the default value is left out.
    """
    return {field.name: _plain(field, value) for field, value in message.ListFields()}


def _plain(field: Any, value: Any) -> Any:
    if field.message_type is None:
        return list(value) if field.is_repeated else value
    if field.message_type.GetOptions().map_entry:
        return dict(value.items())
    if field.is_repeated:
        return [fields_of(item) for item in value]
    return fields_of(value)


def strange(message: Any) -> list[int]:
    """
    Return the numbers of the fields, nested ones included, that the legacy contract
    does not have: a legacy peer would ignore them.
    """
    return list(_strange(message))


def _strange(message: Any) -> Iterator[int]:
    unknown_fields: Any = UnknownFieldSet(message)
    for unknown in unknown_fields:
        yield unknown.field_number
    for field, value in message.ListFields():
        if field.message_type is None or field.message_type.GetOptions().map_entry:
            continue
        for inner in value if field.is_repeated else [value]:
            yield from _strange(inner)
