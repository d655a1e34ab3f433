from google.protobuf.internal import containers as _containers
from google.protobuf.internal import enum_type_wrapper as _enum_type_wrapper
from google.protobuf import descriptor as _descriptor
from google.protobuf import message as _message
from collections.abc import Iterable as _Iterable, Mapping as _Mapping
from typing import ClassVar as _ClassVar, Optional as _Optional, Union as _Union

DESCRIPTOR: _descriptor.FileDescriptor

class WSMessage(_message.Message):
    __slots__ = ("message_id", "to", "group_id", "content", "timestamp", "message_type", "ack_id")
    MESSAGE_ID_FIELD_NUMBER: _ClassVar[int]
    FROM_FIELD_NUMBER: _ClassVar[int]
    TO_FIELD_NUMBER: _ClassVar[int]
    GROUP_ID_FIELD_NUMBER: _ClassVar[int]
    CONTENT_FIELD_NUMBER: _ClassVar[int]
    TIMESTAMP_FIELD_NUMBER: _ClassVar[int]
    MESSAGE_TYPE_FIELD_NUMBER: _ClassVar[int]
    ACK_ID_FIELD_NUMBER: _ClassVar[int]
    message_id: int
    to: int
    group_id: int
    content: str
    timestamp: int
    message_type: int
    ack_id: str
    def __init__(self, message_id: _Optional[int] = ..., to: _Optional[int] = ..., group_id: _Optional[int] = ..., content: _Optional[str] = ..., timestamp: _Optional[int] = ..., message_type: _Optional[int] = ..., ack_id: _Optional[str] = ..., **kwargs) -> None: ...

class SendWSMessageRequest(_message.Message):
    __slots__ = ("msg",)
    MSG_FIELD_NUMBER: _ClassVar[int]
    msg: WSMessage
    def __init__(self, msg: _Optional[_Union[WSMessage, _Mapping]] = ...) -> None: ...

class SendWSMessageResponse(_message.Message):
    __slots__ = ("success", "message")
    SUCCESS_FIELD_NUMBER: _ClassVar[int]
    MESSAGE_FIELD_NUMBER: _ClassVar[int]
    success: bool
    message: str
    def __init__(self, success: _Optional[bool] = ..., message: _Optional[str] = ...) -> None: ...

class GetHistoryRequest(_message.Message):
    __slots__ = ("user_id", "group_id", "page", "size")
    USER_ID_FIELD_NUMBER: _ClassVar[int]
    GROUP_ID_FIELD_NUMBER: _ClassVar[int]
    PAGE_FIELD_NUMBER: _ClassVar[int]
    SIZE_FIELD_NUMBER: _ClassVar[int]
    user_id: int
    group_id: int
    page: int
    size: int
    def __init__(self, user_id: _Optional[int] = ..., group_id: _Optional[int] = ..., page: _Optional[int] = ..., size: _Optional[int] = ...) -> None: ...

class GetHistoryResponse(_message.Message):
    __slots__ = ("messages", "total", "page", "size")
    MESSAGES_FIELD_NUMBER: _ClassVar[int]
    TOTAL_FIELD_NUMBER: _ClassVar[int]
    PAGE_FIELD_NUMBER: _ClassVar[int]
    SIZE_FIELD_NUMBER: _ClassVar[int]
    messages: _containers.RepeatedCompositeFieldContainer[WSMessage]
    total: int
    page: int
    size: int
    def __init__(self, messages: _Optional[_Iterable[_Union[WSMessage, _Mapping]]] = ..., total: _Optional[int] = ..., page: _Optional[int] = ..., size: _Optional[int] = ...) -> None: ...

class SubscribeRequest(_message.Message):
    __slots__ = ("connect_service_id", "link_version", "incarnation", "resume_incarnation", "resume_from", "everything", "stream", "other_streams", "sends_per_s", "sends_burst", "unix_ms")
    CONNECT_SERVICE_ID_FIELD_NUMBER: _ClassVar[int]
    LINK_VERSION_FIELD_NUMBER: _ClassVar[int]
    INCARNATION_FIELD_NUMBER: _ClassVar[int]
    RESUME_INCARNATION_FIELD_NUMBER: _ClassVar[int]
    RESUME_FROM_FIELD_NUMBER: _ClassVar[int]
    EVERYTHING_FIELD_NUMBER: _ClassVar[int]
    STREAM_FIELD_NUMBER: _ClassVar[int]
    OTHER_STREAMS_FIELD_NUMBER: _ClassVar[int]
    SENDS_PER_S_FIELD_NUMBER: _ClassVar[int]
    SENDS_BURST_FIELD_NUMBER: _ClassVar[int]
    UNIX_MS_FIELD_NUMBER: _ClassVar[int]
    connect_service_id: str
    link_version: int
    incarnation: str
    resume_incarnation: str
    resume_from: int
    everything: bool
    stream: int
    other_streams: _containers.RepeatedScalarFieldContainer[int]
    sends_per_s: int
    sends_burst: int
    unix_ms: int
    def __init__(self, connect_service_id: _Optional[str] = ..., link_version: _Optional[int] = ..., incarnation: _Optional[str] = ..., resume_incarnation: _Optional[str] = ..., resume_from: _Optional[int] = ..., everything: _Optional[bool] = ..., stream: _Optional[int] = ..., other_streams: _Optional[_Iterable[int]] = ..., sends_per_s: _Optional[int] = ..., sends_burst: _Optional[int] = ..., unix_ms: _Optional[int] = ...) -> None: ...

class MessageAckRequest(_message.Message):
    __slots__ = ("ack_id", "message_id", "user_id", "timestamp")
    ACK_ID_FIELD_NUMBER: _ClassVar[int]
    MESSAGE_ID_FIELD_NUMBER: _ClassVar[int]
    USER_ID_FIELD_NUMBER: _ClassVar[int]
    TIMESTAMP_FIELD_NUMBER: _ClassVar[int]
    ack_id: str
    message_id: int
    user_id: int
    timestamp: int
    def __init__(self, ack_id: _Optional[str] = ..., message_id: _Optional[int] = ..., user_id: _Optional[int] = ..., timestamp: _Optional[int] = ...) -> None: ...

class PushResultRequest(_message.Message):
    __slots__ = ("success", "error_message", "target_user_id")
    SUCCESS_FIELD_NUMBER: _ClassVar[int]
    ERROR_MESSAGE_FIELD_NUMBER: _ClassVar[int]
    TARGET_USER_ID_FIELD_NUMBER: _ClassVar[int]
    success: bool
    error_message: str
    target_user_id: int
    def __init__(self, success: _Optional[bool] = ..., error_message: _Optional[str] = ..., target_user_id: _Optional[int] = ...) -> None: ...

