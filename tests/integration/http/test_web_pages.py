"""
A web page that somebody opens on this machine gets nothing from the daemons.
"""

from __future__ import annotations

import asyncio
import json
from typing import Any

from tests.conformance.plain_http import Answer, read_answer
from tests.integration.cases import IntegrationTestCase, with_daemons

_PAGE = {
    "Origin": "https://evil.example",
    "Content-Type": "text/plain;charset=UTF-8",
    "Sec-Fetch-Site": "cross-site",
    "Sec-Fetch-Mode": "cors",
}
_REBOUND = {"Host": "rebound.evil.example", "Content-Type": "application/json"}
_JSON = {"Content-Type": "application/json"}
_MESSAGE = {"client_id": "p1", "from": 1002, "to": 1001, "content": "by a page"}


class WebPageTests(IntegrationTestCase):
    """
    Both daemons with their default settings.
    """

    async def ask(
        self, listener: str, target: str, headers: dict[str, str], body: Any = None
    ) -> Answer:
        """
        Send a request to a listener.
        """
        port = self.installation.ports[listener]
        method, _, path = target.partition(" ")
        data = b"" if body is None else json.dumps(body).encode()
        lines = [f"{method} {path} HTTP/1.1", f"Content-Length: {len(data)}"]
        fields = {"Host": f"127.0.0.1:{port}", "Connection": "close", **headers}
        lines += [f"{name}: {value}" for name, value in fields.items()]
        reader, writer = await asyncio.open_connection("127.0.0.1", port)
        writer.write("\r\n".join([*lines, "", ""]).encode() + data)
        answer = read_answer(await asyncio.wait_for(reader.read(), 10), method)
        writer.close()
        return answer

    def calls(self) -> list[tuple[str, str, Any]]:
        """
        Return calls of each listener that asks for no key: listener, target, body.
        """
        api = "/api/v1"
        history = {"user_id": 1001, "page": 1, "size": 1}
        online = {"user_ids": [1001]}
        return [
            ("message.listen", f"POST {api}/messages", _MESSAGE),
            ("message.listen", f"POST {api}/messages/history", history),
            ("message.listen", f"GET {api}/users/1001/conversations", None),
            ("message.listen", f"DELETE {api}/users/1001/sessions", None),
            ("connect.listen", f"POST {api}/connect/online_status", online),
            ("message.admin_listen", "POST /dead-letters/replay", {"numbers": [1]}),
            ("message.admin_listen", "GET /dead-letters", None),
            ("message.admin_listen", "GET /status", None),
            ("connect.admin_listen", "GET /metrics", None),
        ]

    @with_daemons
    async def test_page_gets_nothing(self) -> None:
        """
        On every listener, a request of a page of another site, of a page whose name
        was pointed to this machine, and of a page in a sandbox is refused with the
        reason, and no page may read the answer.
        """
        for listener, target, body in self.calls():
            for headers in (
                _PAGE,
                {"Sec-Fetch-Site": "cross-site", **_JSON},
                {"Origin": "null", **_JSON},
                _REBOUND,
                {**_REBOUND, "Origin": "http://rebound.evil.example"},
                {**_REBOUND, "Host": "127.0.0.1.evil.example:21004"},
            ):
                answer = await self.ask(listener, target, headers, body)
                told = (listener, target, headers, answer)
                self.assertIn(answer.status, (401, 403), told)
                self.assertNotIn("access-control-allow-origin", answer.headers, told)
                document = answer.document
                self.assertTrue(document.get("detail") or document.get("error"), told)
            if body is not None and "admin" not in listener:
                for kind in ("text/plain", "application/x-www-form-urlencoded"):
                    headers = {"Content-Type": kind}
                    answer = await self.ask(listener, target, headers, body)
                    self.assertEqual(answer.status, 415, answer)
                    self.assertIn(b"application/json", answer.body)
        anna = await self.device(1001)
        await anna.pong()  # nobody ended the session, and no message came before it

    @with_daemons
    async def test_details_of_readiness(self) -> None:
        """
        Probes are answered under any name, and pages are not told what a daemon needs.
        """
        for listener in ("message.listen", "message.admin_listen"):
            for headers in (_PAGE, _REBOUND):
                answer = await self.ask(listener, "GET /readyz", headers)
                self.assertEqual(answer.document, {"ready": True})
            answer = await self.ask(listener, "GET /readyz", {})
            self.assertIn("dependencies", answer.document)
            answer = await self.ask(listener, "GET /healthz", _REBOUND)
            self.assertEqual(answer.status, 200)

    @with_daemons
    async def test_own_pages(self) -> None:
        """
        A page of an allowed origin may call, and read the answer.
        """
        page = {"Origin": "http://localhost:3000", **_JSON}
        for listener, target, body in self.calls():
            if "admin" in listener:
                continue
            answer = await self.ask(listener, target, page, body)
            self.assertLess(answer.status, 300, answer)
            allowed = answer.headers["access-control-allow-origin"]
            self.assertEqual(allowed, "http://localhost:3000")

    @with_daemons
    async def test_page_with_a_token(self) -> None:
        """
        Behind a proxy that passes its own name on, a caller of C{online_status} needs a
        user's token.
        """
        call = ("connect.listen", "POST /api/v1/connect/online_status")
        body = {"user_ids": [1001]}
        refused = await self.ask(*call, _REBOUND, body)
        self.assertIn("token", refused.document["error"])
        login = {"Authorization": f"Bearer {self.installation.token(1001)}"}
        answer = await self.ask(*call, {**_REBOUND, **login}, body)
        self.assertEqual(answer.status, 200)
        answer = await self.ask(*call, {**_REBOUND, "Authorization": "x"}, body)
        self.assertEqual(answer.status, 401)
