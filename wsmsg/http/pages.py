"""
Web pages as callers: requests that a browser sent for a page of another site.

A listener that asks its callers for no key trusts whoever reaches it, and a browser
reaches it for every page that somebody opens on this machine.  Three things tell such
a request from one of a program:

  - C{Origin} and C{Sec-Fetch-Site} name the site of the page;
  - C{Host} is the name by which the browser looked the listener up.  A page whose own
    name points to this machine (DNS rebinding) is of the same origin for the browser,
    but its name is none of this machine;
  - C{Content-Type}: a page may send a body of some other type to any site, and asks
    first (CORS) before it sends JSON.
"""

from __future__ import annotations

import ipaddress
import re
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from wsmsg.errors import BadRequest, Forbidden, WsmsgError
from wsmsg.http.errors import ANY_PAGE, Conventions
from wsmsg.http.origins import Origins
from wsmsg.settings.urls.address import is_loopback

_HOST = re.compile(r"(\[[0-9a-f:.]+\]|[^\s:@/\\?#\[\],]+)(?::\d{1,5})?", re.IGNORECASE)
_OWN_SITE = frozenset({"same-origin", "none"})
_JSON = "application/json"
_SHOWN = 80


# "*" stands for every header but this one, says the Fetch standard.
_WITH_AUTHORIZATION = {"access-control-allow-headers": "*, authorization"}


class NotJson(WsmsgError):
    """
    The body of a request is not declared to be JSON.
    """

    code = "bad_request"
    http_status = 415
    close = None


class Pages:
    """
    Tells which requests come from pages that nobody has allowed.

    @param origins: patterns of the origins whose pages are allowed.
    @param hosts: names by which callers reach the listener, besides its address and
        the names of loopback; C{*}: any.
    @param remedy: the end of a sentence: what a caller or an operator can do instead.
    """

    def __init__(
        self,
        origins: Iterable[str] = (),
        hosts: Iterable[str] = (),
        *,
        remedy: str = "",
    ) -> None:
        self._origins = Origins(origins)
        self._hosts = frozenset(_plain(host) for host in hosts)
        self._remedy = remedy

    def check(self, request: Any) -> None:
        """
        Check that a request does not come from a page of another site.

        @param request: a request of twisted.web that has arrived.
        @raise WsmsgError: C{Forbidden} or L{NotJson}: it may.
        """
        self.check_site(request)
        self._check_host(request)
        self._check_type(request)

    def check_site(self, request: Any) -> None:
        """
        Check the site of the page that a browser names.

        @raise Forbidden: it is another site.
        """
        origins = _values(request, "origin")
        for origin in origins:
            if not self._allows(origin, _values(request, "host")):
                raise self._refusal(f"pages of {_shown(origin)} may not call this")
        if origins:
            return
        for site in _values(request, "sec-fetch-site"):
            if site.lower() not in _OWN_SITE:
                raise self._refusal(
                    f"pages of other sites may not call this (Sec-Fetch-Site is "
                    f"{_shown(site)})"
                )

    def is_foreign(self, request: Any) -> bool:
        """
        Return whether a request without a body may come from a page of another site.
        """
        try:
            self.check_site(request)
            self._check_host(request)
        except Forbidden:
            return True
        return False

    def knows(self, host: str, own: str = "") -> bool:
        """
        Return whether a C{Host} header names this listener.

        @param own: the address at which the connection arrived.
        """
        name = _name(host)
        return (
            "*" in self._hosts
            or name in self._hosts
            or is_loopback(name)
            or bool(own and name == _plain(own))
        )

    def readable(self, request: Any, *, by_all: bool) -> Mapping[str, str]:
        """
        Return the headers by which pages may read the answer to a request.

        @param by_all: whether pages of every site may.
        """
        if by_all:
            asked = ",".join(_values(request, "access-control-request-headers"))
            named = "authorization" in asked.lower()
            return {**ANY_PAGE, **(_WITH_AUTHORIZATION if named else {})}
        origins = _values(request, "origin")
        if len(origins) != 1 or not self._origins.allow(origins[0]):
            return {}
        return {
            "access-control-allow-origin": origins[0],
            "access-control-allow-headers": "authorization, content-type, user-id",
            "access-control-allow-methods": "GET, POST, DELETE",
            "vary": "Origin",
        }

    def _allows(self, origin: str, hosts: Sequence[str]) -> bool:
        if self._origins.allow(origin):
            return True
        scheme, _, host = origin.lower().partition("://")
        return scheme in ("http", "https") and [host] == [h.lower() for h in hosts]

    def _check_host(self, request: Any) -> None:
        hosts = _values(request, "host")
        own = getattr(request.getHost(), "host", "")
        for host in hosts:
            if not self.knows(host, own):
                raise self._refusal(
                    f"the Host header is {_shown(host)}, which is no name of this "
                    "listener; list the name in the setting hosts"
                )
        if len(hosts) > 1:
            raise self._refusal("there are several Host headers")

    def _check_type(self, request: Any) -> None:
        content = request.content
        if content is None or not content.read(1):
            return
        content.seek(0)
        types = _values(request, "content-type")
        for given in types or ("missing",):
            if given.partition(";")[0].strip().lower() != _JSON:
                raise NotJson(
                    f"the Content-Type of the body is {_shown(given)}, and has to be "
                    f"{_JSON} (curl --json sends it){self._remedy}"
                )

    def _refusal(self, reason: str) -> WsmsgError:
        return Forbidden(reason + self._remedy)


def readable_by_all(conventions: Conventions, *, asks_key: bool) -> bool:
    """
    Return whether pages of every site may read an answer: those of the legacy contract,
    if the caller has to present a key or a token.
    """
    return asks_key and conventions.any_page


def check_form(host: str) -> None:
    """
    Check the form of a C{Host} header.

    @raise BadRequest: it is not the name of a host, with or without a port.
    """
    if len(host) > 260 or not _HOST.fullmatch(host):
        raise BadRequest(f"the Host header {_shown(host)} is not the name of a host")


def _values(request: Any, name: str) -> Sequence[str]:
    values: Sequence[str] = request.requestHeaders.getRawHeaders(name, ())
    return [value.strip() for value in values]


def _name(host: str) -> str:
    found = _HOST.fullmatch(host)
    return _plain(found[1]) if found else ""


def _plain(name: str) -> str:
    """
    Return the one form of a name or an address.
    """
    name = name.lower().removesuffix(".").strip("[]")
    try:
        address = ipaddress.ip_address(name)
    except ValueError:
        return name
    mapped = getattr(address, "ipv4_mapped", None)
    return str(mapped or address)


def _shown(text: str) -> str:
    return ascii(text[:_SHOWN])
