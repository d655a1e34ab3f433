"""
The settings of both daemons: names, types, defaults and bounds.

A TOML file has the tables C{[connect]} and C{[message]} (and C{[common]}, for the keys
that both share); the environment spells the same keys C{WSMSG_CONNECT__LISTEN}.
L{wsmsg.settings.sources} reads the values and reports mistakes.  Values are frozen: a
reload makes new ones.
"""

from __future__ import annotations

from typing import Annotated, ClassVar, Literal

from pydantic import AfterValidator, Field, SecretStr

from wsmsg.settings.base import URL, Bytes, Count, Crew, Networks, Seconds, Section
from wsmsg.settings.http import HttpSettings
from wsmsg.settings.kafka import KafkaSettings, MongoSettings
from wsmsg.settings.legacy import ConnectLegacySettings, MessageLegacySettings
from wsmsg.settings.listeners import (
    LISTENERS,
    TLS_KEYS,
    ListenersTls,
    TrustedNetworks,
)
from wsmsg.settings.tokens import TokenSettings, UserSettings
from wsmsg.settings.upstream import (
    ConnectDrainSettings,
    ConnectTraceSettings,
    DrainSettings,
    LifeSettings,
    PeerSettings,
    PublicUrl,
    ReadySettings,
    TraceSettings,
    UpstreamSettings,
)
from wsmsg.settings.urls.address import parse_address
from wsmsg.settings.urls.backends import (
    check_discovery,
    check_journal,
    check_presence,
    check_registry,
    check_store,
)


def _host_port(text: str) -> str:
    if text:
        parse_address(text)
    return text


def _hook(text: str) -> str:
    if text and not (text.isascii() and text.startswith(("http://", "https://"))):
        raise ValueError("is no URL of http or https")
    return text


def _endpoint(text: str) -> str:
    if not text.startswith("systemd:"):
        parse_address(text)
    return text


#: C{host:port}, or a Twisted server endpoint that begins with C{systemd:}.
Endpoint = Annotated[str, AfterValidator(_endpoint)]
#: C{host:port}; empty: no listener.
Listen = Annotated[str, AfterValidator(_host_port)]


class LogSettings(Section):
    """
    Level and format of the log.
    """

    level: Literal["debug", "info", "warn", "error", "critical"] = "info"
    format: Literal["text", "json"] = "text"


class RetrySettings(Section):
    """
    Delays between the attempts to reach a dependency; see L{wsmsg.dependency.retry}.

    @ivar attempts: 0: no limit; else the daemon exits after so many failures in a row.
    """

    first_s: Seconds = 0.1
    factor: Annotated[float, Field(ge=1, le=10)] = 1.5
    cap_s: Seconds = 2.0
    jitter: Annotated[float, Field(ge=0, le=1)] = 0.2
    attempts: Annotated[int, Field(ge=0)] = 0


class Common(Section):
    """
    The keys that both daemons share.

    @ivar data_dir: the directory of the embedded journal, the store and the local key;
        empty: C{$STATE_DIRECTORY}, else C{$XDG_STATE_HOME/wsmsg}, else
        C{~/.local/state/wsmsg}.
    @ivar node: the name of this daemon in the logs of its peers; empty: made of the
        time.
    @ivar workers: processes that share the ports of this daemon, each on a core; 1: no
        others (L{wsmsg.daemon.supervisor}).
    @ivar hosts: names in C{Host} headers by which callers reach listeners that ask them
        for no key, besides loopback and the address of the listener; C{*}: any.
    @ivar api_keys: the file with the API keys (L{wsmsg.auth.api_keys}); empty:
        C{api.keys} in the data directory.  Without that, callers of HTTP need no key.
    @ivar proxies: addresses and networks of proxies, which may say by
        C{X-Forwarded-For}, or by the PROXY protocol, for which address they connect.
    @ivar proxy_protocol: each connection to C{listen} begins with a header of the PROXY
        protocol, version 1 or 2; those of others than C{proxies} are refused.
    @ivar trust_network: the listeners that trust their callers (gRPC, admin, Message's
        HTTP without keys) and may listen beyond loopback all the same; and the settings
        of servers beyond loopback that may be sent a password in the clear.
    @ivar stop_s: time limit for stopping, after the lead time; the daemon then exits
        anyway.
    @cvar RESTART: the keys that a reload cannot change.
    """

    RESTART: ClassVar[frozenset[str]] = frozenset(
        {"data_dir", "node", "proxy_protocol", "trust_network", "users.names"}
        | {"life.records", "workers"}
        | {f"traces.{k}" for k in ("endpoint", "service_name", "timeout_s", "queue")}
        | {*LISTENERS}
        | {f"tls.{name}.{key}" for name in LISTENERS for key in TLS_KEYS}
        | {f"peer.{key}" for key in ("ca", "cert", "key", "name")}
    )

    data_dir: str = ""
    node: Annotated[str, Field(max_length=64, pattern=r"^[A-Za-z0-9._-]*$")] = ""
    workers: Crew = 1
    hosts: tuple[str, ...] = ()
    api_keys: str = ""
    proxies: Networks = ()
    proxy_protocol: bool = False
    trust_network: TrustedNetworks = ()
    stop_s: Seconds = 20.0
    drain: DrainSettings = DrainSettings()
    log: LogSettings = LogSettings()
    retry: RetrySettings = RetrySettings()
    peer: PeerSettings = PeerSettings()
    tls: ListenersTls = ListenersTls()
    users: UserSettings = UserSettings()
    life: LifeSettings = LifeSettings()
    traces: TraceSettings = TraceSettings()


