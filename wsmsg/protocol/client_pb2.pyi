from google.protobuf.internal import containers as _containers
from google.protobuf import descriptor as _descriptor
from google.protobuf import message as _message
from collections.abc import Iterable as _Iterable, Mapping as _Mapping
from typing import ClassVar as _ClassVar, Optional as _Optional, Union as _Union

DESCRIPTOR: _descriptor.FileDescriptor

class ClientFrame(_message.Message):
    __slots__ = ("hello", "send", "delivered", "read", "sync", "conversations", "typing", "watch", "recall", "ping", "create_group", "change_group", "members", "refresh", "block", "blocks", "invite", "accept_invitation", "decline_invitation", "invitations", "names")
    HELLO_FIELD_NUMBER: _ClassVar[int]
    SEND_FIELD_NUMBER: _ClassVar[int]
    DELIVERED_FIELD_NUMBER: _ClassVar[int]
    READ_FIELD_NUMBER: _ClassVar[int]
    SYNC_FIELD_NUMBER: _ClassVar[int]
    CONVERSATIONS_FIELD_NUMBER: _ClassVar[int]
    TYPING_FIELD_NUMBER: _ClassVar[int]
    WATCH_FIELD_NUMBER: _ClassVar[int]
    RECALL_FIELD_NUMBER: _ClassVar[int]
    PING_FIELD_NUMBER: _ClassVar[int]
    CREATE_GROUP_FIELD_NUMBER: _ClassVar[int]
    CHANGE_GROUP_FIELD_NUMBER: _ClassVar[int]
    MEMBERS_FIELD_NUMBER: _ClassVar[int]
    REFRESH_FIELD_NUMBER: _ClassVar[int]
    BLOCK_FIELD_NUMBER: _ClassVar[int]
    BLOCKS_FIELD_NUMBER: _ClassVar[int]
    INVITE_FIELD_NUMBER: _ClassVar[int]
    ACCEPT_INVITATION_FIELD_NUMBER: _ClassVar[int]
    DECLINE_INVITATION_FIELD_NUMBER: _ClassVar[int]
    INVITATIONS_FIELD_NUMBER: _ClassVar[int]
    NAMES_FIELD_NUMBER: _ClassVar[int]
    hello: Hello
    send: Send
    delivered: Delivered
    read: Read
    sync: Sync
    conversations: Conversations
    typing: Typing
    watch: Watch
    recall: Recall
    ping: Ping
    create_group: CreateGroup
    change_group: ChangeGroup
    members: Members
    refresh: Refresh
    block: Block
    blocks: Blocks
    invite: Invite
    accept_invitation: AcceptInvitation
    decline_invitation: DeclineInvitation
    invitations: Invitations
    names: Names
    def __init__(self, hello: _Optional[_Union[Hello, _Mapping]] = ..., send: _Optional[_Union[Send, _Mapping]] = ..., delivered: _Optional[_Union[Delivered, _Mapping]] = ..., read: _Optional[_Union[Read, _Mapping]] = ..., sync: _Optional[_Union[Sync, _Mapping]] = ..., conversations: _Optional[_Union[Conversations, _Mapping]] = ..., typing: _Optional[_Union[Typing, _Mapping]] = ..., watch: _Optional[_Union[Watch, _Mapping]] = ..., recall: _Optional[_Union[Recall, _Mapping]] = ..., ping: _Optional[_Union[Ping, _Mapping]] = ..., create_group: _Optional[_Union[CreateGroup, _Mapping]] = ..., change_group: _Optional[_Union[ChangeGroup, _Mapping]] = ..., members: _Optional[_Union[Members, _Mapping]] = ..., refresh: _Optional[_Union[Refresh, _Mapping]] = ..., block: _Optional[_Union[Block, _Mapping]] = ..., blocks: _Optional[_Union[Blocks, _Mapping]] = ..., invite: _Optional[_Union[Invite, _Mapping]] = ..., accept_invitation: _Optional[_Union[AcceptInvitation, _Mapping]] = ..., decline_invitation: _Optional[_Union[DeclineInvitation, _Mapping]] = ..., invitations: _Optional[_Union[Invitations, _Mapping]] = ..., names: _Optional[_Union[Names, _Mapping]] = ...) -> None: ...

class Hello(_message.Message):
    __slots__ = ("token", "device", "client", "position", "witness")
    TOKEN_FIELD_NUMBER: _ClassVar[int]
    DEVICE_FIELD_NUMBER: _ClassVar[int]
    CLIENT_FIELD_NUMBER: _ClassVar[int]
    POSITION_FIELD_NUMBER: _ClassVar[int]
    WITNESS_FIELD_NUMBER: _ClassVar[int]
    token: str
    device: str
    client: str
    position: str
    witness: str
    def __init__(self, token: _Optional[str] = ..., device: _Optional[str] = ..., client: _Optional[str] = ..., position: _Optional[str] = ..., witness: _Optional[str] = ...) -> None: ...