class MessageStreamRequest(_message.Message):
    __slots__ = ("subscribe", "ack", "push_result", "send_message", "batch")
    SUBSCRIBE_FIELD_NUMBER: _ClassVar[int]
    ACK_FIELD_NUMBER: _ClassVar[int]
    PUSH_RESULT_FIELD_NUMBER: _ClassVar[int]
    SEND_MESSAGE_FIELD_NUMBER: _ClassVar[int]
    BATCH_FIELD_NUMBER: _ClassVar[int]
    subscribe: SubscribeRequest
    ack: MessageAckRequest
    push_result: PushResultRequest
    send_message: SendWSMessageRequest
    batch: ConnectBatch
    def __init__(self, subscribe: _Optional[_Union[SubscribeRequest, _Mapping]] = ..., ack: _Optional[_Union[MessageAckRequest, _Mapping]] = ..., push_result: _Optional[_Union[PushResultRequest, _Mapping]] = ..., send_message: _Optional[_Union[SendWSMessageRequest, _Mapping]] = ..., batch: _Optional[_Union[ConnectBatch, _Mapping]] = ...) -> None: ...

class MessagePushEvent(_message.Message):
    __slots__ = ("target_user_id", "message", "event_type")
    TARGET_USER_ID_FIELD_NUMBER: _ClassVar[int]
    MESSAGE_FIELD_NUMBER: _ClassVar[int]
    EVENT_TYPE_FIELD_NUMBER: _ClassVar[int]
    target_user_id: int
    message: WSMessage
    event_type: str
    def __init__(self, target_user_id: _Optional[int] = ..., message: _Optional[_Union[WSMessage, _Mapping]] = ..., event_type: _Optional[str] = ...) -> None: ...

class MessageFailureEvent(_message.Message):
    __slots__ = ("original_sender", "failure_reason", "original_message")
    ORIGINAL_SENDER_FIELD_NUMBER: _ClassVar[int]
    FAILURE_REASON_FIELD_NUMBER: _ClassVar[int]
    ORIGINAL_MESSAGE_FIELD_NUMBER: _ClassVar[int]
    original_sender: int
    failure_reason: str
    original_message: WSMessage
    def __init__(self, original_sender: _Optional[int] = ..., failure_reason: _Optional[str] = ..., original_message: _Optional[_Union[WSMessage, _Mapping]] = ...) -> None: ...

class AckConfirmEvent(_message.Message):
    __slots__ = ("ack_id", "message_id", "confirmed")
    ACK_ID_FIELD_NUMBER: _ClassVar[int]
    MESSAGE_ID_FIELD_NUMBER: _ClassVar[int]
    CONFIRMED_FIELD_NUMBER: _ClassVar[int]
    ack_id: str
    message_id: int
    confirmed: bool
    def __init__(self, ack_id: _Optional[str] = ..., message_id: _Optional[int] = ..., confirmed: _Optional[bool] = ...) -> None: ...

class MessageStreamResponse(_message.Message):
    __slots__ = ("push_event", "failure", "ack_confirm", "welcome", "batch")
    PUSH_EVENT_FIELD_NUMBER: _ClassVar[int]
    FAILURE_FIELD_NUMBER: _ClassVar[int]
    ACK_CONFIRM_FIELD_NUMBER: _ClassVar[int]
    WELCOME_FIELD_NUMBER: _ClassVar[int]
    BATCH_FIELD_NUMBER: _ClassVar[int]
    push_event: MessagePushEvent
    failure: MessageFailureEvent
    ack_confirm: AckConfirmEvent
    welcome: LinkWelcome
    batch: PushBatch
    def __init__(self, push_event: _Optional[_Union[MessagePushEvent, _Mapping]] = ..., failure: _Optional[_Union[MessageFailureEvent, _Mapping]] = ..., ack_confirm: _Optional[_Union[AckConfirmEvent, _Mapping]] = ..., welcome: _Optional[_Union[LinkWelcome, _Mapping]] = ..., batch: _Optional[_Union[PushBatch, _Mapping]] = ...) -> None: ...

class OnlineStatusRequest(_message.Message):
    __slots__ = ("user_ids",)
    USER_IDS_FIELD_NUMBER: _ClassVar[int]
    user_ids: _containers.RepeatedScalarFieldContainer[int]
    def __init__(self, user_ids: _Optional[_Iterable[int]] = ...) -> None: ...

class OnlineStatusResponse(_message.Message):
    __slots__ = ("status",)
    class StatusEntry(_message.Message):
        __slots__ = ("key", "value")
        KEY_FIELD_NUMBER: _ClassVar[int]
        VALUE_FIELD_NUMBER: _ClassVar[int]
        key: int
        value: bool
        def __init__(self, key: _Optional[int] = ..., value: _Optional[bool] = ...) -> None: ...
    STATUS_FIELD_NUMBER: _ClassVar[int]
    status: _containers.ScalarMap[int, bool]
    def __init__(self, status: _Optional[_Mapping[int, bool]] = ...) -> None: ...

class ConnectBatch(_message.Message):
    __slots__ = ("sends", "presence", "pushed", "typing", "cursors", "watch", "primary", "unreached", "load", "life")
    SENDS_FIELD_NUMBER: _ClassVar[int]
    PRESENCE_FIELD_NUMBER: _ClassVar[int]
    PUSHED_FIELD_NUMBER: _ClassVar[int]
    TYPING_FIELD_NUMBER: _ClassVar[int]
    CURSORS_FIELD_NUMBER: _ClassVar[int]
    WATCH_FIELD_NUMBER: _ClassVar[int]
    PRIMARY_FIELD_NUMBER: _ClassVar[int]
    UNREACHED_FIELD_NUMBER: _ClassVar[int]
    LOAD_FIELD_NUMBER: _ClassVar[int]
    LIFE_FIELD_NUMBER: _ClassVar[int]
    sends: _containers.RepeatedCompositeFieldContainer[SendRequest]
    presence: PresenceDelta
    pushed: int
    typing: _containers.RepeatedCompositeFieldContainer[Typing]
    cursors: _containers.RepeatedCompositeFieldContainer[Cursor]
    watch: WatchDelta
    primary: bool
    unreached: MessageList
    load: ConnectLoad
    life: _containers.RepeatedCompositeFieldContainer[LifeAnswer]
    def __init__(self, sends: _Optional[_Iterable[_Union[SendRequest, _Mapping]]] = ..., presence: _Optional[_Union[PresenceDelta, _Mapping]] = ..., pushed: _Optional[int] = ..., typing: _Optional[_Iterable[_Union[Typing, _Mapping]]] = ..., cursors: _Optional[_Iterable[_Union[Cursor, _Mapping]]] = ..., watch: _Optional[_Union[WatchDelta, _Mapping]] = ..., primary: _Optional[bool] = ..., unreached: _Optional[_Union[MessageList, _Mapping]] = ..., load: _Optional[_Union[ConnectLoad, _Mapping]] = ..., life: _Optional[_Iterable[_Union[LifeAnswer, _Mapping]]] = ...) -> None: ...