class LimitSettings(Section):
    """
    Connect's limits for clients.  All of them can change live.
    """

    frame_bytes: Annotated[Bytes, Field(le=16 * 2**20)] = 65536
    content_bytes: Annotated[Bytes, Field(le=8 * 2**20)] = 16384
    window: Count = 64
    sends_per_s: Count = 100
    sends_burst: Count = 200
    frames_per_s: Count = 200
    frames_burst: Count = 400
    requests_per_s: Count = 1000
    requests_burst: Count = 4000
    connections: Count = 50000
    connections_per_user: Count = 8
    connections_per_address: Count = 10000
    handshakes_per_s: Count = 500
    address_handshakes_per_s: Annotated[int, Field(ge=0)] = 0
    http_per_s: Count = 200
    page: Annotated[Count, Field(le=1000)] = 100
    watch: Annotated[Count, Field(le=10000)] = 500
    outbox_soft_bytes: Bytes = 65536
    outbox_hard_bytes: Bytes = 1048576
    outbox_drain_s: Seconds = 10.0
    waiting_sends: Count = 10000


class ConnectSettings(Common):
    """
    C{twistd connect}.

    @ivar listen: C{host:port}, or a Twisted server endpoint that begins with
        C{systemd:}.
    @ivar rpc_listen: gRPC C{OnlineStatus}, health and reflection; empty: none.
    @ivar admin_listen: health, metrics, status; empty: none.
    @ivar discovery: the addresses of Message: C{static:host:port,host:port},
        C{dns:name:port}, C{dns:_service._proto.name} or
        C{redis://host:port/0?prefix=wsmsg:}.
    @ivar discovery_password: of the user in a C{redis:} URL.
    @ivar send_timeout_s: a send that no Message answers within this time is rejected.
    @ivar heartbeat_s: Connect pings a connection that has been silent for so long, and
        closes it if it stays silent for as long again.
    @ivar origins: C{Origin} headers of browsers to accept, C{*} as a wildcard.
    @ivar pages: whether C{listen} serves the chat page at C{/chat}: C{on}, C{off}, or
        C{auto}: only where other machines cannot reach C{listen}.
    @ivar resync_spread_s: time over which Connect spreads requests to sync after a
        loss.
    @ivar public_url: the C{ws:} or C{wss:} URL at which clients reach this very
        Connect, which other Connects give to clients that move; empty: none.
    """

    RESTART: ClassVar[frozenset[str]] = Common.RESTART | {
        "legacy.redis",
        "legacy.redis_password",
        "pages",
        "token.jwks",
    }

    listen: Endpoint = "127.0.0.1:21005"
    rpc_listen: Listen = "127.0.0.1:22005"
    admin_listen: Listen = "127.0.0.1:23005"
    discovery: Annotated[str, AfterValidator(check_discovery), URL] = (
        "static:127.0.0.1:22004"
    )
    discovery_password: SecretStr = SecretStr("")
    welcome_timeout_s: Seconds = 5.0
    send_timeout_s: Seconds = 5.0
    query_timeout_s: Seconds = 5.0
    hello_timeout_s: Seconds = 5.0
    # 2.25 of it and link_grace_s fit into the 5 s of P9: L{wsmsg.settings.notes}.
    heartbeat_s: Annotated[float, Field(ge=0.1, le=60)] = 1.5
    close_timeout_s: Seconds = 1.0
    resync_spread_s: Annotated[float, Field(ge=0, le=600)] = 3.0
    drain: ConnectDrainSettings = ConnectDrainSettings()
    public_url: PublicUrl = ""
    ready: ReadySettings = ReadySettings()
    origins: tuple[str, ...] = ("http://localhost:*", "http://127.0.0.1:*")
    alternatives: tuple[str, ...] = ()
    pages: Literal["auto", "on", "off"] = "auto"
    token: TokenSettings = TokenSettings()
    limits: LimitSettings = LimitSettings()
    legacy: ConnectLegacySettings = ConnectLegacySettings()
    upstream: UpstreamSettings = UpstreamSettings()
    traces: ConnectTraceSettings = ConnectTraceSettings()