class Send(_message.Message):
    __slots__ = ("client_id", "to", "group", "content", "kind", "repeat", "to_name", "traceparent")
    CLIENT_ID_FIELD_NUMBER: _ClassVar[int]
    TO_FIELD_NUMBER: _ClassVar[int]
    GROUP_FIELD_NUMBER: _ClassVar[int]
    CONTENT_FIELD_NUMBER: _ClassVar[int]
    KIND_FIELD_NUMBER: _ClassVar[int]
    REPEAT_FIELD_NUMBER: _ClassVar[int]
    TO_NAME_FIELD_NUMBER: _ClassVar[int]
    TRACEPARENT_FIELD_NUMBER: _ClassVar[int]
    client_id: str
    to: int
    group: int
    content: str
    kind: int
    repeat: bool
    to_name: str
    traceparent: str
    def __init__(self, client_id: _Optional[str] = ..., to: _Optional[int] = ..., group: _Optional[int] = ..., content: _Optional[str] = ..., kind: _Optional[int] = ..., repeat: _Optional[bool] = ..., to_name: _Optional[str] = ..., traceparent: _Optional[str] = ...) -> None: ...

class Delivered(_message.Message):
    __slots__ = ("conversation", "seq")
    CONVERSATION_FIELD_NUMBER: _ClassVar[int]
    SEQ_FIELD_NUMBER: _ClassVar[int]
    conversation: str
    seq: int
    def __init__(self, conversation: _Optional[str] = ..., seq: _Optional[int] = ...) -> None: ...

class Read(_message.Message):
    __slots__ = ("conversation", "seq", "message_id")
    CONVERSATION_FIELD_NUMBER: _ClassVar[int]
    SEQ_FIELD_NUMBER: _ClassVar[int]
    MESSAGE_ID_FIELD_NUMBER: _ClassVar[int]
    conversation: str
    seq: int
    message_id: int
    def __init__(self, conversation: _Optional[str] = ..., seq: _Optional[int] = ..., message_id: _Optional[int] = ...) -> None: ...

class Sync(_message.Message):
    __slots__ = ("id", "conversation", "after", "limit")
    ID_FIELD_NUMBER: _ClassVar[int]
    CONVERSATION_FIELD_NUMBER: _ClassVar[int]
    AFTER_FIELD_NUMBER: _ClassVar[int]
    LIMIT_FIELD_NUMBER: _ClassVar[int]
    id: str
    conversation: str
    after: int
    limit: int
    def __init__(self, id: _Optional[str] = ..., conversation: _Optional[str] = ..., after: _Optional[int] = ..., limit: _Optional[int] = ...) -> None: ...

class Conversations(_message.Message):
    __slots__ = ("id", "limit", "position")
    ID_FIELD_NUMBER: _ClassVar[int]
    LIMIT_FIELD_NUMBER: _ClassVar[int]
    POSITION_FIELD_NUMBER: _ClassVar[int]
    id: str
    limit: int
    position: str
    def __init__(self, id: _Optional[str] = ..., limit: _Optional[int] = ..., position: _Optional[str] = ...) -> None: ...

class Typing(_message.Message):
    __slots__ = ("conversation", "user")
    CONVERSATION_FIELD_NUMBER: _ClassVar[int]
    USER_FIELD_NUMBER: _ClassVar[int]
    conversation: str
    user: int
    def __init__(self, conversation: _Optional[str] = ..., user: _Optional[int] = ...) -> None: ...

class Watch(_message.Message):
    __slots__ = ("users", "names")
    USERS_FIELD_NUMBER: _ClassVar[int]
    NAMES_FIELD_NUMBER: _ClassVar[int]
    users: _containers.RepeatedScalarFieldContainer[int]
    names: _containers.RepeatedScalarFieldContainer[str]
    def __init__(self, users: _Optional[_Iterable[int]] = ..., names: _Optional[_Iterable[str]] = ...) -> None: ...

class Recall(_message.Message):
    __slots__ = ("client_id", "conversation", "seq", "repeat")
    CLIENT_ID_FIELD_NUMBER: _ClassVar[int]
    CONVERSATION_FIELD_NUMBER: _ClassVar[int]
    SEQ_FIELD_NUMBER: _ClassVar[int]
    REPEAT_FIELD_NUMBER: _ClassVar[int]
    client_id: str
    conversation: str
    seq: int
    repeat: bool
    def __init__(self, client_id: _Optional[str] = ..., conversation: _Optional[str] = ..., seq: _Optional[int] = ..., repeat: _Optional[bool] = ...) -> None: ...

