from google.protobuf import descriptor as _descriptor
from google.protobuf import message as _message
from typing import ClassVar as _ClassVar, Optional as _Optional

DESCRIPTOR: _descriptor.FileDescriptor

class Record(_message.Message):
    __slots__ = ("version", "sender", "client_id", "conversation", "message_id", "content", "kind", "time_ms", "trace_id", "connect", "extra")
    VERSION_FIELD_NUMBER: _ClassVar[int]
    SENDER_FIELD_NUMBER: _ClassVar[int]
    CLIENT_ID_FIELD_NUMBER: _ClassVar[int]
    CONVERSATION_FIELD_NUMBER: _ClassVar[int]
    MESSAGE_ID_FIELD_NUMBER: _ClassVar[int]
    CONTENT_FIELD_NUMBER: _ClassVar[int]
    KIND_FIELD_NUMBER: _ClassVar[int]
    TIME_MS_FIELD_NUMBER: _ClassVar[int]
    TRACE_ID_FIELD_NUMBER: _ClassVar[int]
    CONNECT_FIELD_NUMBER: _ClassVar[int]
    EXTRA_FIELD_NUMBER: _ClassVar[int]
    version: int
    sender: int
    client_id: str
    conversation: str
    message_id: int
    content: str
    kind: int
    time_ms: int
    trace_id: str
    connect: str
    extra: str
    def __init__(self, version: _Optional[int] = ..., sender: _Optional[int] = ..., client_id: _Optional[str] = ..., conversation: _Optional[str] = ..., message_id: _Optional[int] = ..., content: _Optional[str] = ..., kind: _Optional[int] = ..., time_ms: _Optional[int] = ..., trace_id: _Optional[str] = ..., connect: _Optional[str] = ..., extra: _Optional[str] = ...) -> None: ...