class UserLimitSettings(Section):
    """
    Message's limits of each user, over all devices and Connects; all of them can change
    live.  Sends of services over HTTP count for none of them.

    @ivar sends_per_s: sustained rate of sends; 0: the highest C{limits.sends_per_s} of
        the Connects.
    @ivar sends_burst: burst of sends; 0: twice the highest C{limits.sends_burst} of
        the Connects.
    @ivar stored_bytes_per_day: bytes of messages in a day of UTC; 0: no limit, as for
        the following.
    @ivar strangers_per_h: conversations of two that the user begins in an hour of UTC.
    @ivar groups_owned: groups that the user created.
    @ivar groups_joined: groups of which the user is a member.
    """

    sends_per_s: Annotated[int, Field(ge=0)] = 0
    sends_burst: Annotated[int, Field(ge=0)] = 0
    stored_bytes_per_day: Annotated[int, Field(ge=0)] = 2**30
    strangers_per_h: Annotated[int, Field(ge=0)] = 0
    groups_owned: Annotated[int, Field(ge=0)] = 1000
    groups_joined: Annotated[int, Field(ge=0)] = 10_000


class ConsentSettings(Section):
    """
    Rules about whom users reach.  All of it can change live.

    @ivar contact: whom a user may begin to reach: C{everyone}; C{shared}: those with
        whom the user shares a group; C{hook}: those of whom C{hook_url} says so.
    @ivar presence: whom a user sees online, likewise; C{shared}: those with whom the
        user shares a group or a conversation of two.
    @ivar hook_url: where Message asks by C{POST}, as C{http://127.0.0.1:8080/consent}.
    @ivar hook_secret: sent to it as C{Authorization: Bearer}; empty: nothing is.
    @ivar hook_timeout_s: time limit of an answer.
    @ivar hook_fail: without an answer, C{closed}: refuse for now; C{open}: allow.
    @ivar groups: C{add}: owners of groups add users; C{invite}: clients only invite.
    @ivar blocks: most blocks of a user.
    @ivar invitations: most open invitations of a user.
    @ivar invitation_s: time for which an invitation is open.
    """

    contact: Literal["everyone", "shared", "hook"] = "everyone"
    presence: Literal["everyone", "shared", "hook"] = "everyone"
    hook_url: Annotated[str, AfterValidator(_hook), URL] = ""
    hook_secret: SecretStr = SecretStr("")
    hook_timeout_s: Annotated[float, Field(gt=0, le=5)] = 0.3
    hook_fail: Literal["open", "closed"] = "closed"
    groups: Literal["add", "invite"] = "add"
    blocks: Count = 10_000
    invitations: Count = 1000
    invitation_s: Annotated[float, Field(gt=0, le=10 * 365 * 86400)] = 7 * 86400.0


