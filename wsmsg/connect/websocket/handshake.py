"""
The check of a handshake, and the answer to one that is refused.
"""

from __future__ import annotations

from collections.abc import Mapping
from contextlib import suppress
from typing import TYPE_CHECKING, Any, NamedTuple

from twisted.logger import Logger

from wsmsg.auth.identity import Identity, parse_user
from wsmsg.connect.session.interface import Subprotocol
from wsmsg.connect.websocket.autobahn import ConnectionDeny, deny
from wsmsg.connect.websocket.usual_handshake import acceptance, usual_request
from wsmsg.errors import ERRORS, WsmsgError, from_code
from wsmsg.http.errors import handshake_conventions, raw_error
from wsmsg.http.pages import check_form
from wsmsg.http.server.single import check_head

if TYPE_CHECKING:
    from wsmsg.connect.websocket.factory import WebSocketConnections

_log = Logger()

#: Schemes of C{Authorization} that a proxy's own login uses (RFC 7617, RFC 7616, RFC
#: 4559).  Browsers repeat them in the handshake.
_OF_PROXIES = frozenset({"basic", "digest", "negotiate", "ntlm"})

_CODES = {e.http_status: e.code for e in reversed(ERRORS.values())}


class Agreed(NamedTuple):
    """
    The result of a handshake.

    @ivar identity: the identity that a token in the headers proves, if there is one.
    @ivar claimed_user: the user that a C{User-ID} header claims, if there is one.
    """

    subprotocol: Subprotocol
    identity: Identity | None
    claimed_user: int | None


def shake_hands(
    factory: WebSocketConnections, transport: Any, head: bytes, address: str
) -> Agreed | None:
    """
    Answer the request of a handshake.

    @param head: the request line and headers, with the empty line.
    @param address: of the client, which pays for a refusal.
    @return: L{None} if the handshake is refused: then its answer is written.
    """
    agreed: list[Agreed] = []
    errors: list[WsmsgError] = []

    def check(request: Any) -> str | None:
        try:
            agreed.append(agree(factory, request))
        except WsmsgError as e:
            errors.append(e)
            raise deny(e.http_status, e.reason) from None
        return agreed[0].subprotocol.name or None

    def refused(status: int, reason: str, headers: Mapping[str, str]) -> None:
        error = errors[0] if errors else _error(status, reason)
        factory.admission.handshake_failed(address, error)
        if errors:
            conventions = handshake_conventions(head)
            transport.write(raw_error(errors[0], conventions=conventions))
        else:
            transport.write(refusal(head, status, reason, headers))

    usual = usual_request(head)
    if usual is None:
        try:
            check_head(head)
        except WsmsgError as e:
            errors.append(e)
            refused(e.http_status, e.reason, {})
            return None
        is_open = factory.handshakes.shake_hands(transport, head, check, refused)
        return agreed[0] if is_open else None
    try:
        subprotocol = check(usual)
    except ConnectionDeny as e:
        refused(e.code, e.reason, {})
        return None
    with suppress(AttributeError, OSError):  # Not on a UNIX socket.
        transport.setTcpNoDelay(True)
    factory.writes.write(transport, acceptance(usual, subprotocol))
    return agreed[0]


def agree(factory: WebSocketConnections, request: Any) -> Agreed:
    """
    Check origin, subprotocol and token.

    @param request: Autobahn's C{ConnectionRequest}, or a L{UsualRequest}.
    @raise ConnectionDeny: the handshake is refused.
    @raise WsmsgError: likewise.
    """
    try:
        return _agree(factory, request)
    except (WsmsgError, ConnectionDeny):
        raise
    except Exception:  # noqa: BLE001 - a guard
        _log.failure("a handshake")
        raise deny(500, "internal error") from None


def refusal(head: bytes, status: int, reason: str, headers: Mapping[str, str]) -> bytes:
    """
    Return the answer to a handshake that is refused.
    """
    if status == 426 and not headers:
        status = 400  # A plain GET.  With headers, it is about the protocol's version.
    error = _error(status, reason)
    return raw_error(
        error, status, conventions=handshake_conventions(head), headers=headers
    )


def _error(status: int, reason: str) -> WsmsgError:
    return from_code(_CODES.get(status, "bad_request"), reason)


def _agree(factory: WebSocketConnections, request: Any) -> Agreed:
    if request.origin and not factory.origins.allow(request.origin):
        raise deny(403, f"origin {request.origin!r} is not allowed")
    _check_host(factory, request.headers.get("host"))
    subprotocol = factory.choose(request.protocols)
    headers = _without_login(request.headers)
    subprotocol.check_headers(headers)
    claimed = headers.get("user-id")
    claimed_user = None if claimed is None else parse_user(claimed)
    token = headers.get("authorization")
    authenticate = subprotocol.authenticate or factory.authenticate
    identity = None if token is None else authenticate(token, claimed_user)
    return Agreed(subprotocol, identity, claimed_user)


def _check_host(factory: WebSocketConnections, host: str | None) -> None:
    """
    Check the name by which a client reached this node.  A proxy may pass on any, so
    only the setting C{hosts} limits the names.
    """
    if host is None:
        return
    check_form(host)
    if not factory.hosts.knows(host):
        raise deny(403, f"host {host[:80]!r} is not in the setting hosts")


def _without_login(headers: Mapping[str, str]) -> Mapping[str, str]:
    """
    Return the headers without the login of a proxy, which is no token.
    """
    login = headers.get("authorization", "").strip().partition(" ")[0].lower()
    if login not in _OF_PROXIES:
        return headers
    return {name: headers[name] for name in headers if name != "authorization"}
