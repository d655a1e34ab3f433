"""
Requests that a browser may have sent for a page of another site.
"""

from __future__ import annotations

from io import BytesIO
from typing import Any

from twisted.internet.address import IPv4Address
from twisted.trial.unittest import SynchronousTestCase
from twisted.web.test.requesthelper import DummyRequest

from wsmsg.errors import BadRequest, WsmsgError
from wsmsg.http.pages import Pages, check_form
from wsmsg.settings.urls.origins import host_problem


def request(body: bytes = b"", **headers: str | list[str]) -> Any:
    """
    Return a request to a listener that was reached at 192.0.2.1.
    """
    made: Any = DummyRequest([b"x"])
    made.content = BytesIO(body)
    made.getHost = lambda: IPv4Address("TCP", "192.0.2.1", 21004)
    for name, values in headers.items():
        values = [values] if isinstance(values, str) else values
        made.requestHeaders.setRawHeaders(name.replace("_", "-"), values)
    return made


class PagesTests(SynchronousTestCase):
    """
    L{Pages}.
    """

    def status(self, pages: Pages, *args: Any, **headers: Any) -> int:
        """
        Return the status with which a request is refused; 200: it is not.
        """
        made = request(*args, **headers)
        try:
            pages.check(made)
        except WsmsgError as e:
            return e.http_status
        self.assertEqual(made.content.tell(), 0)
        return 200

    def test_host(self) -> None:
        """
        A C{Host} header has to be a name of loopback, the address at which the request
        arrived, or a listed name; a request may have none.
        """
        pages = Pages(hosts=["API.example", "[2001:db8::1]"])
        for good in (
            *("localhost", "LocalHost:1", "localhost.", "127.0.0.1:21004", "127.9.9.9"),
            *("[::1]:5", "[::ffff:127.0.0.1]", "192.0.2.1", "192.0.2.1:99"),
            *("api.example", "api.example.:80", "[2001:DB8:0::1]"),
        ):
            self.assertEqual(self.status(pages, host=good), 200, good)
        self.assertEqual(self.status(pages), 200)
        for bad in (
            *(
                "rebound.evil.example:80",
                "",
                "a:b:c",
                "x" * 300,
                "192.0.2.2",
                "0.0.0.0",
            ),
            *("127.0.0.1.evil.example", "localhost.evil.example", "evil.localhost"),
            *("localhost@evil.example", "localhost, evil.example", "127.0.0.1/evil"),
            *("[::1", "::1", "localhost:x", "localhost:1:2", "localhost\\evil"),
        ):
            self.assertEqual(self.status(pages, host=bad), 403, bad)
        twice = ["localhost", "localhost"]
        self.assertEqual(self.status(pages, host=twice), 403)
        self.assertEqual(self.status(Pages(hosts=["*"]), host="any.example"), 200)

    def test_origin(self) -> None:
        """
        Pages of the listener itself and of listed origins may call, and no others.
        """
        pages = Pages(["https://chat.example", "http://localhost:*"])
        host = "localhost:21004"
        for good in ("https://chat.example", "http://localhost:9", f"http://{host}"):
            self.assertEqual(self.status(pages, host=host, origin=good), 200, good)
            cross = {"sec_fetch_site": "cross-site"}
            self.assertEqual(self.status(pages, origin=good, host=host, **cross), 200)
        for bad in (
            *("https://evil.example", "null", "", "file://", "https://localhost:1"),
            *("http://localhost.evil.example", "http://localhost:80@evil.example"),
            *("https://chat.example.evil", "https://chat.example, https://evil"),
            *("http://localhost:80/x", "http://evil#http://localhost", "localhost"),
        ):
            self.assertEqual(self.status(pages, origin=bad, host=host), 403, bad)
        two = ["https://chat.example", "https://evil.example"]
        self.assertEqual(self.status(pages, origin=two, host=host), 403)

    def test_site(self) -> None:
        """
        A request without C{Origin} is refused if the browser says that it is for
        another site, such as an image or a link.
        """
        for site, status in (
            *(("cross-site", 403), ("same-site", 403), ("Cross-Site", 403)),
            *(("", 403), ("x", 403), ("same-origin", 200), ("none", 200)),
        ):
            self.assertEqual(self.status(Pages(), sec_fetch_site=site), status, site)

    def test_body(self) -> None:
        """
        A body has to be declared to be JSON, for which a browser asks first.
        """
        for kind in ("application/json", "Application/JSON;charset=utf-8"):
            self.assertEqual(self.status(Pages(), b"{}", content_type=kind), 200)
        for kind in (
            *("text/plain", "application/x-www-form-urlencoded", "multipart/form-data"),
            *("", "application/jsonx", "text/plain;application/json"),
            *("text/plain, application/json",),
        ):
            self.assertEqual(self.status(Pages(), b"{}", content_type=kind), 415, kind)
        both = ["application/json", "text/plain"]
        self.assertEqual(self.status(Pages(), b"{}", content_type=both), 415)
        self.assertEqual(self.status(Pages(), b"{}"), 415)
        self.assertEqual(self.status(Pages(), b"", content_type="text/plain"), 200)

    def test_readable(self) -> None:
        """
        Only pages of listed origins may read an answer.
        """
        pages = Pages(["https://chat.example"])
        good = pages.readable(request(origin="https://chat.example"), by_all=False)
        self.assertEqual(good["access-control-allow-origin"], "https://chat.example")
        self.assertEqual(good["vary"], "Origin")
        for origin in ("https://evil.example", "null", "http://localhost"):
            self.assertEqual(pages.readable(request(origin=origin), by_all=False), {})
        self.assertEqual(pages.readable(request(), by_all=False), {})

    def test_forms_of_hosts(self) -> None:
        """
        The host of a handshake has to be the name of a host; C{hosts} lists names.
        """
        for host in ("a.example", "a.example:1", "[::1]:9", "a_b"):
            check_form(host)
        for host in ("", "a:b:c", "x" * 300, "a b", "a@b", "http://a", "[::1", "a,b"):
            self.assertRaises(BadRequest, check_form, host)
        for good in ("*", "chat.example", "192.0.2.1", "::1", "[::1]"):
            self.assertEqual(host_problem(good), "", good)
        for bad in ("http://a", "a/b", "*.a", "a:80", "", "bücher.example", "a b"):
            self.assertTrue(host_problem(bad), bad)
