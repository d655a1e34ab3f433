"""
Message's public HTTP listener.
"""

from __future__ import annotations

import json
from typing import Any

from tests.doubles import exposed
from tests.http.cases import believing, key_of, keyring
from tests.http.wire import Wire
from tests.message.http.cases import ApiCase
from wsmsg.message.http.api import PublicHttp, limits_of
from wsmsg.monitoring.health import Health, required_up
from wsmsg.monitoring.metrics import Metrics
from wsmsg.settings.values import MessageSettings


class PublicHttpTests(ApiCase):
    """
    L{PublicHttp}.
    """

    def setUp(self) -> None:
        super().setUp()
        health = Health(self.clock, required_up)
        health.started()
        self.http = PublicHttp(
            self.behind,
            health,
            self.clock,
            MessageSettings(),
            believing,
            self.legacy_routes,
            keys=lambda: self.keyring,
            audit=self.changes.append,
        )

    def get(self, path: str) -> tuple[int, Any]:
        """
        Return the status and the document of an answer.
        """
        protocol, wire = self.http.site.buildProtocol(None), Wire()
        protocol.makeConnection(wire)
        protocol.dataReceived(f"GET {path} HTTP/1.0\r\n\r\n".encode())
        head, _, body = wire.value().partition(b"\r\n\r\n")
        return int(head.split()[1]), json.loads(body)

    def test_files(self) -> None:
        """
        The listener takes no more connections than there are files for.
        """
        settings = MessageSettings()
        self.assertEqual(limits_of(settings, 10_000).connections, 2000)
        self.assertEqual(limits_of(settings, 900).connections, 900)

    def test_served(self) -> None:
        """
        The listener serves health, the API with the legacy routes, and the description
        of the API.
        """
        self.assertEqual(self.get("/healthz"), (200, {"alive": True}))
        self.assertEqual(self.get("/readyz")[1]["ready"], True)
        self.assertEqual(set(self.get("/health")[1]), {"status", "time"})
        self.assertEqual(self.get("/api/v1/presence?users=1")[0], 200)
        self.assertIn("/health", self.get("/api/v1/openapi.json")[1]["paths"])
        self.assertEqual(self.get("/")[0], 404)

    def test_stopping(self) -> None:
        """
        While Message stops, requests are refused, C{/health} included; the health
        checks still answer.
        """
        self.http.drain()
        for path in ("/health", "/api/v1/presence?users=1"):
            self.assertEqual(self.get(path)[0], 503)
        self.assertEqual(self.get("/healthz")[0], 200)

    def test_name(self) -> None:
        """
        The line in the log when the listener starts names the listener by its purpose.
        """
        self.assertEqual(self.http.site.logPrefix(), "HTTP API")

    def test_settings(self) -> None:
        """
        A reload applies to the next request, and to what may reach the listener.
        """
        http = {"connections": 7, "receive_s": 3}
        new = MessageSettings.model_validate({"http": http})
        self.http.apply_settings(new)
        self.keyring = keyring(key_of("0123456789abcdef"))
        self.assertEqual(self.get("/api/v1/presence?users=1")[0], 401)
        limits = self.http.site.limits()
        self.assertEqual((limits.connections, limits.receive_s), (7, 3))

    def test_body(self) -> None:
        """
        A body may hold the longest content, each of whose bytes JSON may escape to six,
        unless a setting says otherwise.
        """
        for content_bytes, body_bytes, limit in (
            (65536, 0, 524288),
            (1048576, 0, 6 * 1048576 + 65536),
            (1048576, 100_000, 100_000),
        ):
            values = {
                "content_bytes": content_bytes,
                "http": {"body_bytes": body_bytes},
            }
            self.http.apply_settings(MessageSettings.model_validate(values))
            self.assertEqual(self.http.site.limits().body_bytes, limit)

    def test_metrics(self) -> None:
        """
        The metrics count requests, failures, and connections.
        """
        metrics = Metrics()
        self.http.register_metrics(metrics)
        for path in ("/api/v1/presence?users=1", "/nothing", "/healthz"):
            self.get(path)
        lines = exposed(metrics).decode().splitlines()
        for line in (
            "wsmsg_message_http_requests_total 2.0",
            "wsmsg_message_http_failed_total 1.0",
            "wsmsg_message_http_rejected_total 0.0",
            "wsmsg_message_http_in_flight 0.0",
            "wsmsg_message_http_connections 3.0",
        ):
            self.assertIn(line, lines)