class Ping(_message.Message):
    __slots__ = ("nonce",)
    NONCE_FIELD_NUMBER: _ClassVar[int]
    nonce: str
    def __init__(self, nonce: _Optional[str] = ...) -> None: ...

class CreateGroup(_message.Message):
    __slots__ = ("client_id", "name", "members", "history", "repeat", "member_names")
    CLIENT_ID_FIELD_NUMBER: _ClassVar[int]
    NAME_FIELD_NUMBER: _ClassVar[int]
    MEMBERS_FIELD_NUMBER: _ClassVar[int]
    HISTORY_FIELD_NUMBER: _ClassVar[int]
    REPEAT_FIELD_NUMBER: _ClassVar[int]
    MEMBER_NAMES_FIELD_NUMBER: _ClassVar[int]
    client_id: str
    name: str
    members: _containers.RepeatedScalarFieldContainer[int]
    history: bool
    repeat: bool
    member_names: _containers.RepeatedScalarFieldContainer[str]
    def __init__(self, client_id: _Optional[str] = ..., name: _Optional[str] = ..., members: _Optional[_Iterable[int]] = ..., history: _Optional[bool] = ..., repeat: _Optional[bool] = ..., member_names: _Optional[_Iterable[str]] = ...) -> None: ...

class ChangeGroup(_message.Message):
    __slots__ = ("client_id", "group", "add", "remove", "repeat", "add_names", "remove_names")
    CLIENT_ID_FIELD_NUMBER: _ClassVar[int]
    GROUP_FIELD_NUMBER: _ClassVar[int]
    ADD_FIELD_NUMBER: _ClassVar[int]
    REMOVE_FIELD_NUMBER: _ClassVar[int]
    REPEAT_FIELD_NUMBER: _ClassVar[int]
    ADD_NAMES_FIELD_NUMBER: _ClassVar[int]
    REMOVE_NAMES_FIELD_NUMBER: _ClassVar[int]
    client_id: str
    group: int
    add: _containers.RepeatedScalarFieldContainer[int]
    remove: _containers.RepeatedScalarFieldContainer[int]
    repeat: bool
    add_names: _containers.RepeatedScalarFieldContainer[str]
    remove_names: _containers.RepeatedScalarFieldContainer[str]
    def __init__(self, client_id: _Optional[str] = ..., group: _Optional[int] = ..., add: _Optional[_Iterable[int]] = ..., remove: _Optional[_Iterable[int]] = ..., repeat: _Optional[bool] = ..., add_names: _Optional[_Iterable[str]] = ..., remove_names: _Optional[_Iterable[str]] = ...) -> None: ...

class Members(_message.Message):
    __slots__ = ("id", "group", "after", "limit")
    ID_FIELD_NUMBER: _ClassVar[int]
    GROUP_FIELD_NUMBER: _ClassVar[int]
    AFTER_FIELD_NUMBER: _ClassVar[int]
    LIMIT_FIELD_NUMBER: _ClassVar[int]
    id: str
    group: int
    after: int
    limit: int
    def __init__(self, id: _Optional[str] = ..., group: _Optional[int] = ..., after: _Optional[int] = ..., limit: _Optional[int] = ...) -> None: ...

class Refresh(_message.Message):
    __slots__ = ("token", "id")
    TOKEN_FIELD_NUMBER: _ClassVar[int]
    ID_FIELD_NUMBER: _ClassVar[int]
    token: str
    id: str
    def __init__(self, token: _Optional[str] = ..., id: _Optional[str] = ...) -> None: ...

class Names(_message.Message):
    __slots__ = ("id", "names", "users", "keys")
    ID_FIELD_NUMBER: _ClassVar[int]
    NAMES_FIELD_NUMBER: _ClassVar[int]
    USERS_FIELD_NUMBER: _ClassVar[int]
    KEYS_FIELD_NUMBER: _ClassVar[int]
    id: str
    names: _containers.RepeatedScalarFieldContainer[str]
    users: _containers.RepeatedScalarFieldContainer[int]
    keys: _containers.RepeatedScalarFieldContainer[str]
    def __init__(self, id: _Optional[str] = ..., names: _Optional[_Iterable[str]] = ..., users: _Optional[_Iterable[int]] = ..., keys: _Optional[_Iterable[str]] = ...) -> None: ...

