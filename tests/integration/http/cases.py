"""
Requests shared by the tests of HTTP with real daemons.
"""

from __future__ import annotations

from typing import Any, ClassVar

from tests.conformance.plain_http import ask
from tests.integration.cases import IntegrationTestCase, eventually
from tests.integration.http.described import problems

ROOT = "/api/v1/"


class HttpTestCase(IntegrationTestCase):
    """
    Base class with requests to both daemons.
    """

    headers: ClassVar[dict[str, str]] = {}

    @property
    def port(self) -> int:
        return self.installation.message.port("listen")

    async def ask(self, method: str, path: str, body: Any = None, **more: Any) -> Any:
        """
        Send a request to Message's API, and hold the answer against
        C{docs/openapi.json}.
        """
        headers = more.pop("headers", self.headers)
        answer = await ask(
            self.port, method, ROOT + path, body, headers=headers, **more
        )
        found = problems(method, ROOT + path, answer)
        self.assertEqual(found, [], (method, path, answer))
        return answer

    async def post(self, path: str, **body: Any) -> Any:
        """
        Send a POST request that must get 200, and return the document.
        """
        answer = await self.ask("POST", path, body)
        self.assertEqual(answer.status, 200, answer)
        return answer.document

    async def send(self, sender: int, to: int, content: str) -> Any:
        """
        Send a message from one user to another.
        """
        body = {"client_id": content, "from": sender, "to": to, "content": content}
        answer = await self.ask("POST", "messages", body)
        self.assertEqual(answer.status, 201, answer)
        return answer.document

    async def unread(self, user: int, n: int) -> list[Any]:
        """
        Wait until a user has this number of unread messages.
        """
        found: list[Any] = []

        async def there() -> bool:
            answer = await self.post("messages/unread", user_id=user)
            found[:] = answer["messages"] or []
            return len(found) == n

        await eventually(f"{user} has {n} unread messages", there)
        return found
