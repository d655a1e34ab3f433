"""
Section C{tls} of both daemons: TLS on their listeners; and the rules of TLS, also for
the peers that they dial.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator

from wsmsg.settings.base import Section
from wsmsg.settings.upstream import LEAST_CHARACTERS, MOST_SECRETS, PeerSettings

#: The keys of the listeners, and of the TLS of each.
LISTENERS = ("listen", "rpc_listen", "admin_listen")
TLS_KEYS = ("cert", "key", "client_ca")


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
            reason = f"has {len(secret)} characters; at least {LEAST_CHARACTERS}"
            yield ("peer.secrets",), f"secret {number} {reason} are needed"
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