class ServerFrame(_message.Message):
    __slots__ = ("welcome", "accepted", "rejected", "deliver", "page", "heads", "receipt", "presence", "typing", "resync", "goaway", "error", "pong", "group", "expiring", "refreshed", "blocked", "invited", "named", "names")
    class NamesEntry(_message.Message):
        __slots__ = ("key", "value")
        KEY_FIELD_NUMBER: _ClassVar[int]
        VALUE_FIELD_NUMBER: _ClassVar[int]
        key: int
        value: str
        def __init__(self, key: _Optional[int] = ..., value: _Optional[str] = ...) -> None: ...
    WELCOME_FIELD_NUMBER: _ClassVar[int]
    ACCEPTED_FIELD_NUMBER: _ClassVar[int]
    REJECTED_FIELD_NUMBER: _ClassVar[int]
    DELIVER_FIELD_NUMBER: _ClassVar[int]
    PAGE_FIELD_NUMBER: _ClassVar[int]
    HEADS_FIELD_NUMBER: _ClassVar[int]
    RECEIPT_FIELD_NUMBER: _ClassVar[int]
    PRESENCE_FIELD_NUMBER: _ClassVar[int]
    TYPING_FIELD_NUMBER: _ClassVar[int]
    RESYNC_FIELD_NUMBER: _ClassVar[int]
    GOAWAY_FIELD_NUMBER: _ClassVar[int]
    ERROR_FIELD_NUMBER: _ClassVar[int]
    PONG_FIELD_NUMBER: _ClassVar[int]
    GROUP_FIELD_NUMBER: _ClassVar[int]
    EXPIRING_FIELD_NUMBER: _ClassVar[int]
    REFRESHED_FIELD_NUMBER: _ClassVar[int]
    BLOCKED_FIELD_NUMBER: _ClassVar[int]
    INVITED_FIELD_NUMBER: _ClassVar[int]
    NAMED_FIELD_NUMBER: _ClassVar[int]
    NAMES_FIELD_NUMBER: _ClassVar[int]
    welcome: Welcome
    accepted: Accepted
    rejected: Rejected
    deliver: Deliver
    page: Page
    heads: Heads
    receipt: Receipt
    presence: Presence
    typing: Typing
    resync: Resync
    goaway: Goaway
    error: Error
    pong: Pong
    group: Group
    expiring: Expiring
    refreshed: Refreshed
    blocked: Blocked
    invited: Invited
    named: Named
    names: _containers.ScalarMap[int, str]
    def __init__(self, welcome: _Optional[_Union[Welcome, _Mapping]] = ..., accepted: _Optional[_Union[Accepted, _Mapping]] = ..., rejected: _Optional[_Union[Rejected, _Mapping]] = ..., deliver: _Optional[_Union[Deliver, _Mapping]] = ..., page: _Optional[_Union[Page, _Mapping]] = ..., heads: _Optional[_Union[Heads, _Mapping]] = ..., receipt: _Optional[_Union[Receipt, _Mapping]] = ..., presence: _Optional[_Union[Presence, _Mapping]] = ..., typing: _Optional[_Union[Typing, _Mapping]] = ..., resync: _Optional[_Union[Resync, _Mapping]] = ..., goaway: _Optional[_Union[Goaway, _Mapping]] = ..., error: _Optional[_Union[Error, _Mapping]] = ..., pong: _Optional[_Union[Pong, _Mapping]] = ..., group: _Optional[_Union[Group, _Mapping]] = ..., expiring: _Optional[_Union[Expiring, _Mapping]] = ..., refreshed: _Optional[_Union[Refreshed, _Mapping]] = ..., blocked: _Optional[_Union[Blocked, _Mapping]] = ..., invited: _Optional[_Union[Invited, _Mapping]] = ..., named: _Optional[_Union[Named, _Mapping]] = ..., names: _Optional[_Mapping[int, str]] = ...) -> None: ...

class Limits(_message.Message):
    __slots__ = ("content_bytes", "frame_bytes", "window", "sends_per_s", "page", "watch", "unnumbered")
    CONTENT_BYTES_FIELD_NUMBER: _ClassVar[int]
    FRAME_BYTES_FIELD_NUMBER: _ClassVar[int]
    WINDOW_FIELD_NUMBER: _ClassVar[int]
    SENDS_PER_S_FIELD_NUMBER: _ClassVar[int]
    PAGE_FIELD_NUMBER: _ClassVar[int]
    WATCH_FIELD_NUMBER: _ClassVar[int]
    UNNUMBERED_FIELD_NUMBER: _ClassVar[int]
    content_bytes: int
    frame_bytes: int
    window: int
    sends_per_s: int
    page: int
    watch: int
    unnumbered: bool
    def __init__(self, content_bytes: _Optional[int] = ..., frame_bytes: _Optional[int] = ..., window: _Optional[int] = ..., sends_per_s: _Optional[int] = ..., page: _Optional[int] = ..., watch: _Optional[int] = ..., unnumbered: _Optional[bool] = ...) -> None: ...