class ConnectLoad(_message.Message):
    __slots__ = ("node", "url", "sessions", "most_sessions", "accepting", "status_page")
    NODE_FIELD_NUMBER: _ClassVar[int]
    URL_FIELD_NUMBER: _ClassVar[int]
    SESSIONS_FIELD_NUMBER: _ClassVar[int]
    MOST_SESSIONS_FIELD_NUMBER: _ClassVar[int]
    ACCEPTING_FIELD_NUMBER: _ClassVar[int]
    STATUS_PAGE_FIELD_NUMBER: _ClassVar[int]
    node: str
    url: str
    sessions: int
    most_sessions: int
    accepting: bool
    status_page: str
    def __init__(self, node: _Optional[str] = ..., url: _Optional[str] = ..., sessions: _Optional[int] = ..., most_sessions: _Optional[int] = ..., accepting: _Optional[bool] = ..., status_page: _Optional[str] = ...) -> None: ...

class SendRequest(_message.Message):
    __slots__ = ("id", "sender", "client_id", "conversation", "content", "kind", "extra", "repeat", "traceparent")
    ID_FIELD_NUMBER: _ClassVar[int]
    SENDER_FIELD_NUMBER: _ClassVar[int]
    CLIENT_ID_FIELD_NUMBER: _ClassVar[int]
    CONVERSATION_FIELD_NUMBER: _ClassVar[int]
    CONTENT_FIELD_NUMBER: _ClassVar[int]
    KIND_FIELD_NUMBER: _ClassVar[int]
    EXTRA_FIELD_NUMBER: _ClassVar[int]
    REPEAT_FIELD_NUMBER: _ClassVar[int]
    TRACEPARENT_FIELD_NUMBER: _ClassVar[int]
    id: int
    sender: int
    client_id: str
    conversation: str
    content: str
    kind: int
    extra: str
    repeat: bool
    traceparent: str
    def __init__(self, id: _Optional[int] = ..., sender: _Optional[int] = ..., client_id: _Optional[str] = ..., conversation: _Optional[str] = ..., content: _Optional[str] = ..., kind: _Optional[int] = ..., extra: _Optional[str] = ..., repeat: _Optional[bool] = ..., traceparent: _Optional[str] = ...) -> None: ...

class PresenceDelta(_message.Message):
    __slots__ = ("number", "online", "offline", "snapshot", "logins", "last_login")
    class Snapshot(int, metaclass=_enum_type_wrapper.EnumTypeWrapper):
        __slots__ = ()
        NONE: _ClassVar[PresenceDelta.Snapshot]
        BEGIN: _ClassVar[PresenceDelta.Snapshot]
        MORE: _ClassVar[PresenceDelta.Snapshot]
        END: _ClassVar[PresenceDelta.Snapshot]
        WHOLE: _ClassVar[PresenceDelta.Snapshot]
    NONE: PresenceDelta.Snapshot
    BEGIN: PresenceDelta.Snapshot
    MORE: PresenceDelta.Snapshot
    END: PresenceDelta.Snapshot
    WHOLE: PresenceDelta.Snapshot
    NUMBER_FIELD_NUMBER: _ClassVar[int]
    ONLINE_FIELD_NUMBER: _ClassVar[int]
    OFFLINE_FIELD_NUMBER: _ClassVar[int]
    SNAPSHOT_FIELD_NUMBER: _ClassVar[int]
    LOGINS_FIELD_NUMBER: _ClassVar[int]
    LAST_LOGIN_FIELD_NUMBER: _ClassVar[int]
    number: int
    online: _containers.RepeatedScalarFieldContainer[int]
    offline: _containers.RepeatedScalarFieldContainer[int]
    snapshot: PresenceDelta.Snapshot
    logins: _containers.RepeatedCompositeFieldContainer[Login]
    last_login: int
    def __init__(self, number: _Optional[int] = ..., online: _Optional[_Iterable[int]] = ..., offline: _Optional[_Iterable[int]] = ..., snapshot: _Optional[_Union[PresenceDelta.Snapshot, str]] = ..., logins: _Optional[_Iterable[_Union[Login, _Mapping]]] = ..., last_login: _Optional[int] = ...) -> None: ...

class Login(_message.Message):
    __slots__ = ("user", "device", "number")
    USER_FIELD_NUMBER: _ClassVar[int]
    DEVICE_FIELD_NUMBER: _ClassVar[int]
    NUMBER_FIELD_NUMBER: _ClassVar[int]
    user: int
    device: str
    number: int
    def __init__(self, user: _Optional[int] = ..., device: _Optional[str] = ..., number: _Optional[int] = ...) -> None: ...

class Typing(_message.Message):
    __slots__ = ("conversation", "user")
    CONVERSATION_FIELD_NUMBER: _ClassVar[int]
    USER_FIELD_NUMBER: _ClassVar[int]
    conversation: str
    user: int
    def __init__(self, conversation: _Optional[str] = ..., user: _Optional[int] = ...) -> None: ...

class Cursor(_message.Message):
    __slots__ = ("conversation", "user", "delivered", "read", "alone")
    CONVERSATION_FIELD_NUMBER: _ClassVar[int]
    USER_FIELD_NUMBER: _ClassVar[int]
    DELIVERED_FIELD_NUMBER: _ClassVar[int]
    READ_FIELD_NUMBER: _ClassVar[int]
    ALONE_FIELD_NUMBER: _ClassVar[int]
    conversation: str
    user: int
    delivered: int
    read: int
    alone: bool
    def __init__(self, conversation: _Optional[str] = ..., user: _Optional[int] = ..., delivered: _Optional[int] = ..., read: _Optional[int] = ..., alone: _Optional[bool] = ...) -> None: ...

class WatchDelta(_message.Message):
    __slots__ = ("add", "remove")
    ADD_FIELD_NUMBER: _ClassVar[int]
    REMOVE_FIELD_NUMBER: _ClassVar[int]
    add: _containers.RepeatedScalarFieldContainer[int]
    remove: _containers.RepeatedScalarFieldContainer[int]
    def __init__(self, add: _Optional[_Iterable[int]] = ..., remove: _Optional[_Iterable[int]] = ...) -> None: ...

class LinkWelcome(_message.Message):
    __slots__ = ("message_service_id", "incarnation", "link_version", "resumed", "heartbeat_ms", "content_bytes", "address", "messages", "status_page", "unix_ms", "revocations")
    MESSAGE_SERVICE_ID_FIELD_NUMBER: _ClassVar[int]
    INCARNATION_FIELD_NUMBER: _ClassVar[int]
    LINK_VERSION_FIELD_NUMBER: _ClassVar[int]
    RESUMED_FIELD_NUMBER: _ClassVar[int]
    HEARTBEAT_MS_FIELD_NUMBER: _ClassVar[int]
    CONTENT_BYTES_FIELD_NUMBER: _ClassVar[int]
    ADDRESS_FIELD_NUMBER: _ClassVar[int]
    MESSAGES_FIELD_NUMBER: _ClassVar[int]
    STATUS_PAGE_FIELD_NUMBER: _ClassVar[int]
    UNIX_MS_FIELD_NUMBER: _ClassVar[int]
    REVOCATIONS_FIELD_NUMBER: _ClassVar[int]
    message_service_id: str
    incarnation: str
    link_version: int
    resumed: bool
    heartbeat_ms: int
    content_bytes: int
    address: str
    messages: MessageList
    status_page: str
    unix_ms: int
    revocations: Revocations
    def __init__(self, message_service_id: _Optional[str] = ..., incarnation: _Optional[str] = ..., link_version: _Optional[int] = ..., resumed: _Optional[bool] = ..., heartbeat_ms: _Optional[int] = ..., content_bytes: _Optional[int] = ..., address: _Optional[str] = ..., messages: _Optional[_Union[MessageList, _Mapping]] = ..., status_page: _Optional[str] = ..., unix_ms: _Optional[int] = ..., revocations: _Optional[_Union[Revocations, _Mapping]] = ...) -> None: ...

