"""
Static pages: a browser gets the files of a page, and nothing else.
"""

from __future__ import annotations

import re
from pathlib import Path

from twisted.internet.address import IPv4Address
from twisted.internet.task import Clock
from twisted.trial.unittest import SynchronousTestCase

from tests.http.wire import Wire
from wsmsg.http.resource import Api
from wsmsg.http.server.site import FixedLimits, QuietSite
from wsmsg.http.static.files import StaticFile, read_files
from wsmsg.http.static.routes import static_routes

_LIMITS = FixedLimits(body_bytes=1000, receive_s=10.0, connections=1000)


class StaticPageTests(SynchronousTestCase):
    """
    L{static_routes}, asked over HTTP.
    """

    def setUp(self) -> None:
        self.folder = Path(self.mktemp())
        self.folder.mkdir()
        self.write("index.html", b"<!doctype html>\n")
        self.write("app.js", b"export {}\n")
        self.write("parts/list.css", b"p { color: red }\n")
        self.write("parts/icon.svg", b"<svg/>")
        self.write("notes.py", b"secret = 1\n")
        self.write(".env.txt", b"secret")
        self.write(".git/config.txt", b"secret")
        (self.folder.parent / "beside.txt").write_bytes(b"secret")
        self.serve()

    def write(self, name: str, body: bytes) -> None:
        """
        Write a file of the page.
        """
        path = self.folder / name
        path.parent.mkdir(exist_ok=True)
        path.write_bytes(body)

    def serve(self) -> None:
        """
        Start with the files as they are now.
        """
        routes = static_routes(self.folder, index="/chat", below="/chat/")
        self.site = QuietSite(Api(routes), Clock(), lambda: _LIMITS)

    def get(
        self, path: str, *lines: str, method: str = "GET"
    ) -> tuple[int, dict[str, str], bytes]:
        """
        @param lines: headers of the request.
        @return: the status, the headers in lower case, and the body of the answer.
        """
        channel = self.site.buildProtocol(IPv4Address("TCP", "127.0.0.1", 7))
        wire = Wire()
        channel.makeConnection(wire)
        asked = [f"{method} {path} HTTP/1.1", "Host: localhost", *lines, "", ""]
        channel.dataReceived("\r\n".join(asked).encode("latin-1"))
        head, _, body = wire.value().partition(b"\r\n\r\n")
        status, *fields = head.decode().split("\r\n")
        pairs = (field.split(": ", 1) for field in fields)
        return int(status.split()[1]), {k.lower(): v for k, v in pairs}, body

    def test_files(self) -> None:
        """
        Each file of the page has its path, its content and its content type.
        """
        for path, kind, body in (
            ("/chat", "text/html; charset=utf-8", b"<!doctype html>\n"),
            ("/chat?user=1", "text/html; charset=utf-8", b"<!doctype html>\n"),
            ("/chat/app.js", "text/javascript; charset=utf-8", b"export {}\n"),
            ("/chat/parts/list.css", "text/css; charset=utf-8", b"p { color: red }\n"),
            ("/chat/parts/icon.svg", "image/svg+xml", b"<svg/>"),
        ):
            status, headers, given = self.get(path)
            self.assertEqual((status, given), (200, body), path)
            self.assertEqual(headers["content-type"], kind)
            self.assertEqual(headers["content-length"], str(len(body)))

    def test_nothing_else(self) -> None:
        """
        No path leads to another file: not to modules and hidden files in the folder,
        and not out of it, however it is written.
        """
        outside = ("..", "%2e%2e", "%2E%2E", "..%2f..", "..%5c..", "....//", "./..")
        for path in (
            *("/", "/app.js", "/chat/", "/chat/index.html", "/chat/App.js"),
            *("/chat/notes.py", "/chat/.env.txt", "/chat/.git/config.txt"),
            *("/chat//app.js", "/chat/app.js/", "/chat/app.js%00", "/chat/parts"),
            *(f"/chat/{way}/beside.txt" for way in outside),
            *("//etc/passwd", "/chat//etc/passwd", f"/chat/{self.folder}/index.html"),
        ):
            status, _, body = self.get(path)
            self.assertEqual(status, 404, path)
            self.assertNotIn(b"secret", body)

    def test_later_files(self) -> None:
        """
        The files are fixed at the start: one that is written or changed later is not
        served.
        """
        self.write("later.js", b"late")
        self.write("app.js", b"changed")
        self.assertEqual(self.get("/chat/later.js")[0], 404)
        self.assertEqual(self.get("/chat/app.js")[2], b"export {}\n")

    def test_policy(self) -> None:
        """
        Every file is served with a policy that lets a page load nothing from elsewhere,
        run nothing inline, and be in no frame; and the browser guesses no type and
        tells nobody where a link was.
        """
        for path in ("/chat", "/chat/app.js", "/chat/parts/icon.svg"):
            headers = self.get(path)[1]
            rules = dict(
                rule.split(" ", 1)
                for rule in headers["content-security-policy"].split("; ")
            )
            self.assertEqual(rules["default-src"], "'none'")
            for name in ("script-src", "style-src", "img-src", "connect-src"):
                self.assertEqual(rules[name], "'self'")
            for name in ("base-uri", "form-action", "frame-ancestors"):
                self.assertEqual(rules[name], "'none'")
            self.assertEqual(rules["require-trusted-types-for"], "'script'")
            self.assertEqual(headers["x-content-type-options"], "nosniff")
            self.assertEqual(headers["referrer-policy"], "no-referrer")
            self.assertNotIn("access-control-allow-origin", headers)

    def test_connections(self) -> None:
        """
        A page may name further sources that it connects to.
        """
        sources = ("'self'", "wss://chat.example")
        (route, *_) = static_routes(
            self.folder, index="/", below="/static/", connect=sources
        )
        self.site = QuietSite(Api([route]), Clock(), lambda: _LIMITS)
        headers = self.get(route.path)[1]
        self.assertIn(
            "; connect-src 'self' wss://chat.example; ",
            headers["content-security-policy"],
        )

    def test_known(self) -> None:
        """
        A browser asks again each time, and is sent nothing while it has the content:
        the tag follows from the content alone.
        """
        status, headers, body = self.get("/chat/app.js")
        tag = headers["etag"]
        self.assertRegex(tag, r'^"[0-9a-f]{32}"$')
        self.assertEqual(headers["cache-control"], "no-cache")
        for known in (tag, f"W/{tag}", f'"x", {tag}', "*"):
            for method in ("GET", "HEAD"):
                status, again, body = self.get(
                    "/chat/app.js", f"If-None-Match: {known}", method=method
                )
                self.assertEqual((status, body), (304, b""), known)
                self.assertEqual(again["etag"], tag)
                self.assertEqual(
                    again["content-security-policy"], headers["content-security-policy"]
                )
                self.assertNotIn("content-type", again)
        for other in ("", '"x"', tag.strip('"'), f"x{tag}"):
            status = self.get("/chat/app.js", f"If-None-Match: {other}")[0]
            self.assertEqual(status, 200, other)
        self.serve()
        self.assertEqual(self.get("/chat/app.js")[1]["etag"], tag)
        self.write("app.js", b"changed")
        self.serve()
        self.assertNotEqual(self.get("/chat/app.js")[1]["etag"], tag)

    def test_methods(self) -> None:
        """
        C{HEAD} tells what C{GET} would send; other methods are refused.
        """
        wanted = self.get("/chat/app.js")[1]
        status, headers, body = self.get("/chat/app.js", method="HEAD")
        self.assertEqual((status, body), (200, b""))
        for each in (wanted, headers):
            each.pop("date", None)
        self.assertEqual(headers, wanted)
        for method in ("POST", "PUT", "DELETE"):
            self.assertEqual(self.get("/chat/app.js", method=method)[0], 405)

    def test_no_page(self) -> None:
        """
        A folder without C{index.html} is not a page: a daemon that lacks its files
        tells so at its start.
        """
        (self.folder / "index.html").unlink()
        error = self.assertRaises(FileNotFoundError, read_files, self.folder)
        self.assertIn("index.html", str(error))


class StaticFileTests(SynchronousTestCase):
    """
    L{StaticFile}.
    """

    def test_representation(self) -> None:
        """
        A file in a traceback or in a log shows no content.
        """
        shown = repr(StaticFile.of("app.js", b"0123456789" * 1000))
        self.assertTrue(re.search("app.js", shown))
        self.assertLess(len(shown), 200)