class Welcome(_message.Message):
    __slots__ = ("user", "session", "heartbeat_s", "limits", "time", "heads", "more", "synced", "position", "epoch", "expires")
    USER_FIELD_NUMBER: _ClassVar[int]
    SESSION_FIELD_NUMBER: _ClassVar[int]
    HEARTBEAT_S_FIELD_NUMBER: _ClassVar[int]
    LIMITS_FIELD_NUMBER: _ClassVar[int]
    TIME_FIELD_NUMBER: _ClassVar[int]
    HEADS_FIELD_NUMBER: _ClassVar[int]
    MORE_FIELD_NUMBER: _ClassVar[int]
    SYNCED_FIELD_NUMBER: _ClassVar[int]
    POSITION_FIELD_NUMBER: _ClassVar[int]
    EPOCH_FIELD_NUMBER: _ClassVar[int]
    EXPIRES_FIELD_NUMBER: _ClassVar[int]
    user: int
    session: str
    heartbeat_s: float
    limits: Limits
    time: int
    heads: _containers.RepeatedCompositeFieldContainer[Head]
    more: bool
    synced: bool
    position: str
    epoch: str
    expires: int
    def __init__(self, user: _Optional[int] = ..., session: _Optional[str] = ..., heartbeat_s: _Optional[float] = ..., limits: _Optional[_Union[Limits, _Mapping]] = ..., time: _Optional[int] = ..., heads: _Optional[_Iterable[_Union[Head, _Mapping]]] = ..., more: _Optional[bool] = ..., synced: _Optional[bool] = ..., position: _Optional[str] = ..., epoch: _Optional[str] = ..., expires: _Optional[int] = ...) -> None: ...

class Head(_message.Message):
    __slots__ = ("conversation", "head", "read", "delivered", "time", "others", "unread", "message_id")
    CONVERSATION_FIELD_NUMBER: _ClassVar[int]
    HEAD_FIELD_NUMBER: _ClassVar[int]
    READ_FIELD_NUMBER: _ClassVar[int]
    DELIVERED_FIELD_NUMBER: _ClassVar[int]
    TIME_FIELD_NUMBER: _ClassVar[int]
    OTHERS_FIELD_NUMBER: _ClassVar[int]
    UNREAD_FIELD_NUMBER: _ClassVar[int]
    MESSAGE_ID_FIELD_NUMBER: _ClassVar[int]
    conversation: str
    head: int
    read: int
    delivered: int
    time: int
    others: _containers.RepeatedCompositeFieldContainer[Receipt]
    unread: int
    message_id: int
    def __init__(self, conversation: _Optional[str] = ..., head: _Optional[int] = ..., read: _Optional[int] = ..., delivered: _Optional[int] = ..., time: _Optional[int] = ..., others: _Optional[_Iterable[_Union[Receipt, _Mapping]]] = ..., unread: _Optional[int] = ..., message_id: _Optional[int] = ...) -> None: ...

class Accepted(_message.Message):
    __slots__ = ("client_id", "time", "conversation")
    CLIENT_ID_FIELD_NUMBER: _ClassVar[int]
    TIME_FIELD_NUMBER: _ClassVar[int]
    CONVERSATION_FIELD_NUMBER: _ClassVar[int]
    client_id: str
    time: int
    conversation: str
    def __init__(self, client_id: _Optional[str] = ..., time: _Optional[int] = ..., conversation: _Optional[str] = ...) -> None: ...

class Rejected(_message.Message):
    __slots__ = ("client_id", "code", "reason", "retry_after_ms", "uncertain")
    CLIENT_ID_FIELD_NUMBER: _ClassVar[int]
    CODE_FIELD_NUMBER: _ClassVar[int]
    REASON_FIELD_NUMBER: _ClassVar[int]
    RETRY_AFTER_MS_FIELD_NUMBER: _ClassVar[int]
    UNCERTAIN_FIELD_NUMBER: _ClassVar[int]
    client_id: str
    code: str
    reason: str
    retry_after_ms: int
    uncertain: bool
    def __init__(self, client_id: _Optional[str] = ..., code: _Optional[str] = ..., reason: _Optional[str] = ..., retry_after_ms: _Optional[int] = ..., uncertain: _Optional[bool] = ...) -> None: ...

class Deliver(_message.Message):
    __slots__ = ("conversation", "seq", "message_id", "client_id", "content", "kind", "time", "ack_ms")
    CONVERSATION_FIELD_NUMBER: _ClassVar[int]
    SEQ_FIELD_NUMBER: _ClassVar[int]
    MESSAGE_ID_FIELD_NUMBER: _ClassVar[int]
    FROM_FIELD_NUMBER: _ClassVar[int]
    CLIENT_ID_FIELD_NUMBER: _ClassVar[int]
    CONTENT_FIELD_NUMBER: _ClassVar[int]
    KIND_FIELD_NUMBER: _ClassVar[int]
    TIME_FIELD_NUMBER: _ClassVar[int]
    ACK_MS_FIELD_NUMBER: _ClassVar[int]
    conversation: str
    seq: int
    message_id: int
    client_id: str
    content: str
    kind: int
    time: int
    ack_ms: int
    def __init__(self, conversation: _Optional[str] = ..., seq: _Optional[int] = ..., message_id: _Optional[int] = ..., client_id: _Optional[str] = ..., content: _Optional[str] = ..., kind: _Optional[int] = ..., time: _Optional[int] = ..., ack_ms: _Optional[int] = ..., **kwargs) -> None: ...