class PushBatch(_message.Message):
    __slots__ = ("number", "pushes", "results", "typing", "receipts", "presence", "presence_applied", "kicks", "last_login", "messages", "whole", "revocations", "blocks", "life")
    NUMBER_FIELD_NUMBER: _ClassVar[int]
    PUSHES_FIELD_NUMBER: _ClassVar[int]
    RESULTS_FIELD_NUMBER: _ClassVar[int]
    TYPING_FIELD_NUMBER: _ClassVar[int]
    RECEIPTS_FIELD_NUMBER: _ClassVar[int]
    PRESENCE_FIELD_NUMBER: _ClassVar[int]
    PRESENCE_APPLIED_FIELD_NUMBER: _ClassVar[int]
    KICKS_FIELD_NUMBER: _ClassVar[int]
    LAST_LOGIN_FIELD_NUMBER: _ClassVar[int]
    MESSAGES_FIELD_NUMBER: _ClassVar[int]
    WHOLE_FIELD_NUMBER: _ClassVar[int]
    REVOCATIONS_FIELD_NUMBER: _ClassVar[int]
    BLOCKS_FIELD_NUMBER: _ClassVar[int]
    LIFE_FIELD_NUMBER: _ClassVar[int]
    number: int
    pushes: _containers.RepeatedCompositeFieldContainer[Push]
    results: _containers.RepeatedCompositeFieldContainer[SendResult]
    typing: _containers.RepeatedCompositeFieldContainer[TypingPush]
    receipts: _containers.RepeatedCompositeFieldContainer[ReceiptPush]
    presence: _containers.RepeatedCompositeFieldContainer[Presence]
    presence_applied: int
    kicks: _containers.RepeatedCompositeFieldContainer[Kick]
    last_login: int
    messages: MessageList
    whole: int
    revocations: Revocations
    blocks: _containers.RepeatedCompositeFieldContainer[Block]
    life: _containers.RepeatedCompositeFieldContainer[LifeQuery]
    def __init__(self, number: _Optional[int] = ..., pushes: _Optional[_Iterable[_Union[Push, _Mapping]]] = ..., results: _Optional[_Iterable[_Union[SendResult, _Mapping]]] = ..., typing: _Optional[_Iterable[_Union[TypingPush, _Mapping]]] = ..., receipts: _Optional[_Iterable[_Union[ReceiptPush, _Mapping]]] = ..., presence: _Optional[_Iterable[_Union[Presence, _Mapping]]] = ..., presence_applied: _Optional[int] = ..., kicks: _Optional[_Iterable[_Union[Kick, _Mapping]]] = ..., last_login: _Optional[int] = ..., messages: _Optional[_Union[MessageList, _Mapping]] = ..., whole: _Optional[int] = ..., revocations: _Optional[_Union[Revocations, _Mapping]] = ..., blocks: _Optional[_Iterable[_Union[Block, _Mapping]]] = ..., life: _Optional[_Iterable[_Union[LifeQuery, _Mapping]]] = ...) -> None: ...

class Block(_message.Message):
    __slots__ = ("by", "user")
    BY_FIELD_NUMBER: _ClassVar[int]
    USER_FIELD_NUMBER: _ClassVar[int]
    by: int
    user: int
    def __init__(self, by: _Optional[int] = ..., user: _Optional[int] = ...) -> None: ...

class Revocations(_message.Message):
    __slots__ = ("users", "before_ms")
    USERS_FIELD_NUMBER: _ClassVar[int]
    BEFORE_MS_FIELD_NUMBER: _ClassVar[int]
    users: _containers.RepeatedScalarFieldContainer[int]
    before_ms: _containers.RepeatedScalarFieldContainer[int]
    def __init__(self, users: _Optional[_Iterable[int]] = ..., before_ms: _Optional[_Iterable[int]] = ...) -> None: ...

class MessageList(_message.Message):
    __slots__ = ("addresses",)
    ADDRESSES_FIELD_NUMBER: _ClassVar[int]
    addresses: _containers.RepeatedScalarFieldContainer[str]
    def __init__(self, addresses: _Optional[_Iterable[str]] = ...) -> None: ...

class ChatMessage(_message.Message):
    __slots__ = ("conversation", "seq", "message_id", "sender", "client_id", "content", "kind", "time_ms", "extra", "traceparent")
    CONVERSATION_FIELD_NUMBER: _ClassVar[int]
    SEQ_FIELD_NUMBER: _ClassVar[int]
    MESSAGE_ID_FIELD_NUMBER: _ClassVar[int]
    SENDER_FIELD_NUMBER: _ClassVar[int]
    CLIENT_ID_FIELD_NUMBER: _ClassVar[int]
    CONTENT_FIELD_NUMBER: _ClassVar[int]
    KIND_FIELD_NUMBER: _ClassVar[int]
    TIME_MS_FIELD_NUMBER: _ClassVar[int]
    EXTRA_FIELD_NUMBER: _ClassVar[int]
    TRACEPARENT_FIELD_NUMBER: _ClassVar[int]
    conversation: str
    seq: int
    message_id: int
    sender: int
    client_id: str
    content: str
    kind: int
    time_ms: int
    extra: str
    traceparent: str
    def __init__(self, conversation: _Optional[str] = ..., seq: _Optional[int] = ..., message_id: _Optional[int] = ..., sender: _Optional[int] = ..., client_id: _Optional[str] = ..., content: _Optional[str] = ..., kind: _Optional[int] = ..., time_ms: _Optional[int] = ..., extra: _Optional[str] = ..., traceparent: _Optional[str] = ...) -> None: ...

class Push(_message.Message):
    __slots__ = ("message", "targets")
    MESSAGE_FIELD_NUMBER: _ClassVar[int]
    TARGETS_FIELD_NUMBER: _ClassVar[int]
    message: ChatMessage
    targets: _containers.RepeatedScalarFieldContainer[int]
    def __init__(self, message: _Optional[_Union[ChatMessage, _Mapping]] = ..., targets: _Optional[_Iterable[int]] = ...) -> None: ...

