"""
The command line's client of the admin listener.
"""

from __future__ import annotations

import json
from http.server import BaseHTTPRequestHandler, HTTPServer
from threading import Thread
from typing import Any

from twisted.trial.unittest import SynchronousTestCase

from wsmsg.cli.operator.ask import NoAnswer, ask


class _Answers(BaseHTTPRequestHandler):
    status = 200
    body = b""

    def do_GET(self) -> None:
        self.send_response(self.status)
        self.end_headers()
        self.wfile.write(self.body)

    def log_message(self, format: str, *args: Any) -> None:
        pass


class AskTests(SynchronousTestCase):
    """
    L{ask}.
    """

    def ask(self, status: int, body: bytes) -> Any:
        """
        Ask a server that answers this.
        """
        handler = type("Handler", (_Answers,), {"status": status, "body": body})
        with HTTPServer(("127.0.0.1", 0), handler) as server:
            serving = Thread(target=server.handle_request)
            serving.start()
            try:
                return ask(f"http://127.0.0.1:{server.server_port}/status")
            finally:
                serving.join()

    def refused(self, status: int, body: bytes) -> str:
        """
        Return the text of the failure.
        """
        return str(self.assertRaises(NoAnswer, self.ask, status, body))

    def test_object(self) -> None:
        """
        The JSON object of an answer is returned, also that of a daemon that is not
        ready.
        """
        for status in (200, 503):
            document = {"ready": status == 200}
            got = self.ask(status, json.dumps(document).encode())
            self.assertEqual(got, document)

    def test_problem(self) -> None:
        """
        A failure quotes the detail of the daemon's problem document.
        """
        body = json.dumps({"title": "Not Found", "detail": "there is no such thing"})
        text = self.refused(404, body.encode())
        self.assertIn("/status answered 404: there is no such thing", text)
        self.assertIn("answered 503: Service Unavailable", self.refused(503, b"{}"))

    def test_other_server(self) -> None:
        """
        An answer that is not a JSON object is not one of an admin listener.
        """
        for status, body in ((200, b"<html>"), (404, b"<html>"), (200, b"[]")):
            self.assertIn("is no listener of wsmsg", self.refused(status, body))