class Page(_message.Message):
    __slots__ = ("id", "conversation", "messages", "head", "more", "epoch")
    ID_FIELD_NUMBER: _ClassVar[int]
    CONVERSATION_FIELD_NUMBER: _ClassVar[int]
    MESSAGES_FIELD_NUMBER: _ClassVar[int]
    HEAD_FIELD_NUMBER: _ClassVar[int]
    MORE_FIELD_NUMBER: _ClassVar[int]
    EPOCH_FIELD_NUMBER: _ClassVar[int]
    id: str
    conversation: str
    messages: _containers.RepeatedCompositeFieldContainer[Deliver]
    head: int
    more: bool
    epoch: str
    def __init__(self, id: _Optional[str] = ..., conversation: _Optional[str] = ..., messages: _Optional[_Iterable[_Union[Deliver, _Mapping]]] = ..., head: _Optional[int] = ..., more: _Optional[bool] = ..., epoch: _Optional[str] = ...) -> None: ...

class Heads(_message.Message):
    __slots__ = ("id", "heads", "more", "position", "epoch")
    ID_FIELD_NUMBER: _ClassVar[int]
    HEADS_FIELD_NUMBER: _ClassVar[int]
    MORE_FIELD_NUMBER: _ClassVar[int]
    POSITION_FIELD_NUMBER: _ClassVar[int]
    EPOCH_FIELD_NUMBER: _ClassVar[int]
    id: str
    heads: _containers.RepeatedCompositeFieldContainer[Head]
    more: bool
    position: str
    epoch: str
    def __init__(self, id: _Optional[str] = ..., heads: _Optional[_Iterable[_Union[Head, _Mapping]]] = ..., more: _Optional[bool] = ..., position: _Optional[str] = ..., epoch: _Optional[str] = ...) -> None: ...

class Receipt(_message.Message):
    __slots__ = ("conversation", "user", "read", "delivered")
    CONVERSATION_FIELD_NUMBER: _ClassVar[int]
    USER_FIELD_NUMBER: _ClassVar[int]
    READ_FIELD_NUMBER: _ClassVar[int]
    DELIVERED_FIELD_NUMBER: _ClassVar[int]
    conversation: str
    user: int
    read: int
    delivered: int
    def __init__(self, conversation: _Optional[str] = ..., user: _Optional[int] = ..., read: _Optional[int] = ..., delivered: _Optional[int] = ...) -> None: ...

class Presence(_message.Message):
    __slots__ = ("user", "online", "last_seen")
    USER_FIELD_NUMBER: _ClassVar[int]
    ONLINE_FIELD_NUMBER: _ClassVar[int]
    LAST_SEEN_FIELD_NUMBER: _ClassVar[int]
    user: int
    online: bool
    last_seen: int
    def __init__(self, user: _Optional[int] = ..., online: _Optional[bool] = ..., last_seen: _Optional[int] = ...) -> None: ...

class Resync(_message.Message):
    __slots__ = ("reason",)
    REASON_FIELD_NUMBER: _ClassVar[int]
    reason: str
    def __init__(self, reason: _Optional[str] = ...) -> None: ...

class Goaway(_message.Message):
    __slots__ = ("reason", "after_ms", "alternatives", "position")
    REASON_FIELD_NUMBER: _ClassVar[int]
    AFTER_MS_FIELD_NUMBER: _ClassVar[int]
    ALTERNATIVES_FIELD_NUMBER: _ClassVar[int]
    POSITION_FIELD_NUMBER: _ClassVar[int]
    reason: str
    after_ms: int
    alternatives: _containers.RepeatedScalarFieldContainer[str]
    position: str
    def __init__(self, reason: _Optional[str] = ..., after_ms: _Optional[int] = ..., alternatives: _Optional[_Iterable[str]] = ..., position: _Optional[str] = ...) -> None: ...

class Error(_message.Message):
    __slots__ = ("code", "reason", "id", "retry_after_ms")
    CODE_FIELD_NUMBER: _ClassVar[int]
    REASON_FIELD_NUMBER: _ClassVar[int]
    ID_FIELD_NUMBER: _ClassVar[int]
    RETRY_AFTER_MS_FIELD_NUMBER: _ClassVar[int]
    code: str
    reason: str
    id: str
    retry_after_ms: int
    def __init__(self, code: _Optional[str] = ..., reason: _Optional[str] = ..., id: _Optional[str] = ..., retry_after_ms: _Optional[int] = ...) -> None: ...