class SendResult(_message.Message):
    __slots__ = ("id", "time_ms", "code", "reason", "retry_after_ms", "uncertain")
    ID_FIELD_NUMBER: _ClassVar[int]
    TIME_MS_FIELD_NUMBER: _ClassVar[int]
    CODE_FIELD_NUMBER: _ClassVar[int]
    REASON_FIELD_NUMBER: _ClassVar[int]
    RETRY_AFTER_MS_FIELD_NUMBER: _ClassVar[int]
    UNCERTAIN_FIELD_NUMBER: _ClassVar[int]
    id: int
    time_ms: int
    code: str
    reason: str
    retry_after_ms: int
    uncertain: bool
    def __init__(self, id: _Optional[int] = ..., time_ms: _Optional[int] = ..., code: _Optional[str] = ..., reason: _Optional[str] = ..., retry_after_ms: _Optional[int] = ..., uncertain: _Optional[bool] = ...) -> None: ...

class TypingPush(_message.Message):
    __slots__ = ("typing", "targets")
    TYPING_FIELD_NUMBER: _ClassVar[int]
    TARGETS_FIELD_NUMBER: _ClassVar[int]
    typing: Typing
    targets: _containers.RepeatedScalarFieldContainer[int]
    def __init__(self, typing: _Optional[_Union[Typing, _Mapping]] = ..., targets: _Optional[_Iterable[int]] = ...) -> None: ...

class ReceiptPush(_message.Message):
    __slots__ = ("cursor", "targets")
    CURSOR_FIELD_NUMBER: _ClassVar[int]
    TARGETS_FIELD_NUMBER: _ClassVar[int]
    cursor: Cursor
    targets: _containers.RepeatedScalarFieldContainer[int]
    def __init__(self, cursor: _Optional[_Union[Cursor, _Mapping]] = ..., targets: _Optional[_Iterable[int]] = ...) -> None: ...

class Presence(_message.Message):
    __slots__ = ("user", "online", "last_seen_ms", "hidden")
    USER_FIELD_NUMBER: _ClassVar[int]
    ONLINE_FIELD_NUMBER: _ClassVar[int]
    LAST_SEEN_MS_FIELD_NUMBER: _ClassVar[int]
    HIDDEN_FIELD_NUMBER: _ClassVar[int]
    user: int
    online: bool
    last_seen_ms: int
    hidden: bool
    def __init__(self, user: _Optional[int] = ..., online: _Optional[bool] = ..., last_seen_ms: _Optional[int] = ..., hidden: _Optional[bool] = ...) -> None: ...

class Kick(_message.Message):
    __slots__ = ("user", "device", "reason", "last_login")
    USER_FIELD_NUMBER: _ClassVar[int]
    DEVICE_FIELD_NUMBER: _ClassVar[int]
    REASON_FIELD_NUMBER: _ClassVar[int]
    LAST_LOGIN_FIELD_NUMBER: _ClassVar[int]
    user: int
    device: str
    reason: str
    last_login: int
    def __init__(self, user: _Optional[int] = ..., device: _Optional[str] = ..., reason: _Optional[str] = ..., last_login: _Optional[int] = ...) -> None: ...

class ReachRequest(_message.Message):
    __slots__ = ("address",)
    ADDRESS_FIELD_NUMBER: _ClassVar[int]
    address: str
    def __init__(self, address: _Optional[str] = ...) -> None: ...

class ReachResponse(_message.Message):
    __slots__ = ("reached",)
    REACHED_FIELD_NUMBER: _ClassVar[int]
    reached: bool
    def __init__(self, reached: _Optional[bool] = ...) -> None: ...

class QueryRequest(_message.Message):
    __slots__ = ("items",)
    ITEMS_FIELD_NUMBER: _ClassVar[int]
    items: _containers.RepeatedCompositeFieldContainer[QueryItem]
    def __init__(self, items: _Optional[_Iterable[_Union[QueryItem, _Mapping]]] = ...) -> None: ...

class QueryItem(_message.Message):
    __slots__ = ("page", "heads", "presence", "group", "unread", "mark", "compare", "blocks", "invitations", "names", "connects", "life")
    PAGE_FIELD_NUMBER: _ClassVar[int]
    HEADS_FIELD_NUMBER: _ClassVar[int]
    PRESENCE_FIELD_NUMBER: _ClassVar[int]
    GROUP_FIELD_NUMBER: _ClassVar[int]
    UNREAD_FIELD_NUMBER: _ClassVar[int]
    MARK_FIELD_NUMBER: _ClassVar[int]
    COMPARE_FIELD_NUMBER: _ClassVar[int]
    BLOCKS_FIELD_NUMBER: _ClassVar[int]
    INVITATIONS_FIELD_NUMBER: _ClassVar[int]
    NAMES_FIELD_NUMBER: _ClassVar[int]
    CONNECTS_FIELD_NUMBER: _ClassVar[int]
    LIFE_FIELD_NUMBER: _ClassVar[int]
    page: PageQuery
    heads: HeadsQuery
    presence: PresenceQuery
    group: GroupQuery
    unread: UnreadQuery
    mark: MarkQuery
    compare: CompareQuery
    blocks: BlocksQuery
    invitations: InvitationsQuery
    names: NamesQuery
    connects: ConnectsQuery
    life: LifeQuery
    def __init__(self, page: _Optional[_Union[PageQuery, _Mapping]] = ..., heads: _Optional[_Union[HeadsQuery, _Mapping]] = ..., presence: _Optional[_Union[PresenceQuery, _Mapping]] = ..., group: _Optional[_Union[GroupQuery, _Mapping]] = ..., unread: _Optional[_Union[UnreadQuery, _Mapping]] = ..., mark: _Optional[_Union[MarkQuery, _Mapping]] = ..., compare: _Optional[_Union[CompareQuery, _Mapping]] = ..., blocks: _Optional[_Union[BlocksQuery, _Mapping]] = ..., invitations: _Optional[_Union[InvitationsQuery, _Mapping]] = ..., names: _Optional[_Union[NamesQuery, _Mapping]] = ..., connects: _Optional[_Union[ConnectsQuery, _Mapping]] = ..., life: _Optional[_Union[LifeQuery, _Mapping]] = ...) -> None: ...

class PageQuery(_message.Message):
    __slots__ = ("user", "conversation", "after", "limit")
    USER_FIELD_NUMBER: _ClassVar[int]
    CONVERSATION_FIELD_NUMBER: _ClassVar[int]
    AFTER_FIELD_NUMBER: _ClassVar[int]
    LIMIT_FIELD_NUMBER: _ClassVar[int]
    user: int
    conversation: str
    after: int
    limit: int
    def __init__(self, user: _Optional[int] = ..., conversation: _Optional[str] = ..., after: _Optional[int] = ..., limit: _Optional[int] = ...) -> None: ...

