"""
Sections C{peer} of both daemons, the proof that daemons of one system give each other;
C{drain}, the stop of a daemon; C{life}, what it remembers of messages; C{traces}, what
it exports of them; and C{upstream} of Connect, its streams to Message.
"""

from __future__ import annotations

from typing import Annotated, Literal
from urllib.parse import urlsplit

from pydantic import AfterValidator, Field, SecretStr

from wsmsg.settings.base import URL, Section
from wsmsg.settings.urls.extras import check_extra

#: The most secrets: two are enough to replace one by another.
MOST_SECRETS = 8
#: The fewest characters of a secret, which must resist guessing.
LEAST_CHARACTERS = 32
_MOST_URL_CHARACTERS = 512


def _checked_url(url: str) -> str:
    if url:
        parts = urlsplit(url)
        if parts.scheme not in ("ws", "wss") or not parts.hostname or parts.query:
            raise ValueError("must be a ws: or wss: URL without a query")
        if len(url) > _MOST_URL_CHARACTERS:
            raise ValueError(f"must have at most {_MOST_URL_CHARACTERS} characters")
    return url


def _endpoint(url: str) -> str:
    if url:
        parts = urlsplit(url)
        if parts.scheme not in ("http", "https") or not parts.hostname:
            raise ValueError("must be an http: or https: URL")
        if parts.username is not None:
            raise ValueError("has a user; set OTEL_EXPORTER_OTLP_HEADERS instead")
        check_extra("otel")
    return url


PublicUrl = Annotated[str, AfterValidator(_checked_url)]


class DrainSettings(Section):
    """
    A stop on request.

    @ivar lead_s: the daemon first reports that it is not ready, and for so long goes on
        serving everybody, also newcomers.
    """

    lead_s: Annotated[float, Field(ge=0, le=600)] = 0.0


class ConnectDrainSettings(DrainSettings):
    """
    A stop or a drain of Connect.

    @ivar per_s: clients that are asked to move in a second.
    """

    per_s: Annotated[float, Field(gt=0, le=100_000)] = 500.0


class ReadySettings(Section):
    """
    The readiness of Connect, beside its stream to a Message.

    @ivar turn_s: while one in a hundred turns of the reactor takes longer, in most of
        the last 5 s, Connect is not ready; 0: it is, however long they take.
    """

    turn_s: Annotated[float, Field(ge=0, le=60)] = 0.2


class LifeSettings(Section):
    """
    The passing facts of messages, for C{wsmsg where}.

    @ivar records: the last facts that the daemon remembers, of 64 bytes each; 0: none.
        A message has about three in each daemon.
    """

    records: Annotated[int, Field(ge=0, le=2_000_000)] = 200_000


class TraceSettings(Section):
    """
    Traces of messages, for OpenTelemetry.

    @ivar endpoint: the URL to which spans are exported, by OTLP over HTTP; empty:
        nothing is traced.
    @ivar service_name: C{service.name} of the spans; empty: C{wsmsg-connect} or
        C{wsmsg-message}.
    @ivar timeout_s: time limit for one request to the endpoint.
    @ivar queue: the most spans that wait for the endpoint; further ones are dropped.
    """

    endpoint: Annotated[str, AfterValidator(_endpoint), URL] = ""
    service_name: Annotated[str, Field(max_length=255)] = ""
    timeout_s: Annotated[float, Field(gt=0, le=60)] = 5.0
    queue: Annotated[int, Field(ge=1, le=1_000_000)] = 8192


class ConnectTraceSettings(TraceSettings):
    """
    Traces of messages, which begin in Connect.

    @ivar ratio: the share of the messages of clients that are traced.
    @ivar clients_per_s: the messages in a second, of all clients of this Connect, that
        are traced since a client asks for it.
    """

    ratio: Annotated[float, Field(ge=0, le=1)] = 0.01
    clients_per_s: Annotated[float, Field(ge=0, le=100_000)] = 1.0


class PeerSettings(Section):
    """
    The proof between Connect and Message.

    @ivar proof: C{secret}: both ends of a connection prove that they know one secret;
        C{certificate}: both ends have certificates of authorities that the other one
        trusts; C{none}: every caller of C{rpc_listen}, and every Message that answers,
        is believed.
    @ivar secrets: the first one proves this daemon, and all of them are accepted.
        Empty: those in C{<data_dir>/peer.key}, which a daemon makes if it is missing.
    @ivar ca: a PEM file with the authorities of the peers that this daemon dials, which
        it then dials with TLS; empty: without.
    @ivar cert: a PEM file with the certificate that this daemon shows them.
    @ivar key: a PEM file with its private key.
    @ivar name: the name in the certificates of these peers; empty: the host that is
        dialled.
    """

    proof: Literal["secret", "certificate", "none"] = "secret"
    secrets: tuple[SecretStr, ...] = ()
    ca: str = ""
    cert: str = ""
    key: str = ""
    name: str = ""


class UpstreamSettings(Section):
    """
    The Messages that C{discovery} finds.

    @ivar peer: C{wsmsg}, C{legacy} (a Message of the legacy system) or C{auto}:
        detected when Connect dials.  A legacy Message proves nothing.
    @ivar quiet_s: a legacy Message sends nothing when it is dialled; one that keeps the
        stream open for so long has accepted it.
    @ivar stalled_s: a legacy Message that neither reads nor answers for so long is
        dialled again.
    @ivar partial_s: a Connect without a direct stream to some Message for so long asks
        its clients to move, if other Connects reach all.
    """

    peer: Literal["auto", "wsmsg", "legacy"] = "wsmsg"
    quiet_s: Annotated[float, Field(gt=0, le=60)] = 0.3
    stalled_s: Annotated[float, Field(ge=0.5, le=600)] = 4.0
    partial_s: Annotated[float, Field(ge=1, le=86400)] = 60.0