class Pong(_message.Message):
    __slots__ = ("nonce", "checked_ms", "witness")
    NONCE_FIELD_NUMBER: _ClassVar[int]
    CHECKED_MS_FIELD_NUMBER: _ClassVar[int]
    WITNESS_FIELD_NUMBER: _ClassVar[int]
    nonce: str
    checked_ms: int
    witness: str
    def __init__(self, nonce: _Optional[str] = ..., checked_ms: _Optional[int] = ..., witness: _Optional[str] = ...) -> None: ...

class Group(_message.Message):
    __slots__ = ("id", "group", "name", "owner", "history", "count", "members", "more", "key")
    ID_FIELD_NUMBER: _ClassVar[int]
    GROUP_FIELD_NUMBER: _ClassVar[int]
    NAME_FIELD_NUMBER: _ClassVar[int]
    OWNER_FIELD_NUMBER: _ClassVar[int]
    HISTORY_FIELD_NUMBER: _ClassVar[int]
    COUNT_FIELD_NUMBER: _ClassVar[int]
    MEMBERS_FIELD_NUMBER: _ClassVar[int]
    MORE_FIELD_NUMBER: _ClassVar[int]
    KEY_FIELD_NUMBER: _ClassVar[int]
    id: str
    group: int
    name: str
    owner: int
    history: bool
    count: int
    members: _containers.RepeatedCompositeFieldContainer[Member]
    more: bool
    key: str
    def __init__(self, id: _Optional[str] = ..., group: _Optional[int] = ..., name: _Optional[str] = ..., owner: _Optional[int] = ..., history: _Optional[bool] = ..., count: _Optional[int] = ..., members: _Optional[_Iterable[_Union[Member, _Mapping]]] = ..., more: _Optional[bool] = ..., key: _Optional[str] = ...) -> None: ...

class Expiring(_message.Message):
    __slots__ = ("expires",)
    EXPIRES_FIELD_NUMBER: _ClassVar[int]
    expires: int
    def __init__(self, expires: _Optional[int] = ...) -> None: ...

class Refreshed(_message.Message):
    __slots__ = ("id", "expires")
    ID_FIELD_NUMBER: _ClassVar[int]
    EXPIRES_FIELD_NUMBER: _ClassVar[int]
    id: str
    expires: int
    def __init__(self, id: _Optional[str] = ..., expires: _Optional[int] = ...) -> None: ...

class Named(_message.Message):
    __slots__ = ("id", "users", "unknown", "groups")
    ID_FIELD_NUMBER: _ClassVar[int]
    USERS_FIELD_NUMBER: _ClassVar[int]
    UNKNOWN_FIELD_NUMBER: _ClassVar[int]
    GROUPS_FIELD_NUMBER: _ClassVar[int]
    id: str
    users: _containers.RepeatedScalarFieldContainer[int]
    unknown: _containers.RepeatedScalarFieldContainer[str]
    groups: _containers.RepeatedScalarFieldContainer[int]
    def __init__(self, id: _Optional[str] = ..., users: _Optional[_Iterable[int]] = ..., unknown: _Optional[_Iterable[str]] = ..., groups: _Optional[_Iterable[int]] = ...) -> None: ...

class Member(_message.Message):
    __slots__ = ("user", "joined")
    USER_FIELD_NUMBER: _ClassVar[int]
    JOINED_FIELD_NUMBER: _ClassVar[int]
    user: int
    joined: int
    def __init__(self, user: _Optional[int] = ..., joined: _Optional[int] = ...) -> None: ...

class Block(_message.Message):
    __slots__ = ("client_id", "user", "group", "on", "repeat", "user_name")
    CLIENT_ID_FIELD_NUMBER: _ClassVar[int]
    USER_FIELD_NUMBER: _ClassVar[int]
    GROUP_FIELD_NUMBER: _ClassVar[int]
    ON_FIELD_NUMBER: _ClassVar[int]
    REPEAT_FIELD_NUMBER: _ClassVar[int]
    USER_NAME_FIELD_NUMBER: _ClassVar[int]
    client_id: str
    user: int
    group: int
    on: bool
    repeat: bool
    user_name: str
    def __init__(self, client_id: _Optional[str] = ..., user: _Optional[int] = ..., group: _Optional[int] = ..., on: _Optional[bool] = ..., repeat: _Optional[bool] = ..., user_name: _Optional[str] = ...) -> None: ...

class Blocks(_message.Message):
    __slots__ = ("id", "after", "limit")
    ID_FIELD_NUMBER: _ClassVar[int]
    AFTER_FIELD_NUMBER: _ClassVar[int]
    LIMIT_FIELD_NUMBER: _ClassVar[int]
    id: str
    after: str
    limit: int
    def __init__(self, id: _Optional[str] = ..., after: _Optional[str] = ..., limit: _Optional[int] = ...) -> None: ...