class HeadsQuery(_message.Message):
    __slots__ = ("user", "limit", "position", "continued", "witness")
    USER_FIELD_NUMBER: _ClassVar[int]
    LIMIT_FIELD_NUMBER: _ClassVar[int]
    POSITION_FIELD_NUMBER: _ClassVar[int]
    CONTINUED_FIELD_NUMBER: _ClassVar[int]
    WITNESS_FIELD_NUMBER: _ClassVar[int]
    user: int
    limit: int
    position: str
    continued: bool
    witness: str
    def __init__(self, user: _Optional[int] = ..., limit: _Optional[int] = ..., position: _Optional[str] = ..., continued: _Optional[bool] = ..., witness: _Optional[str] = ...) -> None: ...

class PresenceQuery(_message.Message):
    __slots__ = ("users", "asker")
    USERS_FIELD_NUMBER: _ClassVar[int]
    ASKER_FIELD_NUMBER: _ClassVar[int]
    users: _containers.RepeatedScalarFieldContainer[int]
    asker: int
    def __init__(self, users: _Optional[_Iterable[int]] = ..., asker: _Optional[int] = ...) -> None: ...

class GroupQuery(_message.Message):
    __slots__ = ("user", "conversation", "after", "limit")
    USER_FIELD_NUMBER: _ClassVar[int]
    CONVERSATION_FIELD_NUMBER: _ClassVar[int]
    AFTER_FIELD_NUMBER: _ClassVar[int]
    LIMIT_FIELD_NUMBER: _ClassVar[int]
    user: int
    conversation: str
    after: int
    limit: int
    def __init__(self, user: _Optional[int] = ..., conversation: _Optional[str] = ..., after: _Optional[int] = ..., limit: _Optional[int] = ...) -> None: ...

class UnreadQuery(_message.Message):
    __slots__ = ("user", "after", "limit", "position")
    USER_FIELD_NUMBER: _ClassVar[int]
    AFTER_FIELD_NUMBER: _ClassVar[int]
    LIMIT_FIELD_NUMBER: _ClassVar[int]
    POSITION_FIELD_NUMBER: _ClassVar[int]
    user: int
    after: int
    limit: int
    position: str
    def __init__(self, user: _Optional[int] = ..., after: _Optional[int] = ..., limit: _Optional[int] = ..., position: _Optional[str] = ...) -> None: ...

class MarkQuery(_message.Message):
    __slots__ = ("user", "marks")
    USER_FIELD_NUMBER: _ClassVar[int]
    MARKS_FIELD_NUMBER: _ClassVar[int]
    user: int
    marks: _containers.RepeatedCompositeFieldContainer[Mark]
    def __init__(self, user: _Optional[int] = ..., marks: _Optional[_Iterable[_Union[Mark, _Mapping]]] = ...) -> None: ...

class Mark(_message.Message):
    __slots__ = ("message_id", "conversation", "seq")
    MESSAGE_ID_FIELD_NUMBER: _ClassVar[int]
    CONVERSATION_FIELD_NUMBER: _ClassVar[int]
    SEQ_FIELD_NUMBER: _ClassVar[int]
    message_id: int
    conversation: str
    seq: int
    def __init__(self, message_id: _Optional[int] = ..., conversation: _Optional[str] = ..., seq: _Optional[int] = ...) -> None: ...

class CompareQuery(_message.Message):
    __slots__ = ("pushed", "epoch")
    PUSHED_FIELD_NUMBER: _ClassVar[int]
    EPOCH_FIELD_NUMBER: _ClassVar[int]
    pushed: _containers.RepeatedCompositeFieldContainer[PushedNumber]
    epoch: str
    def __init__(self, pushed: _Optional[_Iterable[_Union[PushedNumber, _Mapping]]] = ..., epoch: _Optional[str] = ...) -> None: ...

class BlocksQuery(_message.Message):
    __slots__ = ("user", "after", "limit")
    USER_FIELD_NUMBER: _ClassVar[int]
    AFTER_FIELD_NUMBER: _ClassVar[int]
    LIMIT_FIELD_NUMBER: _ClassVar[int]
    user: int
    after: str
    limit: int
    def __init__(self, user: _Optional[int] = ..., after: _Optional[str] = ..., limit: _Optional[int] = ...) -> None: ...

class InvitationsQuery(_message.Message):
    __slots__ = ("user", "after", "limit")
    USER_FIELD_NUMBER: _ClassVar[int]
    AFTER_FIELD_NUMBER: _ClassVar[int]
    LIMIT_FIELD_NUMBER: _ClassVar[int]
    user: int
    after: str
    limit: int
    def __init__(self, user: _Optional[int] = ..., after: _Optional[str] = ..., limit: _Optional[int] = ...) -> None: ...

class PushedNumber(_message.Message):
    __slots__ = ("user", "conversation", "seq")
    USER_FIELD_NUMBER: _ClassVar[int]
    CONVERSATION_FIELD_NUMBER: _ClassVar[int]
    SEQ_FIELD_NUMBER: _ClassVar[int]
    user: int
    conversation: str
    seq: int
    def __init__(self, user: _Optional[int] = ..., conversation: _Optional[str] = ..., seq: _Optional[int] = ...) -> None: ...

class NamesQuery(_message.Message):
    __slots__ = ("names", "users", "claim")
    NAMES_FIELD_NUMBER: _ClassVar[int]
    USERS_FIELD_NUMBER: _ClassVar[int]
    CLAIM_FIELD_NUMBER: _ClassVar[int]
    names: _containers.RepeatedScalarFieldContainer[str]
    users: _containers.RepeatedScalarFieldContainer[int]
    claim: bool
    def __init__(self, names: _Optional[_Iterable[str]] = ..., users: _Optional[_Iterable[int]] = ..., claim: _Optional[bool] = ...) -> None: ...

class ConnectsQuery(_message.Message):
    __slots__ = ()
    def __init__(self) -> None: ...

class LifeQuery(_message.Message):
    __slots__ = ("id", "sender", "client_id", "message_id", "conversation", "seq")
    ID_FIELD_NUMBER: _ClassVar[int]
    SENDER_FIELD_NUMBER: _ClassVar[int]
    CLIENT_ID_FIELD_NUMBER: _ClassVar[int]
    MESSAGE_ID_FIELD_NUMBER: _ClassVar[int]
    CONVERSATION_FIELD_NUMBER: _ClassVar[int]
    SEQ_FIELD_NUMBER: _ClassVar[int]
    id: int
    sender: int
    client_id: str
    message_id: int
    conversation: str
    seq: int
    def __init__(self, id: _Optional[int] = ..., sender: _Optional[int] = ..., client_id: _Optional[str] = ..., message_id: _Optional[int] = ..., conversation: _Optional[str] = ..., seq: _Optional[int] = ...) -> None: ...

class QueryResponse(_message.Message):
    __slots__ = ("answers",)
    ANSWERS_FIELD_NUMBER: _ClassVar[int]
    answers: _containers.RepeatedCompositeFieldContainer[QueryAnswer]
    def __init__(self, answers: _Optional[_Iterable[_Union[QueryAnswer, _Mapping]]] = ...) -> None: ...