class MessageSettings(Common):
    """
    C{twistd message}.

    @ivar journal: C{kafka://host:port,host:port/topic}, C{sqlite:} (in C{data_dir}) or
        C{sqlite:///path}.  With a C{sqlite:} store there is no journal file: the store
        makes accepted messages durable, and a file of an earlier version is emptied.
    @ivar store: C{sqlite:}, C{sqlite:///path} or C{mongodb://user@host:port/db}.
    @ivar store_password: of the user in the store's URL.
    @ivar presence: C{memory:} or C{redis://host:port/0?prefix=wsmsg:}.
    @ivar presence_password: of the user in the URL of C{presence} and C{registry}.
    @ivar registry: the Redis with the list of Messages that C{discovery} of Connect
        reads; empty: that of C{presence} if it is one; C{none}: no list.
    @ivar advertise: C{host:port} in that list; empty: C{rpc_listen}.
    @ivar node_number: 0 to 255, different for each Message, part of message ids; -1: a
        number that no other Message in the list has.
    @ivar appends_in_flight: sends that may wait for the journal; over it Message
        refuses them as C{overloaded}.
    @ivar backlog_records: messages that were accepted and are not stored; at it Message
        refuses further ones as C{unavailable}.
    @ivar backlog_bytes: the same, in about their bytes.
    @ivar backlog_s: the same, as the age of the oldest; at most a quarter of the
        retention of a C{kafka:} journal.
    @ivar disk_reserve_bytes: free space on the disk of embedded files below which
        Message refuses messages; at most a tenth of the disk.
    @ivar unsettled_records: records that were read and are not settled; at it reading
        pauses.
    @ivar link_records: pushes on a link that are not acknowledged; over it Message cuts
        the link, and the sessions of that Connect sync.
    @ivar link_ack_s: time within which a Connect must acknowledge a push; after it
        Message cuts the link.
    @ivar stalled_s: time after which a step of delivery (reading, storing, pushing)
        stands still, and an alarm is raised.
    @ivar members_cached: members of groups in memory, over all groups.
    @ivar group_members: most members of a group.
    @ivar recall_s: time for which senders may recall a message; 0: never.
    @ivar link_grace_s: time for which Message keeps the routes and pushes of a lost
        link.
    """

    RESTART: ClassVar[frozenset[str]] = Common.RESTART | {
        "journal",
        "store",
        "store_password",
        "presence",
        "presence_password",
        "registry",
        "advertise",
        "node_number",
        "keepalive_s",
        "content_bytes",  # records of a kafka: journal are sized by it
        "heads_cached",
        "members_cached",
        "legacy.http",
        "http.token.jwks",
        *(f"kafka.{name}" for name in KafkaSettings.model_fields),
        *(f"mongo.{name}" for name in MongoSettings.model_fields),
    }
    listen: Listen = "127.0.0.1:21004"
    rpc_listen: Listen = "127.0.0.1:22004"
    admin_listen: Listen = "127.0.0.1:23004"
    journal: Annotated[str, AfterValidator(check_journal), URL] = "sqlite:"
    store: Annotated[str, AfterValidator(check_store), URL] = "sqlite:"
    store_password: SecretStr = SecretStr("")
    presence: Annotated[str, AfterValidator(check_presence), URL] = "memory:"
    presence_password: SecretStr = SecretStr("")
    registry: Annotated[str, AfterValidator(check_registry), URL] = ""
    advertise: Listen = ""
    node_number: Annotated[int, Field(ge=-1, le=255)] = -1
    content_bytes: Annotated[Bytes, Field(le=8 * 2**20)] = 65536
    appends_in_flight: Count = 5000
    backlog_records: Count = 200_000
    backlog_bytes: Bytes = 2**30
    backlog_s: Seconds = 21600.0
    disk_reserve_bytes: Annotated[int, Field(ge=0)] = 64 * 2**20
    read_batch: Annotated[Count, Field(le=10000)] = 500
    unsettled_records: Count = 20000
    link_records: Count = 10000
    link_bytes: Bytes = 64 * 2**20
    link_ack_s: Seconds = 10.0
    stalled_s: Seconds = 5.0
    # Plus two keepalives: the time for which users of a silent Connect stay online.
    link_grace_s: Annotated[float, Field(ge=0, le=60)] = 1.5
    keepalive_s: Annotated[float, Field(ge=0.2, le=60)] = 1.5
    heads_cached: Count = 100000
    members_cached: Count = 500000
    page: Annotated[Count, Field(le=1000)] = 200
    group_members: Annotated[Count, Field(le=100000)] = 10000
    recall_s: Annotated[float, Field(ge=0, le=10 * 365 * 86400)] = 120.0
    kafka: KafkaSettings = KafkaSettings()
    mongo: MongoSettings = MongoSettings()
    http: HttpSettings = HttpSettings()
    limits: UserLimitSettings = UserLimitSettings()
    legacy: MessageLegacySettings = MessageLegacySettings()
    consent: ConsentSettings = ConsentSettings()

    @property
    def store_is_log(self) -> bool:
        """
        True if there is no journal, as both are embedded: the store is the log.
        """
        return self.journal.startswith("sqlite:") and self.store.startswith("sqlite:")