class BlockEntry(_message.Message):
    __slots__ = ("user", "group", "time")
    USER_FIELD_NUMBER: _ClassVar[int]
    GROUP_FIELD_NUMBER: _ClassVar[int]
    TIME_FIELD_NUMBER: _ClassVar[int]
    user: int
    group: int
    time: int
    def __init__(self, user: _Optional[int] = ..., group: _Optional[int] = ..., time: _Optional[int] = ...) -> None: ...

class Blocked(_message.Message):
    __slots__ = ("id", "blocks", "next")
    ID_FIELD_NUMBER: _ClassVar[int]
    BLOCKS_FIELD_NUMBER: _ClassVar[int]
    NEXT_FIELD_NUMBER: _ClassVar[int]
    id: str
    blocks: _containers.RepeatedCompositeFieldContainer[BlockEntry]
    next: str
    def __init__(self, id: _Optional[str] = ..., blocks: _Optional[_Iterable[_Union[BlockEntry, _Mapping]]] = ..., next: _Optional[str] = ...) -> None: ...

class Invite(_message.Message):
    __slots__ = ("client_id", "user", "group", "repeat", "user_name")
    CLIENT_ID_FIELD_NUMBER: _ClassVar[int]
    USER_FIELD_NUMBER: _ClassVar[int]
    GROUP_FIELD_NUMBER: _ClassVar[int]
    REPEAT_FIELD_NUMBER: _ClassVar[int]
    USER_NAME_FIELD_NUMBER: _ClassVar[int]
    client_id: str
    user: int
    group: int
    repeat: bool
    user_name: str
    def __init__(self, client_id: _Optional[str] = ..., user: _Optional[int] = ..., group: _Optional[int] = ..., repeat: _Optional[bool] = ..., user_name: _Optional[str] = ...) -> None: ...

class AcceptInvitation(_message.Message):
    __slots__ = ("client_id", "group", "repeat")
    CLIENT_ID_FIELD_NUMBER: _ClassVar[int]
    GROUP_FIELD_NUMBER: _ClassVar[int]
    REPEAT_FIELD_NUMBER: _ClassVar[int]
    client_id: str
    group: int
    repeat: bool
    def __init__(self, client_id: _Optional[str] = ..., group: _Optional[int] = ..., repeat: _Optional[bool] = ...) -> None: ...

class DeclineInvitation(_message.Message):
    __slots__ = ("client_id", "group", "repeat")
    CLIENT_ID_FIELD_NUMBER: _ClassVar[int]
    GROUP_FIELD_NUMBER: _ClassVar[int]
    REPEAT_FIELD_NUMBER: _ClassVar[int]
    client_id: str
    group: int
    repeat: bool
    def __init__(self, client_id: _Optional[str] = ..., group: _Optional[int] = ..., repeat: _Optional[bool] = ...) -> None: ...

class Invitations(_message.Message):
    __slots__ = ("id", "after", "limit")
    ID_FIELD_NUMBER: _ClassVar[int]
    AFTER_FIELD_NUMBER: _ClassVar[int]
    LIMIT_FIELD_NUMBER: _ClassVar[int]
    id: str
    after: str
    limit: int
    def __init__(self, id: _Optional[str] = ..., after: _Optional[str] = ..., limit: _Optional[int] = ...) -> None: ...

class Invitation(_message.Message):
    __slots__ = ("group", "by", "name", "time", "expires")
    GROUP_FIELD_NUMBER: _ClassVar[int]
    BY_FIELD_NUMBER: _ClassVar[int]
    NAME_FIELD_NUMBER: _ClassVar[int]
    TIME_FIELD_NUMBER: _ClassVar[int]
    EXPIRES_FIELD_NUMBER: _ClassVar[int]
    group: int
    by: int
    name: str
    time: int
    expires: int
    def __init__(self, group: _Optional[int] = ..., by: _Optional[int] = ..., name: _Optional[str] = ..., time: _Optional[int] = ..., expires: _Optional[int] = ...) -> None: ...

class Invited(_message.Message):
    __slots__ = ("id", "invitations", "next")
    ID_FIELD_NUMBER: _ClassVar[int]
    INVITATIONS_FIELD_NUMBER: _ClassVar[int]
    NEXT_FIELD_NUMBER: _ClassVar[int]
    id: str
    invitations: _containers.RepeatedCompositeFieldContainer[Invitation]
    next: str
    def __init__(self, id: _Optional[str] = ..., invitations: _Optional[_Iterable[_Union[Invitation, _Mapping]]] = ..., next: _Optional[str] = ...) -> None: ...