class QueryAnswer(_message.Message):
    __slots__ = ("page", "heads", "presence", "error", "group", "unread", "mark", "compare", "blocks", "invitations", "names", "connects", "life")
    PAGE_FIELD_NUMBER: _ClassVar[int]
    HEADS_FIELD_NUMBER: _ClassVar[int]
    PRESENCE_FIELD_NUMBER: _ClassVar[int]
    ERROR_FIELD_NUMBER: _ClassVar[int]
    GROUP_FIELD_NUMBER: _ClassVar[int]
    UNREAD_FIELD_NUMBER: _ClassVar[int]
    MARK_FIELD_NUMBER: _ClassVar[int]
    COMPARE_FIELD_NUMBER: _ClassVar[int]
    BLOCKS_FIELD_NUMBER: _ClassVar[int]
    INVITATIONS_FIELD_NUMBER: _ClassVar[int]
    NAMES_FIELD_NUMBER: _ClassVar[int]
    CONNECTS_FIELD_NUMBER: _ClassVar[int]
    LIFE_FIELD_NUMBER: _ClassVar[int]
    page: PageAnswer
    heads: HeadsAnswer
    presence: PresenceAnswer
    error: QueryError
    group: GroupAnswer
    unread: UnreadAnswer
    mark: MarkAnswer
    compare: CompareAnswer
    blocks: BlocksAnswer
    invitations: InvitationsAnswer
    names: NamesAnswer
    connects: ConnectsAnswer
    life: LifeAnswer
    def __init__(self, page: _Optional[_Union[PageAnswer, _Mapping]] = ..., heads: _Optional[_Union[HeadsAnswer, _Mapping]] = ..., presence: _Optional[_Union[PresenceAnswer, _Mapping]] = ..., error: _Optional[_Union[QueryError, _Mapping]] = ..., group: _Optional[_Union[GroupAnswer, _Mapping]] = ..., unread: _Optional[_Union[UnreadAnswer, _Mapping]] = ..., mark: _Optional[_Union[MarkAnswer, _Mapping]] = ..., compare: _Optional[_Union[CompareAnswer, _Mapping]] = ..., blocks: _Optional[_Union[BlocksAnswer, _Mapping]] = ..., invitations: _Optional[_Union[InvitationsAnswer, _Mapping]] = ..., names: _Optional[_Union[NamesAnswer, _Mapping]] = ..., connects: _Optional[_Union[ConnectsAnswer, _Mapping]] = ..., life: _Optional[_Union[LifeAnswer, _Mapping]] = ...) -> None: ...

class PageAnswer(_message.Message):
    __slots__ = ("messages", "head", "more", "epoch")
    MESSAGES_FIELD_NUMBER: _ClassVar[int]
    HEAD_FIELD_NUMBER: _ClassVar[int]
    MORE_FIELD_NUMBER: _ClassVar[int]
    EPOCH_FIELD_NUMBER: _ClassVar[int]
    messages: _containers.RepeatedCompositeFieldContainer[ChatMessage]
    head: int
    more: bool
    epoch: str
    def __init__(self, messages: _Optional[_Iterable[_Union[ChatMessage, _Mapping]]] = ..., head: _Optional[int] = ..., more: _Optional[bool] = ..., epoch: _Optional[str] = ...) -> None: ...

class Head(_message.Message):
    __slots__ = ("conversation", "head", "delivered", "read", "time_ms", "others", "unread", "message_id")
    CONVERSATION_FIELD_NUMBER: _ClassVar[int]
    HEAD_FIELD_NUMBER: _ClassVar[int]
    DELIVERED_FIELD_NUMBER: _ClassVar[int]
    READ_FIELD_NUMBER: _ClassVar[int]
    TIME_MS_FIELD_NUMBER: _ClassVar[int]
    OTHERS_FIELD_NUMBER: _ClassVar[int]
    UNREAD_FIELD_NUMBER: _ClassVar[int]
    MESSAGE_ID_FIELD_NUMBER: _ClassVar[int]
    conversation: str
    head: int
    delivered: int
    read: int
    time_ms: int
    others: _containers.RepeatedCompositeFieldContainer[Cursor]
    unread: int
    message_id: int
    def __init__(self, conversation: _Optional[str] = ..., head: _Optional[int] = ..., delivered: _Optional[int] = ..., read: _Optional[int] = ..., time_ms: _Optional[int] = ..., others: _Optional[_Iterable[_Union[Cursor, _Mapping]]] = ..., unread: _Optional[int] = ..., message_id: _Optional[int] = ...) -> None: ...

class HeadsAnswer(_message.Message):
    __slots__ = ("heads", "more", "position", "epoch")
    HEADS_FIELD_NUMBER: _ClassVar[int]
    MORE_FIELD_NUMBER: _ClassVar[int]
    POSITION_FIELD_NUMBER: _ClassVar[int]
    EPOCH_FIELD_NUMBER: _ClassVar[int]
    heads: _containers.RepeatedCompositeFieldContainer[Head]
    more: bool
    position: str
    epoch: str
    def __init__(self, heads: _Optional[_Iterable[_Union[Head, _Mapping]]] = ..., more: _Optional[bool] = ..., position: _Optional[str] = ..., epoch: _Optional[str] = ...) -> None: ...

class PresenceAnswer(_message.Message):
    __slots__ = ("presence", "judged")
    PRESENCE_FIELD_NUMBER: _ClassVar[int]
    JUDGED_FIELD_NUMBER: _ClassVar[int]
    presence: _containers.RepeatedCompositeFieldContainer[Presence]
    judged: bool
    def __init__(self, presence: _Optional[_Iterable[_Union[Presence, _Mapping]]] = ..., judged: _Optional[bool] = ...) -> None: ...

class Member(_message.Message):
    __slots__ = ("user", "joined")
    USER_FIELD_NUMBER: _ClassVar[int]
    JOINED_FIELD_NUMBER: _ClassVar[int]
    user: int
    joined: int
    def __init__(self, user: _Optional[int] = ..., joined: _Optional[int] = ...) -> None: ...

class GroupAnswer(_message.Message):
    __slots__ = ("name", "owner", "history", "count", "members", "more", "key")
    NAME_FIELD_NUMBER: _ClassVar[int]
    OWNER_FIELD_NUMBER: _ClassVar[int]
    HISTORY_FIELD_NUMBER: _ClassVar[int]
    COUNT_FIELD_NUMBER: _ClassVar[int]
    MEMBERS_FIELD_NUMBER: _ClassVar[int]
    MORE_FIELD_NUMBER: _ClassVar[int]
    KEY_FIELD_NUMBER: _ClassVar[int]
    name: str
    owner: int
    history: bool
    count: int
    members: _containers.RepeatedCompositeFieldContainer[Member]
    more: bool
    key: str
    def __init__(self, name: _Optional[str] = ..., owner: _Optional[int] = ..., history: _Optional[bool] = ..., count: _Optional[int] = ..., members: _Optional[_Iterable[_Union[Member, _Mapping]]] = ..., more: _Optional[bool] = ..., key: _Optional[str] = ...) -> None: ...

