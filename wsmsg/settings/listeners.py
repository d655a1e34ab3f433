"""
The listeners of both daemons: section C{tls}, trust in their networks, and the rules of
both; also for the peers and servers that a daemon dials.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING, Annotated
from urllib.parse import urlsplit

from pydantic import AfterValidator

from wsmsg.settings.base import Section
from wsmsg.settings.upstream import LEAST_CHARACTERS, MOST_SECRETS, PeerSettings
from wsmsg.settings.urls.address import is_loopback, parse_address
from wsmsg.text.counted import counted

if TYPE_CHECKING:
    from wsmsg.settings.tokens import TokenSettings
    from wsmsg.settings.values import Common, ConnectSettings, MessageSettings

#: The keys of the listeners, and of the TLS of each.
LISTENERS = ("listen", "rpc_listen", "admin_listen")
TLS_KEYS = ("cert", "key", "client_ca")

#: The listeners, and the settings of servers, whose network may be trusted.
TRUSTED = (
    *LISTENERS,
    *("journal", "presence", "registry", "discovery", "legacy.redis"),
    *("token.jwks", "http.token.jwks"),
)

#: The fewest characters of the debug token, which must resist guessing.
LEAST_DEBUG_TOKEN = 32

#: The reason against C{true}, which earlier versions took for all of them.
NO_SWITCH = (
    "is a list of the settings whose network is trusted, as "
    '["rpc_listen", "admin_listen"]'
)


class ListenerTls(Section):
    """
    TLS on one listener.  SIGHUP reads the files again.

    @ivar cert: a PEM file with the certificate, and those between it and the authority;
        empty: the listener speaks no TLS.
    @ivar key: a PEM file with its private key.
    @ivar client_ca: a PEM file with certificate authorities: callers need a certificate
        of one of them; empty: they need none.
    """

    cert: str = ""
    key: str = ""
    client_ca: str = ""


class ListenersTls(Section):
    """
    TLS, by listener.
    """

    listen: ListenerTls = ListenerTls()
    rpc_listen: ListenerTls = ListenerTls()
    admin_listen: ListenerTls = ListenerTls()


#: The keys that conflict, and the reason.
Conflict = tuple[tuple[str, ...], str]


def tls_conflicts(tls: ListenersTls) -> Iterator[Conflict]:
    """
    Find files that cannot be read, or do not belong together.
    """
    for name in ListenersTls.model_fields:
        yield from _listener(f"tls.{name}", getattr(tls, name))


def _listener(section: str, tls: ListenerTls) -> Iterator[Conflict]:
    if bool(tls.cert) != bool(tls.key):
        yield (f"{section}.cert", f"{section}.key"), "set both, or neither"
    elif tls.cert:
        yield from _pair(section, tls.cert, tls.key)
    if tls.client_ca and not tls.cert:
        yield (f"{section}.client_ca", f"{section}.cert"), "there is no certificate"
    elif tls.client_ca:
        yield from _authorities(f"{section}.client_ca", tls.client_ca)


def peer_conflicts(peer: PeerSettings, tls: ListenersTls) -> Iterator[Conflict]:
    """
    Find what is wrong with the proof between daemons.
    """
    yield from _secrets(peer)
    yield from _dialling(peer)
    if peer.proof != "certificate":
        return
    if not (peer.ca and peer.cert):
        yield ("peer.proof", "peer.ca", "peer.cert"), "certificates need both files"
    if not tls.rpc_listen.client_ca:
        yield (
            ("peer.proof", "tls.rpc_listen.client_ca"),
            "callers of rpc_listen cannot prove themselves by a certificate",
        )


def _secrets(peer: PeerSettings) -> Iterator[Conflict]:
    secrets = [secret.get_secret_value() for secret in peer.secrets]
    for number, secret in enumerate(secrets, 1):
        if len(secret) < LEAST_CHARACTERS:
            size = counted(len(secret), "character")
            reason = f"has {size}; at least {LEAST_CHARACTERS} are needed"
            yield ("peer.secrets",), f"secret {number} {reason}"
        elif not all("!" <= c <= "~" for c in secret):
            yield ("peer.secrets",), f"secret {number} has spaces or odd characters"
    if len(set(secrets)) < len(secrets):
        yield ("peer.secrets",), "two secrets are equal"
    if len(secrets) > MOST_SECRETS:
        yield ("peer.secrets",), f"there are more than {MOST_SECRETS}"


def _dialling(peer: PeerSettings) -> Iterator[Conflict]:
    if bool(peer.cert) != bool(peer.key):
        yield ("peer.cert", "peer.key"), "set both, or neither"
    elif peer.cert:
        yield from _pair("peer", peer.cert, peer.key)
    if (peer.cert or peer.name) and not peer.ca:
        yield (
            ("peer.ca", "peer.cert", "peer.name"),
            "peers are dialled without TLS while there is no peer.ca",
        )
    elif peer.ca:
        yield from _authorities("peer.ca", peer.ca)


def _pair(section: str, cert: str, key: str) -> Iterator[Conflict]:
    from wsmsg.settings.public_key import check_pair

    yield from _wrong(
        (f"{section}.cert", f"{section}.key"), lambda: check_pair(cert, key)
    )


def _authorities(key: str, path: str) -> Iterator[Conflict]:
    from wsmsg.settings.public_key import certificates_in

    yield from _wrong((key,), lambda: certificates_in(path))


def _wrong(keys: tuple[str, ...], check: Callable[[], object]) -> Iterator[Conflict]:
    try:
        check()
    except ValueError as e:
        yield keys, str(e)


def _trusted(text: str) -> str:
    if text not in TRUSTED:
        raise ValueError(f"{NO_SWITCH}; {text!r} is none of {', '.join(TRUSTED)}")
    return text


#: Settings whose network is trusted.
TrustedNetworks = tuple[Annotated[str, AfterValidator(_trusted)], ...]


def trusting(key: str) -> str:
    """
    Return the remedy by which an operator trusts the network of a setting.
    """
    return f"add {key} to trust_network"


def trusting_listeners(settings: Common) -> Iterator[Conflict]:
    """
    Find listeners that trust their callers, and that strangers can reach.
    """
    for key in ("rpc_listen", "admin_listen"):
        text = getattr(settings, key, "")
        if not text or key in settings.trust_network:
            continue
        if is_loopback(parse_address(text).host):
            continue
        trust = f"{trusting(key)} if only trusted machines are in the network"
        if key == "admin_listen":
            yield (
                (key,),
                f"other machines can reach {text}, and this listener tells everybody "
                f"of health and metrics; listen on 127.0.0.1, or {trust}",
            )
        elif not _is_proven(settings):
            yield (
                (key, "peer.secrets"),
                f"other machines can reach {text}, and there is no secret that they "
                "prove; set peer.secrets to the same on all of them, listen on "
                f"127.0.0.1, or {trust}",
            )


def _is_proven(settings: Common) -> bool:
    """
    Return whether the callers of gRPC on other machines prove themselves.
    """
    peer = settings.peer
    return peer.proof == "certificate" or bool(peer.proof == "secret" and peer.secrets)


def http_open(settings: MessageSettings) -> Iterator[Conflict]:
    """
    Find an HTTP API without keys that strangers can reach.
    """
    if settings.api_keys or "listen" in settings.trust_network:
        return
    if _is_exposed(settings.listen):
        yield (
            ("listen", "api_keys"),
            f"other machines can reach {settings.listen}, and without keys this "
            "listener does not authenticate callers; make a key (wsmsg key new) "
            "and name its file in api_keys, listen on "
            f"127.0.0.1, or {trusting('listen')} if only trusted machines are in the "
            "network",
        )


def debug_token(
    settings: Common, section: str, token: TokenSettings
) -> Iterator[Conflict]:
    """
    Find a debug token that can be guessed, or that strangers can use: it makes its
    bearer any user, so no network is trusted with it.
    """
    secret, key = token.debug_token.get_secret_value(), f"{section}.debug_token"
    if not secret:
        return
    if len(secret) < LEAST_DEBUG_TOKEN:
        yield (
            (key,),
            f"has {counted(len(secret), 'character')}; at least {LEAST_DEBUG_TOKEN} "
            "are needed, as it makes its bearer any user",
        )
    listen: str = getattr(settings, "listen", "")
    if _is_exposed(listen):
        yield (
            (key, "listen"),
            f"any machine that reaches {listen} can use the debug token to act as any "
            "user; listen on 127.0.0.1",
        )
        return
    for name in ("proxies", "proxy_protocol", "hosts"):
        if getattr(settings, name, None):
            yield (
                (key, name),
                f"a proxy may pass others on to {listen}, as {name} is set, and with "
                "the debug token they can act as any user; use the debug token at a "
                "daemon without a proxy",
            )


def _is_exposed(listen: str) -> bool:
    """
    Return whether other machines may reach a listener.
    """
    if not listen:
        return False
    return listen.startswith("systemd:") or not is_loopback(parse_address(listen).host)


def status_page(settings: ConnectSettings | MessageSettings) -> str:
    """
    Return the URL at which browsers of other machines find the status page; empty, if
    they do not, or the settings do not tell where.
    """
    listen = settings.admin_listen
    if not _is_exposed(listen):
        return ""
    host, port = parse_address(listen)
    if host in ("0.0.0.0", "::"):
        host = _told_host(settings)
    if not host:
        return ""
    scheme = "https" if settings.tls.admin_listen.cert else "http"
    return f"{scheme}://{f'[{host}]' if ':' in host else host}:{port}/"


def _told_host(settings: ConnectSettings | MessageSettings) -> str:
    """
    Return the host that others are told of a daemon which listens on all addresses.
    """
    url = urlsplit(getattr(settings, "public_url", ""))
    if url.hostname:
        return url.hostname
    told = getattr(settings, "advertise", "")
    return parse_address(told).host if told else ""