class UnreadAnswer(_message.Message):
    __slots__ = ("messages", "total", "more", "position")
    MESSAGES_FIELD_NUMBER: _ClassVar[int]
    TOTAL_FIELD_NUMBER: _ClassVar[int]
    MORE_FIELD_NUMBER: _ClassVar[int]
    POSITION_FIELD_NUMBER: _ClassVar[int]
    messages: _containers.RepeatedCompositeFieldContainer[ChatMessage]
    total: int
    more: bool
    position: str
    def __init__(self, messages: _Optional[_Iterable[_Union[ChatMessage, _Mapping]]] = ..., total: _Optional[int] = ..., more: _Optional[bool] = ..., position: _Optional[str] = ...) -> None: ...

class MarkAnswer(_message.Message):
    __slots__ = ("known",)
    KNOWN_FIELD_NUMBER: _ClassVar[int]
    known: _containers.RepeatedScalarFieldContainer[bool]
    def __init__(self, known: _Optional[_Iterable[bool]] = ...) -> None: ...

class CompareAnswer(_message.Message):
    __slots__ = ("heads", "epoch", "witness")
    HEADS_FIELD_NUMBER: _ClassVar[int]
    EPOCH_FIELD_NUMBER: _ClassVar[int]
    WITNESS_FIELD_NUMBER: _ClassVar[int]
    heads: _containers.RepeatedScalarFieldContainer[int]
    epoch: str
    witness: str
    def __init__(self, heads: _Optional[_Iterable[int]] = ..., epoch: _Optional[str] = ..., witness: _Optional[str] = ...) -> None: ...

class BlockRow(_message.Message):
    __slots__ = ("target", "time_ms")
    TARGET_FIELD_NUMBER: _ClassVar[int]
    TIME_MS_FIELD_NUMBER: _ClassVar[int]
    target: str
    time_ms: int
    def __init__(self, target: _Optional[str] = ..., time_ms: _Optional[int] = ...) -> None: ...

class BlocksAnswer(_message.Message):
    __slots__ = ("blocks", "more")
    BLOCKS_FIELD_NUMBER: _ClassVar[int]
    MORE_FIELD_NUMBER: _ClassVar[int]
    blocks: _containers.RepeatedCompositeFieldContainer[BlockRow]
    more: bool
    def __init__(self, blocks: _Optional[_Iterable[_Union[BlockRow, _Mapping]]] = ..., more: _Optional[bool] = ...) -> None: ...

class InvitationRow(_message.Message):
    __slots__ = ("conversation", "name", "by", "time_ms", "expires_ms")
    CONVERSATION_FIELD_NUMBER: _ClassVar[int]
    NAME_FIELD_NUMBER: _ClassVar[int]
    BY_FIELD_NUMBER: _ClassVar[int]
    TIME_MS_FIELD_NUMBER: _ClassVar[int]
    EXPIRES_MS_FIELD_NUMBER: _ClassVar[int]
    conversation: str
    name: str
    by: int
    time_ms: int
    expires_ms: int
    def __init__(self, conversation: _Optional[str] = ..., name: _Optional[str] = ..., by: _Optional[int] = ..., time_ms: _Optional[int] = ..., expires_ms: _Optional[int] = ...) -> None: ...

class InvitationsAnswer(_message.Message):
    __slots__ = ("invitations", "next")
    INVITATIONS_FIELD_NUMBER: _ClassVar[int]
    NEXT_FIELD_NUMBER: _ClassVar[int]
    invitations: _containers.RepeatedCompositeFieldContainer[InvitationRow]
    next: str
    def __init__(self, invitations: _Optional[_Iterable[_Union[InvitationRow, _Mapping]]] = ..., next: _Optional[str] = ...) -> None: ...

class NamesAnswer(_message.Message):
    __slots__ = ("users",)
    class UsersEntry(_message.Message):
        __slots__ = ("key", "value")
        KEY_FIELD_NUMBER: _ClassVar[int]
        VALUE_FIELD_NUMBER: _ClassVar[int]
        key: str
        value: int
        def __init__(self, key: _Optional[str] = ..., value: _Optional[int] = ...) -> None: ...
    USERS_FIELD_NUMBER: _ClassVar[int]
    users: _containers.ScalarMap[str, int]
    def __init__(self, users: _Optional[_Mapping[str, int]] = ...) -> None: ...

class ConnectsAnswer(_message.Message):
    __slots__ = ("connects",)
    CONNECTS_FIELD_NUMBER: _ClassVar[int]
    connects: _containers.RepeatedCompositeFieldContainer[ConnectLoad]
    def __init__(self, connects: _Optional[_Iterable[_Union[ConnectLoad, _Mapping]]] = ...) -> None: ...

class LifeAnswer(_message.Message):
    __slots__ = ("id", "node", "since_ms", "facts", "left_out", "confirmations")
    class Fact(_message.Message):
        __slots__ = ("stage", "time_ms", "user", "number", "extra", "text")
        STAGE_FIELD_NUMBER: _ClassVar[int]
        TIME_MS_FIELD_NUMBER: _ClassVar[int]
        USER_FIELD_NUMBER: _ClassVar[int]
        NUMBER_FIELD_NUMBER: _ClassVar[int]
        EXTRA_FIELD_NUMBER: _ClassVar[int]
        TEXT_FIELD_NUMBER: _ClassVar[int]
        stage: int
        time_ms: int
        user: int
        number: int
        extra: int
        text: str
        def __init__(self, stage: _Optional[int] = ..., time_ms: _Optional[int] = ..., user: _Optional[int] = ..., number: _Optional[int] = ..., extra: _Optional[int] = ..., text: _Optional[str] = ...) -> None: ...
    ID_FIELD_NUMBER: _ClassVar[int]
    NODE_FIELD_NUMBER: _ClassVar[int]
    SINCE_MS_FIELD_NUMBER: _ClassVar[int]
    FACTS_FIELD_NUMBER: _ClassVar[int]
    LEFT_OUT_FIELD_NUMBER: _ClassVar[int]
    CONFIRMATIONS_FIELD_NUMBER: _ClassVar[int]
    id: int
    node: str
    since_ms: int
    facts: _containers.RepeatedCompositeFieldContainer[LifeAnswer.Fact]
    left_out: int
    confirmations: bool
    def __init__(self, id: _Optional[int] = ..., node: _Optional[str] = ..., since_ms: _Optional[int] = ..., facts: _Optional[_Iterable[_Union[LifeAnswer.Fact, _Mapping]]] = ..., left_out: _Optional[int] = ..., confirmations: _Optional[bool] = ...) -> None: ...

class QueryError(_message.Message):
    __slots__ = ("code", "reason", "retry_after_ms")
    CODE_FIELD_NUMBER: _ClassVar[int]
    REASON_FIELD_NUMBER: _ClassVar[int]
    RETRY_AFTER_MS_FIELD_NUMBER: _ClassVar[int]
    code: str
    reason: str
    retry_after_ms: int
    def __init__(self, code: _Optional[str] = ..., reason: _Optional[str] = ..., retry_after_ms: _Optional[int] = ...) -> None: ...
